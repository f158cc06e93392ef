"""Renders what asks for no action as one line: placeholders by file, and what a walk of directories left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sidecarctl.findings import Finding
from sidecarctl.report.terminal import visible
from sidecarctl.results import plural
from sidecarctl.skipped import REASONS, UNCOUNTED_REASONS, Skipped

PLACEHOLDER = "placeholder"
_MAX_FILES = 3


def split_notes(findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings to show with their source lines, and the notes about placeholders."""
    shown = [one for one in findings if one.rule != PLACEHOLDER]
    return shown, [one for one in findings if one.rule == PLACEHOLDER]


def render_notes(notes: Sequence[Finding]) -> Iterator[str]:
    """Yield a line for each file with placeholders, or one line for many files."""
    by_file: dict[str, list[Finding]] = {}
    for one in notes:
        by_file.setdefault(one.place.file if one.place else "", []).append(one)
    if len(by_file) > _MAX_FILES:
        yield f"note: {plural(len(by_file), 'file')} with placeholders, whose values are not validated"
        return
    for file, own in by_file.items():
        for one in own:
            yield visible(f"note: {file}: {one.message}" if file and file != "-" else f"note: {one.message}")


def render_skipped(skipped: Sequence[Skipped], *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines of a report: with `verbose` each file or directory, then the counts by reason."""
    if verbose:
        yield from (f"skipped {visible(one.name)}: {one.reason}" for one in skipped)
    counts = describe_skipped(skipped)
    if counts:
        yield counts if verbose else f"{counts}; -v lists them"


def render_summary(
    counts: Sequence[str], files: int, skipped: Sequence[Skipped], *, verbose: bool = False
) -> Iterator[str]:
    """Yield the summary of a run: with `verbose` each skipped file or directory, then one line.

    counts  what happened to the files that were read: "3 changed"
    files   the number of files that were read
    """
    if verbose:
        yield from (f"skipped {visible(one.name)}: {one.reason}" for one in skipped)
    by_reason = _count(skipped)
    left_out = sum(by_reason.values())
    reasons = ", ".join(f"{number} {reason}" if len(by_reason) > 1 else reason for reason, number in by_reason.items())
    more = [f"{left_out} skipped ({reasons})"] if left_out else []
    line = f"{plural(files + left_out, 'file')}: {', '.join((*counts, *more))}"
    yield line if verbose or not left_out else f"{line}; -v lists the skipped"


def describe_skipped(skipped: Sequence[Skipped], *, every: bool = False) -> str:
    """Return one line: `skipped 5 files: 3 Helm chart, 2 patch`; empty if there is nothing to report.

    Hidden and vendored directories count only with `every`.
    """
    by_reason = _count(skipped, every=every)
    if not by_reason:
        return ""
    parts = ", ".join(f"{number} {reason}" for reason, number in by_reason.items())
    return f"skipped {plural(sum(by_reason.values()), 'file')}: {parts}"


def _count(skipped: Sequence[Skipped], *, every: bool = False) -> dict[str, int]:
    """Return the number of files by reason, in the order of reports."""
    counts = Counter(one.reason for one in skipped if every or one.reason not in UNCOUNTED_REASONS)
    return {reason: counts[reason] for reason in REASONS if counts[reason]}
