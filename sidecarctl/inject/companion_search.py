"""Find the companions of a workload again: by owner, by what the pod refers to, and after renames by kustomize or by hand.

Helm and kustomize sort documents by kind, and people move objects to files of their own. So a companion is found anywhere in
a run; it is edited where it is.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_object_owner, read_owner
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping, label_of, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Instance, Record
from sidecarctl.yamltext.stream import Document

_OWNER = lazy_pattern(re.escape(OWNER_ANNOTATION) + r"""["']?\s*:\s*["']?([^\s"',}]+)""")
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

    @cached_property
    def owner(self) -> tuple[str, str]:
        """The owner's label and the instance."""
        return split_owner(read_object_owner(self.value))


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
    kind, _, owner = label.partition("/")
    return kind == workload.kind and (
        companion.identity in known or _is_renamed(owner.rpartition("/")[2], workload.name, str(metadata.get("name")))
    )


def _references(workload: Workload, instance: Instance) -> Iterator[str]:
    """Yield the ConfigMaps and Secrets that the volumes of an instance use, as `Kind/name`."""
    own = frozenset(instance.added.volumes)
    for volume in as_list(workload.pod.get("volumes")):
        if isinstance(volume, dict) and isinstance(name := volume.get("name"), str) and name in own:
            for field, key, kind in _VOLUME_SOURCES:
                yield f"{kind}/{as_mapping(volume.get(field)).get(key)}"


def _is_renamed(before: str, now: str, companion: str) -> bool:
    """Return True if a workload has a new prefix or suffix, and its companion has it too, as with kustomize."""
    if not before or before == now or before not in now:
        return False
    prefix, _, suffix = now.partition(before)
    return companion.startswith(f"{prefix}{before}") and companion.endswith(suffix)


# ---- documents that were sorted or moved -----------------------------------------------------------------------------


def has_displaced_companions(documents: Iterable[Document]) -> bool:
    """Return True if a companion does not follow its workload. Cheap: compares texts and parses nothing."""
    holder = ""
    for document in documents:
        match = _OWNER.search(document.text)
        if match is None:
            holder = document.text
            continue
        kind, _, rest = match[1].partition("/")
        name = rest.rpartition("/")[0].rpartition("/")[2]
        if RECORD_ANNOTATION not in holder or kind not in holder or name not in holder:
            return True
    return False


def gather_companions(documents: Sequence[Document], kinds: Kinds) -> list[Document]:
    """Move each companion behind its workload. A companion without a workload stays behind the document before it."""
    owned = {index for index, each in enumerate(documents) if read_owner(each) is not None}
    if not owned:
        return list(documents)
    holders = [
        (index, workload, record)
        for index, document in enumerate(documents)
        if index not in owned and RECORD_ANNOTATION in document.text
        for workload, record in read_records(document, kinds)
    ]
    by_label: dict[str, list[int]] = {}
    for index, workload, _ in holders:
        by_label.setdefault(workload.label, []).append(index)
    behind: dict[int, list[int]] = {}
    companions = {index: Companion(as_mapping(documents[index].value)) for index in sorted(owned)}
    exact = {(*each.owner, each.identity) for each in companions.values()}
    for index, companion in companions.items():
        homes = by_label.get(companion.owner[0])
        # Of several workloads with one name, the companion belongs to the one that it follows.
        home = homes[max(bisect(homes, index) - 1, 0)] if homes else _find_home(companion, index, holders, exact)
        if home is not None:
            behind.setdefault(home, []).append(index)
    moved = {index for indices in behind.values() for index in indices}
    order: list[int] = []
    for index in range(len(documents)):
        if index not in moved:
            order += (index, *behind.get(index, ()))
    return [documents[index] for index in order]


def read_records(document: Document, kinds: Kinds) -> Iterator[tuple[Workload, Record]]:
    """Yield the workloads of a document with their records; invalid ones are reported when the document is processed."""
    try:
        for workload in workloads(document.value, kinds):
            yield workload, records.read(workload)
    except SidecarctlError:
        return


def _find_home(
    companion: Companion,
    index: int,
    holders: Sequence[tuple[int, Workload, Record]],
    exact: Collection[tuple[str, str, str]],
) -> int | None:
    """Return the nearest document that a companion belongs to whose owner is not in the input.

    `exact` has label, instance, and `Kind/name` of all companions by owner: an instance has one of each name.
    """
    name = companion.owner[1]
    fitting = [
        home
        for home, workload, record in holders
        if (instance := record.instances.get(name))
        and (workload.label, name, companion.identity) not in exact
        and belongs_to(companion, workload, instance, find_known(workload, instance))
    ]
    return min(fitting, key=lambda home: abs(home - index), default=None)


def restore_order(documents: Sequence[Document]) -> list[Document]:
    """Return documents in the order of the input; a new companion stays behind its workload."""
    return sorted(documents, key=lambda document: document.index)
