"""Renders findings that ask for no action as one line each: placeholders by file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecarctl.findings import Finding
from sidecarctl.report.terminal import visible
from sidecarctl.results import plural

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
