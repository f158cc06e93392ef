"""Writes plain data as YAML or JSON text in a given style. Quotes what a YAML 1.1 or 1.2 reader could misread."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from sidecarctl.lazy_dataclass import replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.scalars import reads_as_itself
from sidecarctl.yamltext.style import FlowStyle, Style, cache_by_content

# A plain scalar in block context: no leading indicator, and no character that ends it.
_PLAIN = lazy_pattern(
    r"(?:[^\W]|[\U00010000-\U0010ffff]|[/.$(+;=^<\\)]|[-?:](?=[^\s,\[\]{}]))"
    r"[^\x00-\x1f\x7f-\xa0\ufeff\u2028\u2029\ud800-\udfff\ufffe\uffff]*\Z"
)
_PLAIN_ENDS = lazy_pattern(r":(?:\s|\Z)|\s#|\s\Z|^---|^\.\.\.")
# Older libyaml refuses a colon inside a word.
_FLOW_ENDS = lazy_pattern(r"[,\[\]{}?:]|^-")
_LITERAL = lazy_pattern(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\u2028\u2029\ud800-\udfff\ufffe\uffff]*\Z")


_LONGEST_KEY = 1024  # see https://yaml.org/spec/1.2.2/, 7.4.2. Flow Mappings


class Quoted(str):
    """A string that is always quoted; text of several lines stays a literal block."""


def scalar(value: Any, *, flow: bool = False, json_style: bool = False) -> str:
    """Return a scalar on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return json.dumps(value)
    if json_style or isinstance(value, Quoted):
        return json_text(value)
    return _written(value, flow)


@lru_cache(maxsize=4096)
def _written(text: str, flow: bool) -> str:
    """Return a string plain if possible, else in single quotes if that avoids escapes, else as JSON."""
    if (
        _PLAIN.match(text)
        and not _PLAIN_ENDS.search(text)
        and not (flow and _FLOW_ENDS.search(text))
        and reads_as_itself(text)
    ):
        return text
    if '"' in text and _LITERAL.match(text) and "\n" not in text and "\t" not in text:
        return "'" + text.replace("'", "''") + "'"
    return json_text(text)


def json_text(value: str) -> str:
    """Return a string as JSON, with escapes for characters that YAML does not allow, and for no-break spaces."""
    return escape_json(json.dumps(value, ensure_ascii=False)).replace("\xa0", "\\u00a0")


def escape_json(text: str) -> str:
    """Return JSON with escapes for characters that YAML does not allow, or reads as the end of a line."""
    return re.sub(
        "[\x7f-\x9f\ufeff\u2028\u2029\ufffe\uffff\ud800-\udfff]",
        lambda found: f"\\u{ord(found.group()):04x}",
        text,
    )


def lines(value: Any, style: Style) -> list[str]:
    """Return a collection as block lines from column 0. A scalar or an empty collection is one line."""
    if isinstance(value, dict) and value:
        return [line for key, item in value.items() for line in entry(key, item, style)]
    if isinstance(value, list) and value:
        return [line for item in value for line in dashed(item, style)]
    return [_inline(value)]


@cache_by_content
def member_lines(value: Any, step: str | int, style: Style) -> tuple[str, ...]:
    """Return a list item (`step` is an index) or `step: value` as block lines from column 0."""
    return tuple(dashed(value, style) if isinstance(step, int) else entry(step, value, style))


def dashed(value: Any, style: Style) -> list[str]:
    """Return a list item as block lines, with the dash at column 0."""
    dash = "-" + " " * (style.gap - 1)
    if style.literal and is_literal(value):
        head, *body = _literal(value)
        return [f"- {head}", *_indented(body, 2)]
    first, *rest = lines(value, style)
    return [dash + first, *_indented(rest, style.gap)]


def entry(key: str, value: Any, style: Style) -> list[str]:
    """Return `key: value` as block lines, with the key at column 0."""
    name = _key(key)
    if style.literal and is_literal(value):
        head, *body = _literal(value)
        return [f"{name}: {head}", *_indented(body, style.step)]
    if isinstance(value, dict) and value:
        return [f"{name}:", *_indented(lines(value, style), style.step)]
    if isinstance(value, list) and value:
        return [f"{name}:", *_indented(lines(value, style), style.offset)]
    return [f"{name}: {_inline(value)}"]


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list):
        return "[]"
    return scalar(value)


def is_printable(text: str) -> bool:
    """Return whether YAML allows every character of a text outside double quotes."""
    return bool(_LITERAL.match(text))


def is_literal(value: Any) -> bool:
    """Return whether a literal block scalar can hold a text exactly, whatever follows it."""
    return (
        isinstance(value, str)
        and "\n" in value.rstrip("\n")
        and not value.endswith("\n\n")
        and not value.startswith((" ", "\n", "\t"))
        and bool(_LITERAL.match(value))
        and not any(line.strip() == "" and line for line in value.split("\n"))
    )


def _literal(value: str) -> list[str]:
    body = value.split("\n")
    return ["|", *body[:-1]] if value.endswith("\n") else ["|-", *body]


def _indented(body: list[str], columns: int) -> list[str]:
    blanks = " " * columns
    return [blanks + line if line else line for line in body]


def flow(value: Any, style: FlowStyle, lead: str = "") -> str:
    """Return a value in flow style; `lead` is the indentation of its line."""
    inner = lead + style.step
    if isinstance(value, dict) and value:
        return _braced("{", [member(k, v, style, inner) for k, v in value.items()], "}", style, lead)
    if isinstance(value, list) and value:
        return _braced("[", [flow(item, style, inner) for item in value], "]", style, lead)
    if isinstance(value, (dict, list)):
        return "{}" if isinstance(value, dict) else "[]"
    return scalar(value, flow=True, json_style=style.json)


def member(key: str, value: Any, style: FlowStyle, lead: str = "") -> str:
    """Return `key: value` in flow style."""
    return f"{_key(key, flow=True, json_style=style.json)}{style.colon}{flow(value, style, lead)}"


def _key(key: str, *, flow: bool = False, json_style: bool = False) -> str:
    """Return a key. Raises EditRefused for one that is too long for the form `key: value`."""
    text = scalar(key, flow=flow, json_style=json_style)
    if len(text) > _LONGEST_KEY:
        message = f'key "{key[:40]}..." is too long ({len(text):,} characters; limit: {_LONGEST_KEY:,})'
        raise EditRefused(message, (), hint="use a shorter key")
    return text


def _braced(opening: str, members: list[str], closing: str, style: FlowStyle, lead: str) -> str:
    if not style.nested:
        return opening + style.comma.join(members) + closing
    inner = style.newline + lead + style.step
    return opening + inner + ("," + inner).join(members) + style.newline + lead + closing


def document(value: Any, newline: str = "\n", *, literal: bool = True) -> str:
    """Return a document as block YAML with a final line break; `literal` writes text of several lines as blocks."""
    style = replace(Style(newline), literal=literal)
    if not isinstance(value, dict) or not value:
        return newline.join([*lines(value, style), ""])
    return newline.join([*(line for key, item in value.items() for line in member_lines(item, key, style)), ""])
