"""A parameters schema as rows for people: name, type, default, description, the nested ones below theirs. Knows no layout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.json_schema import lookup

_MAX_DEPTH = 12
_NOTHING = object()
_DULL: tuple[object, ...] = (_NOTHING, None, {}, [], "")


@dataclass(frozen=True)
class Row:
    """One parameter.

    path      names from the top; "[]" stands for each item of a list, "<name>" for each key of a map
    type      in words: "string", "nginx | redis", "integer, 1 to 65535", "list of string"
    default   as YAML in one line; "" where there is none worth telling
    """

    path: tuple[str, ...]
    type: str
    default: str = ""
    required: bool = False
    description: str = ""
    secret: bool = False

    @property
    def name(self) -> str:
        """The last step."""
        return self.path[-1]

    @property
    def depth(self) -> int:
        """0 at the top."""
        return len(self.path) - 1

    @property
    def note(self) -> str:
        """Type, and what else is to know in a few words."""
        marks = ["required"] if self.required else []
        marks += [f"default {self.default}"] if self.default else []
        marks += ["secret"] if self.secret else []
        return ", ".join([self.type, *marks])


def rows(schema: Mapping[str, Any]) -> list[Row]:
    """Return the parameters of a schema, each before its nested ones."""
    return list(_below(schema, schema, ()))


def common_rows() -> list[Row]:
    """Return the parameters that every sidecar takes, without their insides."""
    return [row for row in rows(common_parameters.SCHEMA) if not row.depth]


def _below(schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Row]:
    if len(path) > _MAX_DEPTH:
        return
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        inner = _resolved(part, root)
        yield Row(
            (*path, name),
            type_text(inner, root),
            _default(inner),
            name in required and "default" not in inner,
            one_line(inner.get("description", "")),
            bool(inner.get("writeOnly")),
        )
        yield from _inside(inner, root, (*path, name))


def _inside(schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a mapping's keys, of a list's items, of a map's values."""
    if len(path) > _MAX_DEPTH:
        return
    yield from _below(schema, root, path)
    for key, step in (("items", "[]"), ("additionalProperties", "<name>")):
        inner = _resolved(schema.get(key), root)
        if "properties" in inner:
            yield from _below(inner, root, (*path, step))
        elif "items" in inner or isinstance(inner.get("additionalProperties"), Mapping):
            yield from _inside(inner, root, (*path, step))


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(20):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            break
        target = lookup(root, schema["$ref"])
        schema = {
            **(target if isinstance(target, Mapping) else {}),
            **{k: v for k, v in schema.items() if k != "$ref"},
        }
    return schema if isinstance(schema, Mapping) else {}


def one_line(text: str) -> str:
    """Return text on one line."""
    return " ".join(text.split())


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default", _NOTHING)
    if schema.get("writeOnly") or any(value is dull or value == dull for dull in _DULL):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if text != text.strip() or "\n" in text else text


def type_text(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return what values a schema takes, in a few words."""
    if "enum" in schema:
        return " | ".join(_word(value) for value in schema["enum"])
    if "const" in schema:
        return _word(schema["const"])
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and "type" not in schema:
            texts = [type_text(_resolved(branch, root), root) for branch in schema[keyword]]
            return " or ".join(dict.fromkeys(texts))
    kind = schema.get("type", "object" if "properties" in schema else "any value")
    words = [_one_type(each, schema, root) for each in (kind if isinstance(kind, list) else [kind])]
    bounds = _bounds(schema)
    return " or ".join(words) + (f", {bounds}" if bounds else "")


def _word(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _one_type(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if kind == "array":
        inner = _resolved(schema.get("items"), root)
        return f"list of {_plural(type_text(inner, root))}" if inner else "list"
    if kind == "object" and "properties" not in schema:
        inner = _resolved(schema.get("additionalProperties"), root)
        return f"map of {_plural(type_text(inner, root))}" if inner else "map"
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
