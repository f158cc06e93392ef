"""Which inputs a Jinja template mentions, read off its syntax tree. Renders nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from jinja2 import TemplateError, nodes

from sidecarctl.errors import LibraryError
from sidecarctl.library.engines.jinja_sandbox import Environment
from sidecarctl.library.reuse import PLACEHOLDERS, Uses

_INPUTS = frozenset(("params", "instance", "companion", "workload", "targets", "containers", "kube", "mode"))
_REFERENCES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def uses(environment: Environment, name: str) -> Uses:
    """Return the inputs that the template mentions; nothing is claimed about one that can't be read."""
    walk = _Walk(environment)
    try:
        walk.template(name)
    except (TemplateError, LibraryError, RecursionError, _Unknown):
        return Uses()
    return Uses(frozenset(walk.mentioned - PLACEHOLDERS.keys()), frozenset(walk.mentioned & PLACEHOLDERS.keys()))


class _Unknown(Exception):
    """Something that only rendering can tell."""


@dataclass
class _Walk:
    environment: Environment
    mentioned: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def template(self, name: str) -> None:
        """A template and those that it refers to."""
        if name not in self.seen:
            self.seen.add(name)
            self.node(self.environment.tree(name))

    def node(self, node: nodes.Node) -> None:
        """A part of a template: the inputs in it, `workload.name` apart from the rest of `workload`."""
        if isinstance(node, _REFERENCES):
            if not isinstance(node.template, nodes.Const) or not isinstance(node.template.value, str):
                raise _Unknown
            self.template(node.template.value)
        if (
            isinstance(node, nodes.Getattr)
            and isinstance(node.node, nodes.Name)
            and node.node.name in ("workload", "kube")
        ):
            self.mentioned.add(f"{node.node.name}.{node.attr}")
        elif isinstance(node, nodes.Name) and node.name in _INPUTS:
            self.mentioned.add(node.name)
        else:
            for child in node.iter_child_nodes():
                self.node(child)
