"""Conflicts of a sidecar with the kind of pod: Windows nodes, the network of the node, and a second mesh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.kube.injectors import BY_CONTAINER, Injector, find_requested
from sidecarctl.kube.workload import Workload, as_list, as_mapping

_OS_LABELS = ("kubernetes.io/os", "beta.kubernetes.io/os")


def find_pod_conflicts(workload: Workload, fragment: Fragment) -> Iterator[Finding]:
    """Yield why a sidecar cannot work in this kind of pod, as errors, and what it opens on the node, as a warning."""
    meshes = [one for one, _ in _find_injectors(fragment.annotations, fragment.labels) if one.mesh]
    windows = find_windows_evidence(workload)
    if windows is not None and (meshes or _runs_on_linux(fragment)):
        yield Finding(
            "linux-sidecar-on-windows",
            "the pod runs on Windows nodes, but the image of the sidecar is for Linux",
            path=windows,
            why="A Windows node cannot run Linux containers.",
            help="leave this workload out, or use a sidecar with a Windows image",
            workload=workload.label,
        )
    host_network = workload.pod.get("hostNetwork") is True
    if meshes and host_network:
        yield Finding(
            "mesh-on-host-network",
            f"{meshes[0].name} does not inject its proxy into a pod with hostNetwork: true",
            path=(*workload.pod_path, "hostNetwork"),
            why="In the network of the node, the proxy would redirect the traffic of the whole node.",
            help="leave this workload out of the mesh, or remove hostNetwork",
            workload=workload.label,
        )
    if meshes:
        yield from _find_other_mesh(workload, meshes[0])
    if host_network:
        yield from _find_node_ports(workload, fragment)


def _find_injectors(*fields: Mapping[str, Any]) -> Iterator[tuple[Injector, str]]:
    for values in fields:
        yield from find_requested(values)


def _find_other_mesh(workload: Workload, mesh: Injector) -> Iterator[Finding]:
    """Yield an error if the pod already has, or requests, the proxy of another mesh."""
    for other, path in find_meshes(workload):
        if other.name != mesh.name:
            yield Finding(
                "second-mesh",
                f"the pod is already in the {other.name} mesh, so it cannot join {mesh.name}",
                path=path,
                on_key=True,
                why="Each mesh redirects all traffic of the pod to its own proxy, and only one of them gets it.",
                help=f"remove {other.name} from this workload first, or leave it out",
                workload=workload.label,
            )
            return


def find_meshes(workload: Workload) -> Iterator[tuple[Injector, PathTuple]]:
    """Yield the meshes that a pod requests or is in, with the path of the evidence."""
    for field in ("annotations", "labels"):
        for injector, key in find_requested(as_mapping(workload.metadata.get(field))):
            if injector.mesh:
                yield injector, (*workload.template_path, "metadata", field, key)
    for container in workload.containers:
        proxy = BY_CONTAINER.get(container.name)
        if proxy is not None and proxy.mesh:
            yield proxy, (*container.path, "name")


# ---- Windows -----------------------------------------------------------------------------------------------------


def _runs_on_linux(fragment: Fragment) -> bool:
    containers = (*fragment.containers, *fragment.init_containers)
    contexts = [as_mapping(each.get("securityContext")) for each in containers]
    return bool(containers) and not all("windowsOptions" in context for context in contexts)


def find_windows_evidence(workload: Workload) -> PathTuple | None:
    """Return the path of what binds a pod to Windows nodes, None if nothing does.

    That is `os.name`, a node selector, a node affinity whose every term requires Windows, a runtime class named after
    Windows, or a HostProcess container.
    """
    pod, at = workload.pod, workload.pod_path
    if as_mapping(pod.get("os")).get("name") == "windows":
        return (*at, "os", "name")
    for label in _OS_LABELS:
        if as_mapping(pod.get("nodeSelector")).get(label) == "windows":
            return (*at, "nodeSelector", label)
    required = as_mapping(as_mapping(pod.get("affinity")).get("nodeAffinity")).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = as_list(as_mapping(required).get("nodeSelectorTerms"))
    if terms and all(map(_requires_windows, terms)):
        return (
            *at,
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
            "nodeSelectorTerms",
            0,
        )
    runtime = pod.get("runtimeClassName")
    if isinstance(runtime, str) and "windows" in runtime.lower():
        return (*at, "runtimeClassName")
    holders = [(at, pod), *((each.path, each.value) for each in workload.containers)]
    for path, holder in holders:
        options = as_mapping(as_mapping(holder.get("securityContext")).get("windowsOptions"))
        if options.get("hostProcess") is True:
            return (*path, "securityContext", "windowsOptions", "hostProcess")
    return None


def _requires_windows(term: object) -> bool:
    return any(
        as_mapping(each).get("key") in _OS_LABELS
        and as_mapping(each).get("operator") == "In"
        and as_mapping(each).get("values") == ["windows"]
        for each in as_list(as_mapping(term).get("matchExpressions"))
    )


# ---- the network of the node -------------------------------------------------------------------------------------


def _find_node_ports(workload: Workload, fragment: Fragment) -> Iterator[Finding]:
    """Yield a warning about the ports that a sidecar opens on the node."""
    ports = [
        str(port["containerPort"])
        for container in fragment.containers
        for port in as_list(container.get("ports"))
        if "containerPort" in port
    ]
    if ports:
        noun, verb = ("port", "is") if len(ports) == 1 else ("ports", "are")
        yield Finding(
            "host-network-ports",
            f"{noun} {', '.join(ports)} of the sidecar {verb} opened on the node, because the pod has hostNetwork: true",
            Severity.WARNING,
            (*workload.pod_path, "hostNetwork"),
            why="Two pods with such a port cannot run on one node, and everything that reaches the node reaches the port.",
            help="check that the ports are free on the nodes, and set others if they are not",
            workload=workload.label,
        )
