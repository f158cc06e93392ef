"""Applies edits to the text of a document and verifies the result: parsed again, it equals the intended data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Sequence as Seq

from sidecarctl.errors import BugError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import (
    Edit,
    EditRefused,
    Insert,
    Remove,
    Replace,
    Restore,
    apply,
    check_shared,
    identical,
)
from sidecarctl.yamltext.errors import LimitProblem, SyntaxProblem
from sidecarctl.yamltext.events import is_json
from sidecarctl.yamltext.insert import GroupedInserts, KeyPlace, group_inserts, insert_splices
from sidecarctl.yamltext.insert_block import empty_value_text
from sidecarctl.yamltext.lines import Splice, apply_splices, next_line
from sidecarctl.yamltext.nodes import Mapping, Node, Sequence, steps_of, trail
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.remove import merge_cuts, removal_splices, restore_splices
from sidecarctl.yamltext.replace import replace_splice

__all__ = ["EditRefused", "KeyPlace", "Splice", "SpliceResult", "filled_texts", "last", "splice"]


@dataclass(frozen=True)
class SpliceResult:
    """The new text and root of a document, and for each filled empty value its original text."""

    text: str
    root: Node
    displaced: dict[PathTuple, str]


def last(_path: PathTuple, keys: list[str], _key: str) -> int:
    """Return the default position of a new key: after all others."""
    return len(keys)


def splice(
    text: str, root: Node, edits: Seq[Edit], place: KeyPlace = last, *, keep_json: bool = False, literal: bool = True
) -> SpliceResult:
    """Apply edits to the text of a document and verify the result. With `keep_json`, JSON stays JSON, for JSON files.

    Without `literal`, inserted text of several lines is quoted.

    Raises EditRefused if an anchor, alias, or merge key is in the way, an edit has no room, or the result exceeds a limit, and
    BugError if verification fails.
    """
    if not edits:
        return SpliceResult(text, root, {})
    check_shared(text, root, edits)
    inserts = [edit for edit in edits if isinstance(edit, Insert)]
    others = [edit for edit in edits if not isinstance(edit, Insert)]
    folded = group_inserts(root, inserts, literal=literal)
    filled = _displaced(text, root, folded)
    if not inserts or all(isinstance(edit, Replace) for edit in others):
        result = text
        for result in _find_results(text, root, others, folded, place):
            if (fitting := _parse_fitting(result, text, root, edits, keep_json)) is not None:
                return SpliceResult(result, fitting, filled)
        return SpliceResult(result, _verify(result, text, root, edits), filled)
    done = splice(text, root, others, keep_json=keep_json)
    # Inserts see the text after the removals: a comma, an empty collection.
    moved = [Insert(_behind_removals(edit.path, others), edit.value, edit.reason) for edit in inserts]
    second = splice(done.text, done.root, moved, place, keep_json=keep_json, literal=literal)
    if not identical(second.root.value, apply(root.value, edits)):
        raise BugError("the edited text does not equal the intended result")
    return SpliceResult(second.text, second.root, filled)


def _find_results(text: str, root: Node, others: Seq[Edit], inserts: GroupedInserts, place: KeyPlace) -> Iterator[str]:
    """Yield the text after edits, then other ways to write it, for documents that another program wrote in another style."""
    new = list(insert_splices(text, root, inserts, place))
    yield apply_splices(text, [*_other_splices(text, root, others), *new])
    emptied = [part for edit in others for part in _as_removals(root, edit)]
    if emptied != others:
        yield apply_splices(text, [*_other_splices(text, root, emptied), *new])
    plain = [_as_json(edit) for edit in others]
    if plain != others:
        yield apply_splices(text, [*_other_splices(text, root, plain), *new])
    if any(isinstance(edit, Remove) for edit in plain):
        yield apply_splices(text, [*_other_splices(text, root, plain, keep_commas=True), *new])


def check_edit(text: str, root: Node, edit: Edit) -> None:
    """Raise EditRefused if `splice` would refuse an edit, without applying it."""
    check_shared(text, root, [edit])
    inserts = [edit] if isinstance(edit, Insert) else []
    find_splices(text, root, [] if inserts else [edit], group_inserts(root, inserts), last)


def find_splices(text: str, root: Node, others: Seq[Edit], inserts: GroupedInserts, place: KeyPlace) -> list[Splice]:
    """Return the text replacements for inserts and other edits. If there are inserts, the others must be replacements."""
    return [*_other_splices(text, root, others), *insert_splices(text, root, inserts, place)]


def _other_splices(text: str, root: Node, edits: Seq[Edit], *, keep_commas: bool = False) -> list[Splice]:
    """Return the replacements for all edits except inserts."""
    removes = [edit for edit in edits if isinstance(edit, Remove)]
    splices = list(removal_splices(text, root, removes, keep_commas=keep_commas))
    ends = set()  # of block scalars that need the line break behind them
    before_tabs: set[int] = set()  # ends of what a restored plain scalar replaces: it can have lines of tabs behind it
    for edit in edits:
        if isinstance(edit, Restore):
            restored = list(restore_splices(text, root, edit))
            splices += restored
            if (former := edit.text.strip()) and former[0] not in "[{":
                before_tabs.update(one.end for one in restored)
        elif isinstance(edit, Replace):
            written = replace_splice(text, root, edit)
            splices.append(written)
            if isinstance(edit.value, str) and edit.value.endswith("\n") and "\n" in written.text:
                ends.add(written.end)
    cuts = merge_cuts(text, root, [one for one in splices if one.end > one.start and not one.text], before_tabs)
    cuts = [Splice(next_line(text, one.start), one.end, "") if one.start in ends else one for one in cuts]
    return [*cuts, *(one for one in splices if one.end == one.start or one.text)]


def filled_texts(root: Node, text: str, inserts: Seq[Insert]) -> dict[PathTuple, str]:
    """Return, for each empty value that inserts fill, the text after its colon ("" for none)."""
    return _displaced(text, root, group_inserts(root, inserts))


def _displaced(text: str, root: Node, inserts: GroupedInserts) -> dict[PathTuple, str]:
    found = ((path, empty_value_text(text, root, path)) for path in inserts.fills)
    return {path: old for path, old in found if old is not None}


def _behind_removals(path: PathTuple, edits: Seq[Edit]) -> PathTuple:
    """Return a path after the removal of items before it."""
    gone = [edit.path for edit in edits if isinstance(edit, Remove)]

    def now(depth: int, step: str | int) -> str | int:
        if isinstance(step, str):
            return step
        earlier = (one[-1] for one in gone if one[:-1] == path[:depth])
        return step - sum(1 for index in earlier if isinstance(index, int) and index < step)

    return tuple(now(depth, step) for depth, step in enumerate(path))


def _as_removals(root: Node, edit: Edit) -> Seq[Edit]:
    """Return an edit that empties a flow collection with the removal of its members, which keeps what is around them."""
    if not isinstance(edit, Restore) or edit.value is None:
        return [edit]
    node = trail(root, edit.path)[-1]
    if not isinstance(node, (Mapping, Sequence)) or not node.flow:
        return [edit]
    return [Remove((*edit.path, step), edit.reason) for step in steps_of(node)]


def _as_json(edit: Edit) -> Edit:
    """Return an edit that writes a former text with JSON for that text, which fits in every style of document."""
    if isinstance(edit, Restore):
        return Restore(edit.path, f" {json.dumps(edit.value)}", edit.value, edit.reason)
    if isinstance(edit, Replace) and edit.text:
        return Replace(edit.path, edit.value, edit.reason, emit.scalar(edit.value, json_style=True))
    return edit


def _parse_fitting(result: str, text: str, root: Node, edits: Seq[Edit], keep_json: bool) -> Node | None:
    """Parse a new text; None if it does not mean what is intended, or is not the JSON that must stay JSON."""
    try:
        found = parse(result)
    except SyntaxProblem:
        return None
    if found is None or not identical(found.value, apply(root.value, edits)):
        return None
    return None if keep_json and is_json(text) and not is_json(result) else found


# What the parser takes for a line break or a blank in some places only.
_UNUSUAL = lazy_pattern("[\x85\u2028\u2029]|\ufeff|(?:^|(?<=\r)) *\t", re.MULTILINE)


def _verify(result: str, text: str, root: Node, edits: Seq[Edit]) -> Node:
    """Parse the result and compare it with the intended data."""
    wanted = apply(root.value, edits)
    try:
        found = parse(result)
    except LimitProblem as problem:
        raise EditRefused(
            f"the result exceeds a limit: {problem.message}", edits[0].path, hint=problem.hint
        ) from problem
    except SyntaxProblem as problem:
        if unusual := _UNUSUAL.search(text):
            odd = unusual.group().strip(" \t")
            blank = f"U+{ord(odd):04X}" if odd else "a tab at the start of a line"
            raise EditRefused(
                f"cannot edit this document, because it has an unusual blank: {blank}",
                edits[0].path,
                hint="use spaces and line feeds only",
            ) from problem
        raise BugError(f"the edited text does not parse: {problem.message}") from problem
    if found is None or not identical(found.value, wanted):
        raise BugError("the edited text does not equal the intended result")
    return found
