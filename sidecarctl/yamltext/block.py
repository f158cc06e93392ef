"""New members of block collections: whole lines, behind the member before them and its comments."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Seq
from dataclasses import replace

from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused, Insert
from sidecarctl.yamltext.extent import keeps_blank_lines
from sidecarctl.yamltext.lines import column, first_on_line, line_end, line_start, newline_of, next_line
from sidecarctl.yamltext.members import bounds, colon_of
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence
from sidecarctl.yamltext.splices import Splice
from sidecarctl.yamltext.style import Style, block_style


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
