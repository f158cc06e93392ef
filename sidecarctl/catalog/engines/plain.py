"""Render plain YAML templates: parameters replace values at given paths."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog.entry_files import YamlFile, check_length, read_yaml
from sidecarctl.catalog.render_reuse import Uses
from sidecarctl.catalog.sidecar import Sidecar, Substitution
from sidecarctl.errors import LibraryError, did_you_mean
from sidecarctl.yamltext.nodes import length_of

_STEP = re.compile(r"((?:\\.|[^.\[\\])+)|\[([^\]]+)\]|(\.)")
_ABSENT = object()


def render(sidecar: Sidecar, inputs: Mapping[str, Any]) -> Any:
    """Return the fragment with the substitutions applied in order.

    A value of None removes the target. Raise LibraryError with the location in the template for a path that does not exist,
    before the substituted values together exceed the limit of the output, and if the search for named items takes too many steps.
    """
    source = read_yaml(sidecar.template, sidecar.folder)
    fragment = copy.deepcopy(source.value)
    length = searched = 0
    for substitution in sidecar.substitutions:
        value = _find_input(inputs, substitution.source, sidecar)
        length += length_of(value)
        check_length(length, str(sidecar.template))
        searched += _substitute(fragment, substitution, value, source)
        if searched > limits.STEPS.value:
            raise LibraryError(
                f"the substitutions search more than {limits.STEPS.value:,} items",
                where=source.file,
                hint=limits.STEPS.way_out,
            )
    return fragment


def find_uses(sidecar: Sidecar) -> Uses:
    """Return the inputs that the substitutions use."""
    return Uses(frozenset(s.source.split(".")[0] for s in sidecar.substitutions))


def split_path(path: str) -> list[str | int]:
    """Return the steps of `containers[0].env[LOG].value`: keys, item numbers, and named items.

    A named item is a step that starts with "=": `[LOG]` is `=LOG`. Raise ValueError for an invalid path.
    """
    steps: list[str | int] = []
    position, wants_key = 0, True
    while position < len(path):
        found = _STEP.match(path, position)
        key, item, dot = found.groups() if found else (None, None, None)
        if key and wants_key:
            steps.append(re.sub(r"\\(.)", r"\1", key))
            wants_key = False
        elif item and (not wants_key or not steps):
            steps.append(int(item) if item.isdecimal() else f"={item}")
            wants_key = False
        elif dot and not wants_key:
            wants_key = True
        else:
            raise ValueError(path)
        position = found.end() if found else len(path)
    if wants_key:
        raise ValueError(path)
    return steps


def _find_input(inputs: Mapping[str, Any], source: str, sidecar: Sidecar) -> Any:
    value: Any = inputs
    for step in source.split("."):
        if not isinstance(value, Mapping) or step not in value:
            name = source.removeprefix("params.")
            known = sidecar.parameters.get("properties", {})
            raise LibraryError(
                f'substitution uses undeclared parameter "{name}"',
                where=str(sidecar.file),
                hint=did_you_mean(name, known) or "declare it in spec.parameters",
            )
        value = value[step]
    return value


def _substitute(fragment: Any, substitution: Substitution, value: Any, source: YamlFile) -> int:
    """Set the value of one substitution. Return how many items were searched for those that its path names."""
    try:
        *above, last = split_path(substitution.path)
    except ValueError:
        raise LibraryError(
            f'invalid path "{substitution.path}"',
            where=source.file,
            hint="use a path such as containers[0].env[LOG].value",
        ) from None
    owner, searched = fragment, 0
    trail: list[str | int] = []
    for step in above:
        index = _index(owner, step)
        searched += _count_searched(step, index)
        owner = _child(owner, index)
        if owner is _ABSENT:
            _raise_not_found(substitution, step, source, trail)
        trail.append(index)
    index = _index(owner, last)
    searched += _count_searched(last, index)
    if isinstance(owner, dict) and isinstance(index, str):
        if value is None:
            owner.pop(index, None)
        else:
            owner[index] = copy.deepcopy(value)
    elif isinstance(owner, list) and isinstance(index, int) and index < len(owner):
        if value is None:
            del owner[index]
        else:
            owner[index] = copy.deepcopy(value)
    else:
        _raise_not_found(substitution, last, source, trail)
    return searched


def _index(owner: Any, step: str | int) -> str | int:
    """Return the key or number of a step; for an unknown named item, the length of the list."""
    if isinstance(step, str) and step.startswith("=") and isinstance(owner, list):
        named = (n for n, item in enumerate(owner) if isinstance(item, dict) and item.get("name") == step[1:])
        return next(named, len(owner))
    return step


def _count_searched(step: str | int, index: str | int) -> int:
    """Return how many items come before the one that a step names, 0 for a key or a number."""
    return index if isinstance(step, str) and isinstance(index, int) else 0


def _child(owner: Any, index: str | int) -> Any:
    if isinstance(owner, dict) and isinstance(index, str):
        return owner.get(index, _ABSENT)
    if isinstance(owner, list) and isinstance(index, int) and index < len(owner):
        return owner[index]
    return _ABSENT


def _raise_not_found(substitution: Substitution, step: str | int, source: YamlFile, trail: list[str | int]) -> None:
    shown = f"[{step}]" if isinstance(step, int) else f"[{step[1:]}]" if step.startswith("=") else f'"{step}"'
    raise LibraryError(
        f'substitution "{substitution.path}" not found in the template: no {shown}',
        where=source.place(trail),
        hint="add the parent of the value to the template",
    )
