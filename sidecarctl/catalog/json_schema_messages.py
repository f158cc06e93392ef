"""Messages for JSON Schema violations."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.catalog.pattern_words import describe_pattern
from sidecarctl.catalog.schema_problems import Path, SchemaProblem
from sidecarctl.catalog.schema_references import SchemaFault, check_endless, resolve_ref
from sidecarctl.errors import Suggester, did_you_mean


def explain_errors(schema: Any, value: object) -> list[SchemaProblem]:
    """Return the violations found by `jsonschema`. Raise SchemaFault for an invalid schema."""
    from jsonschema.exceptions import SchemaError  # takes 100 ms to import
    from referencing import Registry

    from sidecarctl.catalog.schema_pattern import validator_class

    validator = validator_class()(schema, registry=Registry())  # the default registry opens URLs and files
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about patterns: for the author, not for the user
            errors = sorted(validator.iter_errors(value), key=lambda error: [str(step) for step in error.absolute_path])
        for error in errors:
            _hide_secrets(error, schema)
        problems = [problem for error in errors for problem in _to_problems(error)]
    except RecursionError:
        check_endless(schema)
        return [SchemaProblem((), "nested too deeply, or a pattern of its schema is")]
    except (SchemaError, re.error, TypeError, AttributeError, OverflowError) as error:
        raise SchemaFault(str(error)) from None
    except Exception as error:  # errors of unresolvable references have a class of another package
        if type(error).__module__.split(".")[0] not in ("referencing", "jsonschema"):
            raise
        raise SchemaFault(str(error)) from None
    return list(dict.fromkeys(problems))


_MOST_REFERENCES = 20  # one after the other


def _hide_secrets(error: Any, root: Any) -> None:
    """Mark an error as one about a `writeOnly` value if a schema around it is `writeOnly`, and so the errors of its branches."""
    part: Any = root
    for step in error.absolute_schema_path:
        for _ in range(_MOST_REFERENCES):  # the path of an error leaves out `$ref`
            if not (isinstance(part, Mapping) and "$ref" in part):
                break
            target = resolve_ref(root, part["$ref"])
            beside = {key: value for key, value in part.items() if key != "$ref"}
            part = {**target, **beside} if isinstance(target, Mapping) else beside
        if isinstance(part, Mapping) and part.get("writeOnly") is True and isinstance(error.schema, Mapping):
            error.schema = {**error.schema, "writeOnly": True}
            break
        try:
            part = part[step]
        except (LookupError, TypeError):  # behind a reference that is not local
            break
    for inner in error.context:
        _hide_secrets(inner, root)


def _to_problems(error: Any) -> list[SchemaProblem]:
    path: Path = tuple(error.absolute_path)
    if error.validator in ("anyOf", "oneOf") and error.context:
        return _branch_problems(error, path)
    if error.validator == "additionalProperties" and error.validator_value is False:
        return _unknown_fields(error, path)
    if error.validator == "required":
        names = [name for name in error.validator_value if name not in error.instance and f"{name!r}" in error.message]
        parts = error.schema.get("properties", {})
        return [
            SchemaProblem(path, f"missing required field: {name}", _describe_required(parts.get(name)), missing=name)
            for name in names
        ]
    if "propertyNames" in list(error.absolute_schema_path)[-3:-1]:
        return [
            SchemaProblem((*path, str(error.instance)), f"invalid field name: {_describe_error(error)}", on_key=True)
        ]
    hint = _describe(error.schema) if isinstance(error.schema, Mapping) else ""
    if error.validator == "enum" and isinstance(error.instance, str):
        hint = did_you_mean(error.instance, [x for x in error.validator_value if isinstance(x, str)]) or hint
    return [SchemaProblem(path, _describe_error(error), hint)]


def _describe(schema: object) -> str:
    text = schema.get("description") if isinstance(schema, Mapping) else None
    return " ".join(text.split()).rstrip(".") if isinstance(text, str) else ""


def _describe_required(schema: object) -> str:
    """Return the description of a required field, with its choices or its form."""
    text = _describe(schema)
    if not isinstance(schema, Mapping):
        return text
    choices = schema.get("enum")
    pattern = schema.get("pattern")
    form = f"one of {', '.join(map(str, choices))}" if isinstance(choices, list) else ""
    form = form or (describe_pattern(pattern) if isinstance(pattern, str) else "")
    return f"{text} ({form})" if text and form else text or form


def _unknown_fields(error: Any, path: Path) -> list[SchemaProblem]:
    from sidecarctl.catalog.schema_pattern import search

    known, patterns = (list(error.schema.get(key, {})) for key in ("properties", "patternProperties"))
    unknown = [k for k in error.instance if k not in known and not any(search(p, k) for p in patterns)]
    allowed = f"known fields: {', '.join(known[:12])}{', …' * (len(known) > 12)}" if known else "no fields are allowed"
    suggester = Suggester()
    return [
        SchemaProblem((*path, key), "unknown field", suggester.did_you_mean(key, known) or allowed, on_key=True)
        for key in map(str, unknown)
    ]


def _branch_problems(error: Any, path: Path) -> list[SchemaProblem]:
    """Return the violations of the closest branch of anyOf or oneOf: the one whose type matches."""
    groups: dict[int, list[Any]] = {}
    for inner in error.context:
        groups.setdefault(inner.schema_path[0] if inner.schema_path else -1, []).append(inner)
    fits = [g for g in groups.values() if not any(e.validator in ("type", "const") and not e.path for e in g)]
    if len(fits) == 1 or (fits and any(e.path for g in fits for e in g)):
        best = max(fits, key=lambda group: (max(len(e.path) for e in group), -len(group)))
        return [problem for inner in best for problem in _to_problems(inner)]
    if not fits and all(e.validator == "type" for g in groups.values() for e in g):
        names = [n for e in error.context for n in _type_names(e.validator_value)]
        wanted = " or ".join(dict.fromkeys(names))
        return [SchemaProblem(path, f"must be {wanted}, got {describe_value(error)}", _describe(error.schema))]
    texts = list(dict.fromkeys(_describe_error(e) for g in (fits or groups.values()) for e in g))
    return [SchemaProblem(path, f"matches no allowed form: {'; or '.join(texts)}", _describe(error.schema))]


_NOUNS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_MESSAGES: dict[str, str] = {
    "const": "must be {rule}, got {shown}",
    "pattern": "must match the pattern {bare}, got {shown}",
    "minimum": "must be at least {rule}, got {shown}",
    "maximum": "must be at most {rule}, got {shown}",
    "exclusiveMinimum": "must be more than {rule}, got {shown}",
    "exclusiveMaximum": "must be less than {rule}, got {shown}",
    "multipleOf": "must be a multiple of {rule}, got {shown}",
    "minLength": "must have a length of at least {rule}, got {shown}",
    "maxLength": "must have a length of at most {rule}, got {shown}",
    "minItems": "must have at least {rule} {items}, got {count}",
    "maxItems": "must have at most {rule} {items}, got {count}",
    "minProperties": "must have at least {rule} {fields}, got {count}",
    "maxProperties": "must have at most {rule} {fields}, got {count}",
    "uniqueItems": "duplicate item",
    "not": "value not allowed: {shown}",
}


def _type_names(rule: object) -> list[str]:
    names = rule if isinstance(rule, list) else [rule]
    return [_NOUNS.get(str(name), str(name)) for name in names]


def _describe_error(error: Any) -> str:
    if error.validator == "type":
        return f"must be {' or '.join(_type_names(error.validator_value))}, got {describe_value(error)}"
    if error.validator == "enum":
        return f"must be one of {', '.join(map(format_value, error.validator_value))}, got {describe_value(error)}"
    words = describe_pattern(str(error.validator_value)) if error.validator == "pattern" else ""
    if words:
        return f"must be {words}, got {describe_value(error)}"
    form = _MESSAGES.get(error.validator)
    if form is None:
        return f"violates {error.validator}" if _is_hidden(error) else str(error.message)
    count = len(error.instance) if isinstance(error.instance, Sequence | Mapping) else 0
    rule = error.validator_value
    return form.format(
        shown=describe_value(error),
        rule=format_value(rule),
        bare=rule,
        count=count,
        items="item" if rule == 1 else "items",
        fields="field" if rule == 1 else "fields",
    )


def format_value(value: object) -> str:
    """Return a value as JSON, shortened to 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def describe_value(error: Any) -> str:
    """Return the invalid value with its type. Values of `writeOnly` schemas are hidden."""
    value = error.instance
    if _is_hidden(error):
        return "a hidden value"
    if value is None or isinstance(value, (bool, list, dict)):
        noun = {bool: "a boolean", list: "a list", dict: "a mapping"}.get(type(value), "null")
        return noun if isinstance(value, (list, dict)) or value is None else format_value(value)
    noun = "the string" if isinstance(value, str) else "the number"
    return f"{noun} {format_value(value)}" if error.validator == "type" else format_value(value)


def _is_hidden(error: Any) -> bool:
    return isinstance(error.schema, Mapping) and bool(error.schema.get("writeOnly"))
