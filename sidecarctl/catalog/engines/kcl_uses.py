"""Find the inputs that a KCL template inspects, and those that it only prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecarctl.catalog.engines.kcl_tree import names_of, walk

_SPLIT_INPUTS = ("workload", "kube")
# Inputs that differ for each workload; if a template only prints them, they are inserted after rendering.
_WRITABLE = ("companion", "workload.name", "workload.namespace")


def find_uses(tree: dict[str, Any], nodes: list[dict[str, Any]]) -> dict[str, list[str]] | None:
    """Return the fields that are read from the variable of `option("input")`: inspected, or only printed."""
    variables = [
        node["targets"][0]["node"]["name"]["node"]
        for node in nodes
        if node.get("type") == "Assign" and len(node.get("targets", ())) == 1 and _is_option(node["value"]["node"])
    ]
    if len(variables) != 1:
        return None
    uses = set()
    for node in nodes:
        names = names_of(node) if node.get("type") == "Identifier" else []
        if names and names[0] == variables[0]:
            if len(names) == 1 or (names[1] in _SPLIT_INPUTS and len(names) == 2):
                return None
            uses.add(".".join(names[1:3]) if names[1] in _SPLIT_INPUTS else names[1])
    written = uses & set(_WRITABLE) - _InputUses(tree, variables[0]).found
    return {"exact": sorted(uses - written), "written": sorted(written)}


class _InputUses:
    """Finds the writable inputs that a template may inspect.

    An input is only printed if it is a value, or part of a string, that is directly assigned to a result variable that nothing
    else refers to. Entries of a mapping can refer to those before them, so the same holds for its keys. Everything unknown counts
    as inspection.
    """

    def __init__(self, tree: dict[str, Any], variable: str) -> None:
        self.found: set[str] = set()
        assigned = [n for n in (each["node"] for each in tree["body"]) if n.get("type") == "Assign"]
        targets = [_target(node) for node in assigned]
        self._names = {f"{variable}.{name}": name for name in _WRITABLE}
        aliases = []
        for node, target in zip(assigned, targets):
            value = (
                ".".join(names_of(node["value"]["node"])) if node["value"]["node"].get("type") == "Identifier" else ""
            )
            if value in self._names and target.startswith("_") and targets.count(target) == 1:
                self._names[target] = self._names[value]
                aliases.append(node)
        keys = {id(node) for node in _literal_keys(tree)}
        identifiers = (n for n in walk(tree) if n.get("type") == "Identifier" and id(n) not in keys)
        self._referred = {names_of(node)[0] for node in identifiers if names_of(node)}
        for node in (each["node"] for each in tree["body"]):
            if node in aliases:
                continue
            result = node.get("type") == "Assign" and not _target(node).startswith("_")
            self._visit(node["value"] if result else node, result and _target(node) not in self._referred)

    def _visit(self, node: Any, writes: bool) -> None:
        if isinstance(node, list):
            for each in node:
                self._visit(each, writes)
        if not isinstance(node, dict):
            return
        kind = node.get("type")
        if kind is None:  # a wrapper with the location of a node, or an entry of a mapping
            named = node.get("key")
            writes = writes and not (named and _key_name(named) in self._referred)
            for key, each in node.items():
                if key == "key" and _is_literal_key(each):
                    continue
                self._visit(each, writes and key != "key")
        elif kind == "Identifier":
            steps = names_of(node)
            for count in range(1, len(steps) + 1):
                name = self._names.get(".".join(steps[:count]))
                if name is not None and not (writes and count == len(steps)):
                    self.found.add(name)
        else:
            passing = _WRITING.get(kind, ())
            for key, each in node.items():
                self._visit(each, writes and key in passing)


# The parts of a node that pass a value on unchanged.
_WRITING: dict[str, tuple[str, ...]] = {
    "Config": ("items",),
    "ConfigIfEntry": ("items", "orelse"),
    "List": ("elts",),
    "ListIfItem": ("exprs", "orelse"),
    "If": ("body", "orelse"),
    "Paren": ("expr",),
    "JoinedString": ("values",),
    "FormattedValue": ("value",),
}


def _target(node: dict[str, Any]) -> str:
    """Return the assigned variable, or "" for several or for a part of one."""
    targets = [each["node"] for each in node["targets"]]
    return str(targets[0]["name"]["node"]) if len(targets) == 1 and not targets[0]["paths"] else ""


def _is_literal_key(key: Any) -> bool:
    return isinstance(key, dict) and key.get("node", {}).get("type") == "Identifier"


def _key_name(key: dict[str, Any]) -> str:
    """Return the name by which other entries can refer to the key of an entry."""
    node = key.get("node", {})
    names = names_of(node) if node.get("type") == "Identifier" else []
    return names[0] if names else str(node.get("value", ""))


def _literal_keys(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield the mapping keys that are plain names and do not refer to variables."""
    for node in walk(tree):
        if "operation" in node and _is_literal_key(node.get("key")):
            yield node["key"]["node"]


def _is_option(node: dict[str, Any]) -> bool:
    return node.get("type") == "Call" and names_of(node["func"]["node"]) == ["option"]
