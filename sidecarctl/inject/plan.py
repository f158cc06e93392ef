"""The plan for one workload and one sidecar: edits as data, with what the record will say. Writes no text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from sidecarctl.catalog.render import Inputs, render
from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject import placement
from sidecarctl.inject.companions import CONFIG_HASH_KINDS, companion_name, config_hash, marked
from sidecarctl.inject.pod_settings import Wishes
from sidecarctl.inject.record import Added, Instance, Record
from sidecarctl.inject.sharing import Shared, choose_targets, share
from sidecarctl.kube.pod_resources import qos_class
from sidecarctl.kube.workload import RECORD_ANNOTATION, Container, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.edits import Edit, Insert


@dataclass(frozen=True)
class Plan:
    """What one sidecar does to one workload.

    edits      to the workload's document, the record not among them
    instance   what the record will say
    documents  companions, complete
    findings   conflicts (errors) and remarks (warnings)
    adopting   it takes ownership of what stands there; whole are recorded paths of collections that go with it
    admin_ports  ports on which the sidecar listens for its pod alone
    """

    workload: Workload
    edits: tuple[Edit, ...]
    instance: Instance
    documents: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()
    adopted: Mapping[str, str] = field(default_factory=dict)
    adopting: bool = False
    whole: tuple[str, ...] = ()
    admin_ports: tuple[int, ...] = ()

    @property
    def refused(self) -> bool:
        """True when a conflict stands in the way."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def plan(workload: Workload, request: Request, record: Record, kube_version: str) -> Plan:
    """Plan one sidecar for a workload in which this instance is not present.

    Raises UsageError for targets or modes that can't be, LibraryError where the template fails.
    """
    mode = placement.resolve_mode(request, kube_version)
    targets = choose_targets(workload, request.containers, request.sidecar.targets)
    companion = companion_name(workload, request.instance)
    fragment = render(
        request.sidecar, request.parameters, template_inputs(workload, request, mode, targets, companion, kube_version)
    )
    if request.keep_qos and qos_class(workload.pod, kube_version) == "Guaranteed":
        fragment = replace(
            fragment,
            containers=tuple(map(_guaranteed, fragment.containers)),
            init_containers=tuple(map(_guaranteed, fragment.init_containers)),
        )
    if fragment.containers and placement.never_completes(workload, mode):
        return Plan(
            workload, (), instance_of(request, mode, Added()), findings=(_job_finding(workload, request, mode),)
        )
    shared = share(workload, fragment, targets)
    edits = _Edits(workload, request, record, mode)
    documents = tuple(marked(document, workload, request.instance) for document in fragment.documents)
    edits.add_all(shared, targets, documents)
    findings = (*shared.findings, *edits.findings)
    source = f"sidecar {request.sidecar.name}@{request.sidecar.version}"
    return Plan(
        workload,
        tuple(edits.edits),
        instance_of(request, mode, edits.added()),
        documents,
        tuple(_sourced(finding, source) for finding in findings),
        shared.adopted,
        admin_ports=request.sidecar.admin_ports,
    )


def _sourced(finding: Finding, source: str) -> Finding:
    return replace(finding, source=source)


def instance_of(request: Request, mode: str, added: Added) -> Instance:
    """Return what the record says of a request that was carried out."""
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
        f"the sidecar {request.instance} would keep this {workload.kind} from finishing",
        path=workload.pod_path,
        on_key=True,
        why="a classic sidecar runs on after the app has ended, and a Job waits for all its containers",
        help="target Kubernetes 1.29 or newer, which has native sidecars: --kube-version 1.29"
        if mode == "classic" and request.mode != "classic"
        else "leave --mode classic out: a native sidecar ends with the app (Kubernetes 1.29 or newer)",
        workload=workload.label,
        source=f"sidecar {request.sidecar.name}@{request.sidecar.version}",
    )


def template_inputs(
    workload: Workload, request: Request, mode: str, targets: tuple[Container, ...], companion: str, kube_version: str
) -> Inputs:
    """Return what a template sees."""
    return Inputs(
        instance=request.instance,
        companion=companion,
        workload={
            "kind": workload.kind,
            "name": workload.name,
            "namespace": workload.namespace,
            "labels": as_mapping(workload.metadata.get("labels")),
            "annotations": {k: v for k, v in workload.annotations.items() if k != RECORD_ANNOTATION},
        },
        targets=tuple(_seen(target) for target in targets),
        containers=tuple(_seen(c) for c in workload.containers if c.role == "app"),
        kube_version=kube_version,
        mode=mode,
    )


def _seen(container: Container) -> dict[str, Any]:
    """What a template sees of a container."""
    value = container.value
    return {
        "name": container.name,
        "image": value.get("image", ""),
        "ports": [
            {"name": p.get("name", ""), "containerPort": p.get("containerPort"), "protocol": p.get("protocol", "TCP")}
            for p in as_list(value.get("ports"))
            if isinstance(p, dict)
        ],
        "env": [e.get("name", "") for e in as_list(value.get("env")) if isinstance(e, dict)],
        "mounts": [
            {
                "name": m.get("name", ""),
                "mountPath": m.get("mountPath", ""),
                "readOnly": bool(m.get("readOnly")),
                "subPath": m.get("subPath", ""),
            }
            for m in as_list(value.get("volumeMounts"))
            if isinstance(m, dict)
        ],
    }


