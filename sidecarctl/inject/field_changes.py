"""Field changes of a workload and its companions, for reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.inject.merge import Merge
from sidecarctl.kube.value_diff import diff_values
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload
from sidecarctl.lazy_dataclass import replace
from sidecarctl.results import ABSENT, FieldChange
from sidecarctl.yamltext.edits import apply

_HIDDEN = "(hidden)"
_LONGEST = 70


def diff_templates(workload: Workload, before: Any, after: Any) -> Iterator[FieldChange]:
    """Yield the fields in which two pod templates of a workload differ for the API server, without the record."""
    steps = workload.template_path[len(workload.path) :]
    prefix = tuple(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    for change in diff_values(before, _without_equivalents(before, after, steps), prefix):
        if RECORD_ANNOTATION not in change.path:
            yield change


def diff_companion(identity: str, before: Any, after: Any) -> Iterator[FieldChange]:
    """Yield the fields in which a companion differs, with its kind and name first. Values of Secrets are hidden."""
    kind, _, name = identity.partition("/")
    label = f"{kind} {name}"
    now = _without_equivalents(before, after)
    for change in diff_values({} if before is ABSENT else {label: before}, {} if now is ABSENT else {label: now}):
        yield FieldChange(change.path, _HIDDEN, _HIDDEN) if kind == "Secret" else change


def hide_values(changes: Iterable[FieldChange]) -> Iterator[FieldChange]:
    """Yield changes without values, for a sidecar with a secret parameter: its template can write it to any field."""
    for change in changes:
        before, after = (value if value is ABSENT else _HIDDEN for value in (change.before, change.after))
        yield FieldChange(change.path, before, after)


def _without_equivalents(before: Any, after: Any, path: PathTuple = ()) -> Any:
    """Return `after` with the values of `before` where both mean the same to the API server."""
    if before is ABSENT or after is ABSENT:
        return after
    merge = Merge()
    merge.add(path, before, before, after)
    depth = len(path)
    return apply(before, [replace(edit, path=edit.path[depth:]) for edit in merge.edits])


def format_value(value: Any) -> str:
    """Return a value for a message as JSON, cut to a length that fits a line."""
    if value is ABSENT:
        return "(not set)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
