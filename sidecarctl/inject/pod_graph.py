"""Build the data of pod graphs from manifests: containers with roles and start order, volumes, and added instances.

The kubelet starts init containers one after the other. The next one starts when an ordinary init container has ended or
a native sidecar's startup probe has passed. Then the app's containers start together. At the end, the app's containers
stop together, and native sidecars stop after them in reverse order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.inject import changes
from sidecarctl.inject.pipeline import Options
from sidecarctl.inject.pod_routes import ServiceIndex, find_routes
from sidecarctl.kube.kinds import has_no_workload
from sidecarctl.kube.pod_resources import compute_pod_resources
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping, workloads
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Record
from sidecarctl.report.graph.model import Added, Box, Mount, Pod, Port, Volume
from sidecarctl.results import PodFacts
from sidecarctl.validate.views import ObjectView
from sidecarctl.yamltext.stream import split_readable

_READ_ONLY = frozenset({"configMap", "secret", "downwardAPI", "projected", "image"})
_CLAIMED = ("persistentVolumeClaim", "csi", "nfs", "iscsi")
_NAMES = ("name", "secretName", "claimName", "path", "driver", "reference", "server")


def read_pods(
    text: str,
    options: Options,
    file: str = "-",
    errors: list[SidecarctlError] | None = None,
    services: Sequence[ObjectView] = (),
) -> Iterator[Pod]:
    """Yield the pod of every selected workload of a text, with the `services` of the run that lead to it.

    Appends the errors of documents and records that cannot be parsed to `errors`, or raises the first one without it.
    """
    broken: list[SidecarctlError] = [] if errors is None else errors
    index = ServiceIndex(services)
    for document in split_readable(text, file, broken):
        if has_no_workload(document.text, options.kinds):
            continue
        try:
            for workload in filter(options.workloads.selects, workloads(document.value, options.kinds)):
                if workload.containers:
                    yield build_pod(workload, options.kube_version, file, index)
        except SidecarctlError as error:
            error.where = error.where or f"{file}:{document.line + 1}"
            broken.append(error)
    if errors is None and broken:
        raise broken[0]


def build_pod(workload: Workload, kube_version: str, file: str, services: ServiceIndex) -> Pod:
    """Return the graph data of one workload."""
    record = records.read(workload)
    volumes = {volume.name: volume for volume in _volumes(workload, _owners(record, "volumes"))}
    boxes = tuple(_boxes(workload, record, _unwritable(workload)))
    for box in boxes:
        for mount in box.mounts:
            volumes.setdefault(mount.volume, Volume(mount.volume, "missing in the pod's volumes"))
    instances = tuple(
        Added(one.name, one.sidecar, one.version, one.mode, tuple(changes.list_parts(one, {})), one.added.documents)
        for one in record.instances.values()
    )
    routes, left_out = find_routes(workload, record.fronts, services)
    return Pod(
        workload.label,
        file,
        boxes,
        tuple(volumes.values()),
        instances,
        workload.replicas,
        changes.get_pod_facts(workload, kube_version),
        _facts_without(workload, record, kube_version) if instances else None,
        tuple(routes),
        left_out,
    )


def _owners(record: Record, *attributes: str) -> dict[str, str]:
    """Map names of added containers or volumes to the instances that added them."""
    return {
        name: one.name
        for one in record.instances.values()
        for attribute in attributes
        for name in getattr(one.added, attribute)
    }


def _boxes(workload: Workload, record: Record, unwritable: frozenset[str]) -> Iterator[Box]:
    owners = _owners(record, "containers", "init_containers")
    roles = Counter(c.role for c in workload.containers)
    before = natives = 0
    for container in workload.containers:
        # Ephemeral containers are added to running pods, so they have no start step.
        start = stop = 0
        if container.role in ("init", "sidecar"):
            before += 1
            start = before
            stop = 1 + roles["sidecar"] - natives if container.role == "sidecar" else 0
            natives += container.role == "sidecar"
        elif container.role != "ephemeral":
            start, stop = roles["init"] + roles["sidecar"] + 1, 1
        value = container.value
        yield Box(
            container.name,
            container.role,
            str(value.get("image", "")),
            start,
            stop,
            _gate(container),
            tuple(_probes(value, container.role)),
            tuple(_ports(value)),
            tuple(_mounts(container, record, unwritable)),
            owners.get(container.name, ""),
        )


def _gate(container: Container) -> str:
    """Return what the containers of the next step wait for."""
    if container.role == "init":
        return "its completion"
    if container.role != "sidecar":
        return ""
    probe = as_mapping(container.value.get("startupProbe"))
    if probe:
        return f"startup probe {_probe(probe)}"
    hook = as_mapping(as_mapping(container.value.get("lifecycle")).get("postStart"))
    return "its postStart hook" if hook else ""


def _probes(value: Mapping[str, Any], role: str) -> Iterator[str]:
    for kind in ("startup", "readiness", "liveness"):
        probe = as_mapping(value.get(f"{kind}Probe"))
        if probe and not (kind == "startup" and role == "sidecar"):
            yield f"{kind} {_probe(probe)}"


def _probe(probe: Mapping[str, Any]) -> str:
    if http := as_mapping(probe.get("httpGet")):
        return f"GET :{http.get('port', '')}{http.get('path', '/')}"
    if tcp := as_mapping(probe.get("tcpSocket")):
        return f"TCP :{tcp.get('port', '')}"
    if grpc := as_mapping(probe.get("grpc")):
        return f"gRPC :{grpc.get('port', '')}"
    command = [str(word) for word in as_list(as_mapping(probe.get("exec")).get("command"))]
    return f"exec {command[0]}" if command else "of an unknown type"


def _ports(value: Mapping[str, Any]) -> Iterator[Port]:
    for port in as_list(value.get("ports")):
        if isinstance(port, dict):
            yield Port(str(port.get("containerPort", "")), str(port.get("name", "")), str(port.get("protocol", "TCP")))


def _mounts(container: Container, record: Record, unwritable: frozenset[str]) -> Iterator[Mount]:
    givers = {
        path: one.name for one in record.instances.values() for path in one.added.volume_mounts.get(container.name, ())
    }
    for mount in as_list(container.value.get("volumeMounts")):
        if isinstance(mount, dict):
            name, path = str(mount.get("name", "")), str(mount.get("mountPath", ""))
            writes = mount.get("readOnly") is not True and name not in unwritable
            below = mount.get("subPath") or mount.get("subPathExpr")
            yield Mount(name, f"{path} (of {below})" if below else path, writes, givers.get(path, ""))


def _unwritable(workload: Workload) -> frozenset[str]:
    """Return the names of read-only volumes."""
    return frozenset(
        str(volume.get("name"))
        for volume in as_list(workload.pod.get("volumes"))
        if isinstance(volume, dict)
        and (
            _READ_ONLY & volume.keys() or any(as_mapping(volume.get(kind)).get("readOnly") is True for kind in _CLAIMED)
        )
    )


def _volumes(workload: Workload, owners: Mapping[str, str]) -> Iterator[Volume]:
    for volume in as_list(workload.pod.get("volumes")):
        if isinstance(volume, dict):
            name = str(volume.get("name", ""))
            yield Volume(name, _source(volume), owners.get(name, ""))
    for claim in as_list(as_mapping(workload.value.get("spec")).get("volumeClaimTemplates")):
        spec = as_mapping(as_mapping(claim).get("spec"))
        size = as_mapping(as_mapping(spec.get("resources")).get("requests")).get("storage")
        name = str(as_mapping(as_mapping(claim).get("metadata")).get("name", ""))
        yield Volume(name, f"one claim per pod, {size}" if size else "one claim per pod")


def _source(volume: Mapping[str, Any]) -> str:
    kind = next((str(key) for key in volume if key != "name"), "emptyDir")
    source = as_mapping(volume.get(kind))
    if kind == "emptyDir":
        memory = " in memory" if source.get("medium") == "Memory" else ""
        return f"emptyDir{memory}, " + (f"limit {source['sizeLimit']}" if source.get("sizeLimit") else "no limit")
    name = next((str(source[key]) for key in _NAMES if source.get(key)), "")
    return f"{kind} {name}".rstrip()


def _facts_without(workload: Workload, record: Record, kube_version: str) -> PodFacts:
    """Return the resources of the pod without the added containers."""
    added = _owners(record, "containers", "init_containers")
    kept = {
        field: [c for c in as_list(workload.pod.get(field)) if str(as_mapping(c).get("name", "")) not in added]
        for field in ("initContainers", "containers")
    }
    return changes.format_resources(compute_pod_resources({**workload.pod, **kept}, kube_version))
