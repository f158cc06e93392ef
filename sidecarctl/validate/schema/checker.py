"""The schema checker: unknown fields, wrong types, missing fields, and unsupported values in plain data.

It reports what strict decoding in the API server rejects. For speed, each type is compiled to a function on first use,
and paths are built only for problems, from the innermost step outward.

Null means absent for every type, as in the API server. A null item of a list is the zero value, which is a problem only
if the item has required fields.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from sidecarctl.kube.quantity import parse_quantity
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.schema.data import schemas
from sidecarctl.validate.schema.overrides import FILLED_IN, OPTIONAL, REQUIRED, allowed

INT32 = 2**31
INT64 = 2**63

_TIME = lazy_pattern(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


@dataclass
class SchemaProblem:
    """One schema problem.

    code        unknown, type, missing, empty, filled-in, enum, or null-item
    value       the invalid value; for unknown, missing, empty, and filled-in the key
    expected    the expected type, as in the schema data
    definition  name of the definition that has the field
    key         name of the field
    reversed    path, innermost step first
    """

    code: str
    value: Any
    expected: str = ""
    definition: str = ""
    key: str = ""
    reversed: list[str | int] = field(default_factory=list)


ValueCheck = Callable[[Any], "list[SchemaProblem] | None"]


@cache
def object_checks(version: str) -> ObjectChecks:
    """Return the cached checks for a Kubernetes version ("1.34")."""
    return ObjectChecks(version)


class ObjectChecks:
    """The checks of one Kubernetes version, compiled on first use."""

    def __init__(self, version: str) -> None:
        self._schemas = schemas(version)
        self._objects: dict[str, ValueCheck] = {}

    def of(self, name: str) -> ValueCheck:
        """Return the check for a definition ("apps.v1.Deployment")."""
        check = self._objects.get(name)
        if check is None:
            check = self._objects[name] = self._object(name)
        return check

    def _object(self, name: str) -> ValueCheck:
        definition = self._schemas.definition(name)
        if definition is None:
            return _anything
        # Type names, each replaced on first use by str, bool, or a check function.
        fields: dict[Any, Any] = dict(definition.fields)
        listed = (key for key in definition.required if (name, key) not in OPTIONAL)
        required = tuple(dict.fromkeys((*listed, *REQUIRED.get(name, ()))))
        # The API server treats an empty string as missing.
        never_empty = frozenset(
            key
            for key in required
            if definition.fields.get(key) == "string"
            and not allowed(name, key, self._schemas.minor)
            and (name, key) not in FILLED_IN
        )
        compiled = self._compiled

        def check(value: Any) -> list[SchemaProblem] | None:
            if value.__class__ is not dict and not isinstance(value, dict):
                return None if value is None else [SchemaProblem("type", value, name)]
            found: list[SchemaProblem] = []
            for key, item in value.items():
                wanted = fields.get(key)
                if item.__class__ is wanted:
                    continue
                if wanted.__class__ is str:
                    wanted = fields[key] = compiled(wanted, name, key)
                    if item.__class__ is wanted:
                        continue
                if wanted is None:
                    found.append(SchemaProblem("unknown", key, "", name, str(key), [key]))
                elif item is None:
                    continue
                else:
                    for problem in _plain(item, wanted) if wanted is str or wanted is bool else wanted(item) or ():
                        problem.definition = problem.definition or name
                        problem.key = problem.key or key
                        problem.reversed.append(key)
                        found.append(problem)
            for key in required:
                item = value.get(key)
                if item is None:
                    code = "filled-in" if (name, key) in FILLED_IN else "missing"
                    found.append(SchemaProblem(code, key, "", name, key, [key]))
                elif item == "" and key in never_empty:
                    found.append(SchemaProblem("empty", key, "", name, key, [key]))
            return found

        return check

    def _compiled(self, kind: str, name: str, key: str) -> Any:
        """Return the check for a type in the schema data. `name` and `key` are definition and field, for enums."""
        inner = kind[1:-1]
        if kind[0] == "[":
            return self._list(self._compiled(inner, name, key), kind, self._has_required(inner))
        if kind[0] == "{":
            return self._map(self._compiled(inner, name, key), kind)
        if kind == "string":
            values = allowed(name, key, self._schemas.minor)
            return _one_of(values) if values else str
        return _WORDS.get(kind) or self.of(kind)

    def _has_required(self, name: str) -> bool:
        definition = self._schemas.definition(name) if "." in name else None
        return definition is not None and any((name, key) not in FILLED_IN | OPTIONAL for key in definition.required)

    @staticmethod
    def _list(wanted: Any, kind: str, no_null: bool) -> ValueCheck:
        plain = wanted is str or wanted is bool

        def check(value: Any) -> list[SchemaProblem] | None:
            if not isinstance(value, list):
                return [SchemaProblem("type", value, kind)]
            found: list[SchemaProblem] = []
            for index, item in enumerate(value):
                if item.__class__ is wanted:
                    continue
                if item is None:
                    if no_null:
                        found.append(SchemaProblem("null-item", None, kind, reversed=[index]))
                    continue
                for problem in _plain(item, wanted) if plain else wanted(item) or ():
                    problem.reversed.append(index)
                    found.append(problem)
            return found

        return check

    @staticmethod
    def _map(wanted: Any, kind: str) -> ValueCheck:
        plain = wanted is str or wanted is bool

        def check(value: Any) -> list[SchemaProblem] | None:
            if not isinstance(value, dict):
                return [SchemaProblem("type", value, kind)]
            found: list[SchemaProblem] = []
            for key, item in value.items():
                if item.__class__ is wanted or item is None:
                    continue
                for problem in _plain(item, wanted) if plain else wanted(item) or ():
                    problem.reversed.append(key)
                    found.append(problem)
            return found

        return check


def _plain(value: Any, wanted: type) -> list[SchemaProblem]:
    """Return the problem of a value that is not an instance of str or bool, including subclasses."""
    if isinstance(value, wanted):
        return []
    return [SchemaProblem("type", value, "string" if wanted is str else "boolean")]


def _one_of(values: tuple[str, ...]) -> ValueCheck:
    known = frozenset(values)

    def check(value: Any) -> list[SchemaProblem] | None:
        if not isinstance(value, str):
            return [SchemaProblem("type", value, "string")]
        return None if value in known else [SchemaProblem("enum", value, "string")]

    return check


def _anything(value: Any) -> list[SchemaProblem] | None:
    return None


def _integer(bound: int, word: str) -> ValueCheck:
    def check(value: Any) -> list[SchemaProblem] | None:
        if value.__class__ is int and -bound <= value < bound:
            return None
        return [SchemaProblem("type", value, word)]

    return check


def _by(test: Callable[[Any], bool], word: str) -> ValueCheck:
    def check(value: Any) -> list[SchemaProblem] | None:
        return None if test(value) else [SchemaProblem("type", value, word)]

    return check


def _is_int_or_string(value: Any) -> bool:
    return isinstance(value, str) or (value.__class__ is int and -INT32 <= value < INT32)


def _is_number(value: Any) -> bool:
    return value.__class__ is int or value.__class__ is float


def _is_base64(value: Any) -> bool:
    if isinstance(value, list):  # JSON decoding in Go also accepts bytes as numbers
        return all(item.__class__ is int and 0 <= item < 256 for item in value)
    if not isinstance(value, str):
        return False
    try:
        # The API server ignores line ends in base64 text, but no other characters.
        base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_WORDS: dict[str, Any] = {
    "boolean": bool,
    "int32": _integer(INT32, "int32"),
    "int64": _integer(INT64, "int64"),
    "number": _by(_is_number, "number"),
    "quantity": _by(lambda value: parse_quantity(value) is not None, "quantity"),
    "int-or-string": _by(_is_int_or_string, "int-or-string"),
    "time": _by(lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None, "time"),
    "micro-time": _by(lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None, "micro-time"),
    "bytes": _by(_is_base64, "bytes"),
    "object": _by(lambda value: isinstance(value, dict), "object"),
    "mapping-or-boolean": _by(lambda value: isinstance(value, (dict, bool)), "mapping-or-boolean"),
    "any": _anything,
}
