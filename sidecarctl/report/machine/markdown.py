"""Markdown for a job summary or a comment on a change: a table of findings, a table of changes."""

from __future__ import annotations

import re

from sidecarctl.findings import Finding
from sidecarctl.report.machine import anchor, relative
from sidecarctl.report.terminal import visible
from sidecarctl.report.text import closing_line
from sidecarctl.results import InstanceChange, Report, WorkloadChange, describe_subject, sort_findings

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")


def render(report: Report) -> str:
    """Return the summary line and a table for whatever there is to list."""
    closing = closing_line(report.findings, len(report.files), len(report.ignored), fixed=report.fixed)
    parts = [f"**sidecarctl:** {closing.rstrip()}"]
    if report.findings:
        findings = sorted(sort_findings(report.findings), key=lambda finding: finding.severity.rank)
        rows = [_finding(report, finding) for finding in findings]
        parts.append(table(("severity", "rule", "where", "what"), rows))
    if report.changes:
        parts.append(table(("workload", "what happened", "requests", "QoS"), [_change(one) for one in report.changes]))
    return "\n\n".join(parts) + "\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table; the cells are Markdown already."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def prose(text: str) -> str:
    """Escape text for a table cell: nothing in it is markup, a line break is `<br>`."""
    escaped = _SPECIAL.sub(r"\\\1", visible(text, keep="\n").replace("&", "&amp;").replace("<", "&lt;"))
    return escaped.replace("\n", "<br>")


def code(text: str) -> str:
    """Return text as code in a table cell, fenced by more backticks than it holds in a row."""
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
