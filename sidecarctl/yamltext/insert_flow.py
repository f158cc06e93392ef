"""Inserts members into flow collections, with commas, after the previous member and the comment on its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused, Insert
from sidecarctl.yamltext.layout import member_bounds, properties_end
from sidecarctl.yamltext.lines import Splice, line_end, skip_gap
from sidecarctl.yamltext.nodes import Mapping, Node, Sequence
from sidecarctl.yamltext.style import FlowStyle, flow_style

_COMMENT_ON_LINE = re.compile(r"[ \t]*(,?)[ \t]*#")


def insert_into_flow(
    text: str, nodes: list[Node], groups: dict[int, list[Insert]], filled: Set[str | int]
) -> Iterator[Splice]:
    """Insert members with commas, each group after the previous member or, at index 0, before the first one.

    `filled` are the steps of members that get a value in the same run.
    """
    holder = nodes[-1]
    assert isinstance(holder, (Mapping, Sequence))
    check_pair(text, holder)
    style = flow_style(text, nodes)
    spans = member_bounds(text, holder, filled)
    for index, inserts in groups.items():
        members = [_flow_member(insert, style) for insert in inserts]
        if index == 0:
            start = spans[0][0]
            yield Splice(start, start, "".join(f"{member},{style.between}" for member in members))
        else:
            yield from _insert_after(text, spans[index - 1][1], members, style)


def check_pair(text: str, holder: Mapping | Sequence) -> None:
    """Raise EditRefused for a pair without braces in a list (`[a: b]`): it cannot get another key or lose its own."""
    if isinstance(holder, Mapping) and not text.startswith("{", skip_gap(text, properties_end(text, holder))):
        raise EditRefused(
            "a key-value pair in a flow list has no braces", (), hint="write braces around it: `[{a: b}]`"
        )


def _insert_after(text: str, end: int, members: list[str], style: FlowStyle) -> Iterator[Splice]:
    """Insert members after the one that ends at `end`, and after the comment on its line."""
    comment = _COMMENT_ON_LINE.match(text, end, line_end(text, end)) if style.spread else None
    separated = text.startswith(",", skip_gap(text, end))
    if comment and comment.group(1):
        at = line_end(text, end)
        yield Splice(at, at, "".join(f"{style.between}{member}," for member in members))
    elif comment and not separated:
        at = line_end(text, end)
        yield Splice(end, end, ",")
        yield Splice(at, at, ",".join(f"{style.between}{member}" for member in members))
    elif text.startswith("#", end):
        raise EditRefused(
            "a comment takes the place of the value before it", (), hint="write `null` before the comment"
        )
    else:
        yield Splice(end, end, "".join(f",{style.between}{member}" for member in members))


def _flow_member(insert: Insert, style: FlowStyle) -> str:
    step = insert.path[-1]
    if isinstance(step, str):
        return emit.member(step, insert.value, style, style.lead)
    return emit.flow(insert.value, style, style.lead)
