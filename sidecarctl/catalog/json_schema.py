"""Validate values against a JSON Schema (2020-12).

`jsonschema` is the reference but slow to import, so a small checker handles the cases that it can decide.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from sidecarctl.catalog.schema_problems import SchemaProblem, path_text
from sidecarctl.catalog.schema_references import SchemaFault, resolve_ref
from sidecarctl.catalog.time_limit import explain_in_time, pattern_matches

__all__ = ["SchemaFault", "SchemaProblem", "find_problems", "path_text", "quick_check", "resolve_ref"]

_MAX_DEPTH = 100


def find_problems(schema: Any, value: object) -> list[SchemaProblem]:
    """Return all violations of a schema; an empty list means valid."""
    if quick_check(schema, value) is True:
        return []
    return explain_in_time(schema, value)


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_ANNOTATIONS = frozenset(
    ("$schema", "$comment", "$defs", "title", "description", "default", "examples", "deprecated")
) | {*("readOnly", "writeOnly", "format", "then", "else", "contentMediaType", "contentEncoding")}


def quick_check(schema: Any, value: object) -> bool | None:
    """Return True for a valid and False for an invalid value, None if only `jsonschema` can decide."""
    return _check(schema, value, schema, 0)


def _check(schema: Any, value: object, root: Any, depth: int) -> bool | None:
    if schema is True or schema is False:
        return bool(schema)
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    sure: bool | None = True
    for keyword, rule in schema.items():
        check = _KEYWORDS.get(keyword)
        if check is None:
            # `$id` of the root has no effect; nested ones change what "#/..." refers to.
            named = keyword == "$id" and schema is root
            if not named and keyword not in _ANNOTATIONS and not keyword.startswith("x-"):
                sure = None
            continue
        answer = check(rule, value, schema, root, depth + 1)
        if answer is False:
            return False
        if answer is None:
            sure = None
    return sure


def _all(answers: Iterable[bool | None]) -> bool | None:
    sure: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            sure = None
    return sure


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _has_type(name: object, value: object) -> bool | None:
    if not isinstance(name, str) or name not in _TYPES:
        return None
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _type(rule: Any, value: object, *_: Any) -> bool | None:
    if isinstance(rule, str):
        return _has_type(rule, value)
    names = rule if isinstance(rule, list) else [rule]
    answers = [_has_type(name, value) for name in names]
    return True if True in answers else None if None in answers else False


def _equal(one: object, two: object) -> bool | None:
    """Compare JSON values; None if the result depends on number types inside collections."""
    if isinstance(one, (list, dict)) and isinstance(two, (list, dict)):
        if json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True):
            return True
        return None
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    return bool(one == two)


def _enum(rule: Any, value: object, *_: Any) -> bool | None:
    if not isinstance(rule, list):
        return None
    if isinstance(value, str):
        return value in rule
    answers = [_equal(each, value) for each in rule]
    return True if True in answers else None if None in answers else False


def _pattern(rule: Any, value: object, *_: Any) -> bool | None:
    if not isinstance(value, str):
        return True
    try:
        return pattern_matches(rule, value)
    except (re.error, TypeError):
        return None


def _bound(measure: Callable[[Any], Any], applies: Callable[[object], bool], holds: Callable[[Any, Any], Any]) -> Any:
    def check(rule: Any, value: object, *_: Any) -> bool | None:
        if not _is_number(rule):
            return None
        return bool(holds(measure(value), rule)) if applies(value) else True

    return check


def _instance(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _multiple_of(rule: Any, value: object, *_: Any) -> bool | None:
    if not _is_number(value):
        return True
    if isinstance(value, int) and isinstance(rule, int) and not isinstance(rule, bool) and rule > 0:
        return value % rule == 0
    return None


def _unique_items(rule: Any, value: object, *_: Any) -> bool | None:
    if rule is False or not isinstance(value, list):
        return True
    if all(isinstance(item, str) for item in value):
        return len(set(value)) == len(value)
    return True if len(value) < 2 else None


def _required(rule: Any, value: object, *_: Any) -> bool | None:
    if not isinstance(value, dict):
        return True
    return all(name in value for name in rule) if isinstance(rule, list) else None


def _properties(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(value, dict):
        return True
    if not isinstance(rule, dict):
        return None
    return _all(_check(rule[name], item, root, depth) for name, item in value.items() if name in rule)


def _pattern_properties(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(value, dict):
        return True
    try:
        return _all(
            _check(schema, item, root, depth)
            for pattern, schema in rule.items()
            for name, item in value.items()
            if pattern_matches(pattern, name)
        )
    except (re.error, TypeError, AttributeError):
        return None


def _additional_properties(rule: Any, value: object, schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(value, dict):
        return True
    declared, patterns = schema.get("properties", {}), schema.get("patternProperties", ())
    extra = [name for name in value if name not in declared]
    if patterns and extra:
        try:
            extra = [name for name in extra if not any(pattern_matches(pattern, name) for pattern in patterns)]
        except (re.error, TypeError):
            return None
    return _all(_check(rule, value[name], root, depth) for name in extra) if extra else True


def _property_names(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    return _all(_check(rule, name, root, depth) for name in value) if isinstance(value, dict) else True


def _items(rule: Any, value: object, schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(value, list):
        return True
    if "prefixItems" in schema:
        return None
    return _all(_check(rule, item, root, depth) for item in value)


def _all_of(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    return _all(_check(branch, value, root, depth) for branch in rule) if isinstance(rule, list) else None


def _any_of(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(rule, list):
        return None
    answers = [_check(branch, value, root, depth) for branch in rule]
    return True if True in answers else None if None in answers else False


def _one_of(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(rule, list):
        return None
    answers = [_check(branch, value, root, depth) for branch in rule]
    if answers.count(True) > 1:
        return False
    return None if None in answers else True in answers


def _not(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    answer = _check(rule, value, root, depth)
    return None if answer is None else not answer


def _if(rule: Any, value: object, schema: Any, root: Any, depth: int) -> bool | None:
    answer = _check(rule, value, root, depth)
    if answer is None:
        return None
    return _check(schema.get("then" if answer else "else", True), value, root, depth)


def _ref(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    target = resolve_ref(root, rule)
    return None if target is None else _check(target, value, root, depth)


_Check = Callable[[Any, object, Any, Any, int], "bool | None"]
_KEYWORDS: dict[str, _Check] = {
    "type": _type,
    "enum": _enum,
    "const": lambda rule, value, *_: _equal(rule, value),
    "pattern": _pattern,
    "minLength": _bound(len, _instance(str), operator.ge),
    "maxLength": _bound(len, _instance(str), operator.le),
    "minItems": _bound(len, _instance(list), operator.ge),
    "maxItems": _bound(len, _instance(list), operator.le),
    "minProperties": _bound(len, _instance(dict), operator.ge),
    "maxProperties": _bound(len, _instance(dict), operator.le),
    "minimum": _bound(lambda value: value, _is_number, operator.ge),
    "maximum": _bound(lambda value: value, _is_number, operator.le),
    "exclusiveMinimum": _bound(lambda value: value, _is_number, operator.gt),
    "exclusiveMaximum": _bound(lambda value: value, _is_number, operator.lt),
    "multipleOf": _multiple_of,
    "uniqueItems": _unique_items,
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "items": _items,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "$ref": _ref,
}
