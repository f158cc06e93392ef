"""A parser's complaint as a sentence for people, with the place and what to do about it."""

from __future__ import annotations

import re

from sidecarctl.errors import InputError
from sidecarctl.yamltext.lines import line_end, line_start

# Compiled only for a complaint: that takes milliseconds.
_NOT_YAML = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_TABS = "indent with spaces: YAML does not allow tabs there"
_TEMPLATE = "`{{` looks like a template of Helm's or another's: render it first; quote it if it is meant as it stands"
_QUOTE, _BRACKET = "while scanning a quoted scalar", "while parsing a flow"
# What a complaint contains, and the way out; the first that fits.
_HINTS: tuple[tuple[str, str], ...] = (
    ("found character '\\t'", _TABS),
    ("found a tab character", _TABS),
    ("cannot start any token", "quote the value, or indent with spaces if this is a tab"),
    ("while scanning a quoted scalar", "close the quote"),
    ("while scanning an anchor", "an anchor's name takes letters, digits, `-` and `_`"),
    (
        "while scanning an alias",
        "an alias' name takes letters, digits, `-` and `_`; quote the value if none is meant",
    ),
    ("found unexpected end of stream", "close the quote or bracket that is open here"),
    ("did not find expected node content", "close the bracket, or quote the value if no list or mapping is meant"),
    ("unknown escape character", "write a backslash twice, or use single quotes"),
    ("mapping values are not allowed", "check the indentation, or quote a value that contains `: `"),
    ("did not find expected key", "check the indentation of this line against the lines above it"),
    ("expected <block end>", "check the indentation of this line against the lines above it"),
    ("did not find expected '-'", "check the indentation of this line against the other items"),
    ("could not find expected ':'", "a key needs a colon, followed by a blank"),
    (
        "expected ',' or",
        "close the bracket, put a comma between two members, or quote a value with `?` or brackets in it",
    ),
    ("expected <document start>", "check the indentation; a new document begins with `---`"),
    ("control character", "delete the character"),
    ("special characters are not allowed", "delete the character"),
)


class SyntaxProblem(InputError):
    """Text that is no YAML, or YAML that the API server refuses.

    `offset` is the place in the document's text; `other` is one that helps to understand it, and `other_is` says how.
    """

    def __init__(
        self, message: str, offset: int, *, hint: str = "", other: int | None = None, other_is: str = "the first stands"
    ) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.other = other
        self.other_is = other_is


def explain(problem: Exception, text: str) -> SyntaxProblem:
    """Return a parser's exception as a SyntaxProblem of `text`."""
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    said = getattr(problem, "problem", None) or getattr(problem, "reason", None) or problem
    what = str(said).splitlines()[0]
    context = str(getattr(problem, "context", None) or "")
    if mark is not None:
        offset = min(int(mark.index), len(text))
    else:  # the reader's own complaint, which gives bytes, if anything
        bad = re.compile(_NOT_YAML).search(text, 1 if text.startswith("\ufeff") else 0)
        offset = bad.start() if bad else 0
        if bad:
            what = f"control character U+{ord(bad.group()):04X}, which YAML does not allow"
    everything = f"{context} {what}"
    hint = next((hint for pattern, hint in _HINTS if pattern in everything), "")
    start = line_start(text, offset)
    if "\t" in text[start : offset + 1] and not text[start:offset].strip():
        hint = _TABS
    opened = getattr(getattr(problem, "context_mark", None), "index", None)
    if context == _QUOTE and opened is not None and "end of stream" in what:
        return SyntaxProblem("a quote is opened here and never closed", opened, hint=hint)
    if not text[offset:].strip():
        offset = len(text[:offset].rstrip())  # where something is missing, not the empty line below
    if looks_templated(text, offset):
        hint = _TEMPLATE
    other = opened if context.startswith(_BRACKET) and opened != offset else None
    return SyntaxProblem(
        f"{context}, {what}" if context else what, offset, hint=hint, other=other, other_is="it is opened"
    )


def no_json(message: str, text: str, offset: int) -> SyntaxProblem:
    """Return the problem of a value or key that JSON can't have."""
    hint = _TEMPLATE if looks_templated(text, offset) else "quote it if a string is meant"
    return SyntaxProblem(message, offset, hint=hint)


def looks_templated(text: str, offset: int) -> bool:
    """True where a `{{` stands in the line of an offset."""
    return "{{" in text[line_start(text, offset) : line_end(text, offset)]
