"""Tests of JSON Schema validation: the quick check agrees with jsonschema, and messages are plain."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.catalog.json_schema import SchemaFault, find_problems, quick_check
from tests.command import ROOT

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 1.5, -2.5])
    | st.text("ab1", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
_TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
_SMALL = st.integers(0, 3)


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    by_name = st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    some = st.lists(inner, min_size=1, max_size=3)
    return st.booleans() | st.fixed_dictionaries(
        {},
        optional={
            "type": _TYPES | st.lists(_TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(_VALUES, min_size=1, max_size=3),
            "const": _VALUES,
            "pattern": st.sampled_from(["^a", "b$", "1"]),
            "minLength": _SMALL,
            "maxLength": _SMALL,
            "minimum": st.integers(-2, 2),
            "exclusiveMaximum": st.integers(-2, 2),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minItems": _SMALL,
            "maxProperties": _SMALL,
            "uniqueItems": st.booleans(),
            "items": inner,
            "prefixItems": some,
            "properties": by_name,
            "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=1),
            "propertyNames": inner,
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "description": st.just("text"),
            "dependentRequired": st.just({"a": ["b"]}),
            "$ref": st.just("#/$defs/leaf"),
        },
    )


_SCHEMAS = st.recursive(st.booleans() | st.fixed_dictionaries({"type": _TYPES}), _keywords, max_leaves=8)


@settings(max_examples=250, deadline=None)
@given(schema=_SCHEMAS, leaf=st.booleans() | st.fixed_dictionaries({"type": _TYPES}), value=_VALUES)
def test_quick_check_agrees_with_jsonschema(schema: Any, leaf: Any, value: Any) -> None:
    if isinstance(schema, dict):
        schema = {**schema, "$defs": {"leaf": leaf}}
    elif "$ref" in str(schema):
        return
    valid = jsonschema.Draft202012Validator(schema).is_valid(value)
    answer = quick_check(schema, value)
    assert answer is None or answer == valid
    assert (find_problems(schema, value) == []) == valid


def test_quick_check_decides_common_schemas() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}, "b": {"enum": [1, 2]}},
        "required": ["a"],
    }
    assert quick_check(schema, {"a": "x", "b": 2}) is True
    assert quick_check(schema, {"b": 3}) is False


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        (
            {"properties": {"period": {"type": "integer"}}},
            {"period": "a"},
            'period: must be an integer, got the string "a"',
        ),
        (
            {"additionalProperties": False, "properties": {"period": True}},
            {"perod": 1},
            'perod: unknown field; did you mean "period"?',
        ),
        ({"required": ["repo"]}, {}, "missing required field: repo"),
        (
            {"enum": ["native", "classic"]},
            "nativ",
            'must be one of "native", "classic", got "nativ"; did you mean "native"?',
        ),
        ({"minimum": 3}, 1, "must be at least 3, got 1"),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, 5, "must be a string or a mapping, got 5"),
        (
            {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"host": {"type": "string"}}}]},
            {"host": 1},
            "host: must be a string, got the number 1",
        ),
        ({"propertyNames": {"pattern": "^[a-z]+$"}}, {"A": 1}, "A: invalid field name"),
    ],
)
def test_messages_name_value_and_constraint(schema: Any, value: Any, message: str) -> None:
    assert "; ".join(str(problem) for problem in find_problems(schema, value)).startswith(message)


def test_hides_secret_values() -> None:
    found = find_problems({"properties": {"password": {"type": "string", "writeOnly": True}}}, {"password": 4711})
    assert "4711" not in str(found[0])


SECRET = {"type": "string", "pattern": "^a", "writeOnly": True}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"writeOnly": True, "anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^a"}]}, "S3CR3T"),
        ({"writeOnly": True, "oneOf": [{"type": "integer"}, {"enum": ["a"]}]}, "S3CR3T"),
        (
            {"writeOnly": True, "properties": {"b": {"type": "object", "properties": {"c": {"pattern": "^a"}}}}},
            {"b": {"c": "S3CR3T"}},
        ),
        ({"writeOnly": True, "if": {"type": "string"}, "then": {"maxLength": 1}}, "S3CR3T"),
        ({"writeOnly": True, "type": "array", "contains": {"const": 1}}, ["S3CR3T"]),
        ({"writeOnly": True, "type": "array", "uniqueItems": True}, ["S3CR3T", "S3CR3T"]),
        ({"writeOnly": True, "not": {"type": "string"}}, "S3CR3T"),
        ({"type": "array", "items": SECRET}, ["S3CR3T"]),
        ({"$ref": "#/$defs/one"}, "S3CR3T"),
        ({"allOf": [{"$ref": "#/$defs/more"}]}, {"b": "S3CR3T"}),
    ],
)
def test_hides_secret_values_in_every_branch(schema: Any, value: Any) -> None:
    whole = {
        "properties": {"p": schema},
        "$defs": {"one": SECRET, "more": {"writeOnly": True, "properties": {"b": {"pattern": "^a"}}}},
    }
    found = find_problems(whole, {"p": value})
    assert found
    assert "S3CR3T" not in "".join(map(str, found))


@pytest.mark.parametrize("schema", [{"pattern": "["}, {"$ref": "#/$defs/nothing"}, {"type": "strin"}])
def test_invalid_schema_is_a_schema_fault(schema: Any) -> None:
    with pytest.raises(SchemaFault):
        find_problems(schema, "x")


def test_quick_check_decides_compositions() -> None:
    schema = json.loads((ROOT / "schemas" / "composition.schema.json").read_text())
    rule = {"select": {"all": True}, "sidecars": ["logger", {"name": "metrics", "parameters": {}}]}
    value = {"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "Composition", "metadata": {"name": "x"}}
    assert quick_check(schema, {**value, "spec": {"rules": [rule]}}) is True
    assert quick_check({"properties": {"a": {"$id": "https://example.com/a", "$ref": "#/$defs/b"}}}, {"a": 1}) is None


@pytest.mark.parametrize("value", [["a", "b", "a"], [1, 1.0], [{"a": 1}, {"a": 1}]])
def test_reports_duplicate_items(value: list[Any]) -> None:
    schema = {"properties": {"ports": {"type": "array", "uniqueItems": True}}}
    assert quick_check(schema, {"ports": value}) is not True
    assert [str(problem) for problem in find_problems(schema, {"ports": value})] == ["ports: duplicate item"]
    assert find_problems(schema, {"ports": value[:2][:1]}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"additionalProperties": {"pattern": "^[a$]$"}},
        {"additionalProperties": {"pattern": r"^(\w|[\d])$"}},
        {"patternProperties": {"^a$": True}, "additionalProperties": False},
        {"patternProperties": {"^a$": True, "^a\n": {"type": "null"}}},
        {"propertyNames": {"pattern": "^a$"}, "additionalProperties": True},
    ],
)
@pytest.mark.parametrize("text", ["a\n", "\u0663", "\u00e9"])
def test_end_digits_and_letters_of_a_pattern_are_those_of_ecma_262(schema: dict[str, Any], text: str) -> None:
    # Python's `$` matches before a final line break, and its \d and \w take those of every script.
    assert find_problems(schema, {"a": "a"}) == []
    if text == "a\n" or "patternProperties" not in schema:
        found = find_problems(schema, {text: text})
        assert found
        assert all(problem.message for problem in found)
        assert quick_check(schema, {text: text}) is False
