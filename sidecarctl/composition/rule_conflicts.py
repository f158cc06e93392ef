"""Conflicts of two rules that request the same instance with different settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sidecarctl.catalog.assignments import merge
from sidecarctl.composition.layers import SidecarEntry
from sidecarctl.composition.model import Rule
from sidecarctl.errors import UsageError
from sidecarctl.kube.workload import Workload


def agree(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    return merge(one, two) == merge(two, one)


def conflict_of(
    workload: Workload, one: tuple[Rule, SidecarEntry], two: tuple[Rule, SidecarEntry], hint: str
) -> UsageError:
    (first, entry), (second, other) = one, two
    return UsageError(
        f'{first.label} ({entry.place}) and {second.label} conflict on the instance "{entry.instance}" of '
        f"{workload.label}: {_describe_difference(entry.data, other.data)}",
        where=str(other.place),
        hint=f"{hint}, give one of them another name with `as`, or narrow `select`",
    )


def _describe_difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    """Describe the first difference of two entries, with both values. Those of parameters may be secrets."""
    for key in dict.fromkeys((*one, *two)):
        old, new = one.get(key), two.get(key)
        if old != new and key == "parameters":
            return f"parameters differ: {', '.join(_find_different(old or {}, new or {}))}"
        if old != new and key != "override":
            if isinstance(old, dict) and isinstance(new, dict):
                return f"{key}.{_describe_difference(old, new)}"
            return f"{key} is {_format_value(old)} in the first and {_format_value(new)} in the second"
    return "one sets more fields than the other"


def _find_different(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the parameters that differ."""
    for key in dict.fromkeys((*one, *two)):
        old, new = one.get(key), two.get(key)
        if old != new and isinstance(old, dict) and isinstance(new, dict):
            yield from (f"{key}.{name}" for name in _find_different(old, new))
        elif old != new:
            yield key


def _format_value(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)
