"""What is not as a composition wants it, as findings: for checks whose verdict other programs read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecarctl.findings import Finding, Place
from sidecarctl.report.model import WorkloadChange

RULE = "out-of-date"
_STATES = {"added": "is missing", "updated": "is not as it would be written", "removed": "is not wanted any more"}


def outdated(changes: Iterable[WorkloadChange], help: str) -> Iterator[Finding]:
    """Yield a finding for each sidecar that a change would add, update or remove."""
    for change in changes:
        for one in change.instances:
            if one.action in _STATES:
                name = one.name if one.name == one.sidecar else f"{one.sidecar} as {one.name}"
                yield Finding(
                    RULE,
                    f"the sidecar {name} {one.version} {_STATES[one.action]}",
                    help=help,
                    workload=change.label,
                    place=Place(change.file, change.line, 1, change.line, 1),
                )
