"""GitLab Code Quality: a flat list, each entry with a path, a line and a fingerprint of its own."""

from __future__ import annotations

import json

from sidecarctl.findings import Finding, Severity
from sidecarctl.report.machine.anchors import anchor, relative, with_fingerprints
from sidecarctl.report.model import Report, in_order, subject
from sidecarctl.report.terminal import visible

_SEVERITY = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def render(report: Report) -> str:
    """Return the list; `[]` when there is nothing to say."""
    pairs = with_fingerprints(report, in_order(report.findings))
    return json.dumps([_entry(report, finding, fingerprint) for finding, fingerprint in pairs], indent=2) + "\n"


def _entry(report: Report, finding: Finding, fingerprint: str) -> dict[str, object]:
    place = anchor(report, finding)
    about = subject(finding)
    return {
        "description": visible(f"{about}: {finding.message}" if about else finding.message),
        "check_name": finding.rule,
        "fingerprint": fingerprint,
        "severity": _SEVERITY[finding.severity],
        "location": {"path": relative(place.file, report.root), "lines": {"begin": place.line}},
    }
