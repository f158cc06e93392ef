"""Names of new companions that other objects of the input have: the last one that is applied replaces the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sidecarctl.findings import Finding
from sidecarctl.inject.companions import DUPLICATE_RULE, Identity, added_companions, read_object_owner
from sidecarctl.kube.workload import as_mapping, may_have_escapes, objects
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.results import WorkloadChange
from sidecarctl.yamltext.stream import Document

# Also "hostname": a pattern that starts with a fixed text is several times as fast as one that starts with \b. Anchors, tags,
# and the signs of block scalars can stand before the name.
_NAME = lazy_pattern(r"name[\"']?\s*:\s*(?:[&!>|]\S*\s+)*[\"']?([^\s\"',{}\[\]]+)")


def added_names(changes: Iterable[WorkloadChange]) -> dict[Identity, str]:
    """Return the owner, such as `Deployment/web/logger`, of each new companion."""
    return {
        identity: f"{change.label}/{instance}" for change in changes for identity, instance in added_companions(change)
    }


def find_taken_names(documents: Iterable[Document], added: Mapping[Identity, str]) -> Iterator[Finding]:
    """Yield an error for each object of the input that has the kind, namespace, and name of a new companion."""
    names = {name for _, name, _ in added}
    for document in documents if added else ():
        if may_have_escapes(document.text) or not names.isdisjoint(_NAME.findall(document.text)):
            yield from _compare_names(document, added)


def _compare_names(document: Document, added: Mapping[Identity, str]) -> Iterator[Finding]:
    for value, path in objects(document.value):
        metadata = as_mapping(value.get("metadata"))
        kind, name = str(value.get("kind")), str(metadata.get("name"))
        owner = added.get((kind, name, str(metadata.get("namespace") or "")))
        if owner:
            instance = owner.rpartition("/")[2]
            own = read_object_owner(value) == owner
            yield Finding(
                DUPLICATE_RULE,
                f"{kind} {name} exists already, and sidecar {instance} adds one of the same name",
                path=(*path, "metadata", "name"),
                help="put it and its workload into one List, or write both as documents of their own"
                if own
                else "rename it, or give the instance another name with --as",
                place=document.locate((*path, "metadata", "name")),
            )
