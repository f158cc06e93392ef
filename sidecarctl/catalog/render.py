"""Render a sidecar with its parameters for a workload to a fragment."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog import common_parameters, render_cache, render_reuse
from sidecarctl.catalog.assignments import find_origin
from sidecarctl.catalog.entry_files import CASES, check_depth, check_length, list_files, read_rendered, read_text
from sidecarctl.catalog.fragment import (
    Fragment,
    build_fragment,
    check_fragment,
    find_fragment_problems,
    fragment_fields,
)
from sidecarctl.catalog.parameters import Parameters
from sidecarctl.catalog.render_reuse import Looked
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, SidecarctlError, TemplateRefusal, TemplateStopped, UsageError
from sidecarctl.findings import shorten
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.nodes import is_deeper, length_of


@dataclass(frozen=True)
class Inputs:
    """The template inputs besides parameters, as plain data.

    workload     kind, name, namespace ("" if none), labels and annotations of the pod template
    targets      the target app containers: name, image, runAsUser (None if the image decides), ports, env (names), mounts
    containers   all app containers, in the same form
    kube_version "1.34"
    mode         native, classic, or init
    params       set from the parameters if None
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
    """Return the inputs of a template of any engine."""
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
    """Return the fragment of a sidecar for one workload.

    Renderings are reused for equal inputs; inputs that the template does not use are ignored. Raise LibraryError for an error
    of the template, UsageError for an invalid `patch`, `volumes`, or `volumeMounts`.
    """
    data = template_inputs(parameters, inputs)
    stamp = _stamp(sidecar)
    given = sidecar.folder, stamp, json.dumps([parameters.common, *parameters.shared])
    uses = _find_uses(sidecar, stamp)
    placeholders = render_reuse.find_placeholders(uses, data)
    if placeholders:
        key = (*given, render_reuse.inputs_key(uses, data, placeholders))
        if key not in _renderings:
            _render_with_placeholders(sidecar, parameters, render_reuse.insert_placeholders(data, placeholders), key)
        form = _renderings[key]
        whole = render_reuse.fill_placeholders(form, placeholders) if form else None
        if whole:
            return whole
    key = (*given, render_reuse.inputs_key(uses, data, {}))
    if key not in _renderings:
        _remember(key, render_reuse.ReusableFragment(_load_or_render(sidecar, parameters, data, key), {}))
    whole_form = _renderings[key]
    assert whole_form is not None
    return whole_form.fragment


# The parts of a message that quote template output: quoted text, or the last key of a path (`containers[0].image: ...`).
_QUOTED = lazy_pattern(r"(?:'|duplicate name \")([^'\"]+)['\"]|\b([A-Za-z]\w*): ")
_MAX_RENDERINGS = 256
_Stamp = tuple[int, ...]
_Key = tuple[Path, _Stamp, str, str]
# None marks a failed rendering with placeholders: workloads are then rendered one by one.
_renderings: dict[_Key, render_reuse.ReusableFragment | None] = {}


def _render_with_placeholders(sidecar: Sidecar, parameters: Parameters, data: Mapping[str, Any], key: _Key) -> None:
    """Remember the fragment with the placeholders in the data, or None if the template does not support them.

    Raise TemplateStopped: a rendering without placeholders would be stopped too.
    """
    try:
        if render_reuse.holds_placeholder("".join((key[2], key[3]))):
            raise LibraryError("the inputs contain a placeholder")
        form = render_reuse.ReusableFragment.of(_load_or_render(sidecar, parameters, data, key))
    except TemplateStopped:
        raise
    except (SidecarctlError, Looked):
        _remember(key, None)
    else:
        # A patch finds items by their names, which are not known yet; names of ports in `fronts` are short.
        patched = {"containers", "init_containers"} if "patch" in parameters.common else set()
        _remember(key, None if form.parts.keys() & {"fronts", *patched} else form)


