"""Parses text to YAML events with libyaml, or with ruamel.yaml's own parser if its C extension is missing.

The only module that imports ruamel.yaml; `libyaml` loads its C extension without the package. Both parsers refuse some input
that the API server accepts. Such text is parsed again with replacement characters of the same length, so that positions stay
valid. Known differences of the pure parser:
it accepts a tab after a dash, a dot in an anchor name, and a byte order mark inside a key; it refuses `|#`, and U+2028 or
U+2029 as a line break in a block scalar.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any

from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext import libyaml
from sidecarctl.yamltext.errors import SyntaxProblem

if TYPE_CHECKING or not libyaml.load():
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.events import (
        AliasEvent,
        DocumentStartEvent,
        MappingEndEvent,
        MappingStartEvent,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
        StreamEndEvent,
    )
else:
    from sidecarctl.yamltext.libyaml import (
        AliasEvent,
        DocumentStartEvent,
        MappingEndEvent,
        MappingStartEvent,
        MarkedYAMLError,
        ScalarEvent,
        SequenceEndEvent,
        SequenceStartEvent,
        StreamEndEvent,
        YAMLError,
    )

__all__ = [
    "AliasEvent",
    "DocumentStartEvent",
    "EventSource",
    "MappingEndEvent",
    "MappingStartEvent",
    "ScalarEvent",
    "SequenceEndEvent",
    "SequenceStartEvent",
    "StreamEndEvent",
    "YAMLError",
]

# A colon inside a word (`http://x:80`), which older libyaml refuses in flow collections. Tags keep theirs.
_INNER_COLON = lazy_pattern(r"(?:^|(?<=[\s,\[{]))!\S*|(?<=[^\s\[\]{},\"']):(?=\S)")
# JSON writes one character as two escapes; YAML does not know surrogate pairs.
_PAIR = lazy_pattern(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_BEFORE_A_TAB = lazy_pattern(r"[ \t]*(?:[-?:][ \t]*)*\Z")


@dataclass(frozen=True)
class EventSource:
    """A text for the parser; `meant` maps replacement characters in scalars back, None if there are none."""

    text: str
    meant: dict[int, str] | None = field(default=None)

    @staticmethod
    def of(text: str) -> EventSource:
        """Return the source for a document's text."""
        if "\\u" in text and text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
            return _without_pairs(text)
        return EventSource(text)

    def events(self) -> Callable[[], Any]:
        """Return a function that returns the next event and raises YAMLError."""
        try:
            import _ruamel_yaml as c
        except ImportError:
            return _pure_events(self.text)
        following: Callable[[], Any] = c.CParser(self.text).get_event
        return following

    def retry(self, problem: YAMLError) -> EventSource | None:
        """Return the source to try after the parser refused this one, or None if the error is final."""
        said, mark = str(getattr(problem, "problem", "")), getattr(problem, "problem_mark", None)
        if "found unexpected ':'" in said:
            stand_in = _unused(self.text)
            text = _INNER_COLON.sub(lambda m: stand_in if m.group() == ":" else m.group(), self.text)
            return EventSource(text, {**(self.meant or {}), ord(stand_in): ":"}) if text != self.text else None
        if "found character '\\t'" in said and mark is not None and self.text[mark.index : mark.index + 1] == "\t":
            # Only the pure parser: libyaml accepts a tab where no key can start.
            line = self.text[self.text.rfind("\n", 0, mark.index) + 1 : mark.index]
            if not _BEFORE_A_TAB.match(line):
                return self._without_tab(mark.index)
        return None

    def _without_tab(self, at: int) -> EventSource:
        """Return the source without a tab: with a space between tokens, or another character inside a plain scalar."""
        before, after = self.text[:at], self.text[at + 1 :]
        following = after.lstrip(" \t")
        last = before.rstrip(" \t")[-1:]
        if last in (*":,[{\"'",) or following[:1] in ("", *"#\r\n,]}") or following.startswith(": "):
            return EventSource(f"{before} {after}", self.meant)
        known = (chr(code) for code, character in (self.meant or {}).items() if character == "\t")
        stand_in = next(known, "") or _unused(self.text)
        return EventSource(before + stand_in + after, {**(self.meant or {}), ord(stand_in): "\t"})


def _without_pairs(text: str) -> EventSource:
    """Replace JSON surrogate pairs by the characters that they mean, padded to the same length."""
    filler = _unused(text)

    def one(found: re.Match[str]) -> str:
        high, low = found.group(2)[2:6], found.group(2)[8:12]
        meant = chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00)
        return found.group(1) + meant + filler * 11

    changed = _PAIR.sub(one, text)
    return EventSource(changed, {ord(filler): ""}) if changed != text else EventSource(text)


def _unused(text: str) -> str:
    """Return a private use character that does not occur in the text. Raises SyntaxProblem if all do."""
    used = set(text)
    for code in chain(range(0xE000, 0xF900), range(0xF0000, 0xFFFFE)):
        if chr(code) not in used:
            return chr(code)
    raise SyntaxProblem("the document contains all private use characters", 0, hint="remove some of them")


def _pure_events(text: str) -> Callable[[], Any]:
    """Return the events of the pure parser, set to YAML 1.1."""
    from ruamel.yaml import YAML

    reader = YAML(typ="safe", pure=True)
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
