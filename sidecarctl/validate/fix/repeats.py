"""Fixes that drop an item which says again, word for word, what an earlier one of its list says."""

from __future__ import annotations

from sidecarctl.findings import Finding, PathTuple
from sidecarctl.validate.fix.fixes import Fix, Given, value_at
from sidecarctl.yamltext.edits import EditRefused, Remove, identical
from sidecarctl.yamltext.members import bounds
from sidecarctl.yamltext.nodes import Scalar, Sequence, trail, walk
from sidecarctl.yamltext.stream import Document


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
    edges = bounds(text, holder)
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
