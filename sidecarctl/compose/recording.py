"""What the record has to know of a plan's edits, to take them back: what had to be made, what stood there, what is gone since."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sidecarctl.compose import record as records
from sidecarctl.compose.plan import Plan
from sidecarctl.compose.record import Record
from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload
from sidecarctl.yamltext.edits import Edit, Insert, Replace
from sidecarctl.yamltext.splice import displaced_by
from sidecarctl.yamltext.stream import Document


def recorded(document: Document, planned: Plan, old: Record) -> list[Edit]:
    """A plan's edits with the one that writes the record."""
    workload = planned.workload
    path = records.record_path(workload)
    present = RECORD_ANNOTATION in workload.annotations
    inserts = [edit for edit in planned.edits if isinstance(edit, Insert)]
    if not present:
        inserts.append(Insert(path, ""))
    created = {records.to_text(workload, _missing(workload, edit.path)) for edit in inserts} - {""}
    created |= set(planned.whole)
    assert document.root is not None
    was = {
        records.to_text(workload, where): text
        for where, text in displaced_by(document.root, document.text, inserts).items()
    }
    new = Record(
        {**old.instances, planned.instance.name: planned.instance},
        _topmost({*old.created, *(text for text in created if text not in was)}),
        dict(sorted({**old.was, **was}.items())),
    )
    text = records.write(new)
    return [*planned.edits, Replace(path, text, "record") if present else Insert(path, text, "record")]


def _topmost(created: set[str]) -> tuple[str, ...]:
    """Leave out keys inside of others that were made."""
    return tuple(sorted(text for text in created if not any(text.startswith(other + "/") for other in created)))


def _missing(workload: Workload, path: PathTuple) -> PathTuple:
    """The topmost key on the way to `path` (itself excluded) that is not there; the template's own path where none is."""
    value: Any = workload.template
    for depth in range(len(workload.template_path), len(path) - 1):
        step = path[depth]
        value = value.get(step) if isinstance(value, dict) and isinstance(step, str) else _item(value, step)
        if value is None and not _stands(workload, path[: depth + 1]):
            return path[: depth + 1]
    return workload.template_path


def _item(value: Any, step: str | int) -> Any:
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None


def _stands(workload: Workload, path: PathTuple) -> bool:
    """True where a key stands in the template, be it with a null."""
    value: Any = workload.template
    for step in path[len(workload.template_path) : -1]:
        value = value[step]
    return isinstance(value, dict) and path[-1] in value


def pruned(workload: Workload, record: Record) -> Record:
    """Return a record without what it says of keys that are no longer there, or are empty again."""
    created, was = [], {}
    for text in record.created:
        path = records.from_text(workload, text)
        if path is not None and _found(workload, path) is not _GONE:
            created.append(text)
    for text, old in record.was.items():
        path = records.from_text(workload, text)
        if path is not None and _found(workload, path) not in (_GONE, None, [], {}):
            was[text] = old
    return replace(record, created=tuple(created), was=was)


_GONE = object()


def _found(workload: Workload, path: PathTuple) -> Any:
    value: Any = workload.template
    for step in path[len(workload.template_path) :]:
        if (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        ):
            value = value[step]  # type: ignore[index]
        else:
            return _GONE
    return value
