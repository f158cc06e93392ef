"""Events of ruamel.yaml's parser in Python, for machines without its C extension. Imported only there.

Known differences from libyaml: it accepts a tab after a dash, a dot or colon in an anchor name, an anchor directly before other
text (`&x*y`), and a byte order mark inside a key; it refuses a tab after a tag, `|#`, a block scalar of blanks whose last line
has more of them, and U+2028 or U+2029 as a line break in a block scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.scanner import Scanner, ScannerError

_BREAKS = "\r\n\x85\u2028\u2029"
_BLANKS_AND_END = f" \t\0{_BREAKS}"


class _TabScanner(Scanner):
    """A scanner that takes tabs where libyaml does: inside plain scalars, and between tokens where no key can start."""

    def scan_to_next_token(self) -> None:
        reader = self.reader
        if reader.index == 0 and reader.peek() == "\ufeff":
            reader.forward()
        while True:
            blanks = " \t" if self.flow_level or not self.allow_simple_key else " "
            while reader.peek() in blanks:
                reader.forward()
            if reader.peek() == "#":
                while reader.peek() not in f"\0{_BREAKS}":
                    reader.forward()
            if not self.scan_line_break():
                return
            self.allow_simple_key = self.allow_simple_key or not self.flow_level

    def scan_plain_spaces(self, indent: int, start_mark: Any) -> list[str]:
        """Return the blanks and line breaks inside a plain scalar as they count; [] if it ends before them."""
        reader = self.reader
        length = 0
        while reader.peek(length) in " \t":
            length += 1
        blanks = reader.prefix(length)
        reader.forward(length)
        if reader.peek() not in _BREAKS:
            return [blanks] if blanks else []
        first, *others = self._scan_breaks(indent, start_mark)
        self.allow_simple_key = True
        if self._is_at_marker():
            return []
        return [*([first] if first != "\n" else [] if others else [" "]), *others]

    def _scan_breaks(self, indent: int, start_mark: Any) -> list[str]:
        """Return line breaks up to the next text. Raises ScannerError for a tab that stands for indentation."""
        reader = self.reader
        breaks = [self.scan_line_break()]
        while not self._is_at_marker() and (next_one := reader.peek()) in f" \t{_BREAKS}":
            if next_one in _BREAKS:
                breaks.append(self.scan_line_break())
                continue
            if next_one == "\t" and reader.column < indent:
                raise ScannerError(
                    "while scanning a plain scalar",
                    start_mark,
                    "found a tab character that violates indentation",
                    reader.get_mark(),
                )
            reader.forward()
        return breaks

    def _is_at_marker(self) -> bool:
        """Return whether a document starts or ends here."""
        reader = self.reader
        return reader.column == 0 and reader.prefix(3) in ("---", "...") and reader.peek(3) in _BLANKS_AND_END


def read_events(text: str) -> Callable[[], Any]:
    """Return a function that returns the next event and raises YAMLError, as the C extension's parser has."""
    reader = YAML(typ="safe", pure=True)
    reader.Scanner = _TabScanner
    reader.version = (1, 1)
    if text.startswith("\ufeff"):
        text = text[1:]
    following = iter(reader.parse(text.replace("\x85", "\n"))).__next__

    def checked() -> Any:
        event = following()
        if type(event) is ScalarEvent and not event.value.isascii() and _has_surrogate(event.value):
            raise MarkedYAMLError(problem="found invalid Unicode character escape code", problem_mark=event.start_mark)
        return event

    return checked


def _has_surrogate(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)
