"""The parameters of a sidecar as rows of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.json_schema import resolve_ref
from sidecarctl.catalog.time_limit import library_time_limit
from sidecarctl.errors import LibraryError

_MAX_DEPTH = 12
# References that branch multiply: 30 schemas can have a billion parameters.
_MAX_ROWS = 2000
_MAX_TYPE = 300  # characters
_MISSING = object()
_OMITTED_DEFAULTS: tuple[object, ...] = (_MISSING, None, {}, [], "")


@dataclass(frozen=True)
class ParameterRow:
    """One parameter.

    path      names from the top; "[]" is each item of a list, "<name>" each key of a map
    type      as text: "string", "nginx | redis", "integer, 1 to 65535", "list of string"
    default   as YAML on one line; "" if there is none or it is empty
    """

    path: tuple[str, ...]
    type: str
    default: str = ""
    required: bool = False
    description: str = ""
    secret: bool = False

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path[-1]

    @property
    def depth(self) -> int:
        """The nesting depth, 0 at the top."""
        return len(self.path) - 1

    @property
    def note(self) -> str:
        """The type, whether the parameter is required or secret, and its default."""
        marks = ["required"] if self.required else []
        marks += [f"default {self.default}"] if self.default else []
        marks += ["secret"] if self.secret else []
        return ", ".join([self.type, *marks])


def list_parameters(schema: Mapping[str, Any], where: str = "") -> list[ParameterRow]:
    """Return the parameters of a schema, nested ones after their parent.

    Raise LibraryError for more than 2,000, and if finding them exceeds the limit of time.
    """
    with library_time_limit("listing the parameters of the schema", where):
        rows = list(islice(_property_rows(schema, schema, ()), _MAX_ROWS + 1))
    if len(rows) > _MAX_ROWS:
        raise LibraryError(
            f"the schema has more than {_MAX_ROWS:,} parameters", where=where, hint="use fewer references that branch"
        )
    return rows


def list_common_parameters() -> list[ParameterRow]:
    """Return the parameters that all sidecars have, without nested ones."""
    return [row for row in list_parameters(common_parameters.SCHEMA) if not row.depth]


def _property_rows(schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[ParameterRow]:
    if len(path) > _MAX_DEPTH:
        return
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        inner = _resolve_ref(part, root)
        yield ParameterRow(
            (*path, name),
            describe_type(inner, root),
            _default(inner),
            name in required and "default" not in inner,
            one_line(inner.get("description", "")),
            bool(inner.get("writeOnly")),
        )
        yield from _nested_rows(inner, root, (*path, name))


def _nested_rows(schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[ParameterRow]:
    """Yield the rows of object properties, list items, and map values."""
    if len(path) > _MAX_DEPTH:
        return
    yield from _property_rows(schema, root, path)
    for key, step in (("items", "[]"), ("additionalProperties", "<name>")):
        inner = _resolve_ref(schema.get(key), root)
        if "properties" in inner:
            yield from _property_rows(inner, root, (*path, step))
        elif "items" in inner or isinstance(inner.get("additionalProperties"), Mapping):
            yield from _nested_rows(inner, root, (*path, step))


def _resolve_ref(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(20):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            break
        target = resolve_ref(root, schema["$ref"])
        schema = {
            **(target if isinstance(target, Mapping) else {}),
            **{k: v for k, v in schema.items() if k != "$ref"},
        }
    return schema if isinstance(schema, Mapping) else {}


def one_line(text: str) -> str:
    """Return text with all whitespace collapsed."""
    return " ".join(text.split())


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default", _MISSING)
    if schema.get("writeOnly") or any(value is dull or value == dull for dull in _OMITTED_DEFAULTS):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if text != text.strip() or "\n" in text else text


def describe_type(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return a short description of the values that a schema accepts."""
    return _describe_type(schema, root, {})


def _describe_once(part: Any, root: Mapping[str, Any], known: dict[int, str]) -> str:
    """Return the description of a part of a schema; `known` has those of parts that were described, or are being described."""
    if id(part) not in known:
        known[id(part)] = "any value"
        inner = _resolve_ref(part, root)
        text = _describe_type(inner, root, known)
        known[id(part)] = text if len(text) <= _MAX_TYPE or "enum" in inner else "any value"
    return known[id(part)]


def _describe_type(schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[int, str]) -> str:
    if "enum" in schema:
        return " | ".join(_word(value) for value in schema["enum"])
    if "const" in schema:
        return _word(schema["const"])
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and "type" not in schema:
            texts = [_describe_once(branch, root, known) for branch in schema[keyword]]
            return " or ".join(dict.fromkeys(texts))
    kind = schema.get("type", "object" if "properties" in schema else "any value")
    words = [_describe_one_type(each, schema, root, known) for each in (kind if isinstance(kind, list) else [kind])]
    bounds = _bounds(schema)
    return " or ".join(words) + (f", {bounds}" if bounds else "")


def _word(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _describe_one_type(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], known: dict[int, str]) -> str:
    if kind == "array":
        inner = schema.get("items")
        return f"list of {_plural(_describe_once(inner, root, known))}" if _resolve_ref(inner, root) else "list"
    if kind == "object" and "properties" not in schema:
        inner = schema.get("additionalProperties")
        return f"map of {_plural(_describe_once(inner, root, known))}" if _resolve_ref(inner, root) else "map"
    return {"object": "map", "boolean": "true | false", "null": "null"}.get(kind, kind)


def _plural(text: str) -> str:
    words = {
        "string": "strings",
        "integer": "integers",
        "number": "numbers",
        "map": "maps",
        "any value": "anything",
    }
    return words.get(text, f"({text})" if " " in text else text)


def _bounds(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{least} to {most}"
    if least is not None:
        return f"at least {least}"
    return f"at most {most}" if most is not None else ""
