"""Keep the names that companions have in the manifests, which kustomize, Helm, or people may have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.errors import UsageError
from sidecarctl.inject.companion_search import REFERENCES, Companion, identify
from sidecarctl.inject.companions import OWNER_ANNOTATION
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record.check import check_entry
from sidecarctl.yamltext.edits import Insert


def rename_companions(planned: Plan, found: Sequence[Companion]) -> Plan:
    """Return a plan whose companions have the names of those that the input has."""
    names = {}
    for identity, companion in _find_renamed([identify(document) for document in planned.documents], found).items():
        check_name(companion)
        names[identity] = companion.identity
    if not names:
        return planned
    documents = tuple(_rename_document(document, names) for document in planned.documents)
    added = replace(planned.instance.added, documents=tuple(identify(document) for document in documents))
    return replace(
        planned,
        edits=tuple(
            replace(edit, value=_rename_references(edit.value, names)) if isinstance(edit, Insert) else edit
            for edit in planned.edits
        ),
        instance=replace(planned.instance, added=added),
        documents=documents,
    )


def in_order(wanted: Sequence[str], found: Sequence[Companion]) -> list[Companion]:
    """Return companions in the order of `wanted`, which are their identities, or were before they were renamed."""
    former = {each.identity: identity for identity, each in _find_renamed(wanted, found).items()}
    places = {identity: place for place, identity in enumerate(wanted)}
    return sorted(found, key=lambda each: places.get(former.get(each.identity, each.identity), len(places)))


def _find_renamed(wanted: Sequence[str], found: Sequence[Companion]) -> dict[str, Companion]:
    """Map the identities that the input does not have to companions in it: by similar name, then in order by kind.

    kustomize puts a prefix and a suffix around a name. Of two wanted names in it, the longer one is the former name.
    """
    known, present = set(wanted), {each.identity for each in found}
    missing = [identity for identity in wanted if identity not in present]
    free = [each for each in found if each.identity not in known]
    renamed: dict[str, Companion] = {}
    similar = [(identity, identity.partition("/")[2]) for identity in sorted(missing, key=len, reverse=True)]
    for identity, part in (*similar, *((identity, "") for identity in missing)):
        kind = identity.partition("/")[0]
        match = next((each for each in free if each.kind == kind and part in each.name), None)
        if match is not None and identity not in renamed:
            free.remove(match)
            renamed[identity] = match
    return renamed


def check_name(companion: Companion) -> None:
    """Raise UsageError for a name that the record cannot hold: no Kubernetes object has it."""
    if check_entry("documents", companion.identity):
        raise UsageError(
            f'invalid name "{companion.name}" of {companion.kind}: use lowercase letters, digits, hyphens, and dots',
            hint=f'rename the object, whose annotation {OWNER_ANNOTATION} names instance "{companion.owner[1]}"',
        )


def _rename_document(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    identity = identify(document)
    if identity not in names:
        return document
    return {**document, "metadata": {**as_mapping(document.get("metadata")), "name": names[identity].partition("/")[2]}}


def _rename_references(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_rename_references(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    out = {key: _rename_references(item, names) for key, item in value.items()}
    for field, key, kind in REFERENCES:
        inner = out.get(field)
        if isinstance(inner, dict) and f"{kind}/{inner.get(key)}" in names:
            out[field] = {**inner, key: names[f"{kind}/{inner[key]}"].partition("/")[2]}
    return out
