"""Messages and help texts for schema problems."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sidecarctl.findings import ELLIPSIS, Finding, PathTuple, Severity, shorten
from sidecarctl.kube import quantity
from sidecarctl.validate.schema.checker import INT32, SchemaProblem
from sidecarctl.validate.schema.data import Definition, Schemas, describe_range, field_span
from sidecarctl.validate.schema.overrides import allowed, since

_MAX_QUOTE_LENGTH = 40

_TYPE_TEXT = {
    "string": "a string",
    "boolean": "a boolean",
    "int32": "an integer",
    "int64": "an integer",
    "number": "a number",
    "quantity": "a resource quantity",
    "int-or-string": "an integer or a string",
    "time": "a timestamp such as 2006-01-02T15:04:05Z",
    "micro-time": "a timestamp such as 2006-01-02T15:04:05.000000Z",
    "bytes": "base64 text",
    "object": "a mapping",
    "mapping-or-boolean": "a mapping or a boolean",
}
# Fields of many definitions, for which another place is a useless suggestion.
_COMMON = frozenset(
    ("name", "kind", "type", "key", "value", "path", "port", "data", "labels", "spec", "metadata", "status")
)
_MAX_SEARCH_DEPTH = 4
# Shell syntax: a command with one of these characters cannot be split at its spaces.
_SHELL_CHARACTERS = frozenset("|&;<>()$`\\*?[]#~=%{}'")


def schema_finding(problem: SchemaProblem, root: str, schema: Schemas, path: PathTuple) -> Finding:
    """Return the finding for a problem in an object of definition `root` at `path`."""
    where = (*path, *reversed(problem.reversed))
    if problem.code == "unknown":
        return _unknown(problem, root, schema, path, where)
    if problem.code in ("missing", "empty", "filled-in"):
        return _missing(problem, where)
    if problem.code == "enum":
        return _not_allowed(problem, schema, where)
    if problem.code == "null-item":
        return Finding("wrong-type", "empty list item", path=where, help="add content or remove the dash")
    if problem.expected == "quantity" and isinstance(problem.value, str):
        message = f"invalid quantity {_quote(problem.value)}: {quantity.check_quantity(problem.value)}"
        return Finding("invalid-quantity", message, path=where)
    message = f"{_field_name(where)}: expected {_type_text(problem.expected)}, got {describe_value(problem.value)}"
    return Finding("wrong-type", message, path=where, help=_advice(problem, where), expected=(problem.expected,))


def _unknown(problem: SchemaProblem, root: str, schema: Schemas, path: PathTuple, where: PathTuple) -> Finding:
    key, own = problem.key, schema.definition(problem.definition)
    if own is None:
        return Finding("unknown-field", f'unknown field "{key}"', path=where, on_key=True)
    thing = own.name.rpartition(".")[2]
    span = field_span(own.name, key)
    if span is not None:
        message = f'unknown field "{key}" in {thing}: {describe_range(span)} (target: {schema.version})'
        return Finding(
            "unknown-field", message, path=where, on_key=True, help=_version_advice(span.first, schema.minor)
        )
    help_text = (
        _similar(key, own)
        or _belongs_above(key, root, schema, path, where)
        or _belongs_below(key, own, schema)
        or _known_fields(own)
    )
    return Finding("unknown-field", f'unknown field "{key}" in {thing}', path=where, on_key=True, help=help_text)


def _version_advice(first: int, own: int) -> str:
    return f"target Kubernetes 1.{first} or later, or remove the field" if first > own else "remove the field"


def _missing(problem: SchemaProblem, where: PathTuple) -> Finding:
    state = "required field is empty" if problem.code == "empty" else "missing required field"
    message = f"{state}: {problem.key} ({problem.definition.rpartition('.')[2]})"
    if problem.code == "filled-in":
        why = "The schema requires the field, but the API server sets a default."
        return Finding("missing-required", message, Severity.WARNING, where, why=why)
    return Finding("missing-required", message, path=where)


def _not_allowed(problem: SchemaProblem, schema: Schemas, where: PathTuple) -> Finding:
    values = [value for value in allowed(problem.definition, problem.key, schema.minor) if value]
    first = since(problem.definition, problem.key, problem.value)
    message = f"unsupported value {_quote(problem.value)} for {problem.key}"
    if first:
        message += f": requires Kubernetes 1.{first} (target: {schema.version})"
    close = _closest(problem.value, values)
    suggestion = f'did you mean "{close}"? ' if close else ""
    help_text = f"{suggestion}Supported values: {', '.join(values)}"
    return Finding("invalid-enum", message, path=where, help=help_text, expected=tuple(values))


def _advice(problem: SchemaProblem, where: PathTuple) -> str:
    """Return the help for common mistakes, "" for others."""
    value, expected = problem.value, problem.expected
    if expected in ("string", "int-or-string", "bytes", "time", "micro-time") and isinstance(value, (bool, int, float)):
        return f'quote the value: "{_yaml(value)}"'
    if isinstance(value, str) and expected in ("int32", "int64", "number", "boolean"):
        return _unquoted(value, expected)
    if expected in ("int32", "int64") and isinstance(value, int) and not isinstance(value, bool):
        limit = "2147483647" if expected == "int32" and abs(value) >= INT32 else "9223372036854775807"
        return f"the maximum is {limit}"
    if expected == "bytes":
        return "encode the value with base64" + (", or use stringData for plain text" if "data" in where else "")
    if expected.startswith("["):
        return _list_advice(value, expected, problem.key)
    if isinstance(value, list):
        return "the field is not a list: remove the dash" if len(value) == 1 else "the field is not a list"
    return ""


def _unquoted(value: str, expected: str) -> str:
    text = value.strip()
    if expected == "boolean":
        return f"remove the quotes: {text.lower()}" if text.lower() in ("true", "false") else "use true or false"
    return f"remove the quotes: {text}" if text.lstrip("+-").isdigit() else ""


def _list_advice(value: object, expected: str, key: str) -> str:
    if isinstance(value, dict):
        return 'the field is a list: add "- " before the first line and indent the others'
    if expected == "[string]" and not isinstance(value, list):
        if key != "command" or not isinstance(value, str) or len(value) > _MAX_QUOTE_LENGTH:
            return f'use a list: ["{_yaml(value)}"]'
        words = ["sh", "-c", value] if set(value) & _SHELL_CHARACTERS else value.split()
        return "use a list: [" + ", ".join(f'"{word}"' for word in words) + "]"
    return 'the field is a list: start each item with "- "'


def _similar(key: str, own: Definition) -> str:
    close = _closest(key, list(own.fields))
    return f'did you mean "{close}"?' if close else ""


def _closest(word: str, known: list[str]) -> str:
    """Return the known word that differs only in case, else the most similar one, else ""."""
    lower = {name.lower(): name for name in known}
    if word.lower() in lower:
        return lower[word.lower()]
    import difflib  # slow to import and rarely needed

    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.75)), "")


def _belongs_above(key: str, root: str, schema: Schemas, path: PathTuple, where: PathTuple) -> str:
    """Return the help for a field of an enclosing object, which is indented too far."""
    if key in _COMMON:
        return ""
    above = list(_definitions_along(root, schema, where[len(path) : -1]))
    for steps, definition in reversed(above[:-1]):
        if key in definition.fields:
            return f"the field belongs to {_dotted(steps) or 'the top level'}: reduce its indentation"
    return ""


def _belongs_below(key: str, own: Definition, schema: Schemas) -> str:
    """Return the help for a field of a nested object, the nearest one first."""
    step = "" if key in _COMMON else _fields_below(own.name, schema).get(key)
    return f"the field belongs to {step}" if step else ""


@lru_cache(maxsize=64)
def _fields_below(name: str, schema: Schemas) -> dict[str, str]:
    """Return the nearest place of each field in the objects below a definition."""
    own = schema.definition(name)
    found: dict[str, str] = {}
    if own is None:
        return found
    level: list[tuple[str, Definition]] = [("", own)]
    seen = {own.name}
    for _ in range(_MAX_SEARCH_DEPTH):
        below = []
        for steps, definition in level:
            for name, kind in definition.fields.items():
                if name == "status":
                    continue
                inner = schema.definition(kind.strip("[]"))
                if inner is None or inner.name in seen:
                    continue
                seen.add(inner.name)
                step = f"{steps}.{name}" if steps else name
                step += "[]" if kind.startswith("[") else ""
                for field in inner.fields:
                    found.setdefault(field, step)
                below.append((step, inner))
        # Templates and containers are the most likely places.
        level = sorted(below, key=lambda pair: not pair[0].endswith(("template", "spec", "containers[]")))
    return found


def _definitions_along(root: str, schema: Schemas, steps: PathTuple) -> Iterator[tuple[PathTuple, Definition]]:
    definition = schema.definition(root)
    kind = ""
    for index in range(len(steps) + 1):
        if definition is not None:
            yield steps[:index], definition
        if index == len(steps):
            return
        step = steps[index]
        if definition is not None and isinstance(step, str):
            kind, definition = definition.fields.get(step, ""), None
        elif kind[:1] in ("[", "{"):
            kind = kind[1:-1]
        if kind and kind[0] not in "[{":
            definition = schema.definition(kind)


def _known_fields(own: Definition) -> str:
    names = sorted(own.fields)
    return "" if len(names) > 12 else f"known fields: {', '.join(names)}"


def _type_text(expected: str) -> str:
    if expected.startswith("["):
        inner = expected[1:-1]
        return "a list of " + {"string": "strings"}.get(inner, "mappings" if "." in inner else "values")
    if expected.startswith("{"):
        return "a mapping of " + {"string": "strings", "quantity": "quantities"}.get(expected[1:-1], "values")
    return _TYPE_TEXT.get(expected, "a mapping")


def describe_value(value: object) -> str:
    """Return a description of a value with its type: `the string "x"`."""
    if isinstance(value, bool):
        return f"the boolean {_yaml(value)}"
    if isinstance(value, (int, float)):
        return f"the number {_yaml(value)}"
    if isinstance(value, str):
        return f"the string {_quote(value)}" if value else "an empty string"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "a mapping" if isinstance(value, dict) else "null"


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if not isinstance(value, int) or abs(value) < 10**_MAX_QUOTE_LENGTH else ELLIPSIS
    return shorten(text, _MAX_QUOTE_LENGTH)


def _quote(value: str) -> str:
    return '"' + shorten(value, _MAX_QUOTE_LENGTH).replace("\n", "\\n") + '"'


def _field_name(where: PathTuple) -> str:
    """Return the last key of a path and the indices after it: args[0]."""
    named = [index for index, step in enumerate(where) if isinstance(step, str)]
    return _dotted(where[named[-1] :]) if named else _dotted(where)


def _dotted(path: PathTuple) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
