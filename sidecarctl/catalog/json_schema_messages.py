"""The errors of a JSON Schema check in plain words: where, what is there, what must be there. Decides nothing itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import did_you_mean
from sidecarctl.lazy_dataclass import dataclass

Path = tuple["str | int", ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a value.

    `path` leads there from the value's root; `on_key` when the key itself is the problem; `missing` is a key that is not there.
    """

    path: Path
    message: str
    hint: str = ""
    on_key: bool = False
    missing: str = ""

    def __str__(self) -> str:
        text = f"{path_text(self.path)}: {self.message}" if self.path else self.message
        return f"{text}; {self.hint}" if self.hint else text


def path_text(path: Iterable[str | int]) -> str:
    """Return a path as people write it: `containers[0].image`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


class SchemaFault(ValueError):
    """The schema itself is wrong, so that nothing can be said about a value."""


def explain(schema: Any, value: object) -> list[Problem]:
    """Return what `jsonschema` finds wrong with `value`. Raises SchemaFault where the schema is wrong."""
    import jsonschema  # 100 ms: only where something is wrong or unusual
    from jsonschema.exceptions import SchemaError

    validator = jsonschema.Draft202012Validator(schema)
    try:
        errors = sorted(validator.iter_errors(value), key=lambda error: [str(step) for step in error.absolute_path])
        found = [problem for error in errors for problem in _in_words(error)]
    except RecursionError:
        return [Problem((), "nested too deeply")]
    except (SchemaError, re.error, TypeError, AttributeError) as error:
        raise SchemaFault(str(error)) from None
    except Exception as error:  # an unresolvable $ref has its own class in another package
        if type(error).__module__.split(".")[0] not in ("referencing", "jsonschema"):
            raise
        raise SchemaFault(str(error)) from None
    return list(dict.fromkeys(found))


def _in_words(error: Any) -> list[Problem]:
    path: Path = tuple(error.absolute_path)
    if error.validator in ("anyOf", "oneOf") and error.context:
        return _branches(error, path)
    if error.validator == "additionalProperties" and error.validator_value is False:
        return _unknown_keys(error, path)
    if error.validator == "required":
        names = [name for name in error.validator_value if name not in error.instance and f"{name!r}" in error.message]
        parts = error.schema.get("properties", {})
        return [Problem(path, f"{quoted(name)} is missing", _describe(parts.get(name)), missing=name) for name in names]
    if "propertyNames" in list(error.absolute_schema_path)[-3:-1]:
        return [Problem((*path, str(error.instance)), f"may not stand here: the name {_sentence(error)}", on_key=True)]
    hint = _describe(error.schema) if isinstance(error.schema, Mapping) else ""
    if error.validator == "enum" and isinstance(error.instance, str):
        hint = did_you_mean(error.instance, [x for x in error.validator_value if isinstance(x, str)]) or hint
    return [Problem(path, _sentence(error), hint)]


def _describe(schema: object) -> str:
    text = schema.get("description") if isinstance(schema, Mapping) else None
    return " ".join(text.split()).rstrip(".") if isinstance(text, str) else ""


def _unknown_keys(error: Any, path: Path) -> list[Problem]:
    known = list(error.schema.get("properties", {}))
    patterns = list(error.schema.get("patternProperties", {}))
    unknown = [k for k in error.instance if k not in known and not any(re.search(p, k) for p in patterns)]
    allowed = f"known here: {', '.join(known[:12])}{', …' * (len(known) > 12)}" if known else "nothing may stand here"
    return [
        Problem((*path, key), "unknown key", did_you_mean(key, known) or allowed, on_key=True)
        for key in map(str, unknown)
    ]


def _branches(error: Any, path: Path) -> list[Problem]:
    """Of an anyOf or oneOf, tell the errors of the branch that comes closest: the one that got past its own type."""
    groups: dict[int, list[Any]] = {}
    for inner in error.context:
        groups.setdefault(inner.schema_path[0] if inner.schema_path else -1, []).append(inner)
    fits = [g for g in groups.values() if not any(e.validator in ("type", "const") and not e.path for e in g)]
    if len(fits) == 1 or (fits and any(e.path for g in fits for e in g)):
        best = max(fits, key=lambda group: (max(len(e.path) for e in group), -len(group)))
        return [problem for inner in best for problem in _in_words(inner)]
    if not fits and all(e.validator == "type" for g in groups.values() for e in g):
        names = [n for e in error.context for n in _type_names(e.validator_value)]
        wanted = " or ".join(dict.fromkeys(names))
        return [Problem(path, f"is {shown(error)}, but must be {wanted}", _describe(error.schema))]
    texts = list(dict.fromkeys(_sentence(e) for g in (fits or groups.values()) for e in g))
    return [Problem(path, f"fits nothing that may stand here: {'; or '.join(texts)}", _describe(error.schema))]


_NOUNS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_SENTENCES: dict[str, str] = {
    "const": "is {shown}, but must be {rule}",
    "pattern": "is {shown}, which does not match the pattern {bare}",
    "minimum": "is {shown}, but must be at least {rule}",
    "maximum": "is {shown}, but must be at most {rule}",
    "exclusiveMinimum": "is {shown}, but must be more than {rule}",
    "exclusiveMaximum": "is {shown}, but must be less than {rule}",
    "multipleOf": "is {shown}, but must be a multiple of {rule}",
    "minLength": "is {shown}, but must have at least {rule} character(s)",
    "maxLength": "is {shown}, but must have at most {rule} character(s)",
    "minItems": "has {count} item(s), but needs at least {rule}",
    "maxItems": "has {count} item(s), but may have at most {rule}",
    "minProperties": "has {count} key(s), but needs at least {rule}",
    "maxProperties": "has {count} key(s), but may have at most {rule}",
    "uniqueItems": "has an item twice",
    "not": "is {shown}, which is not allowed here",
}


def _type_names(rule: object) -> list[str]:
    names = rule if isinstance(rule, list) else [rule]
    return [_NOUNS.get(str(name), str(name)) for name in names]


def _sentence(error: Any) -> str:
    if error.validator == "type":
        return f"is {shown(error)}, but must be {' or '.join(_type_names(error.validator_value))}"
    if error.validator == "enum":
        return f"is {shown(error)}, but must be one of {', '.join(map(quoted, error.validator_value))}"
    form = _SENTENCES.get(error.validator)
    if form is None:
        return str(error.message)
    count = len(error.instance) if isinstance(error.instance, Sequence | Mapping) else 0
    return form.format(shown=shown(error), rule=quoted(error.validator_value), bare=error.validator_value, count=count)


def quoted(value: object) -> str:
    """Return a value as JSON, cut to a length that fits a message."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def shown(error: Any) -> str:
    """Return the refused value with its type; the value of a `writeOnly` schema is not shown."""
    value = error.instance
    if isinstance(error.schema, Mapping) and error.schema.get("writeOnly"):
        return "a value that is not shown"
    if value is None or isinstance(value, (bool, list, dict)):
        noun = {bool: "a boolean", list: "a list", dict: "a mapping"}.get(type(value), "null")
        return noun if isinstance(value, (list, dict)) or value is None else quoted(value)
    noun = "a string" if isinstance(value, str) else "a number"
    return f"{quoted(value)} ({noun})" if error.validator == "type" else quoted(value)


# Only a group that is repeated can take longer than the text is long, and only on a text of some length.
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_LONG = 20


def found(pattern: str, text: str) -> bool:
    """True where a pattern is found in a text. Raises SchemaFault where looking takes longer than the limit."""
    if len(text) <= _LONG or not _REPEATED_GROUP.search(pattern):
        return re.search(pattern, text) is not None
    with _deadline(f"the pattern {pattern!r} takes too long on {len(text)} characters; {limits.SECONDS.way_out}"):
        return re.search(pattern, text) is not None


@contextmanager
def _deadline(message: str) -> Iterator[None]:
    """End what is done inside after the limit, where the system has timers and this is the main thread."""
    import signal

    def over(*_: Any) -> None:
        raise SchemaFault(message)

    try:
        before = signal.signal(signal.SIGVTALRM, over)
    except (AttributeError, ValueError):
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, limits.SECONDS.value)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
