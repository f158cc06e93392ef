"""Reports for other programs: JSON, SARIF, GitHub, GitLab, JUnit, and Markdown."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from pathlib import PurePosixPath

from sidecarctl.findings import Finding, Place
from sidecarctl.results import Report, field_text

# Format: module of this package, function.
_RENDERERS = {
    "json": ("json", "render"),
    "sarif": ("sarif", "render"),
    "github": ("ci", "render_github"),
    "gitlab": ("ci", "render_gitlab"),
    "junit": ("ci", "render_junit"),
    "markdown": ("markdown", "render"),
}
FORMATS = tuple(_RENDERERS)


def render(report: Report, format_name: str) -> str:
    """Return the report in one of `FORMATS`, ending with a line end; ValueError for another name."""
    if format_name not in FORMATS:
        raise ValueError(f"no format {format_name!r}")
    module, function = _RENDERERS[format_name]
    text: str = getattr(import_module(f"{__name__}.{module}"), function)(report)
    return text


STDIN_NAMES = ("", "-", "<stdin>")


def relative(file: str, root: str) -> str:
    """Return a file as code hosts want it: relative to `root`, forward slashes, no `./`; stdin is `stdin`."""
    if file in STDIN_NAMES:
        return "stdin"
    path = PurePosixPath(file.replace("\\", "/"))
    base = PurePosixPath(root.replace("\\", "/"))
    return str(path.relative_to(base) if root and path.is_relative_to(base) else path)


def anchor(report: Report, finding: Finding) -> Place:
    """Return the finding's place, or where its workload begins, or the beginning of the first file."""
    if finding.place:
        return finding.place
    change = next((change for change in report.changes if finding.workload and change.label == finding.workload), None)
    file, line = (change.file, change.line) if change else (next(iter(report.files), ""), 1)
    return Place(file, line, 1, line, 1)


def with_fingerprints(report: Report, findings: Iterable[Finding]) -> list[tuple[Finding, str]]:
    """Pair findings with fingerprints: hexadecimal, different within a report, the same when lines shift.

    Made of file, rule, whom it is about, and field; what is alike in all of these is numbered in order.
    """
    seen: Counter[str] = Counter()
    pairs: list[tuple[Finding, str]] = []
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
        pairs.append((finding, digest.hexdigest()[:32]))
    return pairs
