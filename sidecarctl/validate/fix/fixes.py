"""What a fix is, what fixes are given, and what they share. Knows no rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sidecarctl.findings import Finding, PathTuple
from sidecarctl.yamltext.edits import Edit, EditRefused
from sidecarctl.yamltext.nodes import Alias, Scalar, trail
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
