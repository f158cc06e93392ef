"""The plan for one sidecar in one workload: its edits as data, and its entry in the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.next_steps import format_next_steps
from sidecarctl.catalog.render import render
from sidecarctl.composition.request import Request
from sidecarctl.errors import LibraryError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import placement
from sidecarctl.inject.adapt import adapt_fragment
from sidecarctl.inject.companions import add_owner, companion_name
from sidecarctl.inject.conflicts import fit_fragment
from sidecarctl.inject.instance_edits import InstanceEdits
from sidecarctl.inject.pod_conflicts import find_pod_conflicts
from sidecarctl.inject.targets import build_template_inputs, choose_targets, find_former_targets
from sidecarctl.kube.fronts import fragment_fronts
from sidecarctl.kube.pod_resources import qos_class
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.record.annotation import Added, Instance, Record
from sidecarctl.results import FieldChange
from sidecarctl.yamltext.edits import Edit
from sidecarctl.yamltext.nodes import length_of


@dataclass(frozen=True)
class Plan:
    """The edits of one sidecar in one workload.

    edits      of the workload's document, without the record's
    instance   the entry in the record
    documents  companions
    findings   conflicts (errors) and warnings
    adopted    volume of the fragment -> volume of the app that is used instead
    adopting   the plan adopts an existing sidecar
    admin_ports  ports on which the sidecar listens on localhost only
    next_steps   what the user or the app must do now
    fields       fields that an upgrade changes
    parameters   recorded parameters that an upgrade changes
    changelog    the library's changes since the recorded version: (version, text)
    secrets      texts of secret parameters, which findings must not show
    upgrades     an upgrade changes the document
    hands_over   an upgrade leaves a volume to another sidecar that uses it
    gives_up     an upgrade changes or removes a pod setting, a volume, or a mount of the app, which others may plan with
    """

    workload: Workload
    edits: tuple[Edit, ...]
    instance: Instance
    documents: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()
    adopted: Mapping[str, str] = field(default_factory=dict)
    adopting: bool = False
    admin_ports: tuple[int, ...] = ()
    next_steps: str = ""
    fields: tuple[FieldChange, ...] = ()
    parameters: tuple[FieldChange, ...] = ()
    changelog: tuple[tuple[str, str], ...] = ()
    secrets: frozenset[str] = frozenset()
    upgrades: bool = False
    hands_over: bool = False
    gives_up: bool = False

    @property
    def refused(self) -> bool:
        """True if a finding is an error: the plan must not be applied."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def plan_sidecar(workload: Workload, request: Request, record: Record, kube_version: str) -> Plan:
    """Plan one sidecar for a workload without this instance.

    Raises UsageError for an unknown target or an unsupported mode, and LibraryError if the template fails.
    """
    mode = placement.resolve_mode(request, kube_version)
    own = {name for each in record.instances.values() for name in each.added.init_containers}
    former = find_former_targets(workload, record.instances.get(request.instance))
    targets = choose_targets(workload, request.containers, request.sidecar.targets, own, former)
    companion = companion_name(workload, request.instance)
    inputs = build_template_inputs(workload, request, mode, targets, companion, kube_version, record)
    fragment = render(request.sidecar, request.parameters, inputs)
    if fragment.fronts:
        from sidecarctl.inject.chains import place_in_chain

        fragment = place_in_chain(fragment, request, record, inputs)
    if request.keep_qos and qos_class(workload.pod, kube_version) == "Guaranteed":
        fragment = replace(
            fragment,
            containers=tuple(map(_guaranteed, fragment.containers)),
            init_containers=tuple(map(_guaranteed, fragment.init_containers)),
        )
    if not (fragment.containers or fragment.init_containers):
        request = replace(request, parameters=request.parameters.without_shared())
    if placement.blocks_completion(workload, mode, fragment):
        return Plan(
            workload,
            (),
            build_instance(request, mode, Added(), fragment),
            findings=(_job_finding(workload, request, mode),),
        )
    fragment, notes = adapt_fragment(workload, fragment)
    _check_additions(request, fragment, len(targets))
    fitted = fit_fragment(workload, fragment, targets, request.sidecar.app_variables)
    edits = InstanceEdits(workload, request, record, mode)
    documents = tuple(add_owner(document, workload, request.instance) for document in fragment.documents)
    edits.add_all(fitted, targets, documents)
    conflicts = (*find_pod_conflicts(workload, fragment), *fitted.findings, *edits.findings, *notes)
    findings = conflicts
    if any(finding.severity is Severity.ERROR for finding in conflicts):
        from sidecarctl.inject.unrecorded import explain_conflicts

        findings = explain_conflicts(workload, request, fragment, targets, record, conflicts)
    source = f"sidecar {request.sidecar.name}@{request.sidecar.version}"
    return Plan(
        workload,
        tuple(edits.edits),
        build_instance(request, mode, edits.added(), fragment),
        documents,
        tuple(replace(finding, source=source) for finding in findings),
        fitted.adopted,
        admin_ports=request.sidecar.admin_ports,
        next_steps=_next_steps(workload, request, fragment, [target.name for target in targets]),
    )


