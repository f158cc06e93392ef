"""What a fix is, what fixes are given, and what they share. Knows no rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, PathTuple
from sidecarctl.kube import quantity
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, Replace, dotted, identical
from sidecarctl.yamltext.layout import member_bounds
from sidecarctl.yamltext.nodes import Alias, Scalar, Sequence, trail, walk
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class Fix:
    """Edits of a finding's document that put it right; `says` is what they do, in the imperative."""

    finding: Finding
    edits: tuple[Edit, ...]
    says: str


@dataclass(frozen=True)
class Amounts:
    """What flags give for amounts that a manifest does not have; "" where nothing is given."""

    size_limit: str = ""
    memory_limit: str = ""
    cpu_request: str = ""
    memory_request: str = ""


@dataclass(frozen=True)
class Given:
    """What a fix depends on besides the finding and its document: the target version, and the flags."""

    kube_version: str
    amounts: Amounts = Amounts()


# From a finding to its fix, None where there is no single right answer. Raises EditRefused where there is one that
# can't be written.
Fixer = Callable[[Finding, Document, Given], "Fix | None"]


def value_at(value: Any, path: PathTuple) -> Any:
    """Return what stands at a path of plain data, None where nothing does."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and -1 < step < len(value) else None
    return value


def scalar_at(document: Document, path: PathTuple) -> Scalar | None:
    """Return the scalar at a path, None for a collection. Raises EditRefused where its text is not its own."""
    assert document.root is not None
    nodes = trail(document.root, path)
    node = nodes[-1]
    if len(nodes) <= len(path):
        raise EditRefused("it comes from a merge key (<<)", path)
    if isinstance(node, Alias):
        raise EditRefused(f"it is the alias *{node.name}", path)
    if not isinstance(node, Scalar):
        return None
    if node.anchor is not None:
        raise EditRefused(f"it is anchored as &{node.anchor}", path)
    if node.tag is not None:
        raise EditRefused("it has a tag, which says what it is", path)
    return node


def read_amounts(**given: str | None) -> Amounts:
    """Return the amounts that flags give. Raises UsageError for what is none, and for nothing at all."""
    for name, amount in given.items():
        if amount is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        problem = quantity.check_quantity(amount)
        if problem:
            raise UsageError(f'invalid quantity "{amount}": {problem}', hint="write 64Mi, 1Gi or 100m", where=flag)
        if (quantity.parse_quantity(amount) or 0) <= 0:
            raise UsageError(f'"{amount}" must be more than nothing', hint="write 64Mi, 1Gi or 100m", where=flag)
    return Amounts(**{name: (amount or "").strip() for name, amount in given.items()})


def size_limit(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Give an emptyDir its sizeLimit."""
    return _set(finding, document, {(*finding.path, "sizeLimit"): given.amounts.size_limit})


