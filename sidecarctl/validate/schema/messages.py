"""Turns problems of shape into findings: what stands there, what is wanted, and what to do. Decides
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.kube import quantity
from sidecarctl.validate.schema.checker import INT32, Problem
from sidecarctl.validate.schema.data import Definition, Schemas, field_span, since_text
from sidecarctl.validate.schema.overrides import allowed, since

_LONGEST_QUOTE = 40

_WANTED = {
    "string": "a string",
    "boolean": "true or false",
    "int32": "a whole number",
    "int64": "a whole number",
    "number": "a number",
    "quantity": "a quantity",
    "int-or-string": "a whole number or a string",
    "time": "a time like 2006-01-02T15:04:05Z",
    "micro-time": "a time like 2006-01-02T15:04:05.000000Z",
    "bytes": "base64 text",
    "object": "a mapping",
    "mapping-or-boolean": "a mapping, true or false",
}
# Fields of many definitions: that another place has one of that name says nothing about where this one
# belongs.
_COMMON = frozenset(
    ("name", "kind", "type", "key", "value", "path", "port", "data", "labels", "spec", "metadata", "status")
)
_DEEPEST_SEARCH = 4
# What only a shell understands: with one of these in it a command can't be cut into words at its blanks.
_SHELL = frozenset("|&;<>()$`\\*?[]#~=%{}'")


def finding(problem: Problem, root: str, schema: Schemas, path: PathTuple) -> Finding:
    """Return the finding for a problem in an object of the definition `root` that stands at `path`."""
    where = (*path, *reversed(problem.reversed))
    if problem.code == "unknown":
        return _unknown(problem, root, schema, path, where)
    if problem.code in ("missing", "empty", "filled-in"):
        return _missing(problem, where)
    if problem.code == "enum":
        return _not_allowed(problem, schema, where)
    if problem.code == "null-item":
        return Finding("wrong-type", "this item of the list is empty", path=where, help="fill it in or delete the dash")
    if problem.want == "quantity" and isinstance(problem.value, str):
        message = f"invalid quantity {_quote(problem.value)}: {quantity.check_quantity(problem.value)}"
        return Finding("invalid-quantity", message, path=where)
    message = f'"{_field_name(where)}" must be {_wanted(problem.want)}, and is {described(problem.value)}'
    return Finding("wrong-type", message, path=where, help=_advice(problem, where), wants=(problem.want,))


def _unknown(problem: Problem, root: str, schema: Schemas, path: PathTuple, where: PathTuple) -> Finding:
    key, own = problem.key, schema.definition(problem.definition)
    if own is None:
        return Finding("unknown-field", f'unknown field "{key}"', path=where, on_key=True)
    thing = own.name.rpartition(".")[2]
    span = field_span(own.name, key)
    if span is not None:
        message = f'unknown field "{key}": in {thing} it {since_text(span)}; you target {schema.version}'
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
    return f"target Kubernetes 1.{first} or newer, or remove it" if first > own else "remove it"


def _missing(problem: Problem, where: PathTuple) -> Finding:
    thing = problem.definition.rpartition(".")[2]
    state = "empty" if problem.code == "empty" else "missing"
    message = f'{thing} needs "{problem.key}", which is {state}'
    if problem.code == "filled-in":
        why = "the schema requires it, though the API server does without"
        return Finding("missing-required", message, Severity.WARNING, where, why=why)
    return Finding("missing-required", message, path=where)


def _not_allowed(problem: Problem, schema: Schemas, where: PathTuple) -> Finding:
    values = [value for value in allowed(problem.definition, problem.key, schema.minor) if value]
    came = since(problem.definition, problem.key, problem.value)
    message = f'{_quote(problem.value)} is no value of "{problem.key}"'
    if came:
        message += f" before Kubernetes 1.{came}; you target {schema.version}"
    close = _closest(problem.value, values)
    suggestion = f'did you mean "{close}"? ' if close else ""
    help_text = f"{suggestion}Known are {', '.join(values)}"
    return Finding("invalid-enum", message, path=where, help=help_text, wants=tuple(values))


def _advice(problem: Problem, where: PathTuple) -> str:
    """The classic slips, each with its remedy."""
    value, want = problem.value, problem.want
    if want in ("string", "int-or-string", "bytes", "time", "micro-time") and isinstance(value, (bool, int, float)):
        return f'put it in quotes: "{_yaml(value)}"'
    if isinstance(value, str) and want in ("int32", "int64", "number", "boolean"):
        return _unquoted(value, want)
    if want in ("int32", "int64") and isinstance(value, int) and not isinstance(value, bool):
        limit = "2147483647" if want == "int32" and abs(value) >= INT32 else "9223372036854775807"
        return f"the largest number here is {limit}"
    if want == "bytes":
        plain = " or use stringData, which takes plain text" if "data" in where else ""
        return f"encode it with base64,{plain}" if plain else "encode it with base64"
    if want.startswith("["):
        return _list_advice(value, want, problem.key)
    if isinstance(value, list) and not want.startswith("["):
        return "it is one, not a list: remove the dash" if len(value) == 1 else "it is one, not a list"
    return ""


def _unquoted(value: str, want: str) -> str:
    text = value.strip()
    if want == "boolean":
        return f"remove the quotes: {text.lower()}" if text.lower() in ("true", "false") else "write true or false"
    return f"remove the quotes: {text}" if text.lstrip("+-").isdigit() else ""


def _list_advice(value: object, want: str, key: str) -> str:
    if isinstance(value, dict):
        return 'it is a list: put "- " before its first line and indent the others'
    if want == "[string]" and not isinstance(value, list):
        if key != "command" or not isinstance(value, str) or len(value) > _LONGEST_QUOTE:
            return f'make it a list: ["{_yaml(value)}"]'
        words = ["sh", "-c", value] if set(value) & _SHELL else value.split()
        return "make it a list: [" + ", ".join(f'"{word}"' for word in words) + "]"
    return 'it is a list: every item begins with "- "'


def _similar(key: str, own: Definition) -> str:
    close = _closest(key, list(own.fields))
    return f'did you mean "{close}"?' if close else ""


def _closest(word: str, known: list[str]) -> str:
    """The known word that differs in case alone, else the most similar one, else ""."""
    lower = {name.lower(): name for name in known}
    if word.lower() in lower:
        return lower[word.lower()]
    import difflib  # for those who err

    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.75)), "")


def _belongs_above(key: str, root: str, schema: Schemas, path: PathTuple, where: PathTuple) -> str:
    """A field of an object further up: indented too far."""
    if key in _COMMON:
        return ""
    above = list(_definitions_along(root, schema, where[len(path) : -1]))
    for steps, definition in reversed(above[:-1]):
        if key in definition.fields:
            return f"it belongs to {_dotted(steps) or 'the object itself'}: indent it less"
    return ""


def _belongs_below(key: str, own: Definition, schema: Schemas) -> str:
    """A field of an object further down, nearest first: a level was left out."""
    if key in _COMMON:
        return ""
    level: list[tuple[str, Definition]] = [("", own)]
    seen = {own.name}
    for _ in range(_DEEPEST_SEARCH):
        below = []
        for steps, definition in level:
            for name, kind in definition.fields.items():
                inner = schema.definition(kind.strip("[]"))
                if inner is None or inner.name in seen:
                    continue
                seen.add(inner.name)
                step = f"{steps}.{name}" if steps else name
                step += "[]" if kind.startswith("[") else ""
                if key in inner.fields:
                    return f"it belongs into {step}"
                below.append((step, inner))
        # Where a template or containers are among the ways down, they are the one that was meant.
        level = sorted(below, key=lambda pair: not pair[0].endswith(("template", "spec", "containers[]")))
    return ""


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
    return "" if len(names) > 12 else f"known are {', '.join(names)}"


def _wanted(want: str) -> str:
    if want.startswith("["):
        inner = want[1:-1]
        return "a list of " + {"string": "strings"}.get(inner, "mappings" if "." in inner else "values")
    if want.startswith("{"):
        return "a mapping of " + {"string": "strings", "quantity": "quantities"}.get(want[1:-1], "values")
    return _WANTED.get(want, "a mapping")


def described(value: object) -> str:
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
    text = str(value) if not isinstance(value, int) or abs(value) < 10**_LONGEST_QUOTE else "…"
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"


def _quote(value: str) -> str:
    text = value if len(value) <= _LONGEST_QUOTE else value[:_LONGEST_QUOTE] + "…"
    return '"' + text.replace("\n", "\\n") + '"'


def _field_name(where: PathTuple) -> str:
    """The last named step, with the index after it: args[0]."""
    named = [index for index, step in enumerate(where) if isinstance(step, str)]
    return _dotted(where[named[-1] :]) if named else _dotted(where)


def _dotted(path: PathTuple) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
