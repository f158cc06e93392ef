"""Renders what a walk of directories left out: one line by reason, or a line for each file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sidecarctl.report.terminal import visible
from sidecarctl.results import plural
from sidecarctl.skipped import REASONS, UNCOUNTED_REASONS, Skipped


def render_skipped(skipped: Sequence[Skipped], *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines of a report: with `verbose` each file or directory, then the counts by reason."""
    if verbose:
        yield from (f"skipped {visible(one.name)}: {one.reason}" for one in skipped)
    counts = describe_skipped(skipped)
    if counts:
        yield counts if verbose else f"{counts}; -v lists them"


def describe_skipped(skipped: Sequence[Skipped], *, every: bool = False) -> str:
    """Return one line: `skipped 5 files: 3 Helm chart, 2 patch`; empty if there is nothing to report.

    Hidden and vendored directories count only with `every`.
    """
    counts = Counter(one.reason for one in skipped if every or one.reason not in UNCOUNTED_REASONS)
    if not counts:
        return ""
    parts = [f"{counts[reason]} {reason}" for reason in REASONS if counts[reason]]
    return f"skipped {plural(sum(counts.values()), 'file')}: {', '.join(parts)}"
