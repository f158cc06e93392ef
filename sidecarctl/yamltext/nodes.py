"""Nodes with positions: where a value is in the text of a document, and what it means.

`start` and `end` are character offsets in the text of the document. `end` is after the last character of the node: a block
collection ends where its last child ends, a block scalar before the line break of its last line.

The nodes are plain classes for speed: a run creates one for each value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sidecarctl.findings import PathTuple


class Scalar:
    """A scalar. `value` is what Kubernetes reads, `style` one of "", "'", '"', "|", ">", `tag` an explicit tag."""

    __slots__ = ("anchor", "end", "start", "style", "tag", "value")

    def __init__(
        self, start: int, end: int, value: Any, style: str, anchor: str | None = None, tag: str | None = None
    ) -> None:
        self.start, self.end, self.value = start, end, value
        self.style, self.anchor, self.tag = style, anchor, tag


class Mapping:
    """A mapping. `pairs` holds its own keys with key node and value node; in `value`, merge keys are applied."""

    __slots__ = ("anchor", "end", "flow", "merges", "pairs", "start", "value")

    def __init__(self, start: int, end: int, value: dict[str, Any], flow: bool, anchor: str | None = None) -> None:
        self.start, self.end, self.value = start, end, value
        self.flow, self.anchor, self.merges = flow, anchor, False
        self.pairs: dict[str, tuple[Node, Node]] = {}


class Sequence:
    """A sequence of nodes."""

    __slots__ = ("anchor", "end", "flow", "items", "start", "value")

    def __init__(self, start: int, end: int, value: list[Any], flow: bool, anchor: str | None = None) -> None:
        self.start, self.end, self.value = start, end, value
        self.flow, self.anchor = flow, anchor
        self.items: list[Node] = []


class Alias:
    """An alias; `value` is that of its target."""

    __slots__ = ("end", "name", "start", "target", "value")

    def __init__(self, start: int, end: int, value: Any, name: str, target: Node) -> None:
        self.start, self.end, self.value, self.name, self.target = start, end, value, name, target


Node = Scalar | Mapping | Sequence | Alias


def child(node: Node, step: str | int) -> Node | None:
    """Return the child node of one step, also through an alias; None if the node has no such child of its own."""
    if isinstance(node, Alias):
        node = node.target
    if isinstance(node, Mapping) and isinstance(step, str):
        pair = node.pairs.get(step)
        return pair[1] if pair else None
    if isinstance(node, Sequence) and isinstance(step, int) and -1 < step < len(node.items):
        return node.items[step]
    return None


def steps_of(holder: Mapping | Sequence) -> Collection[str | int]:
    """Return the steps to the members of a collection: the keys, or the numbers of the items."""
    return list(holder.pairs) if isinstance(holder, Mapping) else range(len(holder.items))


def walk(root: Node) -> Iterator[Node]:
    """Yield a node and everything inside it, with keys, in text order; targets of aliases are not included."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, Mapping):
            pending.extend(part for pair in reversed(node.pairs.values()) for part in reversed(pair))
        elif isinstance(node, Sequence):
            pending.extend(reversed(node.items))


def trail(root: Node, path: PathTuple) -> list[Node]:
    """Return the nodes from the root along a path, as far as they exist."""
    found = [root]
    for step in path:
        below = child(found[-1], step)
        if below is None:
            break
        found.append(below)
    return found


def key_of(holder: Mapping, node: Node) -> Node:
    """Return the key node of a value of a mapping."""
    return next(key for key, value in holder.pairs.values() if value is node)


def is_longer(value: Any, most: int) -> bool:
    """Return True if plain data has more than `most` characters; see `length_of`."""
    return length_of(value) > most


def length_of(value: Any) -> int:
    """Return the characters of the strings and keys of plain data. Collections, other scalars, and empty strings count as one.

    An alias shares a value, so that data can be much longer than its text. It counts at each use, and is read once.
    """
    lengths: dict[int, int] = {}
    pending = [value]
    while pending:
        each = pending[-1]
        if id(each) in lengths:
            pending.pop()
            continue
        inner: Iterable[Any] = (
            each.values() if isinstance(each, dict) else each if isinstance(each, (list, tuple)) else ()
        )
        below = [one for one in inner if isinstance(one, (dict, list, tuple)) and id(one) not in lengths]
        if below:
            pending += below
            continue
        keys = sum(map(len, each)) if isinstance(each, dict) else 0
        lengths[id(each)] = 1 + keys + sum(_length(one, lengths) for one in inner)
    return _length(value, lengths)


def is_deeper(value: Any, most: int) -> bool:
    """Return True if collections of plain data are nested in more than `most` levels, with aliases expanded."""
    level = [value]
    for _ in range(most + 1):
        level = [each for each in level if isinstance(each, (dict, list, tuple))]
        if not level:
            return False
        inner = (one for each in level for one in (each.values() if isinstance(each, dict) else each))
        level = list({id(one): one for one in inner}.values())  # an alias shares a value
    return True


def _length(value: Any, lengths: dict[int, int]) -> int:
    return len(value) or 1 if isinstance(value, str) else lengths.get(id(value), 1)
