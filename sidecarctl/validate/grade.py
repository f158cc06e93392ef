"""Decides which findings of a document count in a run, and how: severities, ignores, placeholders, and what was there before."""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.lazy_dataclass import replace
from sidecarctl.validate.placeholders import without_placeholders
from sidecarctl.validate.registry import rules
from sidecarctl.validate.rule_selection import OFF, Severities
from sidecarctl.validate.suppress import suppress
from sidecarctl.yamltext.stream import Document


def grade(
    document: Document, findings: Iterable[Finding], severities: Severities, value: object = None
) -> list[Finding]:
    """Return the findings that a composing command reports for a document: located, with the severities of the composition,
    without those that comments and annotations ignore, and with notes instead of findings about placeholders.

    `value` is what the paths of the findings lead through, by default the document.
    """
    known, notes = without_placeholders(document.value if value is None else value, findings)
    graded = [one for each in known if (one := _with_severity(each, severities)) is not None]
    if graded:
        given = {id(each) for each in graded}
        graded = [one for one in suppress(document, graded, known=rules(), active=()).kept if id(one) in given]
    return [*graded, *notes]


def _with_severity(finding: Finding, severities: Severities) -> Finding | None:
    severity = severities.get(finding.rule)
    if severity is None:
        return finding
    return None if severity == OFF else replace(finding, severity=Severity(severity))


def demote(finding: Finding) -> Finding:
    """Return an error that was there before, outside of what a command edits, as a warning."""
    return replace(finding, severity=Severity.WARNING) if finding.severity is Severity.ERROR else finding


def is_inside(finding: Finding, paths: Iterable[PathTuple]) -> bool:
    """Return True if a finding is about a value at or below one of the paths."""
    return any(finding.path[: len(path)] == path for path in paths)
