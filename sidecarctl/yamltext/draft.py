"""Drafts: a document between the edits of one run. After an edit, only the new text is parsed; the whole text is verified once.

The next edit needs nodes with positions. Those of a draft are updated in place: nodes behind an edit are moved, and the
nodes of new lines are inserted. `finish` parses the whole text, compares its value with the intended one, and its nodes
with those of the draft, so every edit saw what it would have seen in a parsed text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from itertools import chain
from typing import Any

from sidecarctl.errors import BugError
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.edits import Edit, Insert, Replace, apply, check_shared, identical
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.insert import KeyPlace, group_inserts
from sidecarctl.yamltext.lines import Splice, apply_splices, sort_splices
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence, trail
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.splice import find_splices, splice
from sidecarctl.yamltext.stream import Document


@dataclass(eq=False)
class Draft(Document):
    """A document whose text is not verified yet: it must mean `intended`. Only the newest draft has the nodes."""

    intended: Any = None

    @staticmethod
    def of(document: Document) -> Draft:
        """Return a draft of a document, with nodes of its own."""
        return _draft(document, document.text, parse(document.text), document.value)

    def with_text(self, text: str, root: Node | None = None) -> Draft:
        """Return the draft with another text that means the same."""
        return _draft(self, text, root, self.intended)

    def edit(self, edits: Seq[Edit], place: KeyPlace) -> Draft:
        """Return the draft after edits, with the nodes of this one, which parses its text again if it needs them.

        Raises EditRefused and BugError like `splice`.
        """
        root = self.root
        assert root is not None
        check_shared(self.text, root, edits)
        parts = _find_parts(self.text, root, edits, place, literal=not self.bare)
        intended = apply(self.intended, edits)
        if parts is None:
            done = splice(self.text, root, edits, place, keep_json=self.is_json_file, literal=not self.bare)
            return _draft(self, done.text, done.root, intended)
        self._root, self._parsed = None, False
        splices = [part.splice for part in parts]
        _move(root, _Moves.of(splices))
        _join(parts)
        return _draft(self, apply_splices(self.text, splices), root, intended)

    def finish(self) -> Document:
        """Return the document after verification. Raises BugError if the text is not the intended one, or a node differs."""
        try:
            root = parse(self.text)
        except SyntaxProblem as problem:
            raise BugError(f"the edited text does not parse: {problem.message}") from problem
        if root is None or self.root is None or not identical(root.value, self.intended):
            raise BugError("the edited text does not equal the intended result")
        if not have_equal_nodes(root, self.root):
            raise BugError("the nodes of the edited text do not equal the updated ones")
        return Document.with_text(self, self.text, root)


def _draft(document: Document, text: str, root: Node | None, intended: Any) -> Draft:
    return Draft(
        document.head,
        text,
        document.line,
        document.file,
        document.index,
        document.bare,
        {},
        root,
        root is not None,
        None,
        intended,
    )


@dataclass(frozen=True)
class _Part:
    """The node of a new text, and the nodes from the root to where it belongs."""

    splice: Splice
    node: Node
    trail: list[Node]


def _find_parts(text: str, root: Node, edits: Seq[Edit], place: KeyPlace, *, literal: bool) -> list[_Part] | None:
    """Return the parts of edits; None if the whole text must be parsed: for removals, and for text that depends on its place."""
    inserts = [edit for edit in edits if isinstance(edit, Insert)]
    others = [edit for edit in edits if not isinstance(edit, Insert)]
    if not all(isinstance(edit, Replace) for edit in others):
        return None
    parts: list[_Part] = []
    moved = 0
    for one in sort_splices(find_splices(text, root, others, group_inserts(root, inserts, literal=literal), place)):
        nodes = [] if one.path is None else trail(root, one.path)
        node = _parse_part(one, nodes)
        if node is None:
            return None
        _move_all(node, one.start + moved)
        moved += len(one.text) - (one.end - one.start)
        parts.append(_Part(one, node, nodes))
    return parts


def _parse_part(one: Splice, nodes: Seq[Node]) -> Node | None:
    """Return the node of a new text: a scalar, or a collection with new members; None if it depends on what is around it."""
    if len(nodes) < 2 or any(isinstance(each, Mapping) and each.merges for each in nodes):
        return None
    old = nodes[-1]
    try:
        node = _parse_members(one.text, old) if isinstance(old, (Mapping, Sequence)) and old.flow else parse(one.text)
    except SyntaxProblem:
        return None
    if type(node) is not type(old):
        return None
    if isinstance(node, Scalar) and isinstance(old, Scalar):
        # A block scalar depends on the lines behind it; the text of an anchor or tag may stay or go.
        alone = (node.start, node.end, old.anchor, old.tag) == (0, len(one.text), None, None)
        return node if alone and node.style not in ("|", ">") else None
    return node


def _parse_members(text: str, holder: Mapping | Sequence) -> Node | None:
    """Return the collection of members in flow style, which start with the comma after the previous member or end with one."""
    opening, closing = "{}" if isinstance(holder, Mapping) else "[]"
    start = len(text) - len(text.lstrip())
    alone = f"{text[:start]} {text[start + 1 :]}" if text.startswith(",", start) else text
    node = parse(opening + alone + closing)
    if node is not None:
        _move_all(node, -1)
    return node


# ---- positions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Moves:
    """By how many characters text moves: `by[n]` behind the first n of `offsets`."""

    offsets: list[int]
    by: list[int]

    @staticmethod
    def of(splices: Seq[Splice]) -> _Moves:
        ordered = sorted(splices, key=lambda one: one.end)
        by = [0]
        for one in ordered:
            by.append(by[-1] + len(one.text) - (one.end - one.start))
        return _Moves([one.end for one in ordered], by)


def _move(root: Node, moves: _Moves) -> None:
    """Move a node and everything inside it. Text that is inserted where a node ends is not part of it."""
    pending = [root]
    while pending:
        node = pending.pop()
        within = bisect_left(moves.offsets, node.end)
        before = min(bisect_right(moves.offsets, node.start), within)  # a missing value is before text at its offset
        if before < within:  # an edit is inside
            node.start += moves.by[before]
            node.end += moves.by[within]
            pending += _parts(node)
        elif moves.by[before]:
            _move_all(node, moves.by[before])


def _move_all(root: Node, by: int) -> None:
    """Move a node and everything inside it. Each edit moves most nodes, so this avoids a call for each."""
    root.start += by
    root.end += by
    pending = [root]
    while pending:
        holder = pending.pop()
        if isinstance(holder, Mapping):
            nodes: Iterable[Node] = chain.from_iterable(holder.pairs.values())
        elif isinstance(holder, Sequence):
            nodes = holder.items
        else:
            continue
        for node in nodes:
            node.start += by
            node.end += by
            if type(node) is not Scalar:
                pending.append(node)


def _parts(node: Node) -> Seq[Node]:
    if isinstance(node, Mapping):
        return [part for pair in node.pairs.values() for part in pair]
    return node.items if isinstance(node, Sequence) else ()


# ---- new nodes ---------------------------------------------------------------------------------------------------


def _join(parts: Seq[_Part]) -> None:
    """Insert new nodes, which are at their place in the text, and complete the collections around them."""
    for part in sorted(parts, key=lambda one: one.splice.index or 0, reverse=True):
        _join_part(part)
    around = {id(node): (depth, node) for part in parts for depth, node in enumerate(part.trail)}
    for _, node in sorted(around.values(), key=lambda pair: pair[0], reverse=True):
        _complete(node)


def _join_part(part: _Part) -> None:
    index, path, node, old = part.splice.index, part.splice.path, part.node, part.trail[-1]
    if isinstance(old, Sequence) and isinstance(node, Sequence):
        old.items[index:index] = node.items
    elif isinstance(old, Mapping) and isinstance(node, Mapping):
        pairs = list(old.pairs.items())
        pairs[index:index] = node.pairs.items()
        old.pairs = dict(pairs)
    else:
        assert path is not None
        holder = part.trail[-2]
        if isinstance(holder, Mapping):
            name = str(path[-1])
            holder.pairs[name] = (holder.pairs[name][0], node)
        elif isinstance(holder, Sequence):
            holder.items[holder.items.index(old)] = node
    old.start = min(old.start, node.start)


def _complete(node: Node) -> None:
    """Set value and end of a collection from its members."""
    if isinstance(node, Mapping):
        node.value = {name: value.value for name, (_, value) in node.pairs.items()}
        members = [value for _, value in node.pairs.values()]
    elif isinstance(node, Sequence):
        node.value = [item.value for item in node.items]
        members = node.items
    else:
        return
    if not node.flow:
        node.end = members[-1].end


# ---- verification ------------------------------------------------------------------------------------------------


def have_equal_nodes(one: Node, two: Node) -> bool:
    """Return whether two trees have equal nodes at equal positions."""
    pending = [(one, two)]
    while pending:
        a, b = pending.pop()
        if type(a) is not type(b) or (a.start, a.end) != (b.start, b.end) or _describe(a) != _describe(b):
            return False
        if isinstance(a, Scalar):
            if not identical(a.value, b.value):
                return False
        else:
            pending += zip(_parts(a), _parts(b))
    return True


def _describe(node: Node) -> tuple[object, ...]:
    """Return what makes two nodes at one position different, apart from the value of a scalar."""
    if isinstance(node, Scalar):
        return node.style, node.anchor, node.tag
    if isinstance(node, Alias):
        return (node.name,)
    if isinstance(node, Mapping):
        return node.flow, node.anchor, node.merges, tuple(node.pairs)
    return node.flow, node.anchor, len(node.items)