class _Edits:
    """Collects the edits for one instance together with what the record says of them."""

    def __init__(self, workload: Workload, request: Request, record: Record, mode: str) -> None:
        self.workload = workload
        self.request = request
        self.record = record
        self.mode = mode
        self.edits: list[Edit] = []
        self.findings: list[Finding] = []
        self._added: dict[str, Any] = {"volume_mounts": {}, "env": {}}

    def added(self) -> Added:
        """What has been collected, for the record."""
        parts: dict[str, Any] = {k: v if isinstance(v, dict) else tuple(v) for k, v in self._added.items()}
        return Added(**parts)

    def add_all(self, shared: Shared, targets: tuple[Container, ...], documents: tuple[dict[str, Any], ...]) -> None:
        """Collect every edit of a fitted fragment."""
        # In the order in which people write these fields: of new keys at one place the first stays first.
        fragment = shared.fragment
        self._metadata("labels", fragment.labels)
        self._metadata("annotations", {**fragment.annotations, **config_hashes(self.request.instance, documents)})
        wishes = Wishes(self.workload, self.record, self.request.instance)
        wishes.grant(fragment)
        self.edits += wishes.edits
        self.findings += wishes.findings
        self._added["pod"] = wishes.added
        self._containers(shared)
        self._list_items("volumes", fragment.volumes, (*self.workload.pod_path, "volumes"))
        for target in targets:
            self._container_items(target, "env", shared.env.get(target.name, ()))
            self._container_items(target, "volumeMounts", shared.mounts.get(target.name, ()))
        if documents:
            self._added["documents"] = [
                f"{d.get('kind')}/{as_mapping(d.get('metadata')).get('name')}" for d in documents
            ]

    def _containers(self, shared: Shared) -> None:
        fragment = shared.fragment
        before, own = list(fragment.init_containers), list(fragment.containers)
        if self.mode == "native":
            before += [native(container) for container in own]
        elif self.mode == "init":
            before += own
        path = (*self.workload.pod_path, "initContainers")
        existing = as_list(self.workload.pod.get("initContainers"))
        if before:
            if self.request.sidecar.start == "after-init":
                index = placement.index_at_end(existing, self.record, self.request.instance, "initContainers")
            else:
                index = placement.index_at_start(existing, self.record, self.request)
            self._insert(path, index, before)
            self._added["init_containers"] = [container["name"] for container in before]
        if self.mode == "classic" and own:
            self._list_items("containers", own, (*self.workload.pod_path, "containers"))

    def _insert(self, path: PathTuple, index: int, items: Any) -> None:
        self.edits += [Insert((*path, index), item, f"sidecar {self.request.instance}") for item in items]

    def _list_items(self, field_: str, items: Any, path: PathTuple) -> None:
        if items:
            existing = as_list(self.workload.pod.get(field_))
            self._insert(path, placement.index_at_end(existing, self.record, self.request.instance, field_), items)
            self._added[field_] = [item["name"] for item in items]

    def _container_items(self, target: Container, field_: str, items: tuple[Mapping[str, Any], ...]) -> None:
        if items:
            existing = as_list(target.value.get(field_))
            index = placement.index_at_end(existing, self.record, self.request.instance, field_, target.name)
            self._insert((*target.path, field_), index, items)
            key = "volume_mounts" if field_ == "volumeMounts" else "env"
            self._added[key][target.name] = tuple(placement.item_name(field_, item) for item in items)

    def _metadata(self, field_: str, wanted: Mapping[str, str]) -> None:
        """Annotations or labels: the same value is kept, another one is a conflict."""
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
                        f"the pod has the {word} {key}: {existing[key]}, the sidecar needs {value}",
                        path=path,
                        help=f"remove the {word}, or give it that value",
                        workload=self.workload.label,
                    )
                )
        if added:
            self._added[field_] = added


def _guaranteed(container: Mapping[str, Any]) -> dict[str, Any]:
    """The container with requests as large as its limits: in a Guaranteed pod every container has to be so."""
    resources = as_mapping(container.get("resources"))
    limits = as_mapping(resources.get("limits"))
    return {**container, "resources": {**resources, "requests": {**as_mapping(resources.get("requests")), **limits}}}


def native(container: Mapping[str, Any]) -> dict[str, Any]:
    """A native sidecar is an init container that is restarted always; the field stands after the image, as people write it."""
    out: dict[str, Any] = {}
    for key, value in container.items():
        out[key] = value
        if key == "image":
            out["restartPolicy"] = "Always"
    return {**out, "restartPolicy": "Always"}


def config_hashes(instance: str, documents: tuple[dict[str, Any], ...]) -> dict[str, str]:
    """A pod annotation with the content hash of the companions, so that a change of configuration rolls the pods."""
    config = [document for document in documents if document.get("kind") in CONFIG_HASH_KINDS]
    return {f"sidecarctl.dev/{instance}.config-hash": config_hash(config)} if config else {}
