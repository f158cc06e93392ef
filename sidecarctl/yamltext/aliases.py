"""Refuses edits that anchors, aliases, or merge keys would make visible in more than one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Restore, dotted
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, child, walk
from sidecarctl.yamltext.nodes import Sequence as SequenceNode

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
            f"{where} is the alias *{node.name}: an edit would change what &{node.name} means elsewhere",
            path,
            hint=f"write the value out in place of *{node.name}",
        )
    if id(node) in shared:
        raise EditRefused(
            f"{where} is anchored as &{node.anchor} and used again as *{node.anchor}: an edit would show in both places",
            path,
            hint=f"write the value out where *{node.anchor} stands",
        )


def _refuse_merged(mapping: Mapping, edit: Edit, depth: int, step: str) -> None:
    path = edit.path[: depth + 1]
    merged = step in _merged_keys(mapping)
    if merged and step not in mapping.pairs:
        raise EditRefused(
            f"{dotted(path)} comes from a merge key (<<)", path, hint=f"write `{step}` out in this mapping"
        )
    keys = list(mapping.pairs)
    if merged and (keys.index(step) < keys.index(_MERGE) or (isinstance(edit, Remove) and len(path) == len(edit.path))):
        raise EditRefused(
            f"{dotted(path)} comes from a merge key (<<) as well",
            path,
            hint=f"delete one of the two, or write `{step}` out below the merge key",
        )
    if step == _MERGE:
        raise EditRefused(f"{dotted(path)} is a merge key", path, hint="write out what it brings")


def _merged_keys(mapping: Mapping) -> set[str]:
    source = mapping.pairs[_MERGE][1]
    parts = source.items if isinstance(source, SequenceNode) else [source]
    return {name for part in parts for name in part.value}


def _check_needed(root: Node, edits: Iterable[Edit], aliases: Sequence[Alias]) -> None:
    """Raise EditRefused for a removal that takes an anchor away from an alias that stays."""
    for edit in edits:
        if isinstance(edit, Insert):
            continue
        gone = {id(node): node for top in _removed_nodes(root, edit) for node in walk(top)}
        for alias in aliases:
            if id(alias) not in gone and id(alias.target) in gone:
                raise EditRefused(
                    f"{dotted(edit.path)} holds the anchor &{alias.name}, which is used elsewhere",
                    edit.path,
                    hint=f"write the value out where *{alias.name} stands",
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
