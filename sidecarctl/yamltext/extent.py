"""Where nodes begin and end where the parser's marks do not say it exactly: block scalars, values that are not there."""

from __future__ import annotations

import re

from sidecarctl.yamltext.lines import BREAK, break_before, skip_gap
from sidecarctl.yamltext.nodes import Node

_BLOCK_HEADER = re.compile(r"(?:[&!]\S*\s+)*[|>]([-+0-9]*)")
_ANCHOR_ALONE = re.compile(r"&\S+\s+(?!!)")
_TAG_BEFORE = re.compile(r"(?:^|(?<=\s))!\S*\s+\Z")


def place_of_nothing(text: str, key: Node) -> int:
    """Return where a missing value would begin: behind the colon, or behind the key where that is missing too."""
    colon = skip_gap(text, key.end)
    return colon + 1 if text.startswith(":", colon) else key.end


def start_of_properties(text: str, start: int) -> int:
    """Return where a tag before an anchor begins; the pure parser counts from the anchor."""
    if not _ANCHOR_ALONE.match(text, start):
        return start
    found = _TAG_BEFORE.search(text[max(0, start - 200) : start])
    return start - len(found.group()) if found else start


def block_scalar_end(text: str, start: int, end: int, value: str) -> int:
    """Return where a block scalar's last line ends, its line break excluded; blank lines count only where they are kept (`+`)."""
    header_break = BREAK.search(text, start)
    while header_break and not _BLOCK_HEADER.match(text[start : header_break.start()]):
        header_break = BREAK.search(text, header_break.end())  # an anchor or tag on a line of its own
    if header_break is None or header_break.start() >= end:
        return header_break.start() if header_break else len(text)
    header = _BLOCK_HEADER.match(text, start)
    kept = header is not None and "+" in header.group(1)
    lines = BREAK.split(text[header_break.end() : end])
    indent = _indent(lines, value)
    # The end mark may stand inside the line that follows: what is there is its indentation.
    offset = end
    if lines[-1] and len(lines[-1]) <= indent and not lines[-1].strip():
        offset -= len(lines[-1])
        lines[-1] = ""
    if kept:
        last = break_before(text, offset)
        return last if last >= header_break.start() else offset
    while lines and not lines[-1].strip(" \t") and len(lines[-1]) <= indent:
        offset -= len(lines.pop())
        if not lines:
            return header_break.start()
        offset = break_before(text, offset)
    return offset


def block_indent(text: str, start: int, end: int, value: str) -> int:
    """Return how far the lines of a block scalar are indented, 0 where it has none."""
    return _indent(BREAK.split(text[start:end])[1:], value)


def keeps_blank_lines(text: str, start: int) -> bool | None:
    """Return what a block scalar's header says of the line ends at its end: True keep, False strip, None one of them."""
    found = _BLOCK_HEADER.match(text, start)
    chomping = found.group(1) if found else ""
    return True if "+" in chomping else False if "-" in chomping else None


def _indent(lines: list[str], value: str) -> int:
    """How far a block scalar's lines are indented: what its first written line has and its value's first line has not."""
    written = next((line for line in lines if line.strip(" ")), "")
    meant = next((line for line in value.splitlines() if line.strip(" ")), "")
    return (len(written) - len(written.lstrip(" "))) - (len(meant) - len(meant.lstrip(" ")))
