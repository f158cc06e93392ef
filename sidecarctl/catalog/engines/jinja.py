"""Render Jinja templates, and find the inputs that they use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError, TemplateError

from sidecarctl import limits
from sidecarctl.catalog.engines.jinja_filters import GUARDS, Meter, meter
from sidecarctl.catalog.engines.jinja_sandbox import Environment, environment_of
from sidecarctl.catalog.render_reuse import PLACEHOLDERS, Looked, Placeholder, Uses
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.catalog.template_functions import Refusal, TemplateFailure
from sidecarctl.errors import LibraryError, TemplateRefusal, TemplateStopped, did_you_mean

_INPUTS = frozenset(("params", "instance", "companion", "workload", "targets", "containers", "kube", "mode"))
_REFERENCES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
# Their fields are tracked separately. Anything else of them, such as `workload.get("name")`, is a use of all fields.
_GROUPS = {"workload": ("kind", "name", "namespace", "labels", "annotations"), "kube": ("version", "minor")}


def render(sidecar: Sidecar, inputs: Mapping[str, Any]) -> str:
    """Return the output of the template. Raise LibraryError with the file and line of the template.

    Templates of other libraries than the shipped one run in a child process with limits on time and memory.
    """
    if sidecar.is_shipped:
        return render_here((sidecar, inputs))
    answer = _run_limited(render_answer, (sidecar, inputs), sidecar)
    if "looked" in answer:
        raise Looked
    if "message" in answer:
        kind = _ERRORS.get(answer["kind"], LibraryError)
        raise kind(answer["message"], hint=answer["hint"], where=answer["where"])
    return str(answer["text"])


_ERRORS = {kind.__name__: kind for kind in (TemplateRefusal, TemplateStopped)}


def _run_limited(function: Callable[[Any], Any], argument: Any, sidecar: Sidecar) -> Any:
    from sidecarctl.limited_worker import LimitExceeded, run_limited

    try:
        return run_limited(function, argument)
    except LimitExceeded as problem:
        message, _, hint = str(problem).partition("; ")
        raise TemplateStopped(f"template error: {message}", where=str(sidecar.template), hint=hint) from None


def render_answer(request: tuple[Sidecar, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the output of a template, or its error, as JSON."""
    try:
        return {"text": render_here(request)}
    except Looked:
        return {"looked": True}
    except LibraryError as error:
        return {"message": error.message, "hint": error.hint, "where": error.where, "kind": type(error).__name__}


def render_here(request: tuple[Sidecar, Mapping[str, Any]]) -> str:
    """Return the output of a template, rendered in this process."""
    sidecar, inputs = request
    environment = environment_of(sidecar.folder)
    name = _template_name(sidecar)
    token = meter.set(Meter(_has_placeholder(inputs)))
    try:
        text = environment.get_template(name).render(inputs)
        return text._text if isinstance(text, Placeholder) else str(text)
    except LibraryError as error:
        error.where = _locate(error, sidecar) if error.where in ("", str(sidecar.template)) else error.where
        raise
    except TemplateSyntaxError as error:
        where = f"{sidecar.folder / (error.name or name)}:{error.lineno}"
        raise LibraryError(
            f"invalid template syntax: {error.message}", where=where, hint=_hint(error, environment)
        ) from None
    except RecursionError as error:
        raise LibraryError(
            "template nested too deeply, or endless recursion",
            where=_locate(error, sidecar),
            hint="remove macros that call themselves, and includes that include themselves",
        ) from None
    except MemoryError as error:
        hint = f"render less: shorten loops and the text that they repeat; {limits.MEMORY.way_out}"
        raise TemplateStopped("template ran out of memory", where=_locate(error, sidecar), hint=hint) from None
    except Exception as error:  # a template can raise anything
        kind = TemplateRefusal if isinstance(error, Refusal) else LibraryError
        raise kind(_describe(error), where=_locate(error, sidecar), hint=_hint(error, environment)) from None
    finally:
        meter.reset(token)


def _has_placeholder(inputs: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Placeholder) for value in (inputs["companion"], *inputs["workload"].values()))


def _template_name(sidecar: Sidecar) -> str:
    return sidecar.template.relative_to(sidecar.folder).as_posix()


