"""Turns the replacement of a scalar into a text replacement that keeps its style, and the lines that do not change."""

from __future__ import annotations

from typing import Any

from sidecarctl.errors import BugError
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused, Replace, dotted
from sidecarctl.yamltext.layout import block_indent, keeps_blank_lines, properties_end, value_offset
from sidecarctl.yamltext.lines import BREAK, Splice, blank_before_comment, first_on_line, skip_gap
from sidecarctl.yamltext.nodes import Alias, Node, Scalar, trail
from sidecarctl.yamltext.style import flow_style


def replace_splice(text: str, root: Node, edit: Replace) -> Splice:
    """Return the text replacement for a scalar or an alias."""
    nodes = trail(root, edit.path)
    node = nodes[-1]
    if not isinstance(node, (Scalar, Alias)) or len(nodes) <= len(edit.path):
        raise BugError(f"no scalar to replace at {dotted(edit.path)}")
    if isinstance(node, Scalar) and node.style in ("|", ">"):
        if first_on_line(text, skip_gap(text, properties_end(text, node))):
            raise EditRefused(
                f"cannot edit {dotted(edit.path)}: its block scalar starts on the line after the key",
                edit.path,
                hint="start it on the line of the key",
            )
        written = "" if edit.text else _block(text, node, edit.value)
        if written:
            return Splice(node.start, node.end, written, path=edit.path)
    written = edit.text or _scalar(text, nodes, edit.value)
    if node.end > node.start:
        return Splice(node.start, node.end, written + blank_before_comment(text, node.end, written), path=edit.path)
    place = value_offset(text, nodes)
    if place is None:
        raise EditRefused(f"{dotted(edit.path)} has no colon", edit.path, hint="write a colon after the key")
    return Splice(place, place, f" {written}" + blank_before_comment(text, place, written), depth=len(edit.path))


def _scalar(text: str, nodes: list[Node], value: Any) -> str:
    """Return a scalar in the quotes of the one that it replaces, the last of the nodes, if it can have them; JSON in JSON."""
    style = getattr(nodes[-1], "style", "")
    if not isinstance(value, str) or style not in ("'", '"'):
        in_flow = any(getattr(holder, "flow", False) for holder in nodes[:-1])
        return emit.scalar(value, flow=in_flow, json_style=in_flow and flow_style(text, nodes[:-1]).json)
    single = style == "'" and emit.is_printable(value) and "\n" not in value
    return "'" + value.replace("'", "''") + "'" if single else emit.json_text(value)


def _block(text: str, node: Scalar, value: Any) -> str:
    """Return a literal block with a new value; equal lines stay as they are. Empty if a literal block cannot hold it."""
    from sidecarctl.yamltext.changed_ranges import find_changed_ranges  # imports difflib, which is slow

    if not isinstance(value, str) or not emit.is_literal(value) or (node.end == len(text) and value.endswith("\n")):
        return ""
    start = properties_end(text, node)
    header = BREAK.search(text, start)
    if header is None or header.start() >= node.end:
        return ""
    newline = header.group()
    raw = BREAK.split(text[header.end() : node.end])
    new = value.removesuffix("\n").split("\n")
    indent = " " * (block_indent(text, node.start, node.end, str(node.value)) or 2)
    old = str(node.value).removesuffix("\n").split("\n")
    same_end = value.endswith("\n") == str(node.value).endswith("\n")
    if node.style == "|" and same_end and len(raw) == len(old) and keeps_blank_lines(text, start) is not True:
        lines: list[str] = []
        at = 0
        for start, end, first, last in find_changed_ranges(old, new):
            lines += [*raw[at:start], *(f"{indent}{line}" if line else line for line in new[first:last])]
            at = end
        return newline.join([text[node.start : header.start()], *lines, *raw[at:]])
    head = text[node.start : start] + (" " if start > node.start else "") + ("|" if value.endswith("\n") else "|-")
    return newline.join([head, *(f"{indent}{line}" if line else line for line in new)])
