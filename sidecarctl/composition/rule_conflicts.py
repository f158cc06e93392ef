"""Conflicts of two rules that request the same instance with different settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.catalog.assignments import merge
from sidecarctl.composition.layers import SidecarEntry
from sidecarctl.composition.model import Rule
from sidecarctl.errors import UsageError
from sidecarctl.kube.workload import Workload


def agree(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    return merge(one, two) == merge(two, one)


def conflict_of(
    workload: Workload,
    one: tuple[Rule, SidecarEntry],
    two: tuple[Rule, SidecarEntry],
    hint: str,
    hide: Callable[[SidecarEntry], Mapping[str, Any]],
) -> UsageError:
    """Return the error about two rules. `hide` returns the parameters of an entry without secret values and keys."""
    (first, entry), (second, other) = one, two
    return UsageError(
        f'{first.label} ({entry.place}) and {second.label} conflict on the instance "{entry.instance}" of '
        f"{workload.label}: {_describe_difference(entry.data, other.data, (hide(entry), hide(other)))}",
        where=str(other.place),
        hint=f"{hint}, give one of them another name with `as`, or narrow `select`",
    )


def _describe_difference(one: Mapping[str, Any], two: Mapping[str, Any], shown: Sequence[Mapping[str, Any]]) -> str:
    """Describe the first difference of two entries, with both values; of parameters, only the names that are `shown`."""
    for key in dict.fromkeys((*one, *two)):
        old, new = one.get(key), two.get(key)
        if old != new and key == "parameters":
            names = ", ".join(_find_different(old or {}, new or {}, shown))
            return f"parameters differ: {names}" if names else "parameters differ"
        if old != new and key != "override":
            if isinstance(old, dict) and isinstance(new, dict):
                return f"{key}.{_describe_difference(old, new, shown)}"
            return f"{key} is {_format_value(old)} in the first and {_format_value(new)} in the second"
    return "one sets more fields than the other"


def _find_different(
    one: Mapping[str, Any], two: Mapping[str, Any], shown: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the names of the parameters that differ, each as far as it is shown."""
    for key in dict.fromkeys((*one, *two)):
        old, new = one.get(key), two.get(key)
        if old == new or not any(key in each for each in shown):
            continue
        inner = [each[key] for each in shown if isinstance(each.get(key), dict)]
        below = list(_find_different(old, new, inner)) if isinstance(old, dict) and isinstance(new, dict) else []
        yield from (f"{key}.{name}" for name in below) if below else (key,)


def _format_value(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)