def memory_limit(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Give a container its memory limit."""
    return _set(finding, document, {finding.path: given.amounts.memory_limit})


def requests(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Give a container the requests that it lacks. Raises EditRefused where only some of them are given."""
    known = {"cpu": given.amounts.cpu_request, "memory": given.amounts.memory_request}
    wanted = {name: known[name] for name in finding.wants}
    lacking = [f"--{name}-request" for name, amount in wanted.items() if not amount]
    if lacking and len(lacking) < len(wanted):
        raise EditRefused(f"{' and '.join(lacking)} is needed too", finding.path)
    return _set(finding, document, {(*finding.path, name): amount for name, amount in wanted.items()})


def _set(finding: Finding, document: Document, amounts: dict[PathTuple, str]) -> Fix | None:
    if not amounts or not all(amounts.values()):
        return None
    says = "set " + " and ".join(f"{_field(path)}: {amount}" for path, amount in amounts.items())
    return Fix(finding, tuple(_edit(document, path, amount, says) for path, amount in amounts.items()), says)


def _field(path: PathTuple) -> str:
    """The end of a path, from the list item on that it is in: `resources.limits.memory`."""
    last = max((depth for depth, step in enumerate(path) if isinstance(step, int)), default=-1)
    return dotted(path[last + 1 :])


def _edit(document: Document, path: PathTuple, amount: str, says: str) -> Edit:
    """Write over what stands there (a zero, an empty text), else add it."""
    there = value_at(document.value, path) is not None
    return Replace(path, amount, says) if there else Insert(path, amount, says)


def repeated(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Drop an item that is the same as an earlier one."""
    path = _item(finding.path)
    if not path:
        return None
    items, index = value_at(document.value, path[:-1]), path[-1]
    if not isinstance(items, list) or not isinstance(index, int) or not index < len(items):
        return None
    if not any(identical(one, items[index]) for one in items[:index]):
        return None
    return _dropped(finding, document, path)


def repeated_variable(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Drop a variable that is the same as all others of its name: only then it makes no difference which one counts."""
    path = _item(finding.path)
    own = value_at(document.value, path)
    variables = value_at(document.value, path[:-1])
    if not isinstance(own, dict) or not isinstance(variables, list):
        return None
    namesakes = [one for one in variables if isinstance(one, dict) and one.get("name") == own.get("name")]
    return _dropped(finding, document, path) if all(identical(one, own) for one in namesakes) else None


def _item(path: PathTuple) -> PathTuple:
    """The path of the innermost list item on a path, () where there is none."""
    last = max((depth for depth, step in enumerate(path) if isinstance(step, int)), default=-1)
    return path[: last + 1]


def _dropped(finding: Finding, document: Document, path: PathTuple) -> Fix:
    if _has_comment(document, path):
        raise EditRefused("a comment stands there, which would be lost", path)
    says = "remove it: the same stands there before"
    return Fix(finding, (Remove(path, says),), says)


def _has_comment(document: Document, path: PathTuple) -> bool:
    """True where a comment stands in an item, on its last line, or on lines of its own above it."""
    assert document.root is not None
    nodes = trail(document.root, path)
    holder, index = (nodes[-2], path[-1]) if len(nodes) == len(path) + 1 else (None, 0)
    if not isinstance(holder, Sequence) or not isinstance(index, int):
        return False  # below an alias: refused for that
    text = document.text
    edges = member_bounds(text, holder)
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


def retyped(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Put a number or boolean in quotes where a string is wanted, as it is written; take quotes off where they are wrong."""
    wanted = next(iter(finding.wants), "")
    value = value_at(document.value, finding.path)
    if wanted == "string" and isinstance(value, (bool, int, float)):
        return _quoted(finding, document)
    whole = wanted in ("int32", "int64") and isinstance(value, str) and _WHOLE.fullmatch(value)
    if whole or (wanted == "boolean" and value in ("true", "false")):
        return _unquoted(finding, document)
    return None


def _quoted(finding: Finding, document: Document) -> Fix | None:
    node = scalar_at(document, finding.path)
    if node is None:
        return None
    written = document.text[node.start : node.end]
    says = f'put it in quotes: "{written}"'
    return Fix(finding, (Replace(finding.path, written, says, f'"{written}"'),), says)


def _unquoted(finding: Finding, document: Document) -> Fix | None:
    node = scalar_at(document, finding.path)
    if node is None or node.style not in _QUOTES:
        return None
    value = node.value == "true" if node.value in ("true", "false") else int(node.value)
    says = f"remove the quotes: {node.value}"
    return Fix(finding, (Replace(finding.path, value, says, node.value),), says)


def recased(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Write a word as the field knows it, where only the case of letters differs."""
    value = value_at(document.value, finding.path)
    meant = [word for word in finding.wants if isinstance(value, str) and word.lower() == value.lower()]
    return rewritten(finding, document, meant[0], f"write {meant[0]}") if len(meant) == 1 else None


def rewritten(finding: Finding, document: Document, text: str, says: str) -> Fix | None:
    """Write another word in the place of the finding's, in its quotes."""
    node = scalar_at(document, finding.path)
    if node is None or node.style not in ("", *_QUOTES):
        return None
    return Fix(finding, (Replace(finding.path, text, says, in_its_quotes(node, text)),), says)


def in_its_quotes(node: Scalar, text: str) -> str:
    """Return a word (no quote, no backslash in it) as it is to be written in the place of a scalar; "" for the usual way."""
    return f"{node.style}{text}{node.style}" if node.style in _QUOTES else ""
