"""Values of parameters and their schema: text that becomes a value, and defaults."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog.assignments import RawText
from sidecarctl.catalog.json_schema import SchemaFault, resolve_ref
from sidecarctl.catalog.time_limit import pattern_matches
from sidecarctl.yamltext import nodes
from sidecarctl.yamltext.parse import SyntaxProblem, parse

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}

_MAX_DEPTH = 50


def _follow_refs(schema: Any, root: Any) -> Any:
    for _ in range(20):
        if not (isinstance(schema, Mapping) and "$ref" in schema):
            break
        schema = resolve_ref(root, schema["$ref"])
    return schema if isinstance(schema, Mapping) else {}


def _branches(schema: Any, root: Any) -> Iterable[Mapping[str, Any]]:
    schema = _follow_refs(schema, root)
    yield schema
    for keyword in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(keyword, ()):
            yield _follow_refs(branch, root)


def _property(schema: Any, name: str, root: Any) -> Any:
    """Return the schema of a property: declared, by pattern, or of additional properties."""
    for branch in _branches(schema, root):
        if name in branch.get("properties", {}):
            return branch["properties"][name]
    for branch in _branches(schema, root):
        for pattern, inner in branch.get("patternProperties", {}).items():
            if name_matches(pattern, name):
                return inner
        if isinstance(branch.get("additionalProperties"), Mapping):
            return branch["additionalProperties"]
    return {}


def name_matches(pattern: str, name: str) -> bool:
    """Return whether a pattern of `patternProperties` matches a name. Raise SchemaFault for an invalid or slow pattern."""
    try:
        return pattern_matches(pattern, name)
    except re.error as error:
        raise SchemaFault(f'invalid pattern "{pattern}": {error}') from None


def _item(schema: Any, root: Any) -> Any:
    return next((b["items"] for b in _branches(schema, root) if isinstance(b.get("items"), Mapping)), {})


def _types(schema: Any, root: Any, depth: int = 0) -> set[str]:
    """Return the JSON types that a schema accepts, empty for any. Raise SchemaFault for a branch that leads to itself."""
    if depth > _MAX_DEPTH:
        raise SchemaFault("endless branches: a $ref refers to itself")
    names: set[str] = set()
    schema = _follow_refs(schema, root)
    if "type" in schema:
        return set(schema["type"] if isinstance(schema["type"], list) else [schema["type"]])
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        return {_JSON_TYPES.get(type(value), "null") for value in values}
    for keyword in ("anyOf", "oneOf"):
        inner = [_types(branch, root, depth + 1) for branch in schema.get(keyword, ())]
        if inner and all(inner):
            names = names.union(*inner)
    return names


def convert(value: Any, schema: Any, root: Any) -> Any:
    """Return the value with each `RawText` parsed according to its schema."""
    if isinstance(value, RawText):
        return _read(str(value), schema, root)
    if isinstance(value, Mapping):
        return {name: convert(inner, _property(schema, name, root), root) for name, inner in value.items()}
    if isinstance(value, list):
        return [convert(inner, _item(schema, root), root) for inner in value]
    return copy.deepcopy(value)


def _read(text: str, schema: Any, root: Any) -> Any:
    admitted = _types(schema, root)
    if admitted == {"string"}:
        return text
    try:
        node = parse(text)
    except SyntaxProblem:
        if "string" in admitted:
            return text
        raise
    return _from_node(node, text, schema, root) if node else ("" if "string" in admitted else None)


def _from_node(node: nodes.Node, text: str, schema: Any, root: Any) -> Any:
    if isinstance(node, nodes.Mapping) and not node.merges:
        return {
            name: _from_node(inner, text, _property(schema, name, root), root)
            for name, (_, inner) in node.pairs.items()
        }
    if isinstance(node, nodes.Sequence):
        return [_from_node(inner, text, _item(schema, root), root) for inner in node.items]
    admitted = _types(schema, root)
    if isinstance(node, nodes.Scalar) and node.style == "" and "string" in admitted:
        kind = _JSON_TYPES.get(type(node.value), "null")
        fits = kind in admitted or (kind == "integer" and "number" in admitted)
        return node.value if fits else text[node.start : node.end]
    return copy.deepcopy(node.value)


def _nullable(schema: Any, root: Any) -> bool:
    admitted = _types(schema, root)
    return not admitted or "null" in admitted


def has_default(schema: Any, root: Any) -> bool:
    """Return whether the schema of a property, which can be a boolean, declares a default other than null."""
    return isinstance(schema, Mapping) and {**_follow_refs(schema, root), **schema}.get("default") is not None


class _Steps:
    """Counts down properties that are visited: references that branch, and items times properties, have no other limit."""

    def __init__(self) -> None:
        self.left = limits.STEPS.value

    def take(self, count: int) -> None:
        """Raise SchemaFault if there are not so many left."""
        self.left -= count
        if self.left < 0:
            raise SchemaFault(
                f"the parameters have more than {limits.STEPS.value:,} properties, with defaults; {limits.STEPS.way_out}"
            )


def with_defaults(value: Any, schema: Any, root: Any, depth: int = 0, steps: _Steps | None = None) -> Any:
    """Return a value with the defaults of its schema. `depth` counts defaults in defaults; given values can be deeper.

    Raises SchemaFault for defaults without end.
    """
    schema = _follow_refs(schema, root)
    steps = steps or _Steps()
    if depth > _MAX_DEPTH:
        raise SchemaFault("endless defaults: a $ref refers to itself")
    if isinstance(value, list):
        return [with_defaults(inner, _item(schema, root), root, depth, steps) for inner in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    steps.take(len(schema.get("properties", {})) + len(value))
    for name, inner in schema.get("properties", {}).items():
        target = _follow_refs(inner, root)
        if name in value and (value[name] is not None or _nullable(inner, root)):
            result[name] = with_defaults(value[name], inner, root, depth, steps)
        elif isinstance(inner, Mapping) and "default" in {**target, **inner}:
            default = copy.deepcopy({**target, **inner}["default"])
            result[name] = with_defaults(default, inner, root, depth + 1, steps)
        elif "properties" in target and not target.get("required") and target.get("type") == "object":
            result[name] = with_defaults({}, inner, root, depth + 1, steps)
    for name, inner in value.items():
        if name not in schema.get("properties", {}):
            result[name] = with_defaults(inner, _property(schema, name, root), root, depth, steps)
    return result


def with_nulls(value: Any, schema: Any, root: Any, steps: _Steps | None = None) -> Any:
    """Set declared properties without a value to None, so that templates can test them with `if`.

    Raises SchemaFault if there are too many.
    """
    steps = steps or _Steps()
    if isinstance(value, list):
        return [with_nulls(inner, _item(schema, root), root, steps) for inner in value]
    if not isinstance(value, dict):
        return value
    declared = [name for branch in _branches(schema, root) for name in branch.get("properties", {})]
    steps.take(len(declared) + len(value))
    result = {name: with_nulls(inner, _property(schema, name, root), root, steps) for name, inner in value.items()}
    return {**result, **{name: None for name in declared if name not in result}}


def remove_defaults(value: Any, default: Any, schema: Any, root: Any) -> Any:
    """Return the values that differ from the defaults."""
    result = {}
    for name, inner in value.items():
        part = _property(schema, name, root)
        if isinstance(default, dict) and name in default and _same(inner, default[name]):
            continue
        if isinstance(inner, dict) and isinstance(default, dict) and isinstance(default.get(name), dict):
            inner = remove_defaults(inner, default[name], part, root)
        result[name] = inner
    return result


def _same(one: object, two: object) -> bool:
    return one == two and type(one) is type(two)


def has_secrets(schema: Any) -> bool:
    """Return True if a parameter schema has a `writeOnly` parameter."""
    if isinstance(schema, dict):
        if schema.get("writeOnly") is True:
            return True
        parts: Iterable[Any] = schema.values()
    else:
        parts = schema if isinstance(schema, list) else ()
    return any(has_secrets(part) for part in parts if isinstance(part, (dict, list)))


def find_text(values: object, text: str, key: str = "") -> str:
    """Return the dotted key of the first parameter whose text, or one of whose keys, contains a text; "" if there is none."""
    if isinstance(values, str):
        return key if text in values else ""
    if isinstance(values, Mapping):
        named = ((str(name), inner) for name, inner in values.items())
        found = (
            key if text in name else find_text(inner, text, f"{key}.{name}" if key else name) for name, inner in named
        )
    elif isinstance(values, (list, tuple)):
        found = (find_text(inner, text, f"{key}[{index}]") for index, inner in enumerate(values))
    else:
        return ""
    return next(filter(None, found), "")
