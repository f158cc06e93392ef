"""Explains parser errors: what is wrong, where, and how to fix it."""

from __future__ import annotations

import re

from sidecarctl.errors import InputError
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.lines import line_end, line_start

# Compiled on first use, because most runs have no syntax error.
_NOT_YAML = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_TABS = "indent with spaces; YAML does not allow tabs here"
_TEMPLATE = "this looks like a Helm template: run `helm template` first, or quote the value"
# A placeholder that cannot be a plain scalar: in flow style, or at the start of a value.
_PLACEHOLDER = lazy_pattern(r"\$\{[^{}\n]*\}|(?<=[ \t])[@%][A-Z][A-Z0-9_]*[@%]")
_QUOTE, _BRACKET = "while scanning a quoted scalar", "while parsing a flow"
# What a parser message contains, and the help for it. The first match counts.
_HINTS: tuple[tuple[str, str], ...] = (
    ("found character '\\t'", _TABS),
    ("found a tab character", _TABS),
    ("cannot start any token", "quote the value, or indent with spaces if this is a tab"),
    ("invalid Unicode character escape", "write the character itself: only JSON has pairs of escapes"),
    ("while scanning a quoted scalar", "close the quote"),
    ("while scanning an anchor", "use letters, digits, `-`, and `_` in anchor names"),
    (
        "while scanning an alias",
        "use letters, digits, `-`, and `_` in alias names; quote the value if it is not an alias",
    ),
    ("found unexpected end of stream", "close the quote or bracket that is open here"),
    ("did not find expected node content", "close the bracket, or quote the value if it is not a list or mapping"),
    ("unknown escape character", "double the backslash, or use single quotes"),
    ("mapping values are not allowed", "check the indentation, or quote a value that contains `: `"),
    ("did not find expected key", "check the indentation of this line against the lines above it"),
    ("expected <block end>", "check the indentation of this line against the lines above it"),
    ("did not find expected '-'", "check the indentation of this line against the other items"),
    ("could not find expected ':'", "write a colon and a space after the key"),
    (
        "expected ',' or",
        "close the bracket, separate members with a comma, or quote a value that contains `?` or brackets",
    ),
    ("expected <document start>", "check the indentation; start a new document with `---`"),
    ("control character", "delete the character"),
    ("special characters are not allowed", "delete the character"),
)


class SyntaxProblem(InputError):
    """Text that is not valid YAML, or YAML that the API server refuses.

    `offset` is a position in the text; `other` is a related position, and `other_is` its label. `content` is the part of the
    message that quotes the text.
    """

    def __init__(
        self,
        message: str,
        offset: int,
        *,
        hint: str = "",
        other: int | None = None,
        other_is: str = "the first is",
        content: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.content = content
        self.offset = offset
        self.other = other
        self.other_is = other_is

    def hide_content(self) -> None:
        """Remove what the message and the hint quote, because it can be a secret."""
        if self.content:
            self.message = self.message.replace(self.content, "(hidden)")
            self.hint = self.hint.replace(self.content, "(hidden)")


class LimitProblem(SyntaxProblem):
    """Valid YAML that is larger or deeper than a limit."""


def explain_error(problem: Exception, text: str) -> SyntaxProblem:
    """Return the exception of a parser as a SyntaxProblem of `text`."""
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    said = getattr(problem, "problem", None) or getattr(problem, "reason", None) or problem
    what = str(said).splitlines()[0]
    context = str(getattr(problem, "context", None) or "")
    if mark is not None:
        offset = min(int(mark.index), len(text))
    else:  # ruamel.yaml's reader reports bytes
        bad = re.compile(_NOT_YAML).search(text, 1 if text.startswith("\ufeff") else 0)
        offset = bad.start() if bad else 0
        if bad:
            what = f"invalid control character U+{ord(bad.group()):04X}"
    everything = f"{context} {what}"
    hint = next((hint for pattern, hint in _HINTS if pattern in everything), "")
    start = line_start(text, offset)
    if "\t" in text[start : offset + 1] and not text[start:offset].strip():
        hint = _TABS
    opened = getattr(getattr(problem, "context_mark", None), "index", None)
    if context == _QUOTE and opened is not None and "end of stream" in what:
        return SyntaxProblem("unclosed quote", opened, hint=hint)
    if not text[offset:].strip():
        offset = len(text[:offset].rstrip())  # the position where something is missing, not the empty line after it
    placeholder = _PLACEHOLDER.search(text[start : line_end(text, offset)])
    if looks_templated(text, offset):
        hint = _TEMPLATE
    elif placeholder:
        hint = f'quote the placeholder: "{placeholder.group()}"'
    other = opened if context.startswith(_BRACKET) and opened != offset else None
    return SyntaxProblem(
        f"{context}, {what}" if context else what,
        offset,
        hint=hint,
        other=other,
        other_is="opened",
        content=placeholder.group() if placeholder else "",
    )


def json_error(message: str, text: str, offset: int, content: str = "") -> SyntaxProblem:
    """Return the error for a value or key that JSON cannot represent. The message quotes `content`."""
    if looks_templated(text, offset):
        hint = "run `helm template` first, or quote the value"
        return SyntaxProblem("this looks like a Helm template, not a manifest", offset, hint=hint)
    return SyntaxProblem(message, offset, hint="quote it if it is a string", content=content)


def looks_templated(text: str, offset: int) -> bool:
    """Return whether the line of an offset contains `{{`."""
    return "{{" in text[line_start(text, offset) : line_end(text, offset)]


def no_document(text: str, offset: int) -> SyntaxProblem:
    """Return the error for a document that YAML begins at an offset, and Kubernetes does not."""
    if text.startswith("---", offset):
        if text[:offset].endswith("\n"):
            return SyntaxProblem(
                "a second document starts here, and this file must have one", offset, hint="delete one of the two"
            )
        return SyntaxProblem(
            "unsupported line end before `---`: Kubernetes tools do not see this separator",
            offset,
            hint="end all lines with a line feed",
        )
    return SyntaxProblem(
        "unsupported text after `...`: Kubernetes tools ignore it",
        offset,
        hint="start a new document with `---`, or delete the text",
    )
