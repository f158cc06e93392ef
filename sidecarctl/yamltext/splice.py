"""Edits carried out on a document's text, and proved: parsed again, the result means what the edits say."""

from __future__ import annotations

from collections.abc import Sequence as Seq

from sidecarctl.errors import BugError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.aliases import refuse_shared
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Replace, Restore, apply, dotted, identical
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.insert import Folded, KeyPlace, fold, insertions
from sidecarctl.yamltext.insert_block import displaced
from sidecarctl.yamltext.layout import value_place
from sidecarctl.yamltext.lines import Splice, carried_out, first_on_line
from sidecarctl.yamltext.nodes import Alias, Node, Scalar, trail
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.remove import merged, removals, restored

__all__ = ["EditRefused", "KeyPlace", "Splice", "Spliced", "displaced_by", "last", "splice"]


@dataclass(frozen=True)
class Spliced:
    """A document's new text, its new root, and for each empty value that was filled the text that stood there."""

    text: str
    root: Node
    displaced: dict[PathTuple, str]


def last(_path: PathTuple, keys: list[str], _key: str) -> int:
    """The plainest KeyPlace: a new key goes last."""
    return len(keys)


def splice(text: str, root: Node, edits: Seq[Edit], place: KeyPlace = last) -> Spliced:
    """Carry out edits on a document's text and prove the result: parsed again it equals what the edits mean.

    Raises EditRefused where an anchor, alias or merge key is in the way or nothing can be written, BugError where the proof
    fails.
    """
    if not edits:
        return Spliced(text, root, {})
    refuse_shared(text, root, edits)
    inserts = [edit for edit in edits if isinstance(edit, Insert)]
    others = [edit for edit in edits if not isinstance(edit, Insert)]
    folded = fold(root, inserts)
    filled = _displaced(text, root, folded)
    if not inserts or all(isinstance(edit, Replace) for edit in others):
        result = carried_out(text, [*_others(text, root, others), *insertions(text, root, folded, place)])
        return Spliced(result, _proved(result, root, edits), filled)
    done = splice(text, root, others)
    # What is new sees what was taken away before it: a comma, a collection that is empty now.
    moved = [Insert(_behind_removals(edit.path, others), edit.value, edit.reason) for edit in inserts]
    second = splice(done.text, done.root, moved, place)
    if not identical(second.root.value, apply(root.value, edits)):
        raise BugError("the edited text does not mean what the edits say")
    return Spliced(second.text, second.root, filled)


def _others(text: str, root: Node, edits: Seq[Edit]) -> list[Splice]:
    """The splices for everything but inserts."""
    splices = list(removals(text, root, [edit for edit in edits if isinstance(edit, Remove)]))
    for edit in edits:
        if isinstance(edit, Restore):
            splices += restored(text, root, edit)
        elif isinstance(edit, Replace):
            splices.append(_replacing(text, root, edit))
    cuts = merged(text, root, [one for one in splices if one.end > one.start and not one.text])
    return [*cuts, *(one for one in splices if one.end == one.start or one.text)]


def displaced_by(root: Node, text: str, inserts: Seq[Insert]) -> dict[PathTuple, str]:
    """Return, for each empty value that inserts will fill, the text that stands after its colon; "" where nothing does."""
    return _displaced(text, root, fold(root, inserts))


def _displaced(text: str, root: Node, inserts: Folded) -> dict[PathTuple, str]:
    found = ((path, displaced(text, root, path)) for path in inserts.fills)
    return {path: old for path, old in found if old is not None}


def _behind_removals(path: PathTuple, edits: Seq[Edit]) -> PathTuple:
    """Return where a path leads when the items that edits remove are gone."""
    gone = [edit.path for edit in edits if isinstance(edit, Remove)]

    def now(depth: int, step: str | int) -> str | int:
        if isinstance(step, str):
            return step
        earlier = (one[-1] for one in gone if one[:-1] == path[:depth])
        return step - sum(1 for index in earlier if isinstance(index, int) and index < step)

    return tuple(now(depth, step) for depth, step in enumerate(path))


def _replacing(text: str, root: Node, edit: Replace) -> Splice:
    """Another scalar in the place of one, or of an alias."""
    nodes = trail(root, edit.path)
    node = nodes[-1]
    if not isinstance(node, (Scalar, Alias)) or len(nodes) <= len(edit.path):
        raise BugError(f"no scalar to replace at {dotted(edit.path)}")
    if isinstance(node, Scalar) and node.style in ("|", ">") and first_on_line(text, node.start):
        raise EditRefused(f"{dotted(edit.path)} stands below its key", edit.path, hint="write it behind the colon")
    in_flow = any(getattr(holder, "flow", False) for holder in nodes[:-1])
    json_style = in_flow and getattr(node, "style", "") == '"'
    written = edit.text or emit.scalar(edit.value, flow=in_flow, json_style=json_style)
    if node.end > node.start:
        return Splice(node.start, node.end, written)
    place = value_place(text, nodes)
    if place is None:
        raise EditRefused(
            f"{dotted(edit.path)} has no value to replace", edit.path, hint="write a colon behind the key"
        )
    return Splice(place, place, f" {written}", depth=len(edit.path))


def _proved(result: str, root: Node, edits: Seq[Edit]) -> Node:
    """Parse the result and hold it against the model."""
    wanted = apply(root.value, edits)
    try:
        found = parse(result)
    except SyntaxProblem as problem:
        raise BugError(f"the edited text does not parse: {problem.message}") from problem
    if found is None or not identical(found.value, wanted):
        raise BugError("the edited text does not mean what the edits say")
    return found
