"""Findings for instances that are missing, edited, or outdated, for the report formats of CI systems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.report.outdated import OUTDATED_RULE
from sidecarctl.report.status import shown
from sidecarctl.results import InstanceStatus, Report, WorkloadStatus

MISSING_RULE, EDITED_RULE, UNKNOWN_RULE = "missing-sidecar", "edited-sidecar", "unknown-sidecar-state"
_LISTED = 3


def build_report(workloads: Sequence[WorkloadStatus], files: Sequence[str], version: str, root: str) -> Report:
    """Return the findings as a report that `machine.render_report` renders."""
    return Report(version, tuple(find_states(workloads)), (), (), tuple(files), root=root, fail_on=Severity.ERROR)


def find_states(workloads: Sequence[WorkloadStatus]) -> Iterator[Finding]:
    """Yield a finding for each instance that is not in sync, and for each record that cannot be read.

    What `status --check` fails on is an error, a state that is unknown a warning, an upgrade that is available an info.
    """
    for workload in workloads:
        place = Place(workload.file, workload.line, 1, workload.line, 1)
        if workload.unreadable:
            yield Finding(UNKNOWN_RULE, workload.note, workload=workload.label, place=place)
        for one in workload.instances:
            found = _state(one)
            if found is not None:
                rule, severity, message, help = found
                yield Finding(rule, message, severity, help=help, workload=workload.label, place=place)


def _state(one: InstanceStatus) -> tuple[str, Severity, str, str] | None:
    name = f"sidecar {one.name if one.name == one.sidecar else f'{one.sidecar} as {one.name}'}"
    name += f" {one.version}" if one.version else ""
    note = f": {one.note}" if one.note else ""
    if one.missing:
        return MISSING_RULE, Severity.ERROR, f"{name} is missing{note}", "run `sidecarctl render`"
    if one.edits or one.edited:
        fields = [f"{each.path}: {shown(each.before)} -> {shown(each.after)}" for each in one.edits[:_LISTED]]
        more = f"; and {len(one.edits) - _LISTED} more" if len(one.edits) > _LISTED else ""
        detail = f": {'; '.join(fields)}{more}" if fields else note
        help = "restore the fields, or set the values as parameters; `sidecarctl render --enforce` overwrites them"
        return EDITED_RULE, Severity.ERROR, f"{name} is edited{detail}", help
    if one.unknown:
        return UNKNOWN_RULE, Severity.WARNING, f"the state of {name} is unknown{note}", ""
    if one.available or one.upgrade:
        newer = f": version {one.available} is available" if one.available else ""
        return OUTDATED_RULE, Severity.INFO, f"{name} is outdated{newer}", "run `sidecarctl upgrade --diff`"
    return None
