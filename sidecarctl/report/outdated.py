"""Findings for sidecars that a check would add, update, or remove."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecarctl.findings import Finding, Place
from sidecarctl.results import WorkloadChange

OUTDATED_RULE = "outdated"
_STATES = {"added": "is missing", "updated": "is not in sync", "removed": "is no longer requested"}


def find_outdated(changes: Iterable[WorkloadChange], help: str) -> Iterator[Finding]:
    """Yield a finding for each sidecar that a change would add, update, or remove."""
    for change in changes:
        for one in change.instances:
            if one.action in _STATES:
                name = one.name if one.name == one.sidecar else f"{one.sidecar} as {one.name}"
                yield Finding(
                    OUTDATED_RULE,
                    f"sidecar {name} {one.version} {_STATES[one.action]}",
                    help=help,
                    workload=change.label,
                    place=Place(change.file, change.line, 1, change.line, 1),
                )
