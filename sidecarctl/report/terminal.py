"""What a terminal can show: colors, columns, and safe characters."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from sidecarctl.lazy_pattern import lazy_pattern

LOG_WIDTH = 100  # columns if the output is not a terminal: fits a log and a review
DUMB_WIDTH = 80  # columns of a terminal that does not report its width
TAB_STOP = 4

_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "info": "1;34",
    "help": "1;36",
    "gutter": "1;34",
    "bold": "1",
    "heading": "1;4",
    "dim": "2",
    "added": "32",
    "removed": "31",
    "changed": "33",
    "hunk": "36",
}
# Joiners shape letters of living scripts and take no column. All other format characters are escaped.
_JOINERS = "\u200c\u200d"
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Stream(Protocol):
    """The part of a text stream that tells whether it is a terminal."""

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""

    def fileno(self) -> int:
        """Return its file descriptor."""


def use_color(stream: Stream, env: Mapping[str, str]) -> bool:
    """Return whether to write colors to a stream.

    NO_COLOR (https://no-color.org) ranks above FORCE_COLOR, that above TERM=dumb, and that above whether the stream is a
    terminal. An empty variable counts as unset.
    """
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return env.get("TERM") != "dumb" and stream.isatty()


def columns(stream: Stream, env: Mapping[str, str]) -> int:
    """Return the width in columns: COLUMNS, else that of the terminal, else `LOG_WIDTH`."""
    given = env.get("COLUMNS", "")
    if given.isdecimal() and (wide := int(given[:5])) > 0:
        return wide
    if not stream.isatty():
        return LOG_WIDTH
    try:
        return os.get_terminal_size(stream.fileno()).columns or DUMB_WIDTH
    except (OSError, ValueError):
        return DUMB_WIDTH


def paint(text: str, style: str, color: bool) -> str:
    """Return a text in a named style; unchanged without color."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if color and text else text


@lru_cache(maxsize=4096)
def _visible_char(char: str) -> str:
    code = ord(char)
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if not noncharacter and (char in _JOINERS or unicodedata.category(char) not in _UNSAFE_CATEGORIES):
        return char
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_COMMAND = lazy_pattern(r"^([^\S\n]*):(?=:)", re.MULTILINE)
# Azure Pipelines finds its commands anywhere in a line.
AZURE_COMMAND = lazy_pattern(r"##((?:vso)?\[)", re.IGNORECASE)


def without_commands(text: str) -> str:
    """Return a text with `\\x3a:` for `::` at the start of a line, where GitHub takes it for a command of the workflow."""
    return _COMMAND.sub(r"\1\\x3a", text) if "::" in text else text


def visible(text: str, keep: str = "") -> str:
    """Return a text with every character that could control a terminal written as an escape (`\\x1b`).

    These are control and format characters (including bidirectional overrides), line separators, lone surrogates, and
    noncharacters. Characters in `keep` stay. `##[` and `##vso[` start a command of GitHub or Azure Pipelines, so they are
    escaped too.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(char if char in keep else _visible_char(char) for char in text)
    return AZURE_COMMAND.sub(r"#\\x23\1", text) if "##" in text else text


@lru_cache(maxsize=4096)
def _char_width(char: str) -> int:
    if char in _JOINERS or unicodedata.category(char) in ("Mn", "Me") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def width_of(text: str) -> int:
    """Return the columns of a text: wide characters take two, combining marks none (Unicode annex 11)."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


@lru_cache(maxsize=4)
def cells(line: str) -> tuple[tuple[str, ...], int]:
    """Return what to show for each character of a source line, and the columns of all: a line has many findings.

    Tabs are spaces, and unsafe characters are escaped.
    """
    shown: list[str] = []
    column = 0
    commands = {match.start() + 1 for match in AZURE_COMMAND.finditer(line)} if "##" in line else ()
    for index, char in enumerate(line):
        cell = " " * (TAB_STOP - column % TAB_STOP) if char == "\t" else _visible_char(char)
        cell = "\\x23" if index in commands else cell
        shown.append(cell)
        column += width_of(cell)
    return tuple(shown), column


def wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Wrap prose to lines of at most `width` columns; `first` leads the first line, `rest` the others.

    Line breaks in the text stay, and the text after them keeps its own indentation. `width` 0 does not wrap. A word that
    is wider than the line stays whole.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lead = rest if lines else first
        own = paragraph[: len(paragraph) - len(paragraph.lstrip(" "))]
        current, empty = lead + own, True
        for word in paragraph.split(" "):
            if not word:
                continue
            if not empty and 0 < width < width_of(current) + 1 + width_of(word):
                lines.append(current)
                current, empty = rest + own, True
            current += word if empty else " " + word
            empty = False
        lines.append(current.rstrip() if empty else current)
    return [without_commands(line) for line in lines]