def _locate(error: BaseException, sidecar: Sidecar) -> str:
    """Return the innermost template line in the traceback."""
    folder, where, trace = f"{sidecar.folder.resolve()}{os.sep}", str(sidecar.template), error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(folder):
            where = f"{sidecar.folder / file.removeprefix(folder)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


def _describe(error: Exception) -> str:
    if isinstance(error, Refusal):
        return str(error)
    if isinstance(error, (TemplateFailure, UndefinedError)):
        return f"template error: {error}"
    if isinstance(error, SecurityError):
        return f"unsafe template operation: {error}"
    if isinstance(error, TemplateError):
        return f"template error: {error.message or error}"
    return f"template error: {error} ({type(error).__name__})"


def _hint(error: Exception, environment: Environment) -> str:
    words = (error.message or "").split("'") if isinstance(error, TemplateSyntaxError) else []
    if len(words) > 1 and words[0] == "No filter named ":
        known = sorted(set(environment.filters) - set(GUARDS))
        return did_you_mean(words[1], known) or f"available filters: {', '.join(known)}"
    if isinstance(error, Refusal):
        return TemplateRefusal.HINT
    if isinstance(error, SecurityError):
        known = sorted(set(environment.filters) - set(GUARDS))
        return f"use a filter, or take the value as a parameter; available filters: {', '.join(known)}"
    if isinstance(error, UndefinedError):
        return "check the name; for a value that can be missing, use the filter `default`"
    return ""


Visit = Callable[[str, nodes.Node], Iterable[nodes.Node]]


def walk(sidecar: Sidecar, visit: Visit) -> None:
    """Visit the syntax trees of a template and of templates that it references by constant name.

    `visit` gets a template name and a node and returns the child nodes to visit. Raise Jinja errors and LibraryError.
    """
    environment = environment_of(sidecar.folder)
    waiting, seen = [_template_name(sidecar)], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        stack: list[nodes.Node] = [environment.tree(name)]
        while stack:
            node = stack.pop()
            reference = _constant_reference(node)
            if reference is not None:
                waiting.append(reference)
            stack += visit(name, node)


def _constant_reference(node: nodes.Node) -> str | None:
    if isinstance(node, _REFERENCES) and isinstance(node.template, nodes.Const):
        return node.template.value if isinstance(node.template.value, str) else None
    return None


class _DynamicReference(Exception):
    """The name of a referenced template is known at rendering only."""


def find_uses(sidecar: Sidecar) -> Uses:
    """Return the inputs that the template may inspect or print; empty if they are unknown."""
    found = find_uses_here(sidecar) if sidecar.is_shipped else _run_limited(find_uses_here, sidecar, sidecar)
    return Uses() if found is None else Uses(frozenset(found["exact"]), frozenset(found["written"]))


def find_uses_here(sidecar: Sidecar) -> dict[str, list[str]] | None:
    """Return the inputs that the template may inspect or print as JSON, None if they are unknown."""
    mentioned: set[str] = set()

    def visit(_: str, node: nodes.Node) -> Iterable[nodes.Node]:
        if isinstance(node, _REFERENCES) and _constant_reference(node) is None:
            raise _DynamicReference
        if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            if node.attr in _GROUPS.get(node.node.name, ()):
                mentioned.add(f"{node.node.name}.{node.attr}")
                return ()
        if isinstance(node, nodes.Name) and node.name in _INPUTS:
            mentioned.add(node.name)
            return ()
        return node.iter_child_nodes()

    try:
        walk(sidecar, visit)
    except (TemplateError, LibraryError, RecursionError, ValueError, _DynamicReference):
        return None
    return {"exact": sorted(mentioned - PLACEHOLDERS.keys()), "written": sorted(mentioned & PLACEHOLDERS.keys())}


def parameter_path(node: nodes.Node) -> tuple[list[str] | None, list[nodes.Node]]:
    """Return the path of the parameter that a node reads, and its nodes with dynamic keys; (None, []) for other nodes."""
    if isinstance(node, nodes.Name):
        return ([], []) if node.name == "params" else (None, [])
    if not isinstance(node, (nodes.Getattr, nodes.Getitem)):
        return None, []
    steps, rest = parameter_path(node.node)
    if steps is None:
        return None, []
    key = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
    if rest or not isinstance(key, str):
        # A dynamic key may select any parameter below, so the path ends here.
        return steps, [*rest, *([node.arg] if isinstance(node, nodes.Getitem) else [])]
    return [*steps, key], []
