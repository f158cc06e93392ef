"""Fixers: functions that turn a finding into edits."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, PathTuple
from sidecarctl.kube import quantity
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Replace, dotted
from sidecarctl.yamltext.layout import Bounds, member_bounds
from sidecarctl.yamltext.nodes import Alias, Scalar, Sequence, trail, walk
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class Fix:
    """The edits that fix a finding; `description` says what they do, in the imperative."""

    finding: Finding
    edits: tuple[Edit, ...]
    description: str


@dataclass(frozen=True)
class FixValues:
    """Resource quantities from flags for values missing in a manifest, "" if not set."""

    size_limit: str = ""
    memory_limit: str = ""
    cpu_request: str = ""
    memory_request: str = ""


@dataclass(frozen=True)
class FixContext:
    """The input of fixers besides finding and document: target version and flags."""

    kube_version: str
    values: FixValues = FixValues()
    _lists: dict[tuple[int, PathTuple], tuple[Document, _ItemList]] = field(default_factory=dict, repr=False)

    def items(self, document: Document, path: PathTuple) -> _ItemList:
        """Return the list at a path, read once however many findings it has."""
        key = (id(document), path)
        if key not in self._lists:  # keeping the document keeps its id
            self._lists[key] = (document, _ItemList.of(document, path))
        return self._lists[key][1]


@dataclass(frozen=True)
class _ItemList:
    """A list of a document.

    forms   a text for each item: equal texts mean identical items
    first   index of the first item of each text
    named   the texts of the items with each name
    places  the indices of the items with each name
    bounds  start and end of each item in the text
    """

    forms: tuple[str, ...]
    first: Mapping[str, int]
    named: Mapping[str, set[str]]
    places: Mapping[str, list[int]]
    bounds: Bounds

    @staticmethod
    def of(document: Document, path: PathTuple) -> _ItemList:
        """Return the list at a path, an empty one for any other value and for what an alias stands for."""
        items = value_at(document.value, path)
        nodes = trail(document.root, path) if document.root is not None else []
        holder = nodes[-1] if len(nodes) == len(path) + 1 else None
        forms = tuple(map(_form, items)) if isinstance(items, list) else ()
        first: dict[str, int] = {}
        named: dict[str, set[str]] = {}
        places: dict[str, list[int]] = {}
        for index, form in enumerate(forms):
            first.setdefault(form, index)
            if isinstance(item := items[index], dict):
                name = _form(item.get("name"))
                named.setdefault(name, set()).add(form)
                places.setdefault(name, []).append(index)
        bounds = member_bounds(document.text, holder) if isinstance(holder, Sequence) else []
        return _ItemList(forms, first, named, places, bounds)

    def has_between(self, name: str, start: int, end: int) -> bool:
        """Return True if an item with this name has an index from `start` to `end`."""
        places = self.places.get(_form(name), [])
        following = bisect_left(places, start)
        return following < len(places) and places[following] <= end


# A reference in the value of a variable: `$(NAME)` is replaced by the value that NAME has at this place of the list.
_REFERENCE = lazy_pattern(r"\$\(([^()]+)\)")


def _form(value: object) -> str:
    return json.dumps(value, sort_keys=True)


# Returns the fix, None if there is not exactly one. Raises EditRefused if the fix cannot be written.
Fixer = Callable[[Finding, Document, FixContext], "Fix | None"]


def value_at(value: Any, path: PathTuple) -> Any:
    """Return the value at a path in plain data, None if there is none."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and -1 < step < len(value) else None
    return value


def scalar_at(document: Document, path: PathTuple) -> Scalar | None:
    """Return the scalar at a path, None for a collection. Raise EditRefused if its text has other uses."""
    assert document.root is not None
    nodes = trail(document.root, path)
    node = nodes[-1]
    if len(nodes) <= len(path):
        raise EditRefused("the value comes from a merge key (<<)", path)
    if isinstance(node, Alias):
        raise EditRefused(f"the value is an alias (*{node.name})", path)
    if not isinstance(node, Scalar):
        return None
    if node.anchor is not None:
        raise EditRefused(f"the value has an anchor (&{node.anchor})", path)
    if node.tag is not None:
        raise EditRefused("the value has a tag, which sets its type", path)
    return node


