"""Which inputs a Jinja template mentions, read off its syntax tree. Renders nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError, TemplateError

from sidecarctl.catalog.engines.jinja_sandbox import GUARDS, Environment, Meter, Refusal, environment_of, meter
from sidecarctl.catalog.render_reuse import PLACEHOLDERS, Placeholder, Uses
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.catalog.template_functions import TemplateFailure
from sidecarctl.errors import LibraryError, TemplateRefusal, did_you_mean

_INPUTS = frozenset(("params", "instance", "companion", "workload", "targets", "containers", "kube", "mode"))
_REFERENCES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def inputs_used(environment: Environment, name: str) -> Uses:
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


def render(sidecar: Sidecar, inputs: Mapping[str, Any]) -> str:
    """Return the text that the sidecar's template renders to. Raises LibraryError with the template's file and line."""
    environment = environment_of(sidecar.folder)
    name = _name(sidecar)
    token = meter.set(Meter(_has_placeholder(inputs)))
    try:
        text = environment.get_template(name).render(inputs)
        return text._text if isinstance(text, Placeholder) else str(text)
    except LibraryError as error:
        error.where = _line(error, sidecar) if error.where in ("", str(sidecar.template)) else error.where
        raise
    except TemplateSyntaxError as error:
        where = f"{sidecar.folder / (error.name or name)}:{error.lineno}"
        raise LibraryError(
            f"the template can't be read: {error.message}", where=where, hint=_hint(error, environment)
        ) from None
    except RecursionError as error:
        raise LibraryError(
            "the template nests too deeply, or calls or includes itself without end",
            where=_line(error, sidecar),
        ) from None
    except MemoryError as error:
        raise LibraryError("the template needs more memory than there is", where=_line(error, sidecar)) from None
    except Exception as error:  # a template is somebody's program: whatever it raises is its fault, told with its line
        kind = TemplateRefusal if isinstance(error, Refusal) else LibraryError
        raise kind(_said(error), where=_line(error, sidecar), hint=_hint(error, environment)) from None
    finally:
        meter.reset(token)


def uses(sidecar: Sidecar) -> Uses:
    """Return which of its inputs the template looks at, and which it only writes out."""
    return inputs_used(environment_of(sidecar.folder), _name(sidecar))


def _has_placeholder(inputs: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Placeholder) for value in (inputs["companion"], *inputs["workload"].values()))


def _name(sidecar: Sidecar) -> str:
    return sidecar.template.relative_to(sidecar.folder).as_posix()


# --- telling what went wrong -----------------------------------------------------------------------------------------


def _line(error: BaseException, sidecar: Sidecar) -> str:
    """The innermost line of the entry's own templates that led to the error."""
    folder, where, trace = str(sidecar.folder.resolve()), str(sidecar.template), error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(folder):
            where = f"{sidecar.folder / Path(file).relative_to(folder)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


def _said(error: Exception) -> str:
    if isinstance(error, Refusal):
        return str(error)
    if isinstance(error, (TemplateFailure, UndefinedError)):
        return f"the template fails: {error}"
    if isinstance(error, SecurityError):
        return f"the template does what no template may: {error}"
    if isinstance(error, TemplateError):
        return f"the template fails: {error.message or error}"
    return f"the template fails: {error} ({type(error).__name__})"


def _hint(error: Exception, environment: Environment) -> str:
    words = (error.message or "").split("'") if isinstance(error, TemplateSyntaxError) else []
    if len(words) > 1 and words[0] == "No filter named ":
        known = sorted(set(environment.filters) - set(GUARDS))
        return did_you_mean(words[1], known) or f"filters there are: {', '.join(known)}"
    if isinstance(error, Refusal):
        return TemplateRefusal.HINT
    return ""
