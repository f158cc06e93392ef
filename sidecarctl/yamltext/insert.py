"""Turns inserts into text replacements: fill an empty value, or add a member to a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused, Insert, dotted
from sidecarctl.yamltext.insert_block import fill_empty, insert_into_block
from sidecarctl.yamltext.layout import member_bounds, opening_bracket
from sidecarctl.yamltext.lines import Splice, blanks_of_line, line_end, next_line, skip_gap
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, child, trail
from sidecarctl.yamltext.nodes import Sequence as SequenceNode
from sidecarctl.yamltext.style import FlowStyle, flow_style

_GROUP = object()


@dataclass
class GroupedInserts:
    """Inserts by their effect: values for empty nodes, and new members by collection. `literal`: `|` is allowed."""

    fills: dict[PathTuple, Any] = field(default_factory=dict)
    members: dict[PathTuple, list[Insert]] = field(default_factory=dict)
    literal: bool = True


def group_inserts(root: Node, inserts: Sequence[Insert], *, literal: bool = True) -> GroupedInserts:
    """Group inserts; all inserts below a missing or empty node become one insert of that node."""
    below: dict[PathTuple, list[Insert]] = {}
    order: list[tuple[Insert, bool]] = []
    for insert in inserts:
        depth, node = 0, root
        while depth < len(insert.path) and not is_empty(node):
            found = child(node, insert.path[depth])
            if found is None or (depth == len(insert.path) - 1 and isinstance(insert.path[depth], int)):
                break
            node, depth = found, depth + 1
        filled = is_empty(node)
        top = insert.path[: depth if filled else depth + 1]
        if top == insert.path and not filled:
            order.append((insert, False))
            continue
        if top not in below:
            order.append((Insert(top, _GROUP, insert.reason), filled))
        below.setdefault(top, []).append(Insert(insert.path[len(top) :], insert.value))
    folded = GroupedInserts(literal=literal)
    for insert, filled in order:
        path = insert.path
        value = _created_value(below[path]) if insert.value is _GROUP else insert.value
        if filled:
            folded.fills[path] = value
        else:
            folded.members.setdefault(path[:-1], []).append(Insert(path, value, insert.reason))
    return folded


def _created_value(inserts: Sequence[Insert]) -> Any:
    """Return the value that inserts below a missing node create: keys in insert order, items by index."""
    if not inserts[0].path:
        return inserts[-1].value
    if isinstance(inserts[0].path[0], int):
        return [insert.value for insert in sorted(inserts, key=lambda insert: insert.path[0])]
    groups: dict[str | int, list[Insert]] = {}
    for insert in inserts:
        groups.setdefault(insert.path[0], []).append(Insert(insert.path[1:], insert.value))
    return {key: _created_value(members) for key, members in groups.items()}


def is_empty(node: Node) -> bool:
    """Return whether a value is null, `[]`, or `{}`."""
    if node.value or isinstance(node, Alias) or (isinstance(node, Mapping) and node.pairs):
        return False
    return node.value in (None, [], {})


# Index of a new key among the keys of a mapping: (path of the mapping, its keys, the new key) -> index.
KeyPlace = Callable[[PathTuple, list[str], str], int]


def insert_splices(text: str, root: Node, inserts: GroupedInserts, place: KeyPlace) -> Iterator[Splice]:
    """Yield the text replacements for inserts. Raises EditRefused where an insert is not possible."""
    known: dict[str, int] = {}
    filled: dict[PathTuple, set[str | int]] = {}
    for path, value in inserts.fills.items():
        filled.setdefault(path[:-1], set()).update(path[-1:])
        for one in fill_empty(text, trail(root, path), path, value, known, literal=inserts.literal):
            yield replace(one, depth=len(path) + 0.5)
    for path, members in inserts.members.items():
        nodes = trail(root, path)
        holder = nodes[-1]
        if not isinstance(holder, (Mapping, SequenceNode)) or len(nodes) <= len(path):
            raise EditRefused(f"{dotted(path)} is not a list or mapping", path)
        groups: dict[int, list[Insert]] = {}
        keys = list(holder.pairs) if isinstance(holder, Mapping) else []
        for insert in members:
            step = insert.path[-1]
            if isinstance(step, str) != isinstance(holder, Mapping):
                kind = "mapping" if isinstance(holder, Mapping) else "list"
                raise EditRefused(f"cannot insert {dotted((step,))} into {dotted(path)}: it is a {kind}", path)
            groups.setdefault(step if isinstance(step, int) else place(path, keys, step), []).append(insert)
        written = (
            insert_into_flow(text, nodes, groups, filled.get(path, set()))
            if holder.flow
            else insert_into_block(text, nodes, groups, known, literal=inserts.literal)
        )
        for one in written:
            yield replace(one, depth=len(path), path=None if one.index is None else path)


_COMMENT_ON_LINE = lazy_pattern(r"[ \t]*(?:(,)[ \t]*)?#")


def insert_into_flow(
    text: str, nodes: list[Node], groups: dict[int, list[Insert]], filled: Set[str | int]
) -> Iterator[Splice]:
    """Insert members with commas, each group after the previous member or, at index 0, before the first one.

    `filled` are the steps of members that get a value in the same run.
    """
    holder = nodes[-1]
    assert isinstance(holder, (Mapping, SequenceNode))
    check_pair(text, holder)
    style = flow_style(text, nodes)
    spans = member_bounds(text, holder, filled)
    for index, inserts in groups.items():
        members = [_flow_member(insert, style) for insert in inserts]
        if index == 0:
            yield _insert_before(text, opening_bracket(text, holder), spans[0][0], members, style)
        else:
            after = list(_insert_after(text, spans[index - 1][1], members, style))
            yield from (replace(one, index=index) if len(after) == 1 else one for one in after)


def check_pair(text: str, holder: Mapping | SequenceNode) -> None:
    """Raise EditRefused for a pair without braces in a list (`[a: b]`): it cannot get another key or lose its own."""
    if isinstance(holder, Mapping) and not text.startswith("{", opening_bracket(text, holder)):
        raise EditRefused(
            "cannot edit a key-value pair without braces in a flow list", (), hint="add the braces: `[{a: b}]`"
        )


def _insert_before(text: str, bracket: int, start: int, members: list[str], style: FlowStyle) -> Splice:
    """Insert members before the first one, and before the comments on lines of their own that are before it."""
    line = line_end(text, bracket) if "#" in text[bracket:start] else start
    if "#" not in text[line:start]:
        return Splice(start, start, "".join(f"{member},{style.between}" for member in members), index=0)
    lead = text[line : next_line(text, line)] + blanks_of_line(text, start)
    return Splice(line, line, lead + f",{style.between}".join(members) + ",", index=0)


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
    elif text.startswith("#", end) and not text[end - 1].isspace():
        raise EditRefused("cannot insert before a comment without a space", (), hint='write a space before the "#"')
    elif text.startswith("#", end):
        raise EditRefused(
            "cannot insert after an empty value with a comment", (), hint="write `null` before the comment"
        )
    else:
        yield Splice(end, end, "".join(f",{style.between}{member}" for member in members))


def _flow_member(insert: Insert, style: FlowStyle) -> str:
    step = insert.path[-1]
    if isinstance(step, str):
        return emit.member(step, insert.value, style, style.lead)
    return emit.flow(insert.value, style, style.lead)
