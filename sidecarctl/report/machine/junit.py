"""JUnit XML: a suite for each file, a case for each workload and rule that has something to say."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree as ET

from sidecarctl.findings import Finding
from sidecarctl.report.machine.anchors import anchor, relative
from sidecarctl.report.model import Report, in_order, subject
from sidecarctl.report.terminal import visible


def render(report: Report) -> str:
    """Return the suites. What fails the run is a failure; a milder finding is output of a case that passes.

    A file without findings has one case that passes, since readers take an empty suite for a broken one.
    """
    root = ET.Element("testsuites", name="sidecarctl")
    by_file: dict[str, list[Finding]] = {relative(file, report.root): [] for file in report.files}
    for finding in in_order(report.findings):
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
    return subject(finding), finding.rule


def _text(finding: Finding) -> str:
    where = str(finding.place) if finding.place else finding.source
    lines = (f"{finding.severity.value}: {finding.message}", f"at {where}", finding.why, finding.help)
    return "\n".join(visible(line, keep="\n") for line in lines if line)