def parse_fix_values(**flags: str | None) -> FixValues:
    """Return the quantities of flags. Raise UsageError for a quantity that is invalid or not positive."""
    for name, amount in flags.items():
        if amount is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        problem = quantity.check_quantity(amount)
        if problem:
            raise UsageError(
                f'invalid quantity "{amount}": {problem}', hint="use a quantity such as 64Mi, 1Gi, or 100m", where=flag
            )
        if (quantity.parse_quantity(amount) or 0) <= 0:
            raise UsageError(
                f'invalid quantity "{amount}": must be greater than 0',
                hint="use a quantity such as 64Mi, 1Gi, or 100m",
                where=flag,
            )
    return FixValues(**{name: (amount or "").strip() for name, amount in flags.items()})


def set_size_limit(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Set sizeLimit of an emptyDir."""
    return _set(finding, document, {(*finding.path, "sizeLimit"): context.values.size_limit})


def set_memory_limit(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Set the memory limit of a container."""
    return _set(finding, document, {finding.path: context.values.memory_limit})


def set_requests(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Set the missing requests of a container. Raise EditRefused if flags set only some of them."""
    known = {"cpu": context.values.cpu_request, "memory": context.values.memory_request}
    requested = {name: known[name] for name in finding.expected}
    missing = [f"--{name}-request" for name, amount in requested.items() if not amount]
    if missing and len(missing) < len(requested):
        raise EditRefused(f"requires {' and '.join(missing)} too", finding.path)
    return _set(finding, document, {(*finding.path, name): amount for name, amount in requested.items()})


def _set(finding: Finding, document: Document, amounts: dict[PathTuple, str]) -> Fix | None:
    if not amounts or not all(amounts.values()):
        return None
    description = "set " + " and ".join(f"{_field(path)}: {amount}" for path, amount in amounts.items())
    return Fix(
        finding, tuple(_edit(document, path, amount, description) for path, amount in amounts.items()), description
    )


def _field(path: PathTuple) -> str:
    """Return the part of a path after the last list item: `resources.limits.memory`."""
    last = max((depth for depth, step in enumerate(path) if isinstance(step, int)), default=-1)
    return dotted(path[last + 1 :])


def _edit(document: Document, path: PathTuple, amount: str, description: str) -> Edit:
    """Return the edit that replaces an existing value, such as 0 or "", or inserts a new one.

    Raises EditRefused for a mapping or list: without a known apiVersion, the types of values are not checked.
    """
    present = value_at(document.value, path)
    if isinstance(present, (dict, list)):
        raise EditRefused("the value is not a resource quantity", path)
    return Insert(path, amount, description) if present is None else Replace(path, amount, description)


def remove_duplicate_item(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Remove a list item that is identical to an earlier one."""
    path = _item(finding.path)
    if not path:
        return None
    items, index = context.items(document, path[:-1]), path[-1]
    if not isinstance(index, int) or not index < len(items.forms) or items.first[items.forms[index]] == index:
        return None
    return _dropped(finding, document, path, items.bounds)


def remove_duplicate_variable(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Remove an environment variable if all variables of that name are identical."""
    path = _item(finding.path)
    own = value_at(document.value, path)
    if not isinstance(own, dict) or not path:
        return None
    items = context.items(document, path[:-1])
    namesakes = items.named.get(_form(own.get("name")), ())
    if len(namesakes) != 1:
        return None
    last = path[-1]
    assert isinstance(last, int)
    earlier = items.first[items.forms[last]]
    if any(items.has_between(name, earlier, last) for name in set(_REFERENCE.findall(str(own.get("value"))))):
        raise EditRefused("its value refers to a variable that is set after the earlier one", path)
    return _dropped(finding, document, path, items.bounds)


def _item(path: PathTuple) -> PathTuple:
    """Return the path of the innermost list item that contains a path, () if there is none."""
    last = max((depth for depth, step in enumerate(path) if isinstance(step, int)), default=-1)
    return path[: last + 1]


def _dropped(finding: Finding, document: Document, path: PathTuple, bounds: Bounds) -> Fix:
    if _has_comment(document, path, bounds):
        raise EditRefused("the item has a comment, which would be lost", path)
    description = "remove the item: it is identical to an earlier one"
    return Fix(finding, (Remove(path, description),), description)


def _has_comment(document: Document, path: PathTuple, edges: Bounds) -> bool:
    """Return True if an item has a comment inside, on its last line, or directly above. `edges` are those of its list."""
    assert document.root is not None
    nodes = trail(document.root, path)
    holder, index = (nodes[-2], path[-1]) if len(nodes) == len(path) + 1 else (None, 0)
    if not isinstance(holder, Sequence) or not isinstance(index, int):
        return False  # inside an alias, which is refused
    text = document.text
    above = edges[index - 1][1]
    line_end = text.find("\n", above, edges[index][0])
    end = text.find("\n", edges[index][1])
    at, last = (line_end if line_end >= 0 else above), (end if end >= 0 else len(text))
    for node in walk(nodes[-1]):
        if isinstance(node, Scalar):
            start = text.find("\n", node.start) if node.style in ("|", ">") else node.start
            if "#" in text[at:start]:
                return True
            at = max(at, node.end)
    return "#" in text[at:last]


_WHOLE = re.compile(r"-?[1-9][0-9]*|0")
_QUOTES = ("'", '"')


def change_type(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Quote a number or boolean if the field is a string; unquote it if the field is a number or boolean."""
    expected = next(iter(finding.expected), "")
    value = value_at(document.value, finding.path)
    if expected == "string" and isinstance(value, (bool, int, float)):
        return _quoted(finding, document)
    whole = expected in ("int32", "int64") and isinstance(value, str) and _WHOLE.fullmatch(value)
    if whole or (expected == "boolean" and value in ("true", "false")):
        return _unquoted(finding, document)
    return None


def _quoted(finding: Finding, document: Document) -> Fix | None:
    node = scalar_at(document, finding.path)
    if node is None:
        return None
    written = document.text[node.start : node.end]
    description = f'quote the value: "{written}"'
    return Fix(finding, (Replace(finding.path, written, description, f'"{written}"'),), description)


_LONGEST_INTEGER = 20  # characters of a 64-bit integer


def _unquoted(finding: Finding, document: Document) -> Fix | None:
    node = scalar_at(document, finding.path)
    if node is None or node.style not in _QUOTES or len(node.value) > _LONGEST_INTEGER:
        return None
    value = node.value == "true" if node.value in ("true", "false") else int(node.value)
    description = f"remove the quotes: {node.value}"
    return Fix(finding, (Replace(finding.path, value, description, node.value),), description)


def change_case(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Replace a value with the allowed value that differs only in case."""
    value = value_at(document.value, finding.path)
    matches = [word for word in finding.expected if isinstance(value, str) and word.lower() == value.lower()]
    return replace_scalar(finding, document, matches[0], f"use {matches[0]}") if len(matches) == 1 else None


def replace_scalar(finding: Finding, document: Document, text: str, description: str) -> Fix | None:
    """Replace the scalar of a finding, with the same quotes."""
    node = scalar_at(document, finding.path)
    if node is None or node.style not in ("", *_QUOTES):
        return None
    return Fix(finding, (Replace(finding.path, text, description, quote_like(node, text)),), description)


def quote_like(node: Scalar, text: str) -> str:
    """Return text without quotes or backslashes in the quotes of a scalar, "" if the scalar is not quoted."""
    return f"{node.style}{text}{node.style}" if node.style in _QUOTES else ""
