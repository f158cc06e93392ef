"""Tells templates that are not YAML until they are rendered from manifests with a syntax error and template markup in a text."""

from __future__ import annotations

import re
from itertools import count

from sidecarctl.errors import InputError
from sidecarctl.files.block_scalars import outside_block_scalars
from sidecarctl.yamltext.stream import split

# Of Helm, Jinja, and ERB. None contains the start of another one, so that many starts without an end take linear time.
_EXPRESSION = re.compile(
    r"\{\{(?:\"[^\"\n]*\"|`[^`]*`|[^\"`{}]|\{(?!\{)|\}(?!\}))*\}\}|\{%[^%]*%\}|\{#[^#]*#\}|<%[^%]*%>"
)
_WORD = "\ue000"  # a character that no manifest has, with a number: a key cannot be there twice
_LINE = re.compile(rf"^[ \t]*(?:{_WORD}\d+[ \t]*)+\r?$", re.MULTILINE)
# An expression as a whole value can stand for lines below its key.
_VALUE = re.compile(rf"(?<=[:-])[ \t]+{_WORD}\d+[ \t]*(?=\r?$)", re.MULTILINE)


def is_template(text: str) -> bool:
    """Return True if a text cannot be parsed, and template markup is the reason.

    So it is if a line is only markup, or if the text can be parsed with a word in place of each expression. Else, the markup is
    content, such as a comment or a quoted value, and the syntax error is another one.
    """
    if _can_parse(text):
        return False
    number = count()
    filled = _EXPRESSION.sub(lambda _: f"{_WORD}{next(number)}", text)
    return _LINE.search("\n".join(outside_block_scalars(filled))) is not None or _can_parse(_VALUE.sub("", filled))


def _can_parse(text: str) -> bool:
    try:
        for document in split(text):
            document.root  # noqa: B018
    except InputError:
        return False
    return True
