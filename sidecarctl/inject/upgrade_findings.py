"""Findings of an upgrade: fields that a person edited and the upgrade changes too, and companions that no input file has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject.companion_merge import LocatedConflict
from sidecarctl.inject.companion_search import Companion
from sidecarctl.inject.field_changes import format_value
from sidecarctl.inject.merge import ENFORCE, FAIL, Conflict, Unknown
from sidecarctl.inject.upgrade import Upgrade
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.results import ABSENT
from sidecarctl.yamltext.stream import Document

CONFLICT_RULE = "upgrade-conflict"
OVERWRITTEN_RULE = "edit-overwritten"
# What is reported about edits of people: once an upgrade has merged them, they are not found again.
EDIT_RULES = frozenset({CONFLICT_RULE, OVERWRITTEN_RULE, "recorded-container-missing"})
_HELP = {
    FAIL: "use --on-conflict keep to keep the value of the manifest, or --on-conflict overwrite for that of the library",
    "keep": "the value of the manifest stays",
    "overwrite": "the value of the library is written",
    ENFORCE: "the library is enforced: set a parameter to keep another value",
}


def find_upgrade_findings(
    upgrade: Upgrade, request: Request, first: Document, companions: Sequence[Document]
) -> Iterator[Finding]:
    """Yield the findings of an upgrade, with their places."""
    for each in upgrade.conflicts:
        if each.missing:
            yield _missing_finding(each.missing, upgrade.planned.workload, request)
        else:
            yield _conflict_finding(each, upgrade, request, first, companions)


def _conflict_finding(
    located: LocatedConflict, upgrade: Upgrade, request: Request, first: Document, companions: Sequence[Document]
) -> Finding:
    conflict, companion, workload = located.conflict, located.companion, upgrade.planned.workload
    document, path = _place(located.companion, conflict.path, first, companions)
    sidecar = f"{request.sidecar.name} {request.sidecar.version}"
    field = _field_text(conflict, companion.value if companion else first.value)
    if companion:
        field = f"{companion.identity}{'.' if field else ''}{field}"
    enforced = request.on_conflict == ENFORCE
    message = f"edited value of {field} is overwritten" if enforced else _message(field, conflict, upgrade, sidecar)
    # The line may have the value of a secret.
    values = "" if upgrade.secret else _describe_values(conflict, upgrade, sidecar)
    return Finding(
        OVERWRITTEN_RULE if enforced else CONFLICT_RULE,
        message,
        Severity.ERROR if request.on_conflict == FAIL else Severity.WARNING,
        path,
        why=values,
        help=_HELP[request.on_conflict],
        workload=workload.label,
        place=document.locate(path) if companion and not companion.path else None,
        hides_line=upgrade.secret,
        source=f"sidecar {request.sidecar.name}@{request.sidecar.version}",
    )


def _message(field: str, conflict: Conflict, upgrade: Upgrade, sidecar: str) -> str:
    if not upgrade.known:
        return f"{field} differs from {sidecar}, and the version that wrote it is unknown"
    if conflict.current is ABSENT:
        return f"{field} was removed here and changed in {sidecar}"
    if conflict.next is ABSENT:
        return f"{field} was edited here and removed in {sidecar}"
    return f"{field} was edited here and changed in {sidecar}"


def _describe_values(conflict: Conflict, upgrade: Upgrade, sidecar: str) -> str:
    version = "unknown" if isinstance(conflict.base, Unknown) else format_value(conflict.base)
    return (
        f"written last time: {version}\nin the manifest: {format_value(conflict.current)}\n"
        f"in {sidecar}: {format_value(conflict.next)}"
    )


def _place(
    companion: Companion | None, path: PathTuple, first: Document, companions: Sequence[Document]
) -> tuple[Document, PathTuple]:
    """Return the document of a conflict, and the path in it."""
    if companion is None:
        return first, path
    if companion.path:
        return first, (*companion.path, *path)
    return companions[companion.index - 1], path


def _field_text(conflict: Conflict, value: Any) -> str:
    """Return the path of a conflict with items by name: `spec.template.spec.initContainers[logger].image`."""
    text = ""
    for step in conflict.path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
            text += f"[{_item_name(value, step)}]"
        else:
            value = as_mapping(value).get(step)
            text += f".{step}" if text else step
    if conflict.current is ABSENT and isinstance(conflict.next, dict) and conflict.path:
        text += f"[{_item_name(conflict.next, '')}]" if isinstance(value, list) else ""
    return text


def _item_name(item: Any, index: object) -> object:
    data = as_mapping(item)
    return next((data[key] for key in ("name", "mountPath", "containerPort") if key in data), index)


def _missing_finding(identity: str, workload: Workload, request: Request) -> Finding:
    """Return the finding for a companion that changes and that no input file has."""
    name = identity.replace("/", " ")
    return Finding(
        CONFLICT_RULE,
        f"{name} of {request.instance} is not in the input, but changes in {request.sidecar.name} {request.sidecar.version}",
        Severity.ERROR if request.on_conflict == FAIL else Severity.WARNING,
        workload.template_path,
        on_key=True,
        why="A person moved it to a file that this run does not read, or deleted it.",
        help="name its file too; if it is gone, use --on-conflict overwrite to add it again",
        workload=workload.label,
        source=f"sidecar {request.sidecar.name}@{request.sidecar.version}",
    )
