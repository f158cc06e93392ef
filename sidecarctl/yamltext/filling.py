"""Empty values that get members: `[]`, `{}`, null, or nothing behind a colon or dash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.block import whole_lines, with_literals
from sidecarctl.yamltext.edits import EditRefused, dotted
from sidecarctl.yamltext.lines import BREAK, next_line
from sidecarctl.yamltext.members import entry_start, opening_of, value_place
from sidecarctl.yamltext.nodes import Mapping, Node, Sequence, trail
from sidecarctl.yamltext.splices import Splice
from sidecarctl.yamltext.style import FlowStyle, block_style, flow_style, key_column


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
