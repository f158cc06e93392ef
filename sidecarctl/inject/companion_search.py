"""Find the companions of a workload again: by owner, by what the pod refers to, and after renames by kustomize or by hand.

Helm and kustomize sort documents by kind, and people move objects to files of their own. So a companion is found anywhere in
a run; it is edited where it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_object_owner, read_owner
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping, label_of, may_hold
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.record.annotation import Instance
from sidecarctl.yamltext.nodes import Node
from sidecarctl.yamltext.stream import Document, split_readable

# The label of the owner, its instance, and `Kind/name` and namespace of the companion.
CompanionKey = tuple[str, str, str, str]
# Fields of volumes and containers that refer to an object by name: the field, the key of the name, and the kind.
REFERENCES = (
    ("configMap", "name", "ConfigMap"),
    ("configMapRef", "name", "ConfigMap"),
    ("configMapKeyRef", "name", "ConfigMap"),
    ("secret", "secretName", "Secret"),
    ("secret", "name", "Secret"),
    ("secretRef", "name", "Secret"),
    ("secretKeyRef", "name", "Secret"),
)

# Recorded companions of an instance whose names are compared with those of objects that were renamed.
_MOST_COMPARED = 100


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
    def kind(self) -> str:
        """The kind, such as `ConfigMap`."""
        return self.identity.partition("/")[0]

    @property
    def name(self) -> str:
        """The name."""
        return self.identity.partition("/")[2]

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

    @property
    def owner_namespace(self) -> str:
        """The namespace of the workload in the owner's label, "" without one."""
        parts = self.owner[0].split("/")
        return parts[1] if len(parts) == 3 else ""


@dataclass(frozen=True)
class Beside:
    """What the other files of a run have to do with the workloads of a file.

    files    other files, by name and text, that have companions of these workloads
    claimed  the companions in the file or in `files` that belong to workloads of other files
    parsed   the companions that were parsed for another file of the run, by text: a file can have those of many workloads
    """

    files: Sequence[tuple[str, str]] = ()
    claimed: Collection[CompanionKey] = ()
    parsed: dict[str, Node] = field(default_factory=dict, repr=False)

    def split(self, errors: list[SidecarctlError]) -> list[tuple[str, Document]]:
        """Return the documents of the files, each with the name of its file. Appends errors of the streams to `errors`."""
        return [
            (name, self._with_root(document))
            for name, text in self.files
            for document in split_readable(text, name, errors)
        ]

    def _with_root(self, document: Document) -> Document:
        if not may_hold(document.text, OWNER_ANNOTATION):
            return document
        root = self.parsed.get(document.text)
        if root is not None:
            return document.with_text(document.text, root)
        with suppress(InputError):  # reported when the file itself is processed
            if document.root is not None:
                self.parsed[document.text] = document.root
        return document


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
    """Return the companions of an instance, in order: items of the workload's List, or the documents behind it."""
    return split_owned(first, companions, workload, instance)[0]


def split_owned(
    first: Document, companions: Sequence[Document], workload: Workload, instance: Instance
) -> tuple[list[Companion], list[Companion]]:
    """Return the companions of an instance, and other objects whose owner annotation names it, each in order.

    The annotation alone makes no companion: copies of objects have it too. The record says how many objects of each
    kind and name there are. Programs that rename objects keep their kinds, so another name takes the place of a missing one.

    An object of the name of a companion that has exactly this owner belongs to another workload of the same name.
    """
    if not workload.path and not companions:
        return [], []
    referred = find_references(workload, instance)
    known = referred.union(instance.added.documents)
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
    own = [each for each in own if each.owner == owner or each.identity not in exact]
    listed = {id(each) for each in _take_recorded(own, workload, instance, referred)}
    return [each for each in own if id(each) in listed], [each for each in own if id(each) not in listed]


def _take_recorded(
    own: Sequence[Companion], workload: Workload, instance: Instance, referred: Collection[str]
) -> Iterator[Companion]:
    """Yield the objects that the record of an instance has room for: as many of each kind and name as it lists.

    `referred` are the objects that the instance uses.
    """
    recorded = [identity.partition("/") for identity in instance.added.documents]
    compared = recorded[:_MOST_COMPARED]
    names, kinds = Counter(instance.added.documents), Counter(kind for kind, _, _ in recorded)

    def rank(each: Companion) -> tuple[bool, ...]:
        listed, used = each.identity in names, each.identity in referred
        similar = any(kind == each.kind and former in each.name for kind, _, former in compared)
        return not listed, not used, not similar, each.namespace != workload.namespace

    for each in sorted(own, key=rank):
        if kinds[each.kind] > 0 and names.get(each.identity, 1) > 0:
            names[each.identity] = names.get(each.identity, 1) - 1
            kinds[each.kind] -= 1
            yield each


@dataclass(frozen=True)
class _ListCompanions:
    """The items of a List that have an owner, by instance, by owner (label, instance), and by identity.

    holders  labels of the other items that have a record: what they own belongs to no other workload
    """

    by_instance: Mapping[str, Sequence[Companion]]
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
            by_instance: dict[str, list[Companion]] = {}
            for each in items:
                by_instance.setdefault(each.owner[1], []).append(each)
                by_owner.setdefault(each.owner, []).append(each)
                by_identity.setdefault(each.identity, []).append(each)
            document.memo[key] = _ListCompanions(by_instance, holders, by_owner, by_identity)
        found: _ListCompanions = document.memo[key]
        return found

    def find_candidates(self, workload: Workload, instance: Instance, known: Iterable[str]) -> Iterable[Companion]:
        """Return the items that can belong to an instance, in order.

        If none has exactly this owner, all that have an owner with this instance, whose workload may have another name now.
        """
        exact = self.by_owner.get((workload.label, instance.name), ())
        named = (
            (each for identity in known for each in self.by_identity.get(identity, ()))
            if exact
            else self.by_instance.get(instance.name, ())
        )
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
    return kind == workload.kind and is_renamed(former, workload.name, companion.name)


def find_references(workload: Workload, instance: Instance) -> frozenset[str]:
    """Return the ConfigMaps and Secrets that the volumes and containers of an instance use, as `Kind/name`."""
    added = instance.added
    names = {
        "volumes": frozenset(added.volumes),
        "containers": frozenset(added.containers),
        "initContainers": frozenset(added.init_containers),
    }
    parts = [
        part
        for field, own in names.items()
        for part in map(as_mapping, as_list(workload.pod.get(field)) if own else ())
        if isinstance(name := part.get("name"), str) and name in own
    ]
    return frozenset(_references_in(parts))


def _references_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references_in(item)
    elif isinstance(value, dict):
        for field, key, kind in REFERENCES:
            if isinstance(inner := value.get(field), dict) and key in inner:
                yield f"{kind}/{inner[key]}"
        for item in value.values():
            yield from _references_in(item)


def is_renamed(before: str, now: str, companion: str) -> bool:
    """Return True if a workload has a new prefix or suffix, and its companion has it too, as with kustomize."""
    if not before or before == now or before not in now:
        return False
    prefix, _, suffix = now.partition(before)
    return companion.startswith(f"{prefix}{before}") and companion.endswith(suffix)
