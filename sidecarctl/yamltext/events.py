"""Parses text to YAML events with libyaml, or with ruamel.yaml's own parser if its C extension is missing.

Only this module and `pure_parser` import ruamel.yaml; `libyaml` loads its C extension without the package. Both parsers refuse
some input that the API server accepts. Such text is parsed again with replacement characters of the same length, so that
positions stay valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any

from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext import libyaml
from sidecarctl.yamltext.errors import SyntaxProblem

if TYPE_CHECKING or not libyaml.load():
    from ruamel.yaml.error import YAMLError
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
_INNER_COLON = lazy_pattern(r"(?:^|(?<=[\s,\[{]))!(?:<[^>\s]*>)?[^\s,\[\]{}\"']*|(?<=[^\s\[\]{},\"']):(?=\S)")
# JSON writes one character as two escapes; YAML does not know surrogate pairs.
_PAIR = lazy_pattern(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")


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
            from sidecarctl.yamltext.pure_parser import read_events

            return read_events(self.text)
        following: Callable[[], Any] = c.CParser(self.text).get_event
        return following

    def retry(self, problem: YAMLError) -> EventSource | None:
        """Return the source to try after the parser refused this one, or None if the error is final."""
        if "found unexpected ':'" in str(getattr(problem, "problem", "")):
            stand_in = _unused(self.text)
            text = _INNER_COLON.sub(lambda m: stand_in if m.group() == ":" else m.group(), self.text)
            return EventSource(text, {**(self.meant or {}), ord(stand_in): ":"}) if text != self.text else None
        return None


def _without_pairs(text: str) -> EventSource:
    """Replace surrogate pairs in JSON by the characters that they mean, padded to the same length.

    In other flow collections, the parser refuses them in double quotes, as that of the API server does; elsewhere they are text.
    """
    if not _PAIR.search(text) or not is_json(text):
        return EventSource(text)
    filler = _unused(text)

    def one(found: re.Match[str]) -> str:
        high, low = found.group(2)[2:6], found.group(2)[8:12]
        meant = chr(0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00)
        return found.group(1) + meant + filler * 11

    return EventSource(_PAIR.sub(one, text), {ord(filler): ""})


def is_json(text: str) -> bool:
    """Return whether a text is JSON, which can begin with a byte order mark."""
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def _unused(text: str) -> str:
    """Return a private use character that does not occur in the text. Raises SyntaxProblem if all do."""
    used = set(text)
    for code in chain(range(0xE000, 0xF900), range(0xF0000, 0xFFFFE)):
        if chr(code) not in used:
            return chr(code)
    raise SyntaxProblem("the document contains all private use characters", 0, hint="remove some of them")
