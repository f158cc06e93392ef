"""Report formats of CI systems: GitHub workflow commands, GitLab Code Quality, JUnit XML, Markdown summaries."""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree import ElementTree as ET

from sidecarctl.findings import Finding, Severity
from sidecarctl.report.json_text import to_json
from sidecarctl.report.machine import anchor, relative, with_fingerprints
from sidecarctl.report.terminal import visible, without_commands
from sidecarctl.report.text import closing_line
from sidecarctl.results import InstanceChange, Report, WorkloadChange, describe_subject, sort_findings

_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_github(report: Report) -> str:
    """Return a workflow command for each finding, errors first (a step shows ten of a level), then a closing line."""
    findings = sorted(sort_findings(report.findings), key=lambda finding: finding.severity.rank)
    lines = [_command(report, finding) + "\n" for finding in findings]
    return "".join(lines) + closing_line(findings, len(report.files), len(report.ignored), fixed=report.fixed)


def _command(report: Report, finding: Finding) -> str:
    place = anchor(report, finding)
    file = relative(place.file, report.root)
    properties: dict[str, object] = {"file": file, "line": place.line}
    # Columns are valid only within one line, and an end after the last line breaks the annotation.
    if finding.place and place.end_line == place.line and place.end_column > place.column:
        properties |= {"endLine": place.line, "col": place.column, "endColumn": place.end_column}
    properties["title"] = finding.rule
    about = describe_subject(finding)
    where = f"{file}:{place.line}" + (f" ({about})" if about else "")
    message = "\n".join(part for part in (f"{where}: {finding.message}", finding.why, finding.help) if part)
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMAND[finding.severity]} {listed}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message for a workflow command; control characters become visible first."""
    return visible(text, keep="\n").replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


_SEVERITY = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def render_gitlab(report: Report) -> str:
    """Return the Code Quality list; `[]` for no findings."""
    pairs = with_fingerprints(report, sort_findings(report.findings))
    return to_json(_entry(report, finding, fingerprint) for finding, fingerprint in pairs)


def _entry(report: Report, finding: Finding, fingerprint: str) -> dict[str, object]:
    place = anchor(report, finding)
    about = describe_subject(finding)
    return {
        "description": visible(f"{about}: {finding.message}" if about else finding.message),
        "check_name": finding.rule,
        "fingerprint": fingerprint,
        "severity": _SEVERITY[finding.severity],
        "location": {"path": relative(place.file, report.root), "lines": {"begin": place.line}},
    }


def render_junit(report: Report) -> str:
    """Return the test suites. What fails the run is a failure; a lower severity is output of a passing case.

    A file without findings has one passing case, because readers take an empty suite for an error.
    """
    root = ET.Element("testsuites", name="sidecarctl")
    by_file: dict[str, list[Finding]] = {relative(file, report.root): [] for file in report.files}
    for finding in sort_findings(report.findings):
        by_file.setdefault(relative(anchor(report, finding).file, report.root), []).append(finding)
    failures = sum(_suite(root, report, file, findings) for file, findings in sorted(by_file.items()))
    tests = len(root.findall("testsuite/testcase"))
    root.attrib |= {"tests": str(tests), "failures": str(failures), "errors": "0"}
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, report: Report, file: str, findings: list[Finding]) -> int:
    """Add the suite of a file and return the number of failed cases."""
    suite = ET.SubElement(root, "testsuite", name=visible(file))
    failed = 0
    for (about, rule), group in groupby(sorted(findings, key=_case), key=_case):
        alike = list(group)
        name = visible(f"{about}: {rule}" if about else rule)
        case = ET.SubElement(suite, "testcase", classname=visible(file), name=name, time="0")
        text = "\n\n".join(_text(finding) for finding in alike)
        if any(report.fails(finding) for finding in alike):
            failed += 1
            message = "; ".join(dict.fromkeys(finding.message for finding in alike))
            ET.SubElement(case, "failure", message=visible(message), type=visible(rule)).text = text
        else:
            ET.SubElement(case, "system-out").text = text
    if not findings:
        ET.SubElement(suite, "testcase", classname=visible(file), name="no findings", time="0")
    suite.attrib |= {"tests": str(len(suite)), "failures": str(failed), "errors": "0", "skipped": "0"}
    return failed


def _case(finding: Finding) -> tuple[str, str]:
    return describe_subject(finding), finding.rule


def _text(finding: Finding) -> str:
    where = str(finding.place) if finding.place else finding.source
    lines = (f"{finding.severity.value}: {finding.message}", f"at {where}", finding.why, finding.help)
    return without_commands("\n".join(visible(line, keep="\n") for line in lines if line))


# Also what becomes a link or a formula without brackets.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~>$-]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def render_markdown(report: Report) -> str:
    """Return the summary line and the tables."""
    closing = closing_line(report.findings, len(report.files), len(report.ignored), fixed=report.fixed)
    parts = [f"**sidecarctl:** {closing.rstrip()}"]
    if report.findings:
        findings = sorted(sort_findings(report.findings), key=lambda finding: finding.severity.rank)
        rows = [_finding(report, finding) for finding in findings]
        parts.append(table(("severity", "rule", "where", "what"), rows))
    if report.changes:
        parts.append(table(("workload", "change", "requests", "QoS"), [_change(one) for one in report.changes]))
    return "\n\n".join(parts) + "\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table; the cells are Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def prose(text: str) -> str:
    """Return text for a table cell, without markup and with `<br>` for line breaks."""
    escaped = _SPECIAL.sub(r"\\\1", visible(text, keep="\n").replace("&", "&amp;").replace("<", "&lt;"))
    return escaped.replace("\n", "<br>")


def code(text: str) -> str:
    """Return text as code in a table cell, fenced by more backticks than it contains in a row."""
    shown = visible(text).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else ""


def _finding(report: Report, finding: Finding) -> tuple[str, ...]:
    place = anchor(report, finding)
    where = code(f"{relative(place.file, report.root)}:{place.line}")
    about = prose(describe_subject(finding))
    fix = f"<br>{prose(finding.help)}" if finding.help else ""
    return (
        finding.severity.value,
        code(finding.rule),
        f"{where}<br>{about}" if about else where,
        prose(finding.message) + fix,
    )


def _change(change: WorkloadChange) -> tuple[str, ...]:
    done = [f"skipped: {prose(change.skipped)}"] if change.skipped else [_instance(one) for one in change.instances]
    requests = qos = ""
    if change.before and change.after:
        names = dict.fromkeys((*change.before.requests, *change.after.requests))
        pairs = [(name, change.before.requests.get(name, "0"), change.after.requests.get(name, "0")) for name in names]
        requests = "<br>".join(prose(f"{name} {old} → {new}") for name, old, new in pairs)
        same = change.before.qos == change.after.qos
        qos = change.after.qos if same else f"{change.before.qos} → **{change.after.qos}**"
    return code(change.label), "<br>".join(done) or "nothing", requests, qos


def _instance(instance: InstanceChange) -> str:
    version = f" {instance.version}" if instance.version else ""
    reason = f": {instance.reason}" if instance.reason else ""
    return prose(f"{instance.action} {instance.name}{version}{reason}")
