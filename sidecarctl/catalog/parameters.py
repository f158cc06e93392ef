"""Resolve the parameters of a sidecar: parse, validate, and fill in defaults."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.assignments import Origins, RawText, assign, merge, parse_set, read_values
from sidecarctl.catalog.json_schema import SchemaFault, SchemaProblem, find_problems, path_text, resolve_ref
from sidecarctl.catalog.json_schema_messages import pattern_matches
from sidecarctl.catalog.renamed_parameters import current_name
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, UsageError, did_you_mean
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext import nodes
from sidecarctl.yamltext.parse import SyntaxProblem, parse

__all__ = ["Parameters", "RawText", "assign", "parse_set", "read_values", "resolve"]

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


@dataclass(frozen=True)
class Parameters:
    """The validated parameters of a sidecar.

    values    its own parameters with defaults; declared ones without a value are None
    recorded  values that differ from the defaults, without secrets, for the record
    common    given common parameters, normalized
    shared    names of common parameters that are given for all sidecars at once
    where     origin of the parameters as a whole; `origins` has the origin of each, for messages
    """

    values: dict[str, Any]
    recorded: dict[str, Any]
    common: dict[str, Any]
    shared: tuple[str, ...] = field(default=(), compare=False)
    where: str = field(default="", compare=False)
    origins: Origins = field(default_factory=dict, compare=False)

    def without_shared(self) -> Parameters:
        """Return the parameters of a sidecar without containers: what is given for all sidecars does not apply to it."""
        kept = {name: value for name, value in self.recorded.items() if name not in self.shared}
        return replace(self, recorded=kept)


def resolve(
    sidecar: Sidecar,
    given: Mapping[str, object],
    where: str = "",
    origins: Origins | None = None,
    shared: Mapping[str, object] | None = None,
) -> Parameters:
    """Return the parameters of a sidecar.

    `where` is the origin of `given`, `origins` the origin of each parameter; `shared` are common parameters for all sidecars,
    below `given`. Null for a parameter that is not nullable selects its default. Raise UsageError for an unknown, invalid, or
    missing parameter, LibraryError for an invalid schema or default.
    """
    schema = sidecar.parameters
    names = frozenset(common_parameters.NAMES) - schema.get("properties", {}).keys()  # a sidecar's own parameter wins
    shared = {name: value for name, value in (shared or {}).items() if name in names}
    inherited = tuple(name for name in shared if name not in given)
    given = merge(shared, given)
    try:
        common = _convert(
            {k: v for k, v in given.items() if k in names},
            common_parameters.SCHEMA,
            common_parameters.SCHEMA,
        )
        own = _convert({k: v for k, v in given.items() if k not in names}, schema, schema)
        filled = _with_defaults(own, schema, schema)
        problems = find_problems(common_parameters.SCHEMA, common) or find_problems(schema, filled)
        if problems:
            _check_defaults(sidecar)
            raise _to_error(sidecar, problems, where)
    except SchemaFault as fault:
        raise LibraryError(f"invalid parameter schema of {sidecar}: {fault}", where=str(sidecar.file)) from None
    except SyntaxProblem as problem:
        raise UsageError(
            f"invalid parameter of sidecar {sidecar.name}: {problem.message}",
            where=where,
            hint=problem.hint or "quote it",
        ) from None
    defaults = _with_defaults({}, schema, schema)
    recorded = {
        **_remove_defaults(filled, defaults, schema, schema),
        **_remove_secrets(common, common_parameters.SCHEMA, common_parameters.SCHEMA),
    }
    return Parameters(
        _with_nulls(filled, schema, schema),
        recorded,
        common_parameters.normalize(common),
        inherited,
        where,
        origins or {},
    )


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
            if _matches(pattern, name):
                return inner
        if isinstance(branch.get("additionalProperties"), Mapping):
            return branch["additionalProperties"]
    return {}


def _matches(pattern: str, name: str) -> bool:
    try:
        return pattern_matches(pattern, name)
    except re.error as error:
        raise SchemaFault(f'invalid pattern "{pattern}": {error}') from None


def _item(schema: Any, root: Any) -> Any:
    return next((b["items"] for b in _branches(schema, root) if isinstance(b.get("items"), Mapping)), {})


def _types(schema: Any, root: Any) -> set[str]:
    """Return the JSON types that a schema accepts, empty for any."""
    names: set[str] = set()
    schema = _follow_refs(schema, root)
    if "type" in schema:
        return set(schema["type"] if isinstance(schema["type"], list) else [schema["type"]])
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        return {_JSON_TYPES.get(type(value), "null") for value in values}
    for keyword in ("anyOf", "oneOf"):
        inner = [_types(branch, root) for branch in schema.get(keyword, ())]
        if inner and all(inner):
            names = names.union(*inner)
    return names


def _convert(value: Any, schema: Any, root: Any) -> Any:
    """Return the value with each `RawText` parsed according to its schema."""
    if isinstance(value, RawText):
        return _read(str(value), schema, root)
    if isinstance(value, Mapping):
        return {name: _convert(inner, _property(schema, name, root), root) for name, inner in value.items()}
    if isinstance(value, list):
        return [_convert(inner, _item(schema, root), root) for inner in value]
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
    schema = _follow_refs(schema, root)
    if depth > 50:
        raise SchemaFault("endless defaults: a $ref refers to itself")
    if isinstance(value, list):
        return [_with_defaults(inner, _item(schema, root), root, depth + 1) for inner in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for name, inner in schema.get("properties", {}).items():
        target = _follow_refs(inner, root)
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
    """Set declared properties without a value to None, so that templates can test them with `if`."""
    if isinstance(value, list):
        return [_with_nulls(inner, _item(schema, root), root) for inner in value]
    if not isinstance(value, dict):
        return value
    declared = [name for branch in _branches(schema, root) for name in branch.get("properties", {})]
    result = {name: _with_nulls(inner, _property(schema, name, root), root) for name, inner in value.items()}
    return {**result, **{name: None for name in declared if name not in result}}


def _remove_defaults(value: Any, default: Any, schema: Any, root: Any) -> Any:
    """Return the values that differ from the defaults, without `writeOnly` ones."""
    result = {}
    for name, inner in value.items():
        part = _property(schema, name, root)
        if _secret(part, root) or (isinstance(default, dict) and name in default and _same(inner, default[name])):
            continue
        if isinstance(inner, dict) and isinstance(default, dict) and isinstance(default.get(name), dict):
            inner = _remove_defaults(inner, default[name], part, root)
        result[name] = _remove_secrets(inner, part, root)
    return result


def _same(one: object, two: object) -> bool:
    return one == two and type(one) is type(two)


def _secret(schema: Any, root: Any) -> bool:
    return any(branch.get("writeOnly") is True for branch in _branches(schema, root)) or (
        isinstance(schema, Mapping) and schema.get("writeOnly") is True
    )


def has_secrets(schema: Any) -> bool:
    """Return True if a parameter schema has a `writeOnly` parameter."""
    if isinstance(schema, dict):
        return schema.get("writeOnly") is True or any(has_secrets(value) for value in schema.values())
    return isinstance(schema, list) and any(has_secrets(item) for item in schema)


def _remove_secrets(value: Any, schema: Any, root: Any) -> Any:
    if isinstance(value, list):
        return [_remove_secrets(inner, _item(schema, root), root) for inner in value]
    if isinstance(value, dict):
        parts = {name: _property(schema, name, root) for name in value}
        return {
            name: _remove_secrets(value[name], part, root) for name, part in parts.items() if not _secret(part, root)
        }
    return value


def _check_defaults(sidecar: Sidecar) -> None:
    """Raise LibraryError if the defaults of a sidecar violate its schema, which is not an error of the user."""
    schema = sidecar.parameters
    for problem in find_problems({**schema, "required": []}, _with_defaults({}, schema, schema)):
        raise LibraryError(
            f"invalid default in {sidecar}: {problem}",
            where=str(sidecar.file),
            hint="fix the default or the schema",
        )


def _to_error(sidecar: Sidecar, problems: list[SchemaProblem], where: str) -> UsageError:
    texts = [_describe_problem(sidecar, problem) for problem in problems]
    message = "; ".join(text for text, _ in texts[:5]) + (f" (and {len(texts) - 5} more)" if len(texts) > 5 else "")
    hints = list(dict.fromkeys(hint for _, hint in texts[:5] if hint))
    return UsageError(message, hint="; ".join(hints), where=where)


def _describe_problem(sidecar: Sidecar, problem: SchemaProblem) -> tuple[str, str]:
    key = path_text(problem.path)
    if problem.on_key and len(problem.path) == 1:
        known = [*sidecar.parameters.get("properties", {}), *common_parameters.NAMES]
        if key in sidecar.renamed_parameters:
            hint = f"it was renamed to {current_name(key, sidecar.renamed_parameters)}"
            return f'unknown parameter "{key}" for sidecar {sidecar.name}', hint
        hint = did_you_mean(key, known) or f"parameters: {', '.join(known)}"
        return f'unknown parameter "{key}" for sidecar {sidecar.name}', hint
    if problem.on_key:
        owner = path_text(problem.path[:-1])
        return f'{sidecar.name}: unknown field "{problem.path[-1]}" in parameter "{owner}"', problem.hint
    if problem.missing:
        full = path_text((*problem.path, problem.missing))
        hint = f"set it with --set {sidecar.name}.{full}=<value>" + (f": {problem.hint}" if problem.hint else "")
        return f'{sidecar.name}: missing required parameter "{full}"', hint
    if not key:
        return f"{sidecar.name}: {problem.message}", problem.hint
    separator = " " if problem.message.startswith("must") else ": "
    return f'{sidecar.name}: parameter "{key}"{separator}{problem.message}', problem.hint
