"""SARIF 2.1.0 as GitHub code scanning reads it: `results` is always present, and every result has one place."""

from __future__ import annotations

from urllib.parse import quote

from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.report.json_text import to_json
from sidecarctl.report.machine import anchor, relative, with_fingerprints
from sidecarctl.report.terminal import visible
from sidecarctl.results import Report, RuleCard, describe_subject, sort_findings

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
_LONGEST_TEXT = 1024  # GitHub's limit for the texts of a rule


def render_sarif(report: Report) -> str:
    """Return a log with one run. Ignored findings are left out, because GitHub would show them as open."""
    findings = sort_findings(report.findings)
    cards = _rule_cards(report, findings)
    index = {card.name: number for number, card in enumerate(cards)}
    run = {
        "tool": {
            "driver": {
                "name": "sidecarctl",
                "semanticVersion": report.version,
                "rules": [_rule(card) for card in cards],
            }
        },
        "invocations": [{"executionSuccessful": True}],
        "columnKind": "unicodeCodePoints",
        "results": (
            _result(report, finding, fingerprint, index[finding.rule])
            for finding, fingerprint in with_fingerprints(report, findings)
        ),
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": iter([run])}
    return to_json(log)


def _rule_cards(report: Report, findings: list[Finding]) -> list[RuleCard]:
    """Return every known rule, and every rule that a finding names."""
    named = {
        finding.rule: RuleCard(finding.rule, finding.severity, finding.rule.replace("-", " ")) for finding in findings
    }
    named.update((card.name, card) for card in report.rules)
    return [named[name] for name in sorted(named)]


def _text(text: str, fallback: str = "") -> dict[str, str]:
    """Return a SARIF message object: never empty, never longer than GitHub allows."""
    text = visible(text, keep="\n") or fallback
    return {"text": text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."}


def _rule(card: RuleCard) -> dict[str, object]:
    what = card.what or card.name
    return {
        "id": card.name,
        "name": card.name,
        "shortDescription": _text(what),
        "fullDescription": _text(card.why, what),
        "help": _text(card.fix, what),
        "defaultConfiguration": {"level": _LEVEL[card.severity]},
        "properties": {
            "tags": ["kubernetes", *([card.layer] if card.layer else [])],
            "precision": "high",
            "problem.severity": _PROBLEM[card.severity],
        },
    }


def _result(report: Report, finding: Finding, fingerprint: str, index: int) -> dict[str, object]:
    related = [related for related in finding.related if related.place]
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [_location(report, anchor(report, finding), describe_subject(finding))],
        # Under our own name: GitHub's upload adds `primaryLocationLineHash` and warns if one differs.
        "partialFingerprints": {"sidecarctl/v1": fingerprint},
    }
    if related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": visible(one.label) or "related"}} | _location(report, one.place, "")
            for number, one in enumerate(related, 1)
            if one.place
        ]
    return result


def _message(finding: Finding) -> str:
    """Return one text for a reader who sees nothing else: what, where, why, help."""
    about = describe_subject(finding)
    cause = "" if finding.source == "input" else f"Caused by: {finding.source}"
    parts = (finding.message, f"In: {about}" if about else "", cause, finding.why, finding.help)
    text = "\n".join(visible(part, keep="\n") for part in parts if part)
    # Brackets would be read as links to related places.
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]") or finding.rule


def _location(report: Report, place: Place, about: str) -> dict[str, object]:
    region = {"startLine": place.line}
    if place.end_line > place.line or place.end_column > place.column:
        region |= {"startColumn": place.column, "endLine": place.end_line, "endColumn": place.end_column}
    location: dict[str, object] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(relative(place.file, report.root))},
            "region": region,
        }
    }
    if about:
        location["logicalLocations"] = [{"fullyQualifiedName": visible(about)}]
    return location


def uri(path: str) -> str:
    """Return a path as a URI reference: percent-encoded, with `file:` for an absolute path."""
    quoted = quote(path.encode("utf-8", "surrogatepass"), safe="/~!$&'()*+,;=@")
    return f"file://{quoted}" if path.startswith("/") else quoted
