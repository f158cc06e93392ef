"""Line breaks, lines and the gaps between tokens, as YAML 1.1 has them. Knows characters only, no nodes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from sidecarctl.errors import BugError
from sidecarctl.lazy_dataclass import dataclass

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# Blanks, line breaks and comments: what may stand between a key and its colon, a value and its comma.
_GAP = re.compile("(?:[ \t\n\r\x85\u2028\u2029\ufeff]+|#[^\n\r\x85\u2028\u2029]*)*")
_RARE_BREAK = re.compile("[\r\x85\u2028\u2029]")


def line_start(text: str, offset: int) -> int:
    """Return where the line of an offset begins, behind a byte order mark."""
    start = text.rfind("\n", 0, offset) + 1
    rare = [found.end() for found in _RARE_BREAK.finditer(text, start, offset)]
    start = rare[-1] if rare else start
    return start + 1 if start == 0 and offset and text[0] == "\ufeff" else start


def line_end(text: str, offset: int) -> int:
    """Return where the line of an offset ends, its line break excluded."""
    found = BREAK.search(text, offset)
    return found.start() if found else len(text)


def next_line(text: str, offset: int) -> int:
    """Return where the line after that of an offset begins; the text's length where there is none."""
    found = BREAK.search(text, offset)
    return found.end() if found else len(text)


def break_before(text: str, offset: int) -> int:
    """Return where the line break that ends at an offset begins; the offset itself where none does."""
    if offset > 1 and text.startswith("\r\n", offset - 2):
        return offset - 2
    return offset - 1 if offset and BREAK.match(text, offset - 1) else offset


def column(text: str, offset: int) -> int:
    """Return the column of an offset, from 0."""
    return offset - line_start(text, offset)


def first_on_line(text: str, offset: int) -> bool:
    """True when only blanks stand before an offset on its line."""
    return not text[line_start(text, offset) : offset].strip(" \t")


def blanks_of_line(text: str, offset: int) -> str:
    """Return the blanks that the line of an offset begins with."""
    start = line_start(text, offset)
    line = text[start : line_end(text, start)]
    return line[: len(line) - len(line.lstrip(" \t"))]


def skip_gap(text: str, offset: int) -> int:
    """Return where the next token begins: past blanks, line breaks and comments."""
    found = _GAP.match(text, offset)
    return found.end() if found else offset


def newline_of(text: str, offset: int) -> str:
    """Return the line end in use at an offset: that of its line, else of the line before, else a line feed."""
    at = text.find("\n", offset)
    if at < 0:
        at = text.rfind("\n", 0, offset)
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


class Lines:
    """Offsets to lines and columns of one text, both counted from 0, columns in characters."""

    __slots__ = ("_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(found.end() for found in BREAK.finditer(text))]

    def at(self, offset: int) -> tuple[int, int]:
        """Return (line, column) of an offset."""
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]

    def line(self, number: int) -> str:
        """Return a line's text without its line end."""
        start = self._starts[number]
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n\x85\u2028\u2029")


@dataclass(frozen=True)
class Splice:
    """Replace text[start:end] by `text`. Of several at one place the one of the innermost collection comes first."""

    start: int
    end: int
    text: str
    depth: float = 0


def carried_out(text: str, splices: Iterable[Splice]) -> str:
    """Return the text with splices carried out, those at one place from the inside out, else in their order."""
    out: list[str] = []
    at = 0
    for one in sorted(splices, key=lambda s: (s.start, s.end > s.start, -s.depth)):
        if one.start < at:
            raise BugError("two edits overlap")
        out += (text[at : one.start], one.text)
        at = one.end
    return "".join((*out, text[at:]))
