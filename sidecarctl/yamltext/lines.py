"""Lines, line breaks, and gaps between tokens in YAML 1.1 text, and text replacements."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from sidecarctl.errors import BugError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern

BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# Spaces, line breaks, and comments: what may be between a key and its colon, or a value and its comma.
_GAP = re.compile("(?:[ \t\n\r\x85\u2028\u2029\ufeff]+|#[^\n\r\x85\u2028\u2029]*)*")
# Blank lines up to the last one with a tab.
_TABBED = lazy_pattern("(?:(?: *(?:\r\n|[\n\r\x85\u2028\u2029]))* *\t[ \t]*(?:\r\n|[\n\r\x85\u2028\u2029]|\\Z))+")
# Searched one by one: in a long line, such as JSON without line breaks, `str.find` is a hundred times as fast as an expression.
_RARE_BREAKS = "\r\x85\u2028\u2029"
_SHORT = 200  # characters of a line, for which the expression is as fast


def line_start(text: str, offset: int) -> int:
    """Return where the line of an offset starts, after a byte order mark."""
    start = text.rfind("\n", 0, offset) + 1
    for rare in _RARE_BREAKS:
        start = max(start, text.rfind(rare, start, offset) + 1)
    return start + 1 if start == 0 and offset and text[0] == "\ufeff" else start


def past_tabs(text: str, offset: int) -> int:
    """Return the offset after blank lines with tabs that start at an offset.

    Such a line can only follow a plain scalar, which it continues: it does not parse after anything else.
    """
    found = _TABBED.match(text, offset)
    return found.end() if found else offset


def line_end(text: str, offset: int) -> int:
    """Return where the line of an offset ends, without its line break."""
    if found := BREAK.search(text, offset, offset + _SHORT):
        return found.start()
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    for rare in _RARE_BREAKS:
        at = text.find(rare, offset, end)
        end = end if at < 0 else at
    return end


def next_line(text: str, offset: int) -> int:
    """Return where the line after that of an offset starts, or the length of the text."""
    end = line_end(text, offset)
    found = BREAK.match(text, end)
    return found.end() if found else end


def break_before(text: str, offset: int) -> int:
    """Return where the line break that ends at an offset starts, or the offset itself."""
    if offset > 1 and text.startswith("\r\n", offset - 2):
        return offset - 2
    return offset - 1 if offset and BREAK.match(text, offset - 1) else offset


def column(text: str, offset: int) -> int:
    """Return the column of an offset, from 0."""
    return offset - line_start(text, offset)


def first_on_line(text: str, offset: int) -> bool:
    """Return whether only spaces precede an offset on its line."""
    return not text[line_start(text, offset) : offset].strip(" \t")


def blanks_start(text: str, offset: int) -> int:
    """Return where the spaces and tabs that end at an offset start."""
    while offset and text[offset - 1] in " \t":
        offset -= 1
    return offset


def blanks_of_line(text: str, offset: int) -> str:
    """Return the indentation of the line of an offset."""
    start = line_start(text, offset)
    line = text[start : line_end(text, start)]
    return line[: len(line) - len(line.lstrip(" \t"))]


def skip_gap(text: str, offset: int) -> int:
    """Return where the next token starts: after spaces, line breaks, and comments."""
    found = _GAP.match(text, offset)
    return found.end() if found else offset


def newline_of(text: str, offset: int) -> str:
    """Return the line break in use at an offset: that of its line, else of the previous line, else a line feed."""
    at = text.find("\n", offset)
    if at < 0:
        at = text.rfind("\n", 0, offset)
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


class Lines:
    """Maps offsets to lines and columns of one text, both from 0; columns count characters."""

    __slots__ = ("_last", "_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(found.end() for found in BREAK.finditer(text))]
        self._last = (-1, "")

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self._starts)

    def at(self, offset: int) -> tuple[int, int]:
        """Return (line, column) of an offset."""
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]

    def line(self, number: int) -> str:
        """Return the text of a line without its line break."""
        if number != self._last[0]:  # a file on one line can have thousands of findings
            start = self._starts[number]
            end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
            self._last = (number, self.text[start:end].rstrip("\r\n\x85\u2028\u2029"))
        return self._last[1]


@dataclass(frozen=True)
class Splice:
    """A replacement of text[start:end]. Of several at one offset, that of the innermost collection comes first.

    path, index  of a collection whose new members the text is, and the number of members before them; or of the scalar that
                 the text replaces (no index). None if the text is anything else
    """

    start: int
    end: int
    text: str
    depth: float = 0
    path: PathTuple | None = None
    index: int | None = None


def sort_splices(splices: Iterable[Splice]) -> list[Splice]:
    """Return replacements in the order of the new text: those at one offset from the inside out."""
    return sorted(splices, key=lambda s: (s.start, s.end > s.start, -s.depth))


def apply_splices(text: str, splices: Iterable[Splice]) -> str:
    """Return the text after replacements."""
    out: list[str] = []
    at = 0
    for one in sort_splices(splices):
        if one.start < at:
            raise BugError("two edits overlap")
        out += (text[at : one.start], one.text)
        at = one.end
    return "".join((*out, text[at:]))


def blank_before_comment(text: str, end: int, written: str) -> str:
    """Return the blank that a plain scalar before `end` needs: `'80'# why` is a scalar and a comment, `80# why` a scalar."""
    return " " if text.startswith("#", end) and written and written[-1] not in "'\"]} " else ""
