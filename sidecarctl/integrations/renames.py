"""Update owners and records of workloads and companions that kustomize has renamed.

kustomize keeps previous names and namespaces in annotations. Without this update, an overlay with a name prefix would orphan the
companions of its base, and the next run would create duplicates, which kustomize rejects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sidecarctl.inject.companion_homes import Holder
from sidecarctl.inject.companion_search import Companion, is_renamed
from sidecarctl.inject.companions import OWNER_ANNOTATION, format_owner, read_owner
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_mapping, may_hold, workloads
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record import annotation as records
from sidecarctl.record.paths import record_path
from sidecarctl.yamltext.edits import Replace
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document

_NAMES = "internal.config.kubernetes.io/previousNames"
_NAMESPACES = "internal.config.kubernetes.io/previousNamespaces"
_DEFAULT_NAMESPACE = "default"
_LONGEST_NAME = 253


def follow_renames(documents: Sequence[Document], kinds: Kinds) -> list[Document]:
    """Return documents whose owners and records use the current names. Documents without renames are returned as they
    are.
    """
    companions = [
        Companion(as_mapping(one.value), index) for index, one in enumerate(documents) if read_owner(one) is not None
    ]
    if not any(_NAMES in documents[each.index].text for each in companions):
        return list(documents)
    out = list(documents)
    present = {(each.identity, each.namespace) for each in companions}
    homes = _find_homes(documents, kinds)
    found = [(each, home) for each in companions if (home := _choose_home(each, homes)) is not None]
    for companion, home in found:
        if home.workload.label != companion.owner[0]:
            owner = format_owner(home.workload, companion.owner[1])
            path = ("metadata", "annotations", OWNER_ANNOTATION)
            out[companion.index] = _replace_value(documents[companion.index], path, owner)
    renamed = _find_renamed(found, present)
    for index, by_instance in renamed.items():
        for workload in workloads(out[index].value, kinds):
            out[index] = _update_record(out[index], workload, by_instance)
    return out


def _find_renamed(
    found: Sequence[tuple[Companion, Holder]], present: Collection[tuple[str, str]]
) -> dict[int, dict[str, dict[str, str]]]:
    """Map the places of workloads and their instances to the new identities of companions, by the former ones.

    An object that still has the former name (`present`), or that the pod still uses, was not renamed. Of several objects that
    had it, the one counts that the pod uses, then the one that was renamed as the workload was.
    """

    def rank(each: tuple[Companion, Holder]) -> tuple[bool, ...]:
        companion, home = each
        used = companion.identity in home.references[companion.owner[1]]
        return not used, not _is_alike(companion, home), not _is_similar(companion, home)

    renamed: dict[int, dict[str, dict[str, str]]] = {}
    for companion, home in sorted(found, key=rank):
        instance = companion.owner[1]
        if not home.is_near(companion):
            continue
        for former in _split_annotation(as_mapping(companion.value.get("metadata")), _NAMES):
            identity = f"{companion.kind}/{former}"
            if (identity, companion.namespace) not in present and identity not in home.references[instance]:
                own = renamed.setdefault(home.place, {}).setdefault(instance, {})
                own.setdefault(identity, companion.identity)
    return renamed


def _is_alike(companion: Companion, home: Holder) -> bool:
    """Return True if a workload and a companion got the same prefix and suffix, which can be empty."""
    before, now, name = companion.owner[0].rpartition("/")[2], home.workload.name, companion.name
    if len(now) > _LONGEST_NAME:
        return False
    formers = _split_annotation(as_mapping(companion.value.get("metadata")), _NAMES) or {name: None}
    ends = ((now[:at], now[at + len(before) :]) for at in range(len(now)) if now.startswith(before, at))
    return any(
        name.startswith(prefix) and name.endswith(suffix) and name[len(prefix) : len(name) - len(suffix)] in formers
        for prefix, suffix in ends
    )


def _is_similar(companion: Companion, home: Holder) -> bool:
    """Return True if the name of a companion starts with the prefix of a workload and ends with its suffix."""
    return is_renamed(companion.owner[0].rpartition("/")[2], home.workload.name, companion.name)


# Workloads by kind and each of their names, with the namespaces that they had.
_Homes = Mapping[tuple[str, str], Sequence[tuple[Holder, frozenset[str]]]]


def _find_homes(documents: Sequence[Document], kinds: Kinds) -> _Homes:
    found: dict[tuple[str, str], list[tuple[Holder, frozenset[str]]]] = {}
    for index, document in enumerate(documents):
        if may_hold(document.text, RECORD_ANNOTATION):
            for workload in workloads(document.value, kinds):
                holder, namespaces = Holder(workload, records.read(workload), index), _former_namespaces(workload)
                for name in _former_names(workload):
                    found.setdefault((workload.kind, name), []).append((holder, namespaces))
    return found


def _choose_home(companion: Companion, homes: _Homes) -> Holder | None:
    """Return the workload that a companion belongs to, among those that have or had the name of its owner.

    Several overlays of one base, and the base, can be in one input. First comes the workload that uses the companion under its
    present name, then one that was renamed in the same way, or a similar one, then the one that has the name of the owner now.
    """
    owner, instance = companion.owner
    kind, _, rest = owner.partition("/")
    namespace, _, name = rest.rpartition("/")
    if not kind or not name or "/" in namespace:
        return None
    fitting = [
        holder
        for holder, namespaces in reversed(homes.get((kind, name), ()))
        if namespace in namespaces and instance in holder.record.instances
    ]

    def rank(holder: Holder) -> tuple[bool, ...]:
        alike, similar = _is_alike(companion, holder), _is_similar(companion, holder)
        return not holder.uses(companion), not alike, not similar, holder.workload.label != owner

    return min(fitting, key=rank, default=None)


def _former_names(workload: Workload) -> frozenset[str]:
    """Return the current and previous names of a workload."""
    return frozenset((workload.name, *_split_annotation(as_mapping(workload.value.get("metadata")), _NAMES)))


def _former_namespaces(workload: Workload) -> frozenset[str]:
    """Return the current and previous namespaces of a workload, "" if `default` is among them."""
    metadata = as_mapping(workload.value.get("metadata"))
    namespaces = {workload.namespace, *_split_annotation(metadata, _NAMESPACES)}
    return frozenset((*namespaces, "") if _DEFAULT_NAMESPACE in namespaces else namespaces)


def _split_annotation(metadata: dict[str, Any], key: str) -> Mapping[str, None]:
    """Return the different names in an annotation, in order."""
    text = as_mapping(metadata.get("annotations")).get(key)
    return _split_names(text) if isinstance(text, str) else {}


@lru_cache(maxsize=256)  # each companion is compared with each workload that had the name of its owner
def _split_names(text: str) -> Mapping[str, None]:
    return dict.fromkeys(part for part in text.split(",") if 0 < len(part) <= _LONGEST_NAME)


def _update_record(document: Document, workload: Workload, renamed: dict[str, dict[str, str]]) -> Document:
    record = records.read(workload)
    instances = {}
    for name, instance in record.instances.items():
        new = renamed.get(name, {})
        companions = tuple(new.get(each, each) for each in instance.added.documents)
        instances[name] = replace(instance, added=replace(instance.added, documents=companions))
    if instances == dict(record.instances):
        return document
    return _replace_value(
        document, record_path(workload), records.write(replace(record, instances=instances), workload)
    )


def _replace_value(document: Document, path: tuple[str | int, ...], text: str) -> Document:
    assert document.root is not None
    done = splice(document.text, document.root, [Replace(path, text, "renamed")])
    return document.with_text(done.text, done.root)
