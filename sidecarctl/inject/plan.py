"""The plan for one sidecar in one workload: its edits as data, and its entry in the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from sidecarctl.catalog.render import render
from sidecarctl.catalog.sidecar import format_next_steps
from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject import placement
from sidecarctl.inject.adapt import adapt_fragment
from sidecarctl.inject.companions import CONFIG_HASH_KINDS, add_owner, companion_name, hash_config
from sidecarctl.inject.conflicts import FittedFragment, fit_fragment
from sidecarctl.inject.pod_conflicts import find_pod_conflicts
from sidecarctl.inject.pod_settings import PodSettings
from sidecarctl.inject.record import Added, Instance, Record, config_hash_annotation
from sidecarctl.inject.targets import build_template_inputs, choose_targets
from sidecarctl.inject.unrecorded import explain_conflicts
from sidecarctl.kube.pod_resources import qos_class
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import FieldChange
from sidecarctl.yamltext.edits import Edit, Insert


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
    targets = choose_targets(workload, request.containers, request.sidecar.targets, own)
    companion = companion_name(workload, request.instance)
    fragment = render(
        request.sidecar,
        request.parameters,
        build_template_inputs(workload, request, mode, targets, companion, kube_version),
    )
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
            workload, (), build_instance(request, mode, Added()), findings=(_job_finding(workload, request, mode),)
        )
    fragment, notes = adapt_fragment(workload, fragment)
    fitted = fit_fragment(workload, fragment, targets)
    edits = _Edits(workload, request, record, mode)
    documents = tuple(add_owner(document, workload, request.instance) for document in fragment.documents)
    edits.add_all(fitted, targets, documents)
    conflicts = (*find_pod_conflicts(workload, fragment), *fitted.findings, *edits.findings, *notes)
    findings = explain_conflicts(workload, request, fragment, targets, record, conflicts)
    source = f"sidecar {request.sidecar.name}@{request.sidecar.version}"
    return Plan(
        workload,
        tuple(edits.edits),
        build_instance(request, mode, edits.added()),
        documents,
        tuple(replace(finding, source=source) for finding in findings),
        fitted.adopted,
        admin_ports=request.sidecar.admin_ports,
        next_steps=format_next_steps(
            request.sidecar, request.instance, [target.name for target in targets], request.parameters.values
        ),
    )


def build_instance(request: Request, mode: str, added: Added) -> Instance:
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


_AFTER_ALL = 1 << 30  # the index of a classic sidecar among the init containers


class _Edits:
    """Collect the edits of one instance and what they add, for the record."""

    def __init__(self, workload: Workload, request: Request, record: Record, mode: str) -> None:
        self.workload = workload
        self.request = request
        self.record = record
        self.mode = mode
        self.edits: list[Edit] = []
        self.findings: list[Finding] = []
        self._added: dict[str, Any] = {"volume_mounts": {}, "env": {}}

    def added(self) -> Added:
        """Return what the edits add."""
        parts: dict[str, Any] = {k: v if isinstance(v, dict) else tuple(v) for k, v in self._added.items()}
        return Added(**parts)

    def add_all(
        self, fitted: FittedFragment, targets: tuple[Container, ...], documents: tuple[dict[str, Any], ...]
    ) -> None:
        """Collect the edits of a fitted fragment."""
        # New keys at one place keep this order, which is the order in which people write these fields.
        fragment = fitted.fragment
        self._metadata("labels", fragment.labels)
        self._metadata("annotations", {**fragment.annotations, **build_config_hashes(self.request.instance, documents)})
        settings = PodSettings(self.workload, self.record, self.request.instance)
        settings.collect(fragment)
        self.edits += settings.edits
        self.findings += settings.findings
        self._added["pod"] = settings.added
        self._containers(fitted, targets)
        self._list_items("volumes", fragment.volumes, (*self.workload.pod_path, "volumes"))
        for target in targets:
            self._container_items(target, "env", fitted.env.get(target.name, ()))
            self._container_items(target, "volumeMounts", fitted.mounts.get(target.name, ()))
        if documents:
            self._added["documents"] = [
                f"{d.get('kind')}/{as_mapping(d.get('metadata')).get('name')}" for d in documents
            ]

    def _containers(self, fitted: FittedFragment, targets: tuple[Container, ...]) -> None:
        fragment = fitted.fragment
        before, own = list(fragment.init_containers), list(fragment.containers)
        if self.mode == "native":
            before += [make_native(container) for container in own]
        elif self.mode == "init":
            before += own
        path = (*self.workload.pod_path, "initContainers")
        existing = as_list(self.workload.pod.get("initContainers"))
        if before:
            index = self._init_index(existing)
            self._insert(path, index, before)
            self._added["init_containers"] = [container["name"] for container in before]
            self._check_targets(targets, index)
        if self.mode == "classic" and own:
            self._list_items("containers", own, (*self.workload.pod_path, "containers"))
            self._check_targets(targets, _AFTER_ALL)

    def _init_index(self, existing: list[Any]) -> int:
        position = self.request.parameters.common.get("position")
        if position and self.mode != "classic":
            return placement.find_position(self.workload, "initContainers", position)
        if self.request.sidecar.start == "after-init":
            return placement.find_end_index(existing, self.record, self.request.instance, "initContainers")
        return placement.find_start_index(existing, self.record, self.request)

    def _check_targets(self, targets: tuple[Container, ...], index: int) -> None:
        """Report targets among the init containers that start before the sidecar, which is inserted at `index`."""
        for target in targets:
            if target.path[-2] == "initContainers" and int(target.path[-1]) < index:
                native = index < _AFTER_ALL
                self.findings.append(
                    Finding(
                        "target-starts-first",
                        f'init container "{target.name}" starts before the sidecar, so it cannot use it',
                        path=(*target.path, "name"),
                        help=f"put the sidecar before it: --position before={target.name}"
                        if native
                        else "use a native sidecar (Kubernetes 1.29 or later), or name app containers only",
                        workload=self.workload.label,
                        container=target.name,
                        role=target.role,
                    )
                )

    def _insert(self, path: PathTuple, index: int, items: Any) -> None:
        self.edits += [Insert((*path, index), item, f"sidecar {self.request.instance}") for item in items]

    def _list_items(self, field_: str, items: Any, path: PathTuple) -> None:
        if items:
            existing = as_list(self.workload.pod.get(field_))
            position = self.request.parameters.common.get("position") if field_ == "containers" else None
            if position:
                index = placement.find_position(self.workload, field_, position)
            else:
                index = placement.find_end_index(existing, self.record, self.request.instance, field_)
            self._insert(path, index, items)
            self._added[field_] = [item["name"] for item in items]

    def _container_items(self, target: Container, field_: str, items: tuple[Mapping[str, Any], ...]) -> None:
        if items:
            existing = as_list(target.value.get(field_))
            index = placement.find_end_index(existing, self.record, self.request.instance, field_, target.name)
            self._insert((*target.path, field_), index, items)
            key = "volume_mounts" if field_ == "volumeMounts" else "env"
            self._added[key][target.name] = tuple(placement.get_item_key(field_, item) for item in items)

    def _metadata(self, field_: str, wanted: Mapping[str, str]) -> None:
        """Add annotations or labels. An equal value is kept, a different one is a conflict."""
        existing = as_mapping(self.workload.metadata.get(field_))
        added = []
        for key, value in wanted.items():
            path = (*self.workload.template_path, "metadata", field_, key)
            if key not in existing:
                self.edits.append(Insert(path, value, f"sidecar {self.request.instance}"))
                added.append(key)
            elif existing[key] != value:
                word = field_[:-1]
                self.findings.append(
                    Finding(
                        f"{word}-conflict",
                        f'{word} {key} is already "{existing[key]}", but the sidecar needs "{value}"',
                        path=path,
                        help=f"remove the {word}, or set it to {value}",
                        workload=self.workload.label,
                    )
                )
        if added:
            self._added[field_] = added


def _guaranteed(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container with requests equal to its limits, which every container of a Guaranteed pod must have."""
    resources = as_mapping(container.get("resources"))
    limits = as_mapping(resources.get("limits"))
    return {**container, "resources": {**resources, "requests": {**as_mapping(resources.get("requests")), **limits}}}


def make_native(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container as a native sidecar: with `restartPolicy: Always` after its image."""
    out: dict[str, Any] = {}
    for key, value in container.items():
        out[key] = value
        if key == "image":
            out["restartPolicy"] = "Always"
    return {**out, "restartPolicy": "Always"}


def build_config_hashes(instance: str, documents: tuple[dict[str, Any], ...]) -> dict[str, str]:
    """Return the pod annotation with the hash of the companions, so that a changed configuration restarts the pods."""
    config = [document for document in documents if document.get("kind") in CONFIG_HASH_KINDS]
    return {config_hash_annotation(instance): hash_config(config)} if config else {}
