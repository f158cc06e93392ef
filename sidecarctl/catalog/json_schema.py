"""Checks a value against a JSON Schema (2020-12). Knows nothing of files or YAML.

`jsonschema` is the authority, but importing it costs more than most runs take: so a small check of our own answers
where it is sure that the value is valid, and everything else is asked of `jsonschema`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from sidecarctl.catalog.json_schema_messages import Problem, SchemaFault, explain, found, path_text, quoted

__all__ = ["Problem", "SchemaFault", "lookup", "path_text", "problems", "quoted", "verdict"]

_MAX_DEPTH = 100


def problems(schema: Any, value: object) -> list[Problem]:
    """Return everything in `value` that `schema` refuses; an empty list means valid."""
    if verdict(schema, value) is True:
        return []
    return explain(schema, value)


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
    [
        "$schema",
        "$comment",
        "$defs",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "format",
        "then",
        "else",
        "contentMediaType",
        "contentEncoding",
    ]
)


def verdict(schema: Any, value: object) -> bool | None:
    """Return True if `value` is surely valid, False if it surely is not, None where only `jsonschema` can tell."""
    return _judge(schema, value, schema, 0)


def _judge(schema: Any, value: object, root: Any, depth: int) -> bool | None:
    if schema is True or schema is False:
        return bool(schema)
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    sure: bool | None = True
    for keyword, rule in schema.items():
        judge = _KEYWORDS.get(keyword)
        if judge is None:
            # The root's own name changes nothing; one further in changes what "#/..." means there.
            named = keyword == "$id" and schema is root
            if not named and keyword not in _ANNOTATIONS and not keyword.startswith("x-"):
                sure = None
            continue
        answer = judge(rule, value, schema, root, depth + 1)
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
    """Equality of JSON values; None where it would depend on how numbers inside collections are compared."""
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


def _const(rule: Any, value: object, *_: Any) -> bool | None:
    return _equal(rule, value)


def _pattern(rule: Any, value: object, *_: Any) -> bool | None:
    if not isinstance(value, str):
        return True
    try:
        return found(rule, value)
    except (re.error, TypeError):
        return None


def _bound(measure: Callable[[Any], Any], applies: Callable[[object], bool], holds: Callable[[Any, Any], bool]) -> Any:
    def judge(rule: Any, value: object, *_: Any) -> bool | None:
        if not _is_number(rule):
            return None
        return holds(measure(value), rule) if applies(value) else True

    return judge


def _instance(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _at_least(value: Any, rule: Any) -> bool:
    return bool(value >= rule)


def _at_most(value: Any, rule: Any) -> bool:
    return bool(value <= rule)


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
    sure: bool | None = True
    for name, item in value.items():
        if name in rule:
            answer = _judge(rule[name], item, root, depth)
            if answer is False:
                return False
            if answer is None:
                sure = None
    return sure


def _pattern_properties(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(value, dict):
        return True
    try:
        return _all(
            _judge(schema, item, root, depth)
            for pattern, schema in rule.items()
            for name, item in value.items()
            if found(pattern, name)
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
            extra = [name for name in extra if not any(found(pattern, name) for pattern in patterns)]
        except (re.error, TypeError):
            return None
    return _all(_judge(rule, value[name], root, depth) for name in extra) if extra else True


def _property_names(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    return _all(_judge(rule, name, root, depth) for name in value) if isinstance(value, dict) else True


def _items(rule: Any, value: object, schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(value, list):
        return True
    if "prefixItems" in schema:
        return None
    return _all(_judge(rule, item, root, depth) for item in value)


def _all_of(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    return _all(_judge(branch, value, root, depth) for branch in rule) if isinstance(rule, list) else None


def _any_of(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(rule, list):
        return None
    answers = [_judge(branch, value, root, depth) for branch in rule]
    return True if True in answers else None if None in answers else False


def _one_of(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    if not isinstance(rule, list):
        return None
    answers = [_judge(branch, value, root, depth) for branch in rule]
    if answers.count(True) > 1:
        return False
    return None if None in answers else True in answers


def _not(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    answer = _judge(rule, value, root, depth)
    return None if answer is None else not answer


def _if(rule: Any, value: object, schema: Any, root: Any, depth: int) -> bool | None:
    answer = _judge(rule, value, root, depth)
    if answer is None:
        return None
    return _judge(schema.get("then" if answer else "else", True), value, root, depth)


def _ref(rule: Any, value: object, _schema: Any, root: Any, depth: int) -> bool | None:
    target = lookup(root, rule)
    return None if target is None else _judge(target, value, root, depth)


def lookup(root: Any, ref: object) -> Any:
    """Return what a local reference (`#/$defs/name`) points at, or None."""
    if not isinstance(ref, str) or not ref.startswith("#") or "%" in ref or "~" in ref:
        return None
    node = root
    for step in ref[1:].split("/")[1:]:
        if not isinstance(node, dict) or step not in node:
            return None
        node = node[step]
    return node


_Judge = Callable[[Any, object, Any, Any, int], "bool | None"]
_KEYWORDS: dict[str, _Judge] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minLength": _bound(len, _instance(str), _at_least),
    "maxLength": _bound(len, _instance(str), _at_most),
    "minItems": _bound(len, _instance(list), _at_least),
    "maxItems": _bound(len, _instance(list), _at_most),
    "minProperties": _bound(len, _instance(dict), _at_least),
    "maxProperties": _bound(len, _instance(dict), _at_most),
    "minimum": _bound(lambda value: value, _is_number, _at_least),
    "maximum": _bound(lambda value: value, _is_number, _at_most),
    "exclusiveMinimum": _bound(lambda value: value, _is_number, lambda value, rule: bool(value > rule)),
    "exclusiveMaximum": _bound(lambda value: value, _is_number, lambda value, rule: bool(value < rule)),
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
