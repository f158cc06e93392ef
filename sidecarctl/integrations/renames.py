"""Update owners and records of workloads and companions that kustomize has renamed.

kustomize keeps previous names and namespaces in annotations. Without this update, an overlay with a name prefix would orphan the
companions of its base, and the next run would create duplicates, which kustomize rejects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
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


def follow_renames(documents: Sequence[Document], kinds: Kinds) -> list[Document]:
    """Return documents whose owners and records use the current names. Documents without renames are returned as they
    are.
    """
    companions = [(index, owner) for index, one in enumerate(documents) if (owner := read_owner(one)) is not None]
    if not companions or not any(_NAMES in documents[index].text for index, _ in companions):
        return list(documents)
    out = list(documents)
    known: dict[tuple[str, str], list[tuple[int, Workload, frozenset[str]]]] = {}
    for index, document in enumerate(documents):
        if may_hold(document.text, RECORD_ANNOTATION):
            for workload in workloads(document.value, kinds):
                namespaces = _former_namespaces(workload)
                for former in _former_names(workload):
                    known.setdefault((workload.kind, former), []).append((index, workload, namespaces))
    renamed: dict[int, dict[str, dict[str, str]]] = {}
    for index, owner in companions:
        *label, instance = owner.split("/")
        if len(label) not in (2, 3):
            continue
        namespace = label[1] if len(label) == 3 else ""
        found = reversed(known.get((label[0], label[-1]), []))
        match = next(((at, one) for at, one, namespaces in found if namespace in namespaces), None)
        if match is None:
            continue
        value = as_mapping(documents[index].value)
        now = f"{match[1].label}/{instance}"
        if now != owner:
            out[index] = _replace_value(documents[index], ("metadata", "annotations", OWNER_ANNOTATION), now)
        metadata = as_mapping(value.get("metadata"))
        new = f"{value.get('kind')}/{metadata.get('name')}"
        for former in _split_annotation(metadata, _NAMES):
            renamed.setdefault(match[0], {}).setdefault(instance, {})[f"{value.get('kind')}/{former}"] = new
    for index, by_instance in renamed.items():
        for workload in workloads(out[index].value, kinds):
            out[index] = _update_record(out[index], workload, by_instance)
    return out


def _former_names(workload: Workload) -> frozenset[str]:
    """Return the current and previous names of a workload."""
    return frozenset((workload.name, *_split_annotation(as_mapping(workload.value.get("metadata")), _NAMES)))


def _former_namespaces(workload: Workload) -> frozenset[str]:
    """Return the current and previous namespaces of a workload, "" if `default` is among them."""
    metadata = as_mapping(workload.value.get("metadata"))
    namespaces = {workload.namespace, *_split_annotation(metadata, _NAMESPACES)}
    return frozenset((*namespaces, "") if _DEFAULT_NAMESPACE in namespaces else namespaces)


def _split_annotation(metadata: dict[str, Any], key: str) -> list[str]:
    text = as_mapping(metadata.get("annotations")).get(key)
    return [part for part in text.split(",") if part] if isinstance(text, str) else []


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
