"""Plain data and globs as CEL, as the API server compiles it: the values of a list or map are all of one type.

See https://kubernetes.io/docs/reference/using-api/cel/. Knows no policy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Any

_INDENT = "  "
_WIDTH = 100


def literal(value: Any, lead: str = "") -> str:
    """Return a value as a CEL expression, broken into lines where it is long; `lead` is the indentation it stands at."""
    if isinstance(value, dict):
        keep = _alike(list(value.values()))
        return _braced("{", [(f"{_text(key)}: ", each) for key, each in value.items()], "}", keep, lead)
    if isinstance(value, (list, tuple)):
        keep = _alike(list(value))
        return _braced("[", [("", each) for each in value], "]", keep, lead)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _braced(opening: str, members: list[tuple[str, Any]], closing: str, alike: bool, lead: str) -> str:
    def written(inner: str) -> list[str]:
        return [key + (literal(v, inner) if alike else f"dyn({literal(v, inner)})") for key, v in members]

    flat = opening + ", ".join(written("")) + closing
    if len(lead) + len(flat) <= _WIDTH and "\n" not in flat:
        return flat
    inner = lead + _INDENT
    return opening + "\n" + ",\n".join(inner + each for each in written(inner)) + "\n" + lead + closing


def _alike(values: list[Any]) -> bool:
    return len({_kind(each) for each in values}) < 2


def _kind(value: Any) -> str:
    """The type that CEL gives a literal."""
    if isinstance(value, dict):
        kinds = {_kind(each) for each in value.values()}
        return f"map({kinds.pop() if len(kinds) == 1 else 'dyn'})"
    if isinstance(value, (list, tuple)):
        kinds = {_kind(each) for each in value}
        return f"list({kinds.pop() if len(kinds) == 1 else 'dyn'})"
    return type(value).__name__


def _text(value: str) -> str:
    """A string literal. JSON's escapes are CEL's, surrogate pairs apart."""
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def strings(values: Iterable[str]) -> str:
    """Return a list of strings."""
    return "[" + ", ".join(_text(each) for each in values) + "]"


def matches(subject: str, globs: Iterable[str]) -> str:
    """Return the condition that a string matches one of the globs, as `render` matches them."""
    globs = tuple(globs)
    if all(not re.search(r"[*?\[]", each) for each in globs):
        return f"{subject} in {strings(globs)}"
    return f"{subject}.matches({_text('^(' + '|'.join(_regex(each) for each in globs) + ')$')})"


def _regex(glob: str) -> str:
    """A glob in RE2, which the API server uses."""
    body = translate(glob)
    found = re.fullmatch(r"\(\?s:(.*)\)\\[Zz]", body, re.DOTALL)
    text = found[1] if found else body
    # Possessive and atomic forms of newer Pythons: RE2 has neither, and needs neither.
    return re.sub(r"\(\?>(.*?)\)", r"(?:\1)", text).replace("\\-", "-")


def pointer(*steps: str) -> str:
    """Return a JSON pointer."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
