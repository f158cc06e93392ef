"""Render the status of instances as a table, as JSON, and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.report.json_text import to_json
from sidecarctl.report.terminal import paint, visible, width_of, without_commands, wrap
from sidecarctl.results import ABSENT, FieldChange, InstanceStatus, WorkloadStatus, plural

VERSION = 1
_SHOWN = 60


_HEAD = ("WORKLOAD", "SIDECAR", "VERSION", "UPGRADE", "STATE")


def render_text(workloads: Sequence[WorkloadStatus], *, color: bool, width: int) -> str:
    """Return the table, the details of instances that are not in sync, and a last line with totals."""
    told = [one for one in workloads if one.instances]
    lines = list(_table(told, color, width)) if told else []
    for workload in workloads:
        details = [line for one in workload.instances for line in _details(workload, one, color, width)]
        if workload.note:
            details += wrap(f"{visible(workload.label)}: {visible(workload.note)}", width, "", "  ")
        lines += ["", *details] if details else []
    return "".join(f"{line}\n" for line in [*lines, *([""] if lines else []), totals(workloads)])


def totals(workloads: Sequence[WorkloadStatus]) -> str:
    """Return the totals: `3 workloads, 2 with sidecars; 2 instances: 1 edited, 1 outdated`."""
    instances = [one for workload in workloads for one in workload.instances]
    counted = [
        (sum(one.missing for one in instances), "missing"),
        (sum(bool(one.edits or one.edited) for one in instances), "edited"),
        (sum(one.unknown for one in instances), "unknown"),
        (sum(bool(one.available or one.upgrade) for one in instances), "outdated"),
    ]
    told = ", ".join(f"{number} {what}" for number, what in counted if number)
    having = sum(any(not one.missing for one in workload.instances) for workload in workloads)
    text = f"{plural(len(workloads), 'workload')}, {having} with sidecars"
    if not instances:
        return text
    return (
        f"{text}; {plural(len(instances), 'instance')}: {told or ('in sync' if len(instances) == 1 else 'all in sync')}"
    )


def _table(workloads: Sequence[WorkloadStatus], color: bool, width: int) -> Iterator[str]:
    rows: list[tuple[tuple[str, ...], str]] = [(_HEAD, "bold")]
    several = len({workload.file for workload in workloads}) > 1
    told = ""
    for workload in workloads:
        if several and workload.file != told:
            told = workload.file
            rows.append(((visible(told),), "file"))
        for index, one in enumerate(workload.instances):
            label = "" if index else f"{'  ' * several}{workload.label}"
            row = (label, _called(one), one.version or "-", one.available or "-", one.state)
            rows.append((tuple(map(visible, row)), "" if one.in_sync else "warning"))
    sizes = [max(width_of(cells[column]) for cells, style in rows if style != "file") for column in range(len(_HEAD))]
    over = sum(sizes) + 2 * (len(sizes) - 1) - width if width else 0
    for column in (0, 1):
        cut = min(max(over, 0), max(sizes[column] - 12, 0))
        sizes[column] -= cut
        over -= cut
    for cells, style in rows:
        padded = [_cell(cell, size) for cell, size in zip(cells, sizes)]
        if style == "file":
            yield without_commands(cells[0])
        elif style == "bold":
            yield paint("  ".join(padded).rstrip(), style, color)
        else:
            yield "  ".join([*padded[:-1], paint(padded[-1].rstrip(), style, color) if style else padded[-1]]).rstrip()


def _cell(text: str, size: int) -> str:
    """Return a text padded to `size` columns; a longer one loses its middle."""
    if width_of(text) > size:
        keep = size - 1
        text = text[: keep - keep // 2] + "…" + text[len(text) - keep // 2 :]
    return text + " " * (size - width_of(text))


def _called(one: InstanceStatus) -> str:
    return one.sidecar if one.name == one.sidecar else f"{one.sidecar} as {one.name}"


def _details(workload: WorkloadStatus, one: InstanceStatus, color: bool, width: int) -> Iterator[str]:
    if not (one.missing or one.edits or one.upgrade or one.note):
        return
    yield paint(visible(f"{workload.label}, {one.name}"), "bold", color) + visible(
        f" ({workload.file}:{workload.line})"
    )
    if one.missing:
        yield from wrap("missing" + (f": {one.note}" if one.note else ""), width, "  ", "  ")
        return
    if one.note:
        yield from wrap(visible(one.note), width, "  ", "  ")
    for title, changes in (
        ("edited:", one.edits),
        (
            f"an upgrade to {one.available} would change:"
            if one.available
            else "an upgrade to the latest version would change:",
            one.upgrade,
        ),
    ):
        if changes:
            yield f"  {title}"
        for change in changes:
            text = f"{change.path}: {shown(change.before)} -> {shown(change.after)}"
            yield from wrap(visible(text), width, "    ", "      ")


def shown(value: Any) -> str:
    """Return a value for people, cut to a length that fits a line."""
    if value is ABSENT:
        return "(absent)"
    text = value.strip("\n") if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text if text else '""'
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def document(workloads: Sequence[WorkloadStatus], version: str) -> dict[str, Any]:
    """Return the status as plain data. A field that is not there has no `before` or no `after`."""
    return {
        "version": VERSION,
        "tool": {"name": "sidecarctl", "version": version},
        "workloads": [
            {
                "workload": workload.label,
                "file": workload.file,
                "line": workload.line,
                **({"note": workload.note} if workload.note else {}),
                "instances": [_instance(one) for one in workload.instances],
            }
            for workload in workloads
        ],
    }


def render_json(workloads: Sequence[WorkloadStatus], version: str) -> str:
    """Return the status as JSON in ASCII."""
    return to_json(document(workloads, version))


def _instance(one: InstanceStatus) -> dict[str, Any]:
    return {
        "name": one.name,
        "sidecar": one.sidecar,
        "version": one.version or None,
        "mode": one.mode or None,
        "kubeVersion": one.kube_version or None,
        "composition": one.by or None,
        "available": one.available or None,
        "state": one.state.partition(" (")[0],
        "missing": one.missing,
        "edits": None if one.unknown else [_change(change) for change in one.edits],
        "upgrade": [_change(change) for change in one.upgrade],
        "note": one.note,
    }


def _change(change: FieldChange) -> Mapping[str, Any]:
    sides = {"before": change.before, "after": change.after}
    return {"path": change.path, **{side: value for side, value in sides.items() if value is not ABSENT}}


def render_markdown(workloads: Sequence[WorkloadStatus]) -> str:
    """Return the table as Markdown, with the totals below it."""
    from sidecarctl.report.machine.ci import code, prose, table  # the other formats do without

    rows = [
        (code(workload.label), *map(prose, (_called(one), one.version or "–", one.available or "–", one.state)))
        for workload in workloads
        for one in workload.instances
    ]
    return f"{table(('Workload', 'Sidecar', 'Version', 'Upgrade', 'State'), rows)}\n\n{totals(workloads)}\n"
