"""What a user gives, read and checked by a sidecar's schema, with its defaults filled in. Knows no template."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.assignments import Origins, Unread, assign, parse_set, read_values
from sidecarctl.catalog.json_schema import Problem, SchemaFault, lookup, path_text, problems
from sidecarctl.catalog.json_schema_messages import found
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, UsageError, did_you_mean
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext import nodes
from sidecarctl.yamltext.parse import SyntaxProblem, parse

__all__ = ["Parameters", "Unread", "assign", "parse_set", "read_values", "resolve"]

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


@dataclass(frozen=True)
class Parameters:
    """A sidecar's parameters, checked.

    values    its own, defaults filled in; a declared one without any value is None
    recorded  what differs from the defaults, without secrets: for the record
    common    the common ones that were given: image, imagePullPolicy, resources, env (a list), securityContext, patch
    where     where they were given as a whole, and origins each of them, for messages
    """

    values: dict[str, Any]
    recorded: dict[str, Any]
    common: dict[str, Any]
    where: str = field(default="", compare=False)
    origins: Origins = field(default_factory=dict, compare=False)


def resolve(
    sidecar: Sidecar, given: Mapping[str, object], where: str = "", origins: Origins | None = None
) -> Parameters:
    """Return the parameters of `sidecar` as `given`.

    `where` says where they were given, `origins` where each of them. A null for a parameter that takes none means its
    default. Raises UsageError for an unknown, wrong or missing parameter, LibraryError where the sidecar's own schema or
    defaults are wrong.
    """
    schema = sidecar.parameters
    try:
        shared = _typed(
            {k: v for k, v in given.items() if k in common_parameters.NAMES},
            common_parameters.SCHEMA,
            common_parameters.SCHEMA,
        )
        own = _typed({k: v for k, v in given.items() if k not in common_parameters.NAMES}, schema, schema)
        filled = _with_defaults(own, schema, schema)
        found = problems(common_parameters.SCHEMA, shared) or problems(schema, filled)
        if found:
            _blame_defaults(sidecar)
            raise _complaint(sidecar, found, where)
    except SchemaFault as fault:
        raise LibraryError(
            f"the schema of the parameters of {sidecar} is wrong: {fault}", where=str(sidecar.file)
        ) from None
    except SyntaxProblem as problem:
        raise UsageError(
            f"a parameter of {sidecar.name} can't be read: {problem.message}",
            where=where,
            hint=problem.hint or "quote it",
        ) from None
    defaults = _with_defaults({}, schema, schema)
    recorded = {
        **_differing(filled, defaults, schema, schema),
        **_unsecret(shared, common_parameters.SCHEMA, common_parameters.SCHEMA),
    }
    return Parameters(
        _with_nulls(filled, schema, schema), recorded, common_parameters.normal(shared), where, origins or {}
    )


# --- walking a value together with its schema ------------------------------------------------------------------------


def _deref(schema: Any, root: Any) -> Any:
    for _ in range(20):
        if not (isinstance(schema, Mapping) and "$ref" in schema):
            break
        schema = lookup(root, schema["$ref"])
    return schema if isinstance(schema, Mapping) else {}


def _branches(schema: Any, root: Any) -> Iterable[Mapping[str, Any]]:
    schema = _deref(schema, root)
    yield schema
    for keyword in ("anyOf", "oneOf", "allOf"):
        for branch in schema.get(keyword, ()):
            yield _deref(branch, root)


def _property(schema: Any, name: str, root: Any) -> Any:
    """The schema of a key: declared, by pattern, or that of all other keys."""
    for branch in _branches(schema, root):
        if name in branch.get("properties", {}):
            return branch["properties"][name]
    for branch in _branches(schema, root):
        for pattern, inner in branch.get("patternProperties", {}).items():
            if _matches(pattern, name):
                return inner
        if isinstance(branch.get("additionalProperties"), Mapping):
            return branch["additionalProperties"]
    return {}


def _matches(pattern: str, name: str) -> bool:
    try:
        return found(pattern, name)
    except re.error as error:
        raise SchemaFault(f"the pattern {pattern!r} is none: {error}") from None


def _item(schema: Any, root: Any) -> Any:
    return next((b["items"] for b in _branches(schema, root) if isinstance(b.get("items"), Mapping)), {})


def _types(schema: Any, root: Any) -> set[str]:
    """The JSON types that a schema admits, empty for any."""
    found: set[str] = set()
    schema = _deref(schema, root)
    if "type" in schema:
        return set(schema["type"] if isinstance(schema["type"], list) else [schema["type"]])
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        return {_JSON_TYPES.get(type(value), "null") for value in values}
    for keyword in ("anyOf", "oneOf"):
        inner = [_types(branch, root) for branch in schema.get(keyword, ())]
        if inner and all(inner):
            found = found.union(*inner)
    return found


def _typed(value: Any, schema: Any, root: Any) -> Any:
    """A value with every `Unread` text read as its schema wants it."""
    if isinstance(value, Unread):
        return _read(str(value), schema, root)
    if isinstance(value, Mapping):
        return {name: _typed(inner, _property(schema, name, root), root) for name, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner, _item(schema, root), root) for inner in value]
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


def _with_defaults(value: Any, schema: Any, root: Any, depth: int = 0) -> Any:
    schema = _deref(schema, root)
    if depth > 50:
        raise SchemaFault("its defaults never end: a $ref leads back to itself")
    if isinstance(value, list):
        return [_with_defaults(inner, _item(schema, root), root, depth + 1) for inner in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for name, inner in schema.get("properties", {}).items():
        target = _deref(inner, root)
        if name in value and (value[name] is not None or _nullable(inner, root)):
            result[name] = _with_defaults(value[name], inner, root, depth + 1)
        elif isinstance(inner, Mapping) and "default" in {**target, **inner}:
            default = copy.deepcopy({**target, **inner}["default"])
            result[name] = _with_defaults(default, inner, root, depth + 1)
        elif "properties" in target and not target.get("required") and target.get("type") == "object":
            result[name] = _with_defaults({}, inner, root, depth + 1)
    for name, inner in value.items():
        if name not in schema.get("properties", {}):
            result[name] = _with_defaults(inner, _property(schema, name, root), root, depth + 1)
    return result


def _with_nulls(value: Any, schema: Any, root: Any) -> Any:
    """Declared properties that have no value, as None: a template asks `if params.x`, not whether x is defined."""
    if isinstance(value, list):
        return [_with_nulls(inner, _item(schema, root), root) for inner in value]
    if not isinstance(value, dict):
        return value
    declared = [name for branch in _branches(schema, root) for name in branch.get("properties", {})]
    result = {name: _with_nulls(inner, _property(schema, name, root), root) for name, inner in value.items()}
    return {**result, **{name: None for name in declared if name not in result}}


def _differing(value: Any, default: Any, schema: Any, root: Any) -> Any:
    """What of a mapping differs from the defaults, without what is `writeOnly`."""
    result = {}
    for name, inner in value.items():
        part = _property(schema, name, root)
        if _secret(part, root) or (isinstance(default, dict) and name in default and _same(inner, default[name])):
            continue
        if isinstance(inner, dict) and isinstance(default, dict) and isinstance(default.get(name), dict):
            inner = _differing(inner, default[name], part, root)
        result[name] = _unsecret(inner, part, root)
    return result


def _same(one: object, two: object) -> bool:
    return one == two and type(one) is type(two)


def _secret(schema: Any, root: Any) -> bool:
    return any(branch.get("writeOnly") is True for branch in _branches(schema, root)) or (
        isinstance(schema, Mapping) and schema.get("writeOnly") is True
    )


def _unsecret(value: Any, schema: Any, root: Any) -> Any:
    if isinstance(value, list):
        return [_unsecret(inner, _item(schema, root), root) for inner in value]
    if isinstance(value, dict):
        parts = {name: _property(schema, name, root) for name in value}
        return {name: _unsecret(value[name], part, root) for name, part in parts.items() if not _secret(part, root)}
    return value


# --- complaints ------------------------------------------------------------------------------------------------------


def _blame_defaults(sidecar: Sidecar) -> None:
    """Raise LibraryError if the sidecar's defaults do not fit its own schema: then nothing is the user's fault."""
    schema = sidecar.parameters
    for problem in problems({**schema, "required": []}, _with_defaults({}, schema, schema)):
        raise LibraryError(
            f"a default of {sidecar} does not fit its own schema: {problem}",
            where=str(sidecar.file),
            hint="put the default or the schema right",
        )


def _complaint(sidecar: Sidecar, found: list[Problem], where: str) -> UsageError:
    said = [_said(sidecar, problem) for problem in found]
    message = "; ".join(text for text, _ in said[:5]) + (f" (and {len(said) - 5} more)" if len(said) > 5 else "")
    hints = list(dict.fromkeys(hint for _, hint in said[:5] if hint))
    return UsageError(message, hint="; ".join(hints), where=where)


def _said(sidecar: Sidecar, problem: Problem) -> tuple[str, str]:
    key = path_text(problem.path)
    if problem.on_key and len(problem.path) == 1:
        known = [*sidecar.parameters.get("properties", {}), *common_parameters.NAMES]
        return f"{sidecar.name} has no parameter {key!r}", did_you_mean(key, known) or f"it has: {', '.join(known)}"
    if problem.on_key:
        owner = path_text(problem.path[:-1])
        return f"parameter {owner!r} of {sidecar.name} has no key {problem.path[-1]!r}", problem.hint
    if problem.missing:
        full = path_text((*problem.path, problem.missing))
        hint = f"--set {sidecar.name}.{full}=…" + (f": {problem.hint}" if problem.hint else "")
        return f"{sidecar.name} needs the parameter {full!r}", hint
    return (
        f"parameter {key!r} of {sidecar.name} {problem.message}" if key else f"{sidecar.name}: {problem.message}",
        problem.hint,
    )
