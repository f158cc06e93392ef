"""References of a JSON Schema, and the schemas in it that apply to the same value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class SchemaFault(ValueError):
    """The schema itself is invalid."""


def resolve_ref(root: Any, ref: object) -> Any:
    """Return the target of a local reference (`#/$defs/name`), or None."""
    if not isinstance(ref, str) or not ref.startswith("#") or "%" in ref or "~" in ref:
        return None
    node = root
    for step in ref[1:].split("/")[1:]:
        if not isinstance(node, dict) or step not in node:
            return None
        node = node[step]
    return node


_BRANCHES = ("allOf", "anyOf", "oneOf")
_CONDITIONS = ("if", "then", "else", "not")


def same_value_schemas(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the schemas in a schema that apply to the same value: branches and conditions, without references."""
    for keyword in _BRANCHES:
        yield from schema[keyword] if isinstance(schema.get(keyword), list) else ()
    yield from (schema[keyword] for keyword in _CONDITIONS if keyword in schema)
    dependent = schema.get("dependentSchemas")
    yield from dependent.values() if isinstance(dependent, Mapping) else ()


def check_endless(root: Any) -> None:
    """Raise SchemaFault if a reference leads to itself for the same value, so that no value can be validated."""
    from graphlib import CycleError, TopologicalSorter

    sorter: TopologicalSorter[int] = TopologicalSorter()
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or not isinstance(part, (Mapping, list)):
            continue
        seen.add(id(part))
        waiting += part if isinstance(part, list) else part.values()
        if isinstance(part, Mapping):
            sorter.add(id(part), *map(id, same_value_schemas(part)), id(resolve_ref(root, part.get("$ref"))))
    try:
        sorter.prepare()
    except CycleError:
        raise SchemaFault("endless validation: a $ref refers to itself") from None
