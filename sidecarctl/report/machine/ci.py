"""GitHub workflow commands: annotations on the lines of a pull request. Escaped as the runner unescapes."""

from __future__ import annotations

import json
from itertools import groupby
from xml.etree import ElementTree as ET

from sidecarctl.findings import Finding, Severity
from sidecarctl.report.machine import anchor, relative, with_fingerprints
from sidecarctl.report.terminal import visible
from sidecarctl.report.text import closing_line
from sidecarctl.results import Report, describe_subject, sort_findings

_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_github(report: Report) -> str:
    """Return a command for each finding, errors first (a step shows ten of a level), then a closing line."""
    findings = sorted(sort_findings(report.findings), key=lambda finding: finding.severity.rank)
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
    about = describe_subject(finding)
    where = f"{file}:{place.line}" + (f" ({about})" if about else "")
    message = "\n".join(part for part in (f"{where}: {finding.message}", finding.why, finding.help) if part)
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMAND[finding.severity]} {listed}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message; what is no printable text becomes visible first."""
    return visible(text, keep="\n").replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


_SEVERITY = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def render_gitlab(report: Report) -> str:
    """Return the list; `[]` when there is nothing to say."""
    pairs = with_fingerprints(report, sort_findings(report.findings))
    return json.dumps([_entry(report, finding, fingerprint) for finding, fingerprint in pairs], indent=2) + "\n"


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
    """Return the suites. What fails the run is a failure; a milder finding is output of a case that passes.

    A file without findings has one case that passes, since readers take an empty suite for a broken one.
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
    """Add a file's suite and return how many of its cases failed."""
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
    return "\n".join(visible(line, keep="\n") for line in lines if line)
