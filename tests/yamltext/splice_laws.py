"""Checks for inserts and removals: inserting keeps every byte, and removing restores the original text."""

from __future__ import annotations

from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.yamltext.edits import Edit, Insert, Remove, Restore
from sidecarctl.yamltext.insert import group_inserts
from sidecarctl.yamltext.layout import value_offset
from sidecarctl.yamltext.nodes import Node, trail
from sidecarctl.yamltext.splice import SpliceResult


def is_subsequence(part: str, whole: str) -> bool:
    characters = iter(whole)
    return all(c in characters for c in part)


def without_displaced(text: str, root: Node, displaced: dict[PathTuple, str]) -> str:
    spans = []
    for path, old in displaced.items():
        start = value_offset(text, trail(root, path))
        assert start is not None
        assert text[start : start + len(old)] == old
        spans.append((start, start + len(old)))
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text


def undo_inserts(root: Node, inserts: list[Insert], done: SpliceResult) -> list[Edit]:
    """Return the edits that undo the inserts, with paths in the edited document."""
    folded = group_inserts(root, inserts)
    added = {
        path: sorted(one.path[-1] for one in ones if isinstance(one.path[-1], int))
        for path, ones in folded.members.items()
    }

    def now(path: PathTuple) -> PathTuple:
        out: list[str | int] = []
        for depth, step in enumerate(path):
            before = added.get(path[:depth], []) if isinstance(step, int) else []
            out.append(step + sum(1 for index in before if index <= step) if isinstance(step, int) else step)
        return tuple(out)

    edits: list[Edit] = []
    for path, old in done.displaced.items():
        nodes = trail(root, path)
        edits.append(Restore(now(path), old, nodes[-1].value))
    for path, ones in folded.members.items():
        steps = [one.path[-1] for one in ones]
        if isinstance(steps[0], int):
            for rank, index in enumerate(sorted(step for step in steps if isinstance(step, int))):
                edits.append(Remove((*now(path), index + rank)))
        else:
            edits += [Remove((*now(path), step)) for step in steps]
    return edits


def exists(value: Any, path: PathTuple) -> bool:
    """Return whether a path that ends in a key exists in the value."""
    for step in path:
        inside = step in value if isinstance(value, dict) else isinstance(value, list) and step in range(len(value))
        if not inside:
            return False
        value = value[step]
    return isinstance(path[-1], str)
