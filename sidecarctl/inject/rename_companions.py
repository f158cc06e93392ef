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
    names = _match(planned, found)
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


def _match(planned: Plan, found: Sequence[Companion]) -> dict[str, str]:
    """Map the identities of planned companions to those in the input: by name, by similar name, then in order by kind.

    kustomize puts a prefix and a suffix around a name. Of two planned names in it, the longer one is the former name.
    """
    wanted = [identify(document) for document in planned.documents]
    present = {each.identity for each in found}
    missing = [identity for identity in wanted if identity not in present]
    free = [each for each in found if each.identity not in wanted]
    names: dict[str, str] = {}
    similar = [(identity, identity.partition("/")[2]) for identity in sorted(missing, key=len, reverse=True)]
    for identity, part in (*similar, *((identity, "") for identity in missing)):
        kind = identity.partition("/")[0]
        match = next((each for each in free if each.kind == kind and part in each.name), None)
        if match is not None and identity not in names:
            check_name(match)
            free.remove(match)
            names[identity] = match.identity
    return names


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
