"""Edits as data and what they do to plain data. Knows no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Insert:
    """Put `value` at `path`.

    Where the last step is a key, the key must not exist or be empty; where it is an index, the value goes before that
    item (an index equal to the length appends). Collections on the way that are missing, null or empty are made.
    """

    path: PathTuple
    value: Any
    reason: str = ""


@dataclass(frozen=True)
class Remove:
    """Take away what stands at `path`: a key with its value, or an item."""

    path: PathTuple
    reason: str = ""


@dataclass(frozen=True)
class Restore:
    """Empty the collection at `path` and write `text` (what stood after the colon) in its place; it means `value`."""

    path: PathTuple
    text: str
    value: Any = None
    reason: str = ""


@dataclass(frozen=True)
class Replace:
    """Write another scalar in place of the one at `path`; as `text` where that is given, which has to mean `value`."""

    path: PathTuple
    value: Any
    reason: str = ""
    text: str = ""


Edit = Insert | Remove | Restore | Replace


class EditRefused(SidecarctlError):
    """An edit that cannot be made at its place: an anchor, alias or merge key shares it, or nothing can be written there."""

    exit_code = 1

    def __init__(self, message: str, path: PathTuple, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


def apply(value: Any, edits: Sequence[Edit]) -> Any:
    """Return what the data become; the input stays as it is. Indices of all edits refer to the input."""
    result = _copied(value, [edit.path for edit in edits])
    for edit in _right_to_left(edits):
        if edit.path:
            _apply(result, edit)
        elif not isinstance(edit, Remove):  # the document itself is filled or empty again
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
    """Edits of later items first, so that earlier indices stay true; inserts at one index keep their order."""
    numbered = sorted(enumerate(edits), key=lambda pair: (_order(pair[1]), pair[0]), reverse=True)
    return [edit for _, edit in numbered]


def _order(edit: Edit) -> tuple[tuple[int, int, str], ...]:
    """What is inside an item sorts behind the item itself, and so comes before it from the right."""
    steps = ((1, step, "") if isinstance(step, int) else (0, 0, step) for step in edit.path)
    return (*steps, (-1, int(isinstance(edit, Remove)), ""))


def _copied(value: Any, paths: Iterable[PathTuple]) -> Any:
    """A copy as deep as the paths go; what they do not touch is shared."""
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
    """True when two values are the same as Kubernetes would see them: 1, 1.0 and true differ; the order of keys is free."""
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
    """Return a path as people write it: `spec.containers[0].name`."""
    out = ""
    for step in path:
        if isinstance(step, int):
            out += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            out += f".{step}" if out else step
        else:
            out += f'["{step}"]'
    return out
