"""Find the companions of a workload again: by owner, by what the pod refers to, and after renames by kustomize or by hand.

Helm and kustomize sort documents by kind, and people move objects to files of their own. So a companion is found anywhere in
a run; it is edited where it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.inject.companions import read_object_owner, read_owner
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.names import SUBDOMAIN_LENGTH
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping, label_of, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Instance, Record
from sidecarctl.yamltext.stream import Document

# The label of the owner, its instance, and `Kind/name` and namespace of the companion.
CompanionKey = tuple[str, str, str, str]
# Fields of a volume that name a ConfigMap or Secret, and the kind.
_VOLUME_SOURCES = (("configMap", "name", "ConfigMap"), ("secret", "secretName", "Secret"))


@dataclass(frozen=True)
class Companion:
    """A companion in the input: item `path` of the workload's List, or document number `index` behind the workload."""

    value: Mapping[str, Any]
    index: int = 0
    path: PathTuple = ()

    @cached_property
    def identity(self) -> str:
        """`ConfigMap/web-logger`."""
        return identify(self.value)

    @property
    def namespace(self) -> str:
        """The namespace, "" without one."""
        namespace = as_mapping(self.value.get("metadata")).get("namespace")
        return namespace if isinstance(namespace, str) else ""

    @cached_property
    def key(self) -> CompanionKey:
        """Owner and identity: only one object of a file has them."""
        return (*self.owner, self.identity, self.namespace)

    @cached_property
    def owner(self) -> tuple[str, str]:
        """The owner's label and the instance."""
        return split_owner(read_object_owner(self.value))


@dataclass(frozen=True)
class Beside:
    """What the other files of a run have to do with the workloads of a file.

    files    other files, by name and text, that have companions of these workloads
    claimed  the companions in the file or in `files` that belong to workloads of other files
    """

    files: Sequence[tuple[str, str]] = ()
    claimed: Collection[CompanionKey] = ()


ALONE = Beside()


def identify(value: object) -> str:
    """Return an object as `Kind/name`."""
    data = as_mapping(value)
    return f"{data.get('kind')}/{as_mapping(data.get('metadata')).get('name')}"


def split_owner(owner: str) -> tuple[str, str]:
    """Return the label of the workload and the instance of an owner annotation: ("Deployment/web", "logger")."""
    label, _, instance = owner.rpartition("/")
    return label, instance


def find_companions(
    first: Document, companions: Sequence[Document], workload: Workload, instance: Instance
) -> list[Companion]:
    """Return the companions of an instance, in order: items of the workload's List, or the documents behind it.

    An object of the name of a companion that has exactly this owner belongs to another workload of the same name.
    """
    known = find_known(workload, instance)
    found: Iterable[Companion]
    if workload.path:
        found = _ListCompanions.of(first, workload.path[:-1]).find_candidates(workload, instance, known)
    else:
        found = (
            Companion(as_mapping(document.value), index)
            for index, document in enumerate(companions, 1)
            if read_owner(document)
        )
    own = [each for each in found if belongs_to(each, workload, instance, known)]
    owner = (workload.label, instance.name)
    exact = {each.identity for each in own if each.owner == owner}
    return [each for each in own if each.owner == owner or each.identity not in exact]


@dataclass(frozen=True)
class _ListCompanions:
    """The items of a List that have an owner, also by owner (label, instance) and by identity.

    holders  labels of the other items that have a record: what they own belongs to no other workload
    """

    items: Sequence[Companion]
    holders: frozenset[str]
    by_owner: Mapping[tuple[str, str], Sequence[Companion]]
    by_identity: Mapping[str, Sequence[Companion]]

    @staticmethod
    def of(document: Document, path: PathTuple) -> _ListCompanions:
        """Return the companions of the List at a path, read once however many workloads it has."""
        key = ("companions", path)
        if key not in document.memo:
            values: Any = document.value
            for step in path:
                values = values[step]
            listed = as_list(values)
            items = [Companion(item, path=(*path, n)) for n, item in enumerate(listed) if read_object_owner(item)]
            holders = frozenset(
                label_of(each) for each in listed if not read_object_owner(each) and holds_key(each, RECORD_ANNOTATION)
            )
            by_owner: dict[tuple[str, str], list[Companion]] = {}
            by_identity: dict[str, list[Companion]] = {}
            for each in items:
                by_owner.setdefault(each.owner, []).append(each)
                by_identity.setdefault(each.identity, []).append(each)
            document.memo[key] = _ListCompanions(items, holders, by_owner, by_identity)
        found: _ListCompanions = document.memo[key]
        return found

    def find_candidates(self, workload: Workload, instance: Instance, known: Iterable[str]) -> Iterable[Companion]:
        """Return the items that can belong to an instance, in order: all of them only if none has exactly this owner."""
        exact = self.by_owner.get((workload.label, instance.name), ())
        named = (each for identity in known for each in self.by_identity.get(identity, ())) if exact else self.items
        free = (each for each in named if each.owner[0] not in self.holders)
        return sorted({id(each): each for each in (*exact, *free)}.values(), key=lambda each: each.path[-1])


