"""A sidecar, its parameters and a workload's facts to a fragment. Knows the order of the steps; each step is elsewhere."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from sidecarctl.catalog import common_parameters, render_cache, render_reuse
from sidecarctl.catalog.assignments import meant
from sidecarctl.catalog.entry_files import read_rendered, read_text
from sidecarctl.catalog.fragment import Fragment, build, checked, fragment_problems
from sidecarctl.catalog.parameters import Parameters
from sidecarctl.catalog.render_reuse import Looked
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, SidecarctlError, TemplateRefusal, UsageError
from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Inputs:
    """What a template sees besides the parameters; plain data throughout.

    workload     kind, name, namespace ("" if none), labels and annotations of the pod template
    targets      the targeted app containers: name, image, ports, env (names), mounts
    containers   all app containers, in the same shape
    kube_version "1.34"
    mode         native, classic or init: resolved
    params       left out; filled in from the parameters
    """

    instance: str
    companion: str
    workload: Mapping[str, Any]
    targets: Sequence[Mapping[str, Any]]
    containers: Sequence[Mapping[str, Any]]
    kube_version: str
    mode: str
    params: Mapping[str, Any] | None = None


def template_inputs(parameters: Parameters, inputs: Inputs) -> dict[str, Any]:
    """Return what every template gets, whatever its engine: names to plain data."""
    return {
        "params": dict(inputs.params) if inputs.params is not None else parameters.values,
        "instance": inputs.instance,
        "companion": inputs.companion,
        "workload": dict(inputs.workload),
        "targets": list(inputs.targets),
        "containers": list(inputs.containers),
        "kube": {"version": inputs.kube_version, "minor": int(inputs.kube_version.split(".")[1])},
        "mode": inputs.mode,
    }


def render(sidecar: Sidecar, parameters: Parameters, inputs: Inputs) -> Fragment:
    """Return the fragment of `sidecar` for one workload.

    What gives the template the same inputs is rendered once; inputs that it never looks at do not count. Raises
    LibraryError for a template that fails or renders no fragment, UsageError for a `patch` that breaks it.
    """
    data = template_inputs(parameters, inputs)
    uses = _uses(sidecar, _stamp(sidecar))
    placeholders = render_reuse.open_names(uses, data)
    if placeholders:
        form = _with_placeholders(sidecar, parameters, data, uses, placeholders)
        whole = render_reuse.filled(form, placeholders) if form else None
        if whole:
            return whole
    key = _key(sidecar, parameters, render_reuse.key(uses, data, {}))
    if key not in _rendered:
        _remember(key, render_reuse.Form(_kept_or_rendered(sidecar, parameters, data, key), {}))
    whole_form = _rendered[key]
    assert whole_form is not None
    return whole_form.fragment


# What a message about a result quotes of it: text in quotes, or the last key of a path (`containers[0].image: must be…`).
_QUOTED = re.compile(r"'([^']+)'|\b([A-Za-z]\w*): ")
_MAX_KEPT = 256
_Key = tuple[Path, int, str, str]
# None stands for a rendering with placeholders that failed: then each workload is rendered by itself.
_rendered: dict[_Key, render_reuse.Form | None] = {}


def _with_placeholders(
    sidecar: Sidecar,
    parameters: Parameters,
    data: Mapping[str, Any],
    uses: render_reuse.Uses,
    placeholders: Mapping[str, str],
) -> render_reuse.Form | None:
    """The fragment with placeholders in it, or None where the template takes none."""
    key = _key(sidecar, parameters, render_reuse.key(uses, data, placeholders))
    if key not in _rendered:
        try:
            if render_reuse.holds_placeholder("".join(key[2:])):
                raise LibraryError("a placeholder stands in the inputs themselves")
            fragment = _kept_or_rendered(sidecar, parameters, render_reuse.with_placeholders(data, placeholders), key)
        except (SidecarctlError, Looked):
            _remember(key, None)
        else:
            _remember(key, render_reuse.Form.of(fragment))
    return _rendered[key]


def _key(sidecar: Sidecar, parameters: Parameters, inputs_key: str) -> _Key:
    return sidecar.folder, _stamp(sidecar), json.dumps(parameters.common), inputs_key


def _remember(key: _Key, form: render_reuse.Form | None) -> None:
    if len(_rendered) >= _MAX_KEPT:
        _rendered.clear()
    _rendered[key] = form


def _stamp(sidecar: Sidecar) -> int:
    """When the template was last written: a process that edits its library sees its edits."""
    try:
        return sidecar.template.stat().st_mtime_ns
    except OSError:
        raise LibraryError(f"there is no {sidecar.template.name}", where=str(sidecar.template)) from None


def _engine(sidecar: Sidecar) -> Any:
    return importlib.import_module(f"sidecarctl.catalog.engines.{sidecar.engine}")


@lru_cache(maxsize=256)
def _uses(sidecar: Sidecar, stamp: int) -> render_reuse.Uses:
    known = render_cache.recall(sidecar, "uses")
    if known is not None:
        return render_reuse.Uses(frozenset(known["exact"]), frozenset(known["written"]))
    uses: render_reuse.Uses = _engine(sidecar).uses(sidecar)
    if uses.exact is not None:
        render_cache.keep(sidecar, {"exact": sorted(uses.exact), "written": sorted(uses.written)}, "uses")
    return uses


def _kept_or_rendered(sidecar: Sidecar, parameters: Parameters, data: Mapping[str, Any], key: _Key) -> Fragment:
    """The fragment that an earlier run rendered of the same, else a new one."""
    known = render_cache.recall(sidecar, "fragment", *key[2:])
    if known is not None:
        return build(known)
    value = _rendered_data(sidecar, parameters, data)
    render_cache.keep(sidecar, value, "fragment", *key[2:])
    return build(value)


def _rendered_data(sidecar: Sidecar, parameters: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
    template = str(sidecar.template)
    try:
        result = _engine(sidecar).render(sidecar, data)
        value = read_rendered(result, template) if isinstance(result, str) else result
        fragment = checked(value, template)
    except TemplateRefusal as refusal:
        place = meant(refusal.message, parameters.origins) or parameters.where
        raise (refusal.moved_to(place) if place else refusal) from None
    except LibraryError as error:
        if error.where == template:
            error.where = f"{template}:{_line_about(sidecar, error.message)}"
        raise
    if parameters.common and not common_parameters.targets(fragment):
        raise _nothing_to_change(sidecar, parameters)
    fragment = common_parameters.apply(fragment, parameters.common)
    if "patch" in parameters.common:
        found = fragment_problems(fragment)
        if found:
            raise UsageError(
                f"the patch on {sidecar.name} gives no valid container: {'; '.join(map(str, found[:5]))}",
                hint="a patch is merged into each of the sidecar's containers",
            )
    return fragment


def _line_about(sidecar: Sidecar, message: str) -> int:
    """The line of the template that a message about its result is about, 1 where that is not one line."""
    try:
        lines = read_text(sidecar.template, sidecar.folder).splitlines()
    except LibraryError:
        return 1
    for quoted, key in _QUOTED.findall(message):
        found = [number for number, line in enumerate(lines, 1) if (quoted or f"{key}:") in line]
        if len(found) == 1:
            return found[0]
    return 1


def _nothing_to_change(sidecar: Sidecar, parameters: Parameters) -> UsageError:
    given = list(parameters.common)
    named = " and ".join(filter(None, (", ".join(given[:-1]), given[-1])))
    return UsageError(
        f"{sidecar.name} adds no container here, so there is nothing that {named} could change",
        hint=f"leave {named} out; `sidecarctl show {sidecar.name}` lists the parameters of its own",
        where=meant(named, parameters.origins) or parameters.where,
    )
