"""Patterns of JSON Schema, which are regular expressions of ECMA 262, as Python searches for them.

See https://json-schema.org/draft/2020-12/json-schema-core#section-6.4 and ECMA 262, "Patterns".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(r"\\.|\$|(?P<in_class>\[\^?\]?(?:\\.|[^\]\\])*\])|\[.*", re.DOTALL)
_ESCAPE = re.compile(r"\\.", re.DOTALL)
# Python's `$` also matches before a final line break, and its \d and \w match the digits and letters of every script.
_OUTSIDE = {"$": r"\Z", r"\d": "[0-9]", r"\D": "[^0-9]", r"\w": "[A-Za-z0-9_]", r"\W": "[^A-Za-z0-9_]"}
_IN_CLASS = {r"\d": "0-9", r"\w": "A-Za-z0-9_"}


def search(pattern: str, text: str) -> bool:
    """Return True if the pattern matches anywhere in the text. Raises re.error for an invalid pattern."""
    return re.search(to_python(pattern), text) is not None


@lru_cache(maxsize=1024)
def to_python(pattern: str) -> str:
    """Return a pattern with the meaning of ECMA 262 for `$`, and for \\d and \\w except negated ones in a character class."""
    return _TOKEN.sub(_translate, pattern)


def _translate(token: re.Match[str]) -> str:
    if token["in_class"]:
        return _ESCAPE.sub(lambda escape: _IN_CLASS.get(escape[0], escape[0]), token[0])
    return _OUTSIDE.get(token[0], token[0])


def validator_class() -> Any:
    """Return the validator of `jsonschema` with these patterns."""
    from jsonschema import Draft202012Validator, ValidationError
    from jsonschema.validators import extend

    additional = Draft202012Validator.VALIDATORS["additionalProperties"]

    def check_pattern(validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
        if validator.is_type(value, "string") and not search(pattern, value):
            yield ValidationError(f"{value!r} does not match {pattern!r}")

    def check_pattern_properties(validator: Any, rules: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
        for pattern, rule in rules.items() if validator.is_type(value, "object") else ():
            for name, item in value.items():
                if search(pattern, name):
                    yield from validator.descend(item, rule, path=name, schema_path=pattern)

    def check_additional(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        patterns = schema.get("patternProperties")
        if isinstance(patterns, Mapping):
            schema = {**schema, "patternProperties": {to_python(pattern): patterns[pattern] for pattern in patterns}}
        yield from additional(validator, rule, value, schema)

    return extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {
            "pattern": check_pattern,
            "patternProperties": check_pattern_properties,
            "additionalProperties": check_additional,
        },
    )
