"""Inserts to splices: each to where text is written, in block or flow style, or for what is empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sidecarctl.findings import PathTuple
from sidecarctl.yamltext.block import into_block
from sidecarctl.yamltext.edits import EditRefused, Insert, dotted
from sidecarctl.yamltext.filling import filling
from sidecarctl.yamltext.flow import into_flow
from sidecarctl.yamltext.folding import Folded
from sidecarctl.yamltext.nodes import Mapping, Node, Sequence, trail
from sidecarctl.yamltext.splices import Splice

# Where a new key goes among a mapping's keys: (path of the mapping, its keys, the new key) -> index.
KeyPlace = Callable[[PathTuple, list[str], str], int]


def insertions(text: str, root: Node, inserts: Folded, place: KeyPlace) -> Iterator[Splice]:
    """Yield the splices for inserts. Raises EditRefused where there is no place for one."""
    known: dict[str, int] = {}
    filled: dict[PathTuple, set[str | int]] = {}
    for path, value in inserts.fills.items():
        filled.setdefault(path[:-1], set()).update(path[-1:])
        for one in filling(text, trail(root, path), path, value, known):
            yield replace(one, depth=len(path) + 0.5)
    for path, members in inserts.members.items():
        nodes = trail(root, path)
        holder = nodes[-1]
        if not isinstance(holder, (Mapping, Sequence)) or len(nodes) <= len(path):
            raise EditRefused(f"{dotted(path)} holds nothing that could be added to", path)
        groups: dict[int, list[Insert]] = {}
        keys = list(holder.pairs) if isinstance(holder, Mapping) else []
        for insert in members:
            step = insert.path[-1]
            if isinstance(step, str) != isinstance(holder, Mapping):
                kind = "mapping" if isinstance(holder, Mapping) else "list"
                raise EditRefused(f"{dotted(path)} is a {kind}, so {dotted((step,))} has no place in it", path)
            groups.setdefault(step if isinstance(step, int) else place(path, keys, step), []).append(insert)
        written = (
            into_flow(text, nodes, groups, filled.get(path, set()))
            if holder.flow
            else into_block(text, nodes, groups, known)
        )
        for one in written:
            yield replace(one, depth=len(path))
