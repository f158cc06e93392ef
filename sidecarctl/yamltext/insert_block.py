"""New members of block collections: whole lines, behind the member before them and its comments."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Seq
from dataclasses import replace
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused, Insert, dotted
from sidecarctl.yamltext.layout import bounds, colon_of, entry_start, keeps_blank_lines, opening_of, value_place
from sidecarctl.yamltext.lines import BREAK, Splice, column, first_on_line, line_end, line_start, newline_of, next_line
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence, trail
from sidecarctl.yamltext.style import FlowStyle, Style, block_style, flow_style, key_column


def into_block(
    text: str, nodes: list[Node], groups: dict[int, list[Insert]], known: dict[str, int]
) -> Iterator[Splice]:
    """Whole lines, each group behind the member before it or, at index 0, before the first one."""
    holder = nodes[-1]
    assert isinstance(holder, (Mapping, Sequence))
    spans = bounds(text, holder)
    at_column = column(text, spans[0][0])
    new = [one.value for ones in groups.values() for one in ones]
    style = block_style(text, nodes, [new] if isinstance(holder, Sequence) else [{"": one} for one in new], known)
    for index, inserts in groups.items():
        if index and _is_open(text, holder, index):
            if isinstance(holder, Sequence):
                raise EditRefused(
                    "the file ends inside a block scalar, without a line end: an item after it would add one to its value",
                    inserts[0].path,
                    hint="end the file with a line end",
                )
            index -= 1  # before the key whose value cannot be followed by anything
        if index == 0:
            yield _before_first(text, nodes, spans[0][0], at_column, inserts, style)
            continue
        offset = _past_comments(text, next_line(text, spans[index - 1][1]), at_column)
        block = _blocks(inserts, with_literals(text, style, offset, at_column))
        yield whole_lines(text, offset, block, at_column)


def _blocks(inserts: Seq[Insert], style: Style) -> list[str]:
    out: list[str] = []
    for insert in inserts:
        step = insert.path[-1]
        # Of an item its index does not show.
        out += emit.member_lines(insert.value, 0 if isinstance(step, int) else step, style)
    return out


def _before_first(
    text: str, nodes: list[Node], first: int, at_column: int, inserts: Seq[Insert], style: Style
) -> Splice:
    """The head of a collection: whole lines, or on the line of the dash that holds it."""
    if not first_on_line(text, first):
        block = _at(_blocks(inserts, style), at_column)
        blanks = " " * at_column
        return Splice(first, first, style.newline.join([*block, blanks])[at_column:])
    offset = line_start(text, first)
    holder = nodes[-1]
    if isinstance(holder, Sequence) and len(nodes) > 1 and isinstance(nodes[-2], Mapping) and holder.start == first:
        # Before the comments above the first item: they speak of that item.
        key = next(key for key, value in nodes[-2].pairs.values() if value is holder)
        colon = colon_of(text, key)
        offset = offset if colon is None else min(offset, next_line(text, colon))
    style = with_literals(text, style, offset, at_column)
    return whole_lines(text, offset, _blocks(inserts, style), at_column)


def _is_open(text: str, holder: Mapping | Sequence, index: int) -> bool:
    """True when a member ends with the text, inside a block scalar whose value any text after it would change."""
    node: Node = list(holder.pairs.values())[index - 1][1] if isinstance(holder, Mapping) else holder.items[index - 1]
    while node.end == len(text):
        if isinstance(node, Scalar):
            return node.style in ("|", ">") and keeps_blank_lines(text, node.start) is not False
        if isinstance(node, Alias) or node.flow or not node.value:
            return False
        node = next(reversed(node.pairs.values()))[1] if isinstance(node, Mapping) else node.items[-1]
    return False


def _past_comments(text: str, offset: int, at_column: int) -> int:
    """Step over comment lines (and blank lines between them) that are indented deeper than the new text."""
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
    """Return a style without block scalars where the lines below would become part of one, or no line end ends the text."""
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
    """Return the splice that puts lines at an offset, each behind `at_column` blanks."""
    newline = newline_of(text, max(offset - 1, 0))
    if line_start(text, offset) != offset:
        return Splice(offset, offset, newline + newline.join(_at(block, at_column)))
    return Splice(offset, offset, newline.join([*_at(block, at_column), ""]))


def _at(block: list[str], at_column: int) -> list[str]:
    blanks = " " * at_column
    return [blanks + line if line else line for line in block]


def displaced(text: str, root: Node, path: PathTuple) -> str | None:
    """Return what stands behind the colon or dash of an empty value that is to be filled, None where a key has no colon."""
    nodes = trail(root, path)
    place = value_place(text, nodes)
    return None if place is None else text[place : max(place, nodes[-1].end)]


def filling(text: str, nodes: list[Node], path: PathTuple, value: Any, known: dict[str, int]) -> Iterator[Splice]:
    """Give an empty value (`[]`, `{}`, null or nothing) its members: between its brackets, as flow style, or on lines."""
    node = nodes[-1]
    holder = nodes[-2] if len(nodes) > 1 else None
    place = value_place(text, nodes)
    in_place = not isinstance(holder, Mapping) or holder.flow or place is None or _stays(text, node, holder, place)
    if in_place and isinstance(node, Sequence if isinstance(value, list) else Mapping):
        yield from _between_brackets(text, nodes, value)
        return
    if holder is None or place is None or text[node.start : node.end][:1] in ("&", "!"):
        raise EditRefused(
            f"{dotted(path) or 'the document'} is empty and cannot be filled where it stands",
            path,
            hint="write it as `[]` or `{}`, without anchor or tag, or delete it",
        )
    end = max(node.end, place)
    if in_place or not isinstance(holder, Mapping):
        in_flow = isinstance(holder, (Mapping, Sequence)) and holder.flow
        style = flow_style(text, nodes[:-1]) if in_flow else FlowStyle()
        written = emit.flow(value, style, style.lead)
        if end > place or not isinstance(holder, (Mapping, Sequence)):
            yield Splice(max(node.start, place), end, written)
        else:
            yield Splice(place, place, (style.colon[1:] if in_flow else " ") + written)
        return
    offset = next_line(text, end)
    at_column = key_column(text, holder)
    style_ = with_literals(text, block_style(text, nodes[:-1], [{"": value}], known), offset, at_column)
    first, *rest = emit.entry("k", value, style_)
    yield Splice(place, end, first[2:])
    if rest:
        yield whole_lines(text, offset, rest, at_column)


def _stays(text: str, node: Node, holder: Mapping, place: int) -> bool:
    """True where what stands after the colon has to stay: a comment, a line break, an anchor or a tag is in it.

    Or what follows could not stand right behind the colon: a comment's sign, a tab behind the colon of an explicit key.
    """
    old = text[place : node.end]
    following = text[node.end : node.end + 1]
    key = next(key for key, value in holder.pairs.values() if value is node)
    return (
        "#" in old
        or bool(BREAK.search(old))
        or text[node.start : node.start + 1] in ("&", "!")
        or following == "#"
        or (following == "\t" and entry_start(text, key) != key.start)
    )


def _between_brackets(text: str, nodes: list[Node], value: Any) -> Iterator[Splice]:
    """Members between the brackets that are there."""
    node, style = nodes[-1], flow_style(text, nodes)
    assert isinstance(node, (Mapping, Sequence))
    at = opening_of(text, node) + 1
    lead = style.lead[: len(style.lead) - len(style.step)] if style.spread else ""
    yield Splice(at, at, emit.flow(value, style, lead)[1:-1])
