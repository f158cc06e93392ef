"""GitHub workflow commands: annotations on the lines of a pull request. Escaped as the runner unescapes."""

from __future__ import annotations

from sidecarctl.findings import Finding, Severity
from sidecarctl.report.machine.anchors import anchor, relative
from sidecarctl.report.model import Report, in_order, subject
from sidecarctl.report.terminal import visible
from sidecarctl.report.text import closing_line

_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report) -> str:
    """Return a command for each finding, errors first (a step shows ten of a level), then a closing line."""
    findings = sorted(in_order(report.findings), key=lambda finding: finding.severity.rank)
    lines = [_command(report, finding) + "\n" for finding in findings]
    return "".join(lines) + closing_line(findings, len(report.files), len(report.ignored), fixed=report.fixed)


def _command(report: Report, finding: Finding) -> str:
    place = anchor(report, finding)
    file = relative(place.file, report.root)
    properties: dict[str, object] = {"file": file, "line": place.line}
    # Columns count only within one line, and an end beyond the last line spoils the annotation.
    if finding.place and place.end_line == place.line and place.end_column > place.column:
        properties |= {"endLine": place.line, "col": place.column, "endColumn": place.end_column}
    properties["title"] = finding.rule
    about = subject(finding)
    where = f"{file}:{place.line}" + (f" ({about})" if about else "")
    message = "\n".join(part for part in (f"{where}: {finding.message}", finding.why, finding.help) if part)
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMAND[finding.severity]} {listed}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message; what is no printable text becomes visible first."""
    return visible(text, keep="\n").replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
