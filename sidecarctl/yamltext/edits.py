"""Edits as data, and their effect on plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, child, walk
from sidecarctl.yamltext.nodes import Sequence as SequenceNode


@dataclass(frozen=True)
class Insert:
    """Insert `value` at `path`.

    If the last step is a key, the key must be missing or its value empty. If it is an index, the value goes before that
    item; an index equal to the length appends. Missing, null, or empty collections on the way are created.
    """

    path: PathTuple
    value: Any
    reason: str = ""


@dataclass(frozen=True)
class Remove:
    """Remove what is at `path`: a key with its value, or an item.

    With `keep_comments`, comments between the dash of an item and its content stay.
    """

    path: PathTuple
    reason: str = ""
    keep_comments: bool = False


@dataclass(frozen=True)
class Restore:
    """Empty the collection, or drop the scalar, at `path`, and write `text` after the colon instead; `text` must mean `value`."""

    path: PathTuple
    text: str
    value: Any = None
    reason: str = ""


@dataclass(frozen=True)
class Replace:
    """Replace the scalar at `path`; with `text` if given, which must mean `value`."""

    path: PathTuple
    value: Any
    reason: str = ""
    text: str = ""


Edit = Insert | Remove | Restore | Replace


class EditRefused(SidecarctlError):
    """An edit that is not possible: an anchor, alias, or merge key shares the place, or the text has no room for it."""

    exit_code = 1

    def __init__(self, message: str, path: PathTuple, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


def apply(value: Any, edits: Sequence[Edit]) -> Any:
    """Return the data after the edits; the input does not change. All indices refer to the input.

    Raises EditRefused if the data has another value where an edit needs a list or mapping.
    """
    result = _copied(value, [edit.path for edit in edits])
    for edit in _right_to_left(edits):
        if edit.path:
            _apply(result, edit)
        elif not isinstance(edit, Remove):
            result = edit.value
    return result


def _apply(result: Any, edit: Edit) -> None:
    holder = result
    steps = edit.path
    for step, following in pairwise(steps):
        if not _has(holder, step):
            break
        below = holder[step] if isinstance(step, int) else holder.get(step)
        if below is None or below == [] or below == {}:
            below = [] if isinstance(following, int) else {}
            holder[step] = below
        holder = below
    last = steps[-1]
    if not _has(holder, last):
        wanted = "list" if isinstance(last, int) else "mapping"
        raise EditRefused(f"{'.'.join(map(str, steps[:-1]))}: expected a {wanted}", steps[:-1])
    if isinstance(edit, Remove):
        del holder[last]
    elif isinstance(edit, Insert) and isinstance(last, int):
        holder.insert(last, edit.value)
    else:
        holder[last] = edit.value


def _has(holder: Any, step: str | int) -> bool:
    """Return True if a value can have an item or a key at a step of a path."""
    return isinstance(holder, list if isinstance(step, int) else dict)


def _right_to_left(edits: Sequence[Edit]) -> list[Edit]:
    """Order edits so that edits of later items come first and indices stay valid; inserts at one index keep their
    order.
    """
    numbered = sorted(enumerate(edits), key=lambda pair: (_order(pair[1]), pair[0]), reverse=True)
    return [edit for _, edit in numbered]


def _order(edit: Edit) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key: what is inside an item sorts after the item."""
    steps = ((1, step, "") if isinstance(step, int) else (0, 0, step) for step in edit.path)
    return (*steps, (-1, int(isinstance(edit, Remove)), ""))


def _copied(value: Any, paths: Iterable[PathTuple]) -> Any:
    """Copy data as deep as the paths go and share the rest."""
    steps: dict[str | int, Any] = {}
    for path in paths:
        below = steps
        for step in path:
            below = below.setdefault(step, {})
    return _copied_along(value, steps)


def _copied_along(value: Any, steps: dict[str | int, Any]) -> Any:
    """Copy a collection, and inside of it those at the steps: each step leads to further ones."""
    if not isinstance(value, (dict, list)):
        return value
    copy: Any = value.copy()
    for step, below in steps.items():
        if step in copy if isinstance(copy, dict) else isinstance(step, int) and step < len(copy):
            copy[step] = _copied_along(copy[step], below)
    return copy


_ABSENT = object()


def identical(a: Any, b: Any) -> bool:
    """Return whether Kubernetes sees two values as the same: 1, 1.0, and true differ; key order does not matter."""
    if a is b:  # versions of a document share what no edit changed
        return True
    if type(a) is not type(b):
        return False
    if type(a) is dict:
        if len(a) != len(b):
            return False
        for key, one in a.items():
            other = b.get(key, _ABSENT)
            if type(one) is str:
                if one != other:
                    return False
            elif not identical(one, other):
                return False
        return True
    if type(a) is list:
        return len(a) == len(b) and all(map(identical, a, b))
    return bool(a == b)