def _remember(key: _Key, form: render_reuse.ReusableFragment | None) -> None:
    if len(_renderings) >= _MAX_RENDERINGS:
        _renderings.clear()
    _renderings[key] = form


def _stamp(sidecar: Sidecar) -> _Stamp:
    """Return the modification times of the files that the template can read, so that edits take effect in a running process.

    The shipped library does not change while a process runs, so the time of the template is enough there.
    """
    try:
        own = sidecar.template.stat()
    except OSError:
        raise LibraryError(f"file not found: {sidecar.template.name}", where=str(sidecar.template)) from None
    stamp = [own.st_mtime_ns, own.st_size]
    if not sidecar.is_shipped:
        with suppress(OSError):  # a file that was deleted since it was listed
            for _, file in list_files(str(sidecar.folder), CASES):
                found = os.stat(file)  # noqa: PTH116 - for speed
                stamp += found.st_ino, found.st_mtime_ns, found.st_size
    return tuple(stamp)


def _engine(sidecar: Sidecar) -> Any:
    return importlib.import_module(f"sidecarctl.catalog.engines.{sidecar.engine}")


@lru_cache(maxsize=256)
def _find_uses(sidecar: Sidecar, stamp: _Stamp) -> render_reuse.Uses:
    known = render_cache.load(sidecar, "uses")
    if known is not None:
        return render_reuse.Uses(frozenset(known["exact"]), frozenset(known["written"]))
    uses: render_reuse.Uses = _engine(sidecar).find_uses(sidecar)
    if uses.written and render_reuse.files_hold_placeholder(sidecar.folder):
        uses = uses.without_placeholders()
    if uses.exact is not None:
        render_cache.store(sidecar, {"exact": sorted(uses.exact), "written": sorted(uses.written)}, "uses")
    return uses


def _load_or_render(sidecar: Sidecar, parameters: Parameters, data: Mapping[str, Any], key: _Key) -> Fragment:
    """Return the cached fragment of an earlier run, or render a new one."""
    known = render_cache.load(sidecar, "fragment", *key[2:])
    if known is not None:
        return build_fragment(known)
    value = _render_data(sidecar, parameters, data)
    render_cache.store(sidecar, value, "fragment", *key[2:])
    return build_fragment(value)


