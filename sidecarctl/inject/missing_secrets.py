"""Secret parameters that a sidecar was given and is not given again: it cannot be rendered, because they are not recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.catalog.assignments import MISSING, split_key, value_at
from sidecarctl.catalog.parameters import Parameters
from sidecarctl.catalog.renamed_parameters import current_path
from sidecarctl.catalog.secret_parameters import accepts
from sidecarctl.composition.request import ParameterChanges, Request
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.findings import Finding, Severity, list_first
from sidecarctl.inject.merge import ENFORCE
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.workload import Workload
from sidecarctl.record.model import Instance
from sidecarctl.record.paths import record_path
from sidecarctl.yamltext.edits import dotted

RULE = "secret-not-recorded"
_SHOWN = 10


def plan_without_secrets(workload: Workload, request: Request, instance: Instance, kube_version: str) -> Plan | None:
    """Return the plan for an instance that was given secrets, if the request does not give them again; None if it does.

    The plan leaves the instance as it is. It is refused if the request changes the instance.
    """
    try:
        wanted = request.for_instance(instance, kube_version)
    except LibraryError:
        raise
    except UsageError:  # one of them is required
        wanted = None
    missing = _find_missing(request, instance, wanted.parameters if wanted else None)
    if not missing:
        return None
    if wanted is None:
        changes = request.changes != ParameterChanges() or request.sidecar.version != instance.version
    else:
        gives_others = bool(wanted.parameters.secret_paths) or len(missing) < len(instance.secrets)
        changes = gives_others or _differs(wanted, instance, kube_version)
    return Plan(workload, (), instance, findings=(_finding(workload, request, instance, missing, changes),))


def _find_missing(request: Request, instance: Instance, wanted: Parameters | None) -> list[tuple[str, ...]]:
    """Return the paths of secret parameters that were given earlier, but are neither given again nor unset.

    `wanted` are the parameters for the instance, None if they are incomplete. Those that this version does not have are not
    needed.
    """
    changes, sidecar = request.changes, request.sidecar
    if changes is None or changes.reset or instance.sidecar != sidecar.name:
        return []
    unset = [tuple(split_key(key)) for key in changes.unset]
    names = {path: current_path(path, sidecar.renamed_parameters) for path in instance.secrets}
    return [
        name
        for path, name in names.items()
        if accepts(name, sidecar.parameters)
        and not _is_given(name, changes.given, wanted)
        and not any(key in (path[: len(key)], name[: len(key)]) for key in unset)
    ]


def _is_given(path: tuple[str, ...], given: Mapping[str, Any], wanted: Parameters | None) -> bool:
    """Return whether a secret, or something that is none in its place, is given; `wanted` are the parameters, None if incomplete.

    A mapping or list in its place can be without the secret.
    """
    if wanted is not None and path in wanted.secret_paths:
        return True
    if not given or value_at(given, path) is MISSING:
        return False
    value = None if wanted is None else value_at(wanted.values, path)
    return not (isinstance(value, (Mapping, list)) and value)


def _differs(wanted: Request, instance: Instance, kube_version: str) -> bool:
    """Return whether a request asks for anything else than the record has, secrets aside."""
    if (wanted.sidecar.version, wanted.mode) != (instance.version, instance.mode) or wanted.on_conflict == ENFORCE:
        return True
    recorded = wanted.without_changes(instance, kube_version)
    now = (wanted.parameters.recorded, wanted.containers, wanted.keep_qos)
    return now != (recorded.parameters.recorded, instance.containers, instance.keep_qos)


def _finding(
    workload: Workload, request: Request, instance: Instance, missing: Sequence[tuple[str, ...]], changes: bool
) -> Finding:
    names = [dotted(path) for path in missing if path]
    listed, is_one = list_first(names, _SHOWN), len(missing) == 1
    what = f"its secret parameter{'' if is_one else 's'} {listed}".rstrip()
    return Finding(
        RULE,
        f"{request.instance} cannot be changed without {what}"
        if changes
        else f"{request.instance} stays as it is: {what} {'is' if is_one else 'are'} not given",
        Severity.ERROR if changes else Severity.INFO,
        record_path(workload),
        why="The record does not have the values of secret parameters, and the sidecar cannot be rendered without them.",
        help=f"give {'it' if is_one else 'them'} again with --values, or go without: --unset {names[0]}"
        if len(names) == len(missing) and request.sidecar.version == instance.version
        else "use --values with all parameters, and --reset-values",
        workload=workload.label,
        hides_line=True,
    )
