"""Secret parameters that a sidecar was given and is not given again: it cannot be rendered, because they are not recorded."""

from __future__ import annotations

from collections.abc import Sequence

from sidecarctl.composition.request import ParameterChanges, Request
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.merge import ENFORCE
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.workload import Workload
from sidecarctl.record.model import Instance
from sidecarctl.record.paths import record_path
from sidecarctl.yamltext.edits import dotted

RULE = "secret-not-recorded"


def plan_without_secrets(workload: Workload, request: Request, instance: Instance, kube_version: str) -> Plan | None:
    """Return the plan for an instance that was given secrets, if the request does not give them again; None if it does.

    The plan leaves the instance as it is. It is refused if the request changes the instance.
    """
    try:
        wanted = request.for_instance(instance, kube_version)
    except UsageError:  # one of them is required
        wanted = None
    missing = request.find_missing_secrets(instance, wanted.parameters if wanted else None)
    if not missing:
        return None
    if wanted is None:
        changes = request.changes != ParameterChanges() or request.sidecar.version != instance.version
    else:
        gives_others = bool(wanted.parameters.secret_paths) or len(missing) < len(instance.secrets)
        changes = gives_others or _differs(wanted, request.without_changes(instance, kube_version), instance)
    return Plan(workload, (), instance, findings=(_finding(workload, request, missing, changes),))


def _differs(wanted: Request, recorded: Request, instance: Instance) -> bool:
    """Return whether a request asks for anything else than the record has, secrets aside."""
    return (
        (wanted.sidecar.version, wanted.parameters.recorded) != (instance.version, recorded.parameters.recorded)
        or (wanted.mode, wanted.containers, wanted.keep_qos) != (instance.mode, instance.containers, instance.keep_qos)
        or wanted.on_conflict == ENFORCE
    )


def _finding(workload: Workload, request: Request, missing: Sequence[tuple[str, ...]], changes: bool) -> Finding:
    names = ", ".join(dotted(path) for path in missing if path)
    if len(missing) == 1:
        what, is_not, way_out = f"its secret parameter {names}".rstrip(), "is not", "give it again with --values"
    else:
        what, is_not, way_out = f"its secret parameters {names}", "are not", "give them again with --values"
    return Finding(
        RULE,
        f"{request.instance} cannot be changed without {what}"
        if changes
        else f"{request.instance} stays as it is: {what} {is_not} given",
        Severity.ERROR if changes else Severity.INFO,
        record_path(workload),
        why="The record does not have the values of secret parameters, and the sidecar cannot be rendered without them.",
        help=f"{way_out}, or go without: --unset {dotted(missing[0]) or 'KEY'}",
        workload=workload.label,
        hides_line=True,
    )
