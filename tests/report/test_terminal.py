"""Terminal output: color detection, line width, and escaping of characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.report.terminal import LOG_WIDTH, columns, use_color, visible, width_of, wrap


class Stream:
    def __init__(self, tty: bool) -> None:
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty

    def fileno(self) -> int:
        raise OSError("no descriptor")


@pytest.mark.parametrize(
    ("tty", "env", "want"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "0"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (False, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_color_depends_on_terminal_and_environment(tty: bool, env: dict[str, str], want: bool) -> None:
    assert use_color(Stream(tty), env) is want


def test_width_comes_from_the_environment_or_has_a_default() -> None:
    assert columns(Stream(True), {"COLUMNS": "61"}) == 61
    assert columns(Stream(True), {"COLUMNS": "9" * 5_000}) == 99_999
    assert columns(Stream(False), {"COLUMNS": "wide"}) == LOG_WIDTH
    assert columns(Stream(True), {}) == 80


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("plain é 日本", "plain é 日本"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202e", "\\u202e"),
        ("\ufeff", "\\ufeff"),
        ("\udc80", "\\udc80"),
        ("\U000e0001", "\\U000e0001"),
        ("\uffff", "\\uffff"),
        ("क्\u200dष", "क्\u200dष"),
    ],
)
def test_unsafe_characters_are_escaped(text: str, want: str) -> None:
    assert visible(text) == want


def test_width_counts_columns_not_characters() -> None:
    assert [width_of(text) for text in ("abc", "日本", "e\u0301", "🚀", "ｱ")] == [3, 4, 1, 2, 1]


@given(st.text(alphabet="ab 日\n", max_size=120), st.integers(8, 40))
def test_wrapping_keeps_all_words_within_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert " ".join(lines).split() == text.split()
    assert all(width_of(line) <= width or len(line.split()) == 1 for line in lines)
