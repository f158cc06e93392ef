"""Inserts members into block collections as whole lines, after the previous member and its comments."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Seq
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import replace
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused, Insert, dotted
from sidecarctl.yamltext.layout import (
    colon_offset,
    entry_start,
    keeps_blank_lines,
    member_bounds,
    opening_bracket,
    value_offset,
)
from sidecarctl.yamltext.lines import (
    BREAK,
    Splice,
    column,
    first_on_line,
    line_end,
    line_start,
    newline_of,
    next_line,
    past_tabs,
)
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence, key_of, trail
from sidecarctl.yamltext.style import FlowStyle, Style, block_style, flow_style, key_column


def insert_into_block(
    text: str, nodes: list[Node], groups: dict[int, list[Insert]], known: dict[str, int], *, literal: bool
) -> Iterator[Splice]:
    """Insert whole lines, each group after the previous member or, at index 0, before the first one."""
    holder = nodes[-1]
    assert isinstance(holder, (Mapping, Sequence))
    spans = member_bounds(text, holder)
    at_column = column(text, spans[0][0])
    new = [one.value for ones in groups.values() for one in ones]
    style = block_style(text, nodes, [new] if isinstance(holder, Sequence) else [{"": one} for one in new], known)
    style = replace(style, literal=literal)
    for index, inserts in groups.items():
        if index and _is_open(text, holder, index):
            if isinstance(holder, Sequence):
                raise EditRefused(
                    "cannot append an item: the file ends inside a block scalar without a line break",
                    inserts[0].path,
                    hint="add a line break at the end of the file",
                )
            index -= 1  # before the key whose value nothing can follow
        if index == 0:
            yield _insert_first(text, nodes, spans[0][0], at_column, inserts, style)
            continue
        after = past_tabs(text, next_line(text, spans[index - 1][1]))
        offset = _past_comments(text, after, at_column)
        block = _blocks(inserts, with_literals(text, style, offset, at_column))
        yield replace(whole_lines(text, offset, block, at_column), index=index)


def _blocks(inserts: Seq[Insert], style: Style) -> list[str]:
    out: list[str] = []
    for insert in inserts:
        step = insert.path[-1]
        # The index of an item does not show in the text.
        out += emit.member_lines(insert.value, 0 if isinstance(step, int) else step, style)
    return out


def _insert_first(
    text: str, nodes: list[Node], first: int, at_column: int, inserts: Seq[Insert], style: Style
) -> Splice:
    """Insert at the start of a collection: whole lines, or on the line of the dash that holds it."""
    if not first_on_line(text, first):
        block = _at(_blocks(inserts, style), at_column)
        blanks = " " * at_column
        return Splice(first, first, style.newline.join([*block, blanks])[at_column:])
    offset = line_start(text, first)
    holder = nodes[-1]
    if isinstance(holder, Sequence) and len(nodes) > 1 and isinstance(nodes[-2], Mapping) and holder.start == first:
        # Before the comments above the first item, which belong to it.
        key = key_of(nodes[-2], holder)
        colon = colon_offset(text, key, nodes[-2].flow)
        offset = offset if colon is None else min(offset, next_line(text, colon))
    style = with_literals(text, style, offset, at_column)
    return replace(whole_lines(text, offset, _blocks(inserts, style), at_column), index=0)


def _is_open(text: str, holder: Mapping | Sequence, index: int) -> bool:
    """Return whether a member ends with the text inside a block scalar that more text would extend."""
    node: Node = list(holder.pairs.values())[index - 1][1] if isinstance(holder, Mapping) else holder.items[index - 1]
    while node.end == len(text):
        if isinstance(node, Scalar):
            return node.style in ("|", ">") and keeps_blank_lines(text, node.start) is not False
        if isinstance(node, Alias) or node.flow or not node.value:
            return False
        node = next(reversed(node.pairs.values()))[1] if isinstance(node, Mapping) else node.items[-1]
    return False


def _past_comments(text: str, offset: int, at_column: int) -> int:
    """Return the offset after comment lines (and blank lines between them) that are indented deeper than the new text."""
    result = offset
    while offset < len(text):
        line = text[offset : line_end(text, offset)]
        body = line.lstrip(" ")
        offset = next_line(text, offset)
        if body.startswith("#") and len(line) - len(body) > at_column:
            result = offset
        elif body.strip():
            break
    return result


def with_literals(text: str, style: Style, offset: int, at_column: int) -> Style:
    """Return a style without block scalars where following lines would extend one, or the text has no final line break."""
    if line_start(text, offset) != offset:
        return replace(style, literal=False)
    while offset < len(text):
        line = text[offset : line_end(text, offset)]
        body = line.lstrip(" ")
        if len(line) - len(body) > at_column and (not body or body[0] in "#\t"):
            return replace(style, literal=False)
        if body:
            break
        offset = next_line(text, offset)
    return style


def whole_lines(text: str, offset: int, block: list[str], at_column: int) -> Splice:
    """Return the replacement that inserts lines at an offset, each indented by `at_column` spaces."""
    newline = newline_of(text, max(offset - 1, 0))
    if line_start(text, offset) != offset:
        return Splice(offset, offset, newline + newline.join(_at(block, at_column)))
    return Splice(offset, offset, newline.join([*_at(block, at_column), ""]))


def _at(block: list[str], at_column: int) -> list[str]:
    blanks = " " * at_column
    return [blanks + line if line else line for line in block]


def empty_value_text(text: str, root: Node, path: PathTuple) -> str | None:
    """Return the text after the colon or dash of an empty value, None for a key without a colon."""
    nodes = trail(root, path)
    place = value_offset(text, nodes)
    return None if place is None else text[place : max(place, nodes[-1].end)]


def fill_empty(
    text: str, nodes: list[Node], path: PathTuple, value: Any, known: dict[str, int], *, literal: bool
) -> Iterator[Splice]:
    """Fill an empty value (`[]`, `{}`, null, or nothing): between its brackets, in flow style, or on new lines."""
    node = nodes[-1]
    holder = nodes[-2] if len(nodes) > 1 else None
    place = value_offset(text, nodes)
    in_place = not isinstance(holder, Mapping) or holder.flow or place is None or _must_stay(text, node, holder, place)
    if in_place and isinstance(node, Sequence if isinstance(value, list) else Mapping):
        yield from _between_brackets(text, nodes, value)
        return
    if holder is None or place is None or text[node.start : node.end][:1] in ("&", "!"):
        raise EditRefused(
            f"{dotted(path) or 'the document'} is empty and cannot be filled in place",
            path,
            hint="delete the key, or its anchor and tag",
        )
    end = max(node.end, place)
    if in_place or not isinstance(holder, Mapping):
        in_flow = isinstance(holder, (Mapping, Sequence)) and holder.flow
        style = flow_style(text, nodes[:-1]) if in_flow else FlowStyle()
        written = emit.flow(value, style, style.lead)
        if end > place or not isinstance(holder, (Mapping, Sequence)):
            yield Splice(max(node.start, place), end, written)
        else:
            # Behind a plain key, a colon needs a blank, also if other keys are quoted and have none: `{"a":[{b: }]}`.
            tight = in_flow and isinstance(holder, Mapping) and _has_quoted_key(text, holder, node, place)
            yield Splice(place, place, (style.colon[1:] if tight else " ") + written)
        return
    offset = next_line(text, end)
    at_column = key_column(text, holder)
    own_style = replace(block_style(text, nodes[:-1], [{"": value}], known), literal=literal)
    style_ = with_literals(text, own_style, offset, at_column)
    first, *rest = emit.entry("k", value, style_)
    yield Splice(place, end, first[2:])
    if rest:
        yield whole_lines(text, offset, rest, at_column)


def _has_quoted_key(text: str, holder: Mapping, node: Node, place: int) -> bool:
    """Return whether the key of a value is a quoted scalar that ends directly before the colon at `place`."""
    key = key_of(holder, node)
    return isinstance(key, Scalar) and key.style in ('"', "'") and text[place - 2 : place - 1] == key.style


def _must_stay(text: str, node: Node, holder: Mapping, place: int) -> bool:
    """Return whether the text after the colon must stay: it holds a comment, a line break, an anchor, or a tag.

    Also if the following text cannot come directly after the colon: a comment, or a tab after the colon of an explicit key.
    """
    old = text[place : node.end]
    following = text[node.end : node.end + 1]
    key = key_of(holder, node)
    return (
        "#" in old
        or bool(BREAK.search(old))
        or text[node.start : node.start + 1] in ("&", "!")
        or following == "#"
        or (following == "\t" and entry_start(text, key) != key.start)
    )


def _between_brackets(text: str, nodes: list[Node], value: Any) -> Iterator[Splice]:
    """Insert members between existing brackets."""
    node, style = nodes[-1], flow_style(text, nodes)
    assert isinstance(node, (Mapping, Sequence))
    at = opening_bracket(text, node) + 1
    lead = style.lead[: len(style.lead) - len(style.step)] if style.spread else ""
    # Before a comment (`{# why`), a blank: directly behind a scalar, it would be part of it.
    blank = " " if text.startswith("#", at) else ""
    yield Splice(at, at, emit.flow(value, style, lead)[1:-1] + blank)