def holds_key(value: object, key: str) -> bool:
    """Return True if a mapping anywhere in a value has a key."""
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            if key in each:
                return True
            pending += each.values()
        elif isinstance(each, list):
            pending += each
    return False


def find_known(workload: Workload, instance: Instance) -> frozenset[str]:
    """Return the objects that an instance's volumes use or that the record names, as `Kind/name`."""
    return frozenset((*_references(workload, instance), *instance.added.documents))


def belongs_to(companion: Companion, workload: Workload, instance: Instance, known: Collection[str]) -> bool:
    """Return True if an object with an owner is a companion of an instance.

    Its owner is the workload, or it is among the `known` objects of the instance, or both were renamed in the same way.
    """
    label, name = companion.owner
    if name != instance.name:
        return False
    if label == workload.label:
        return True
    metadata = as_mapping(companion.value.get("metadata"))
    namespace = metadata.get("namespace") or ""
    if namespace and workload.namespace and namespace != workload.namespace:
        return False
    if companion.identity in known:
        return True
    kind, _, owner = label.partition("/")
    former = owner.rpartition("/")[2]
    return kind == workload.kind and _is_renamed(former, workload.name, str(metadata.get("name")))


@dataclass(frozen=True)
class Holder:
    """A workload with a record, and where it is: the number of its document, or the name of its file."""

    workload: Workload
    record: Record
    place: Any

    def uses(self, companion: Companion) -> bool:
        """Return True if the instance that a companion names has it, in the same namespace."""
        instance = self.record.instances[companion.owner[1]]
        return companion.namespace == self.workload.namespace and companion.identity in find_known(
            self.workload, instance
        )


class Homes:
    """Workloads that can have companions, found without comparing each of them with each companion."""

    def __init__(self, holders: Iterable[Holder]) -> None:
        self._by_label: dict[str, list[Holder]] = {}
        self._by_name: dict[tuple[str, str], list[Holder]] = {}
        self._by_known: dict[tuple[str, str], list[Holder]] = {}
        for holder in holders:
            self._by_label.setdefault(holder.workload.label, []).append(holder)
            for name, instance in holder.record.instances.items():
                self._by_name.setdefault((name, holder.workload.name), []).append(holder)
                for identity in find_known(holder.workload, instance):
                    self._by_known.setdefault((name, identity), []).append(holder)

    def find_labelled(self, companion: Companion) -> list[Holder]:
        """Return the workloads that the owner annotation of a companion names."""
        return self._by_label.get(companion.owner[0], [])

    def find_fitting(self, companion: Companion) -> list[Holder]:
        """Return the workloads that a companion belongs to, although its owner annotation names another one."""
        label, name = companion.owner
        known = self._by_known.get((name, companion.identity))
        identities = (companion.identity,) if known else ()
        names = () if known else _new_names(label.rpartition("/")[2], companion.identity.partition("/")[2])
        among = known or [each for now in names for each in self._by_name.get((name, now), ())]
        return [each for each in among if belongs_to(companion, each.workload, each.record.instances[name], identities)]


def _references(workload: Workload, instance: Instance) -> Iterator[str]:
    """Yield the ConfigMaps and Secrets that the volumes of an instance use, as `Kind/name`."""
    own = frozenset(instance.added.volumes)
    for volume in as_list(workload.pod.get("volumes")):
        if isinstance(volume, dict) and isinstance(name := volume.get("name"), str) and name in own:
            for field, key, kind in _VOLUME_SOURCES:
                yield f"{kind}/{as_mapping(volume.get(field)).get(key)}"


def _new_names(before: str, companion: str) -> list[str]:
    """Return the names with which a workload that was called `before` fits a companion, as `_is_renamed` says.

    They have the first `before` of the companion's name, so there are at most as many as it has characters.
    """
    at = companion.find(before) if before and len(companion) <= SUBDOMAIN_LENGTH else -1
    if at < 0:
        return []
    end = at + len(before)
    return sorted(companion[:end] + companion[cut:] for cut in range(end, len(companion) + 1))


def _is_renamed(before: str, now: str, companion: str) -> bool:
    """Return True if a workload has a new prefix or suffix, and its companion has it too, as with kustomize."""
    if not before or before == now or before not in now:
        return False
    prefix, _, suffix = now.partition(before)
    return companion.startswith(f"{prefix}{before}") and companion.endswith(suffix)


def read_records(document: Document, kinds: Kinds) -> Iterator[tuple[Workload, Record]]:
    """Yield the workloads of a document with their records; invalid ones are reported when the document is processed."""
    try:
        for workload in workloads(document.value, kinds):
            yield workload, records.read(workload)
    except SidecarctlError:
        return
