"""Edits as data, and their effect on plain data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass


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
    """Remove what is at `path`: a key with its value, or an item."""

    path: PathTuple
    reason: str = ""


@dataclass(frozen=True)
class Restore:
    """Empty the collection at `path` and write `text` after the colon instead; `text` must mean `value`."""

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
    """Return the data after the edits; the input does not change. All indices refer to the input."""
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
        below = holder[step] if isinstance(step, int) else holder.get(step)
        if below is None or below == [] or below == {}:
            below = [] if isinstance(following, int) else {}
            holder[step] = below
        holder = below
    last = steps[-1]
    if isinstance(edit, Remove):
        del holder[last]
    elif isinstance(edit, Insert) and isinstance(last, int):
        holder.insert(last, edit.value)
    else:
        holder[last] = edit.value


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
    heads: dict[str | int, list[PathTuple]] = {}
    here = list(paths)
    if not here or not isinstance(value, (dict, list)):
        return value
    for path in here:
        if path:
            heads.setdefault(path[0], []).append(path[1:])
    copy: Any = value.copy()
    for step, below in heads.items():
        if step in copy if isinstance(copy, dict) else isinstance(step, int) and step < len(copy):
            copy[step] = _copied(copy[step], below)
    return copy


_ABSENT = object()


def identical(a: Any, b: Any) -> bool:
    """Return whether Kubernetes sees two values as the same: 1, 1.0, and true differ; key order does not matter."""
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