def _check_additions(request: Request, fragment: Fragment, count: int) -> None:
    """Raise LibraryError if what the sidecar adds to app containers is too long for the number of targets."""
    if count * sum(map(length_of, (*fragment.volume_mounts, *fragment.env))) > limits.RENDERED.value:
        raise LibraryError(
            f"what {request.sidecar.name} adds to {count:,} app containers has more than {limits.RENDERED.value:,} characters",
            where=str(request.sidecar.template),
            hint=limits.RENDERED.way_out,
        )


def _next_steps(workload: Workload, request: Request, fragment: Fragment, targets: Sequence[str]) -> str:
    """Return the next steps of the sidecar, and a line for each object that must exist in the cluster."""
    own = format_next_steps(request.sidecar.next_steps, request.instance, targets, request.parameters.values)
    if not _may_refer_to_objects(fragment):
        return own
    from sidecarctl.inject.required_objects import describe_required_objects

    objects = describe_required_objects(fragment, workload.namespace)
    return "\n".join([*objects, *([own] if own else [])])


def _may_refer_to_objects(fragment: Fragment) -> bool:
    """Return False for a fragment without references to Secrets and ConfigMaps, but for its own ConfigMaps: most have none."""
    own = [as_mapping(each.get("metadata")).get("name") for each in fragment.documents]
    configs = [as_mapping(volume["configMap"]).get("name") for volume in fragment.volumes if "configMap" in volume]
    variables = [one for each in (*fragment.containers, *fragment.init_containers) for one in each.get("env") or ()]
    return (
        any("secret" in volume or "projected" in volume for volume in fragment.volumes)
        or any(name not in own for name in configs)
        or any(
            key.endswith("KeyRef") for one in (*variables, *fragment.env) for key in as_mapping(one.get("valueFrom"))
        )
        or any("envFrom" in each for each in (*fragment.containers, *fragment.init_containers))
        or bool(fragment.image_pull_secrets)
    )


def build_instance(request: Request, mode: str, added: Added, fragment: Fragment) -> Instance:
    """Return the record's entry for a request."""
    return Instance(
        request.instance,
        request.sidecar.name,
        request.sidecar.version,
        mode,
        request.parameters.recorded,
        request.containers,
        added,
        request.by,
        request.sidecar.starts_after,
        fronts=fragment_fronts(request.instance, fragment.fronts),
        secrets=request.parameters.secret_paths,
    )


def _job_finding(workload: Workload, request: Request, mode: str) -> Finding:
    return Finding(
        "job-never-completes",
        f'classic sidecar "{request.instance}" keeps this {workload.kind} from completing',
        path=workload.pod_path,
        on_key=True,
        why="A classic sidecar keeps running after the app exits, and a Job waits for all its containers.",
        help="target Kubernetes 1.29 or later, which has native sidecars: --kube-version 1.29"
        if mode == "classic" and request.mode != "classic"
        else "omit --mode classic: a native sidecar ends with the app (Kubernetes 1.29 or later)",
        workload=workload.label,
        source=f"sidecar {request.sidecar.name}@{request.sidecar.version}",
    )


def _guaranteed(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container with requests equal to its limits, which every container of a Guaranteed pod must have."""
    resources = as_mapping(container.get("resources"))
    limits = as_mapping(resources.get("limits"))
    return {**container, "resources": {**resources, "requests": {**as_mapping(resources.get("requests")), **limits}}}