def dotted(path: PathTuple) -> str:
    """Return a path in the usual notation: `spec.containers[0].name`."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            out += f".{step}" if out else step
        else:
            out += f'["{step}"]'
    return out


_MERGE = "<<"


def check_shared(text: str, root: Node, edits: Sequence[Edit]) -> None:
    """Raise EditRefused for an edit of a node that an alias shares, or that a merge key brings.

    An edit below an alias, or below an anchor that an alias uses, would change two places. What a merge key brings is
    defined elsewhere. An anchor cannot be removed while an alias outside the removed part uses it.
    """
    if "*" not in text and _MERGE not in text:
        return
    aliases = [node for node in walk(root) if isinstance(node, Alias)]
    shared = {id(alias.target) for alias in aliases}
    for edit in edits:
        _refuse_on_the_way(root, edit, shared)
    _check_needed(root, edits, aliases)


def _refuse_on_the_way(root: Node, edit: Edit, shared: set[int]) -> None:
    node: Node | None = root
    for depth, step in enumerate(edit.path):
        if node is None:
            return
        _refuse_node(node, edit, depth, shared)
        if isinstance(node, Mapping) and node.merges and isinstance(step, str):
            _refuse_merged(node, edit, depth, step)
        node = child(node, step)
    replaced = isinstance(edit, Insert) and not (edit.path and isinstance(edit.path[-1], int))
    if node is not None and (replaced or isinstance(edit, Restore)):
        _refuse_node(node, edit, len(edit.path), shared)


def _refuse_node(node: Node, edit: Edit, depth: int, shared: set[int]) -> None:
    path = edit.path[:depth]
    where = dotted(path) or "the document"
    if isinstance(node, Alias):
        raise EditRefused(
            f"cannot edit {where}: the alias *{node.name} shares its value with &{node.name}",
            path,
            hint=f"replace *{node.name} with a copy of the value",
        )
    if id(node) in shared:
        raise EditRefused(
            f"cannot edit {where}: the alias *{node.anchor} reuses its value",
            path,
            hint=f"replace *{node.anchor} with a copy of the value",
        )


def _refuse_merged(mapping: Mapping, edit: Edit, depth: int, step: str) -> None:
    path = edit.path[: depth + 1]
    merged = step in _merged_keys(mapping)
    if merged and step not in mapping.pairs:
        raise EditRefused(
            f"cannot edit {dotted(path)}: it comes from a merge key (<<)", path, hint=f"set `{step}` in this mapping"
        )
    keys = list(mapping.pairs)
    if merged and (keys.index(step) < keys.index(_MERGE) or (isinstance(edit, Remove) and len(path) == len(edit.path))):
        raise EditRefused(
            f"cannot edit {dotted(path)}: a merge key (<<) sets it too",
            path,
            hint=f"delete one of the two, or move `{step}` below the merge key",
        )
    if step == _MERGE:
        raise EditRefused(
            f"cannot edit {dotted(path)}: it is a merge key", path, hint="replace it with the merged fields"
        )


def _merged_keys(mapping: Mapping) -> set[str]:
    source = mapping.pairs[_MERGE][1]
    parts = source.items if isinstance(source, SequenceNode) else [source]
    return {name for part in parts for name in part.value}


def _check_needed(root: Node, edits: Iterable[Edit], aliases: Sequence[Alias]) -> None:
    """Raise EditRefused for a removal that takes an anchor away from an alias that stays."""
    of_target: dict[int, list[Alias]] = {}
    for alias in aliases:
        of_target.setdefault(id(alias.target), []).append(alias)
    for edit in edits:
        if isinstance(edit, Insert):
            continue
        gone = {id(node): node for top in _removed_nodes(root, edit) for node in walk(top)}
        staying = (alias for node in gone for alias in of_target.get(node, ()) if id(alias) not in gone)
        if found := next(staying, None):
            raise EditRefused(
                f"cannot remove {dotted(edit.path)}: it contains the anchor &{found.name}, which is used elsewhere",
                edit.path,
                hint=f"replace *{found.name} with a copy of the value",
            )


def _removed_nodes(root: Node, edit: Edit) -> Iterator[Node]:
    """Return the nodes that a removal takes away: a value, and its key."""
    holder: Node | None = root
    for step in edit.path[:-1]:
        holder = child(holder, step) if holder is not None else None
    if holder is None or not edit.path:
        return
    if isinstance(holder, Mapping) and isinstance(edit, Remove):
        yield from holder.pairs.get(str(edit.path[-1]), ())
    elif (node := child(holder, edit.path[-1])) is not None:
        yield node
