"""Where the members of a collection stand in the text: keys with their colons, dashes, items. Looks only."""

from __future__ import annotations

import re
from collections.abc import Sequence as Seq
from collections.abc import Set

from sidecarctl.yamltext.lines import skip_gap
from sidecarctl.yamltext.nodes import Mapping, Node, Scalar, Sequence

Bounds = list[tuple[int, int]]


def bounds(text: str, holder: Mapping | Sequence, filled: Set[str | int] = frozenset()) -> Bounds:
    """Return start and end of each member: of a key with its value, of an item with its dash.

    `filled` are the steps of members without value that are about to get one.
    """
    if isinstance(holder, Mapping):
        spans = [(entry_start(text, k), max(k.end, v.end)) for k, v in holder.pairs.values()]
        values: list[tuple[str | int, Node]] = [(key, value) for key, (_, value) in holder.pairs.items()]
    else:
        spans, values = [(item.start, item.end) for item in holder.items], list(enumerate(holder.items))
    if holder.flow:
        return [
            (start, end if step in filled else _behind_nothing(text, node, end))
            for (start, end), (step, node) in zip(spans, values)
        ]
    if isinstance(holder, Mapping):
        return spans
    out: Bounds = []
    at = first_dash(text, holder)
    for item in holder.items:
        dash = skip_gap(text, at)
        at = max(item.end, dash + 1)
        out.append((dash, at))
    return out


def _behind_nothing(text: str, node: Node, end: int) -> int:
    """Where a member of a flow collection ends: a colon or a tag without value needs the blank behind it (`{a: ,b: !!str }`)."""
    bare = isinstance(node, Scalar) and not node.style and node.value in (None, "")
    if bare and (text[end - 1 : end] == ":" or text.startswith("!", node.start)):
        blank = re.compile("[ \t]|\r\n|[\n\r\x85\u2028\u2029]").match(text, end)
        return blank.end() if blank else end
    return end


def entry_start(text: str, key: Node) -> int:
    """Return where a key's entry begins: at the key, or at the question mark before it."""
    at = key.start
    while at and text[at - 1] in " \t":
        at -= 1
    if at < key.start and text[at - 1 : at] == "?" and (at == 1 or text[at - 2] in " \t\n\r\x85\u2028\u2029\ufeff-{,["):
        return at - 1
    return key.start


def colon_of(text: str, key: Node) -> int | None:
    """Return where the colon behind a key stands, None where it has none (`{a}`, `? a`)."""
    at = skip_gap(text, key.end)
    return at if text.startswith(":", at) else None


def properties_end(text: str, node: Node) -> int:
    """Return where the anchor and tag of a node end; its start where it has none."""
    at = end = node.start
    while text[at : at + 1] in ("&", "!"):
        while text[at : at + 1].strip("\x85\u2028\u2029 \t\r\n"):
            at += 1
        end, at = at, skip_gap(text, at)
    return end


def first_dash(text: str, sequence: Sequence) -> int:
    """Return where the first dash stands: at the start, or behind anchor and tag."""
    return skip_gap(text, properties_end(text, sequence))


def dash_of(text: str, sequence: Sequence, index: int) -> int:
    """Return where the dash of an item of a block sequence stands."""
    dash = first_dash(text, sequence)
    if index == 0:
        return dash
    before = sequence.items[index - 1]
    # An empty item ends behind its own dash, wherever the parser places it.
    return skip_gap(text, before.end if before.end > before.start else bounds(text, sequence)[index - 1][1])


def value_place(text: str, nodes: Seq[Node]) -> int | None:
    """Return where the value at the end of a trail may begin: behind its colon or dash; None where it has no colon.

    An item of a flow sequence and a document begin where they stand.
    """
    node = nodes[-1]
    holder = nodes[-2] if len(nodes) > 1 else None
    if isinstance(holder, Mapping):
        key = next(key for key, value in holder.pairs.values() if value is node)
        colon = colon_of(text, key)
        return None if colon is None else colon + 1
    if isinstance(holder, Sequence) and not holder.flow:
        return dash_of(text, holder, next(i for i, item in enumerate(holder.items) if item is node)) + 1
    return node.start


def opening_of(text: str, node: Mapping | Sequence) -> int:
    """Return where the opening bracket of a flow collection stands, behind anchor and tag."""
    return text.index("[" if isinstance(node, Sequence) else "{", node.start)


def member_starts(node: Mapping | Sequence) -> list[int]:
    """Return where keys or items begin, without looking at the text."""
    if isinstance(node, Mapping):
        return [key.start for key, _ in node.pairs.values()]
    return [item.start for item in node.items]
