"""Rules about pods into which a cluster injects containers: user IDs, ports, and duplicate containers."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.injectors import BY_CONTAINER, Injector, find_requested
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_RUNNING = ("app", "classic", "sidecar")
_SIDECARS = ("sidecar", "classic")


def _requested(pod: PodView) -> Iterator[tuple[Injector, PathTuple]]:
    """Yield the injectors that a pod requests, with the path of the annotation or label."""
    for field in ("annotations", "labels"):
        found = pod.metadata.value.get(field)
        if not found or not isinstance(found, dict):
            continue
        for injector, key in find_requested(found):
            yield injector, pod.metadata.at(field, key)


def _present(pod: PodView) -> Iterator[tuple[Injector, PathTuple]]:
    """Yield each injector whose container the pod has or will have, with the path of the evidence."""
    seen = set()
    for one, path in _requested(pod):
        if one.name not in seen:
            seen.add(one.name)
            yield one, path
    for container in pod.containers:
        injector = BY_CONTAINER.get(container.name)
        if injector and injector.name not in seen:
            seen.add(injector.name)
            yield injector, (*container.path, "name")


@rule(
    "mesh-uid-clash",
    Severity.ERROR,
    layer="advice",
    fix="Run the container as another user.",
)
def mesh_uid_clash(pod: PodView, ctx: Context) -> Problems:
    """A container runs as the user ID of the mesh proxy.

    A mesh does not redirect the traffic of its own proxy, which it recognizes by user ID. Traffic of another container
    with that ID bypasses the proxy: it is not encrypted, not measured, and rejected in strict mode. The user IDs are
    1337 (Istio), 2102 (Linkerd), 5995 (Consul), and 1500 (Open Service Mesh).

    Init containers are not reported: they use this ID to reach the network before the proxy runs.
    """
    for injector, shown in _present(pod):
        if not injector.uid:
            continue
        related = (Related(f"requests {injector.name}", shown),)
        text = f"user ID {injector.uid} is reserved for the {injector.name} proxy"
        others = [one for one in pod.by_role(*_RUNNING) if one.name != injector.container]
        users = [as_mapping(one.value.get("securityContext")).get("runAsUser") for one in others]
        if pod.get("securityContext", "runAsUser") == injector.uid and None in users:
            yield problem(pod.at("securityContext", "runAsUser"), text, related=related)
        for container, own in zip(others, users):
            if own == injector.uid:
                yield problem(container.at("securityContext", "runAsUser"), text, related=related)


@rule(
    "mesh-port-clash",
    Severity.ERROR,
    layer="advice",
    fix="Use another port.",
)
def mesh_port_clash(pod: PodView, ctx: Context) -> Problems:
    """A container listens on a port of a proxy that the cluster injects.

    All containers of a pod share one network namespace. One of the two containers cannot bind to the port and exits.
    """
    annotations = as_mapping(pod.metadata.value.get("annotations"))
    for injector, shown in _present(pod):
        taken = injector.taken_ports(annotations)
        for container in pod.by_role(*_RUNNING) if taken else ():
            if container.name == injector.container:
                continue
            for index, port in listed(container.value, "ports"):
                number = port.get("containerPort")
                if number.__class__ is int and number in taken and port.get("protocol") in (None, "TCP"):
                    yield problem(
                        container.at("ports", index, "containerPort"),
                        f"port {number} is reserved for the {injector.name} proxy",
                        related=(Related(f"requests {injector.name}", shown),),
                    )


@rule(
    "foreign-injector",
    Severity.INFO,
    layer="advice",
    fix="Take the injected containers into account, or add them with sidecarctl instead.",
)
def foreign_injector(pod: PodView, ctx: Context) -> Problems:
    """A pod with sidecars requests another sidecar from an injector in the cluster.

    The manifest does not contain the injected container, so reported totals, QoS class, container order, and conflicts
    do not include it.

    This is a warning if the pod already has a container with the name of the injected one: the injector either adds a
    second container or rejects the pod. Istio completes that container instead, so it is not reported.
    """
    for injector, path in _requested(pod):
        own = next((one for one in pod.by_role(*_RUNNING) if one.name == injector.container), None)
        if own is not None and not _done(pod, injector) and not injector.merges:
            yield problem(
                path,
                f"the pod requests {injector.name} but already has container {quote(own.name)}",
                help="Remove the container, or remove the annotation or label that requests it.",
                related=(Related("container", (*own.path, "name")),),
                severity=Severity.WARNING,
            )
        elif own is None and any(_sidecars(pod)):
            yield problem(path, f"{injector.name} injects containers that are not in this manifest")


def _done(pod: PodView, injector: Injector) -> bool:
    fields = (pod.metadata.value.get("annotations"), pod.metadata.value.get("labels"))
    return any(injector.done in as_mapping(field) for field in fields)


def _sidecars(pod: PodView) -> Iterator[ContainerView]:
    return pod.by_role(*_SIDECARS)
