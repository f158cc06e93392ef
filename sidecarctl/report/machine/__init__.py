"""Reports for other programs: JSON, SARIF, GitHub, GitLab, JUnit, and Markdown."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import PurePosixPath

from sidecarctl.findings import Finding, Place
from sidecarctl.results import Report, field_text

# Format: module of this package and function.
_RENDERERS = {
    "json": ("json", "render_json"),
    "sarif": ("sarif", "render_sarif"),
    "github": ("ci", "render_github"),
    "gitlab": ("ci", "render_gitlab"),
    "junit": ("ci", "render_junit"),
    "markdown": ("ci", "render_markdown"),
}
FORMATS = tuple(_RENDERERS)


def render_report(report: Report, format_name: str) -> str:
    """Return the report in one of `FORMATS`, with a final line break. Raises ValueError for another name."""
    if format_name not in FORMATS:
        raise ValueError(f"unknown format {format_name!r}")
    module, function = _RENDERERS[format_name]
    text: str = getattr(import_module(f"{__name__}.{module}"), function)(report)
    return text


STDIN_NAMES = ("", "-", "<stdin>")


def relative(file: str, root: str) -> str:
    """Return a file as code hosts expect it: relative to `root`, with forward slashes, without `./`; stdin is `stdin`."""
    if file in STDIN_NAMES:
        return "stdin"
    path = PurePosixPath(file.replace("\\", "/"))
    base = PurePosixPath(root.replace("\\", "/"))
    return str(path.relative_to(base) if root and path.is_relative_to(base) else path)


def anchor(report: Report, finding: Finding) -> Place:
    """Return the place of a finding, else the start of its workload, else the start of the first file."""
    if finding.place:
        return finding.place
    change = next((change for change in report.changes if finding.workload and change.label == finding.workload), None)
    file, line = (change.file, change.line) if change else (next(iter(report.files), ""), 1)
    return Place(file, line, 1, line, 1)


def with_fingerprints(report: Report, findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """Yield findings with fingerprints: hexadecimal, unique within a report, stable when lines shift.

    Computed from file, rule, workload, container, field, and source. Findings equal in all of these are numbered in order.
    """
    seen: Counter[str] = Counter()
    for finding in findings:
        file = relative(anchor(report, finding).file, report.root)
        parts = (
            file,
            finding.rule,
            finding.workload,
            finding.container,
            field_text(finding.path),
            finding.source,
        )
        identity = "\0".join(parts)
        seen[identity] += 1
        digest = hashlib.sha256(f"{identity}\0{seen[identity]}".encode("utf-8", "surrogatepass"))
        yield finding, digest.hexdigest()[:32]
