"""Carry recorded parameters over to a version of the sidecar that has other names for them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

MOST_RENAMES = 100  # one after the other, of a parameter
_MISSING = object()


def carry_over(recorded: Mapping[str, Any], renamed: Mapping[str, str]) -> dict[str, Any]:
    """Return recorded parameters under their current names. `renamed` maps old to new names, nested ones with dots.

    A value that is recorded under the new name too is kept, and the one under the old name is dropped.
    """
    result = copy.deepcopy(dict(recorded))
    for old in renamed:
        value = _take(result, old.split("."))
        if value is not _MISSING:
            put_at(result, current_name(old, renamed).split("."), value)
    return result


def current_name(name: str, renamed: Mapping[str, str]) -> str:
    """Return the current name of a parameter that was renamed, possibly several times, up to a limit."""
    seen = {name}
    while name in renamed and renamed[name] not in seen and len(seen) <= MOST_RENAMES:
        name = renamed[name]
        seen.add(name)
    return name


def current_path(path: Sequence[str], renamed: Mapping[str, str]) -> tuple[str, ...]:
    """Return the current path of a parameter that, or a parent of which, was renamed."""
    former = [old for old in renamed if old.split(".") == list(path[: old.count(".") + 1])]
    if not former:
        return tuple(path)
    old = max(former, key=len)
    return (*current_name(old, renamed).split("."), *path[old.count(".") + 1 :])


def _take(values: dict[str, Any], path: Sequence[str]) -> Any:
    """Remove and return the value at a path, and parents that it leaves empty."""
    if path[0] not in values:
        return _MISSING
    if len(path) == 1:
        return values.pop(path[0])
    inner = values[path[0]]
    value = _take(inner, path[1:]) if isinstance(inner, dict) else _MISSING
    if value is not _MISSING and not inner:
        del values[path[0]]
    return value


def put_at(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set the value at a path, unless it is set or a parent of it has another value."""
    for step in path[:-1]:
        inner = values.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        values = inner
    values.setdefault(path[-1], value)