def _render_data(sidecar: Sidecar, parameters: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return _render_fragment(sidecar, parameters, data)
    except UsageError as error:
        shown = error
        if parameters.secrets:
            from sidecarctl.catalog.secret_parameters import hide_output

            shown = hide_output(error, parameters.secrets, fragment_fields())
        # Not before the secrets are hidden: a part of one would not be found.
        shown.message = shorten(shown.message.strip(), _LONGEST_MESSAGE)
        raise shown from None


def _render_fragment(sidecar: Sidecar, parameters: Parameters, data: Mapping[str, Any]) -> dict[str, Any]:
    template = str(sidecar.template)
    try:
        result = _engine(sidecar).render(sidecar, data)
        if isinstance(result, str):
            _check_characters(sidecar, parameters, result)
            result = read_rendered(result, template)
        check_length(length_of(result), template)
        check_depth(result, "template output", template)
        fragment = check_fragment(result, template)
    except TemplateRefusal as refusal:
        place = find_origin(refusal.message, parameters.origins) or parameters.where
        raise (refusal.moved_to(place) if place else refusal) from None
    except LibraryError as error:
        if error.where == template:
            if f'at most 63, got "{data["instance"][:20]}' in error.message and data["instance"] != sidecar.name:
                error.hint = "the sidecar builds names from the name of the instance: give a shorter one with --as"
            error.where = f"{template}:{_find_line(sidecar, error.message)}"
        raise
    given = [name for name in parameters.common if name not in parameters.shared]
    if not common_parameters.target_containers(fragment):
        if given:
            raise _no_container_error(sidecar, parameters, given)
        return fragment
    _check_repeated(sidecar, parameters, fragment)
    fragment = common_parameters.apply(fragment, parameters.common)
    _check_common(sidecar, parameters, fragment)
    return fragment


def _check_repeated(sidecar: Sidecar, parameters: Parameters, fragment: Mapping[str, Any]) -> None:
    """Raise UsageError if the common parameters are too long for the number of containers that get them."""
    count = len(fragment.get("containers", ())) + len(fragment.get("initContainers", ()))
    if count * length_of(parameters.common) > limits.RENDERED.value:
        raise UsageError(
            f"the parameters of every sidecar, in {count:,} containers of {sidecar.name}, have more than"
            f" {limits.RENDERED.value:,} characters",
            hint=limits.RENDERED.way_out,
            where=parameters.where,
        )


def _check_characters(sidecar: Sidecar, parameters: Parameters, text: str) -> None:
    """Raise UsageError if the output has a character of a parameter that YAML allows in quoted text only, as an escape."""
    for character in dict.fromkeys(_UNQUOTABLE.findall(text)):
        from sidecarctl.catalog.parameter_values import find_text

        key = find_text(parameters.values, character)
        if key:
            raise UsageError(
                f"{sidecar.name}: parameter {key} contains the unsupported character U+{ord(character):04X}",
                hint=f"remove the character; the template writes {key} to a file that cannot contain it",
                where=find_origin(key, parameters.origins) or parameters.where,
            )


# Control characters and line breaks other than \\n.
_UNQUOTABLE = lazy_pattern("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ufeff\\u2028\\u2029\\ufffe\\uffff]")


# Common parameters that can make a fragment invalid, and what they do.
_RISKY = {
    "patch": "it is merged into each container of the sidecar",
    "volumes": "they are added to those of the sidecar",
    "volumeMounts": "they are added to those of the sidecar; to change one of its own, use patch",
}


def _check_common(sidecar: Sidecar, parameters: Parameters, fragment: Mapping[str, Any]) -> None:
    """Raise UsageError if common parameters made the fragment invalid."""
    given = [name for name in _RISKY if name in parameters.common]
    if not given:
        return
    if is_deeper(fragment, limits.LIBRARY_DEPTH):
        found = [f"nested deeper than {limits.LIBRARY_DEPTH} levels"]
    else:
        found = _find_common_problems(fragment)
    if found:
        raise UsageError(
            f"invalid {' or '.join(given)} for {sidecar.name}: {'; '.join(found[:5])}",
            hint="; ".join(f"{name}: {_RISKY[name]}" for name in given),
            where=find_origin(given[0], parameters.origins) or parameters.where,
        )


def _find_common_problems(fragment: Mapping[str, Any]) -> list[str]:
    return [str(problem) for problem in find_fragment_problems(fragment)] or [
        f'container "{container}" has two mounts at {path}'
        for container, path in common_parameters.find_duplicate_mounts(fragment)
    ]


_LONGEST_MESSAGE = 2_000  # characters
_SEARCHED = 1_000  # characters of a message, which can quote much of the output


def _find_line(sidecar: Sidecar, message: str) -> int:
    """Return the template line that a message about the output refers to, or 1 if it is not unique."""
    try:
        lines = read_text(sidecar.template, sidecar.folder).splitlines()
    except LibraryError:
        return 1
    for quoted, key in _QUOTED.findall(message[:_SEARCHED]):
        found = [number for number, line in enumerate(lines, 1) if (quoted or f"{key}:") in line]
        if len(found) == 1:
            return found[0]
    return 1


def _no_container_error(sidecar: Sidecar, parameters: Parameters, given: Sequence[str]) -> UsageError:
    named = " and ".join(given) if len(given) < 3 else f"{', '.join(given[:-1])}, and {given[-1]}"
    return UsageError(
        f"cannot apply {named}: {sidecar.name} adds no container",
        hint=f"remove {named}; `sidecarctl show {sidecar.name}` lists its parameters",
        where=find_origin(named, parameters.origins) or parameters.where,
    )
