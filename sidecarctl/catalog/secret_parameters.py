"""Secret parameters: which values a schema marks as `writeOnly`, how to remove them, and how to keep them out of messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from sidecarctl.catalog.masking import MASK, mask
from sidecarctl.catalog.parameter_values import name_matches
from sidecarctl.catalog.schema_references import resolve_ref, same_value_schemas
from sidecarctl.errors import TemplateRefusal, UsageError
from sidecarctl.findings import omit_long

_SECRET = object()
_Schemas = Sequence[Mapping[str, Any]]
# A reference whose target is unknown, in a schema with secrets, can lead to one of them.
_UNKNOWN: Mapping[str, Any] = {"writeOnly": True}
_LONGEST_MASKED = 100_000  # characters; thousands of secrets in it take seconds


def remove_secrets(value: Any, schema: Any) -> Any:
    """Return parameters without the secret ones. A list with a secret item is removed as a whole."""
    left = _remove(value, _applying([schema], schema), schema)
    return {} if left is _SECRET else left


def _remove(value: Any, schemas: _Schemas, root: Any) -> Any:
    if _is_secret(schemas, root):
        return _SECRET
    if isinstance(value, dict):
        parts = {name: _remove(inner, _below(schemas, name, root), root) for name, inner in value.items()}
        return {name: part for name, part in parts.items() if part is not _SECRET}
    if isinstance(value, list):
        items = [_remove(inner, _below(schemas, index, root), root) for index, inner in enumerate(value)]
        return _SECRET if any(item is _SECRET for item in items) else items
    return value


def secret_paths(value: Any, schema: Any) -> tuple[tuple[str, ...], ...]:
    """Return the paths of the secret parameters that have a value, sorted.

    A list with a secret item is one as a whole, and so is a mapping with a secret under a key that the schema does not declare:
    the key can be secret too.
    """
    return tuple(sorted(set(_paths(value, _applying([schema], schema), schema, ()))))


def _paths(value: Any, schemas: _Schemas, root: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if _is_secret(schemas, root):
        if value is not None or any(each.get("default") is not None for each in schemas):
            yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            below = _below(schemas, name, root)
            if _is_secret_key(name, below, schemas, root):
                yield path
            else:
                yield from _paths(inner, below, root, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if any(_paths(inner, _below(schemas, index, root), root, path)):
                yield path


def accepts(path: Sequence[str], schema: Any) -> bool:
    """Return whether parameters can have a value at a path: it is declared, or undeclared keys are admitted."""
    schemas = _applying([schema], schema)
    for name in path:
        more = [each["additionalProperties"] for each in schemas if "additionalProperties" in each]
        if more and not any(more) and not any(True for each in schemas for _ in _declared_schemas(each, name)):
            return False
        schemas = _below(schemas, name, schema)
    return True


def hide_secrets(value: Any, schema: Any) -> Any:
    """Return parameters with `...` in place of the secret ones, and of keys that the schema does not declare and that have one.

    A value of another type in place of a mapping or list with secrets counts, as in `secret_texts`.
    """
    return _hide(value, _applying([schema], schema), schema, _secret_holders(schema))


def _hide(value: Any, schemas: _Schemas, root: Any, holders: Set[int]) -> Any:
    if _is_secret(schemas, root):
        return MASK
    if _is_misplaced(value, schemas):
        return MASK if _can_hold_secret(schemas, holders) else value
    if isinstance(value, dict):
        below = {name: _below(schemas, name, root) for name in value}
        shown = {name: MASK if _is_secret_key(name, below[name], schemas, root) else name for name in value}
        return {shown[name]: _hide(inner, below[name], root, holders) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hide(inner, _below(schemas, index, root), root, holders) for index, inner in enumerate(value)]
    return value


def secret_texts(value: Any, schema: Any) -> frozenset[str]:
    """Return the texts of the secret parameters: strings, numbers, and keys that the schema does not declare.

    A value of another type in place of a mapping or list with secrets counts: it likely has one of them.
    """
    return frozenset(_texts(value, _applying([schema], schema), schema, _secret_holders(schema)))


def _texts(value: Any, schemas: _Schemas, root: Any, holders: Set[int]) -> Iterator[str]:
    if _is_secret(schemas, root) or (_is_misplaced(value, schemas) and _can_hold_secret(schemas, holders)):
        yield from _all_texts(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            below = _below(schemas, name, root)
            if _is_secret_key(name, below, schemas, root):
                yield from _all_texts(name)
            yield from _texts(inner, below, root, holders)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, _below(schemas, index, root), root, holders)


_PARTS: Mapping[type, tuple[str, ...]] = {
    dict: ("properties", "patternProperties", "additionalProperties", "propertyNames"),
    list: ("items", "prefixItems", "contains"),
}


def _is_misplaced(value: Any, schemas: _Schemas) -> bool:
    """Return True for a value whose parts no schema describes: a single one, a list for a mapping, or a mapping for a list."""
    keywords = _PARTS.get(type(value), ())
    return not any(keyword in each for each in schemas for keyword in keywords)


def _is_secret_key(name: str, below: _Schemas, schemas: _Schemas, root: Any) -> bool:
    """Return True for a key that the schemas do not declare, with a secret value, or beside keys that have one by their pattern."""
    if any(name in _mapping(each.get("properties")) for each in schemas):
        return False
    patterns = (part for each in schemas for part in _mapping(each.get("patternProperties")).values())
    return _is_secret(below, root) or any(_is_secret(_applying([part], root), root) for part in patterns)


def _all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in _all_texts(part))
    elif isinstance(value, list):
        yield from (text for item in value for text in _all_texts(item))
    elif isinstance(value, str):
        yield from (line.strip() for line in (value, *value.splitlines()) if line.strip())
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def may_have_secret(name: str, schema: Any) -> bool:
    """Return whether the value of a parameter is secret, or can have a secret in it: a property, an item, or a key.

    `schema` is that of all parameters.
    """
    whole, holders = _applying([schema], schema), _secret_holders(schema)
    return _is_secret(whole, schema) or _can_hold_secret(_below(whole, name, schema), holders)


def _can_hold_secret(schemas: _Schemas, holders: Set[int]) -> bool:
    return any(id(each) in holders for each in schemas)


def _secret_holders(schema: Any) -> Set[int]:
    """Return the ids of the parts of a schema that are of a secret, or have one in them, also behind references."""
    above: dict[int, list[int]] = {id(schema): []}
    secret = []
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        inner = [*part.values()] if isinstance(part, Mapping) else part
        if isinstance(part, Mapping):
            secret += [id(part)] if part.get("writeOnly") is True else []
            inner += [_target(part["$ref"], schema)] if "$ref" in part else []
        for each in inner:
            if isinstance(each, (Mapping, list)):
                waiting += [] if id(each) in above else [each]
                above.setdefault(id(each), []).append(id(part))
    found = set(secret)
    while secret:
        more = [each for each in above[secret.pop()] if each not in found]
        found.update(more)
        secret += more
    return found


def _applying(schemas: Iterable[Any], root: Any) -> _Schemas:
    """Return schemas with all that apply to the same value, or can: behind references, in branches and conditions."""
    found: dict[int, Mapping[str, Any]] = {}
    waiting = list(schemas)
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, Mapping) or id(schema) in found:
            continue
        found[id(schema)] = schema
        if "$ref" in schema:
            waiting.append(_target(schema["$ref"], root))
        waiting += same_value_schemas(schema)
    return list(found.values())


def _target(reference: Any, root: Any) -> Any:
    """Return the schema that a reference leads to, one of a secret if it is unknown."""
    target = resolve_ref(root, reference)
    return _UNKNOWN if target is None else target


def _below(schemas: _Schemas, step: str | int, root: Any) -> _Schemas:
    """Return the schemas that apply, or can, to a property or an item."""
    if isinstance(step, int):
        return _applying((inner for each in schemas for inner in _item_schemas(each, step)), root)
    declared = [list(_declared_schemas(each, step)) for each in schemas]
    found = [inner for each in declared for inner in each]
    more = [each.get("additionalProperties") for each, own in zip(schemas, declared) if not own]
    return _applying([*found, *more], root)


def _declared_schemas(schema: Mapping[str, Any], name: str) -> Iterator[Any]:
    properties = _mapping(schema.get("properties"))
    if name in properties:
        yield properties[name]
    for pattern, inner in _mapping(schema.get("patternProperties")).items():
        if name_matches(pattern, name):
            yield inner


def _item_schemas(schema: Mapping[str, Any], index: int) -> Iterator[Any]:
    first = schema.get("prefixItems")
    own = first[index : index + 1] if isinstance(first, list) else []
    yield from own or [schema.get("items")]
    yield schema.get("contains")


def _is_secret(schemas: _Schemas, root: Any) -> bool:
    """Return True for the schemas of a secret, or of a mapping with secret keys."""
    names = [each["propertyNames"] for each in schemas if "propertyNames" in each]
    return any(each.get("writeOnly") is True for each in (*schemas, *_applying(names, root)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_LINE = re.compile(r"\(line \d+")
_FIELD = re.compile(r"([A-Za-z]\w*)((?:\[\d+\])*)")


def hide_output(error: UsageError, secrets: Iterable[str], fields: Iterable[str]) -> UsageError:
    """Return the error of a template without what it quotes of the output: the output can have a secret in any form.

    Of an invalid field, the path stays as far as it has `fields`. A message that the template raises itself stays, masked.
    """
    if isinstance(error, TemplateRefusal):
        return TemplateRefusal(_mask_message(error.message, secrets), hint=error.hint, where=error.where)
    what, _, details = error.message.partition(": ")
    line, path = _LINE.search(details), _known_path(details, frozenset(fields))
    if what == "invalid fragment" or path:
        what = f"{what}: {path or 'a field'}: invalid value"
    message = f"{_mask_message(what, secrets)}{f' {line[0]})' if line else ''} (details hidden: they can show a secret parameter)"
    limited = "SIDECARCTL_" in error.hint
    hint = error.hint if limited else "set the secret parameter to another value to see the details"
    return type(error)(message, hint=hint, where=error.where)


def _mask_message(message: str, secrets: Iterable[str]) -> str:
    """Return a masked message of a template, or how long it is."""
    return mask(omit_long(message, _LONGEST_MASKED), secrets)


def _known_path(text: str, fields: frozenset[str]) -> str:
    """Return the path at the start of a message about a fragment, up to the first step that is not one of the fields."""
    known = []
    for step in text.partition(": ")[0].split("."):
        found = _FIELD.fullmatch(step)
        if found is None or found[1] not in fields:
            break
        known.append(step)
    return ".".join(known)
