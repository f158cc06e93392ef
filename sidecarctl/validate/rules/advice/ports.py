"""Rules about ports of containers and Services that the API server accepts, at most with a warning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, ObjectView, PodView, StreamView

_SIDECARS = ("sidecar", "classic")


def _ports(container: ContainerView) -> Iterator[tuple[int, str, Data, PathTuple]]:
    """Yield number, protocol, mapping, and path of each port of a container."""
    for index, port in listed(container.value, "ports"):
        number = port.get("containerPort")
        if number.__class__ is int:
            yield number, str(port.get("protocol") or "TCP"), port, container.at("ports", index)


def _many_ports(pod: PodView) -> bool:
    """Return True if more than one container has ports, so that they can conflict."""
    return sum(1 for container in pod.containers if container.value.get("ports")) > 1


def _together(one: ContainerView, two: ContainerView) -> bool:
    """Return True if two containers run at the same time.

    An init container runs only beside the native sidecars that start before it.
    """
    if "init" not in (one.role, two.role):
        return "ephemeral" not in (one.role, two.role)
    init, other = (one, two) if one.role == "init" else (two, one)
    return other.role == "sidecar" and str(other.path[-2]) == init.path[-2] and int(other.path[-1]) < int(init.path[-1])


@rule(
    "port-conflict",
    Severity.ERROR,
    layer="advice",
    fix="Use another port in one of the containers.",
)
def port_conflict(pod: PodView, ctx: Context) -> Problems:
    """Two containers that run at the same time use the same port.

    The containers of a pod share one network namespace. The second container cannot bind to the port and exits.

    The API server accepts it with a warning. Between two app containers it is a warning here too, because the list of
    ports can be out of date. With a sidecar it is an error.
    """
    if not _many_ports(pod):
        return
    apps_first = sorted(pod.containers, key=lambda one: (one.role in _SIDECARS, one.role == "init"))
    seen: dict[tuple[int, str], list[tuple[ContainerView, PathTuple]]] = {}
    for container in apps_first:
        for number, protocol, _, path in _ports(container):
            holders = seen.setdefault((number, protocol), [])
            for other, first in holders:
                if other is not container and _together(other, container):
                    app_only = not {other.role, container.role} & {*_SIDECARS}
                    yield problem(
                        (*path, "containerPort"),
                        f"port {number}/{protocol} is already used by container {quote(other.name)}",
                        related=(Related("other port", (*first, "containerPort")),),
                        severity=Severity.WARNING if app_only else None,
                    )
                    break
            holders.append((container, path))


@rule(
    "duplicate-port",
    Severity.WARNING,
    layer="advice",
    scope="container",
    fix="Remove one of the entries.",
)
def duplicate_port(container: ContainerView, ctx: Context) -> Problems:
    """A container lists the same port twice.

    `kubectl apply` merges ports by number and protocol and drops one of the entries; server-side apply rejects the
    list. Two host ports for the same container port are not reported.
    """
    if len(listed(container.value, "ports")) < 2:
        return
    seen: dict[tuple[int, str], list[tuple[Data, PathTuple]]] = {}
    for number, protocol, port, path in _ports(container):
        others = seen.setdefault((number, protocol), [])
        for other, first in others:
            if _same_place(port, other):
                related = (Related("first", (*first, "containerPort")),)
                message = f"duplicate port {number}/{protocol}"
                yield problem((*path, "containerPort"), message, related=related)
                break
        others.append((port, path))


def _same_place(one: Data, two: Data) -> bool:
    """Return True if two entries with the same port do not differ in their host ports."""
    first, second = one.get("hostPort") or 0, two.get("hostPort") or 0
    here, there = one.get("hostIP") or "", two.get("hostIP") or ""
    if first == second and here == there:
        # The API server rejects equal host ports: host-port-conflict reports them.
        return not first
    return not first or not second or (first == second and (not here or not there))


@rule(
    "host-ip-without-host-port",
    Severity.WARNING,
    layer="advice",
    scope="container",
    fix="Remove hostIP, or set hostPort.",
)
def host_ip_without_host_port(container: ContainerView, ctx: Context) -> Problems:
    """A port has a hostIP but no hostPort.

    hostIP is the node address on which a hostPort listens. Without hostPort it has no effect; it does not bind the app
    to an address. The API server accepts it with a warning.
    """
    # With hostNetwork, every port is a host port.
    for index, port in listed(container.value, "ports"):
        if port.get("hostIP") and not port.get("hostPort") and container.pod.value.get("hostNetwork") is not True:
            yield problem(container.at("ports", index, "hostIP"), "hostIP has no effect without hostPort")


_RUNNING = ("app", "classic", "sidecar")
# The first version that resolves named target ports in native sidecars.
_NAMED_SIDECAR_PORTS_SINCE = "1.33"


@dataclass(frozen=True)
class _Target:
    """A named target port of a Service."""

    name: str
    protocol: str
    path: PathTuple


def _named_target_ports(stream: StreamView) -> Iterator[tuple[_Target, list[PodView]]]:
    """Yield each named target port of a Service that selects pods of the input, with those pods."""
    for service in stream.objects:
        if service.kind != "Service" or service.group or not service.value.get("spec"):
            continue
        targets = [
            _Target(
                port["targetPort"], str(port.get("protocol") or "TCP"), service.at("spec", "ports", index, "targetPort")
            )
            for index, port in listed(as_mapping(service.value["spec"]), "ports")
            if _is_name(port.get("targetPort"))
        ]
        pods = _selected_pods(service, stream) if targets else []
        if pods:
            yield from ((target, pods) for target in targets)


def _is_name(target: object) -> bool:
    return isinstance(target, str) and bool(target) and not target.isdecimal()


def _selected_pods(service: ObjectView, stream: StreamView) -> list[PodView]:
    """Return the pods of the input that match the selector of a Service."""
    selector = as_mapping(service.get("spec", "selector"))
    if not selector:
        return []
    return [
        pod
        for pod in stream.pods
        if pod.object.namespace == service.namespace
        and selector.items() <= _string_labels(pod.metadata.value.get("labels")).items()
        and pod.containers
    ]


def _string_labels(labels: object) -> dict[str, Any]:
    return {key: value for key, value in as_mapping(labels).items() if isinstance(value, str)}


def _ports_named(pod: PodView, target: _Target) -> list[tuple[ContainerView, PathTuple]]:
    """Return the containers that have the target port, with the path of the port."""
    return [
        (container, container.at("ports", index))
        for container in pod.by_role(*_RUNNING)
        for index, port in listed(container.value, "ports")
        if port.get("name") == target.name and str(port.get("protocol") or "TCP") == target.protocol
    ]


@rule(
    "ambiguous-port-name",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Give each port of the pod a unique name.",
)
def ambiguous_port_name(stream: StreamView, ctx: Context) -> Problems:
    """A Service refers to a port name that two containers of its pods have.

    The Service reaches only one of the ports, that of an app container before that of a native sidecar.

    This rule compares objects of the same input: the Service and the workloads that it selects.
    """
    seen: set[PathTuple] = set()
    for target, pods in _named_target_ports(stream):
        for pod in pods:
            holders = sorted(_ports_named(pod, target), key=lambda one: one[0].role == "sidecar")
            for other, where in holders[1:]:
                container, first = holders[0]
                if other is not container and where not in seen:
                    seen.add(where)
                    yield problem(
                        (*where, "name"),
                        f"port name {quote(target.name)} is already used by container {quote(container.name)}",
                        related=(Related("first", (*first, "name")), Related("Service", target.path)),
                    )


@rule(
    "named-targetport-to-sidecar",
    Severity.ERROR,
    layer="advice",
    scope="stream",
    until="1.32",
    fix="Use the port number as targetPort, or target Kubernetes 1.33 or later.",
    given=Context("1.31"),
)
def named_targetport_to_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """A Service refers to a port of a native sidecar by name.

    Before Kubernetes 1.33, named target ports are resolved only in regular containers. The Service has no endpoints for
    the port, and connections to it are refused. Port numbers work in all versions.

    This rule compares objects of the same input: the Service and the workload.
    """
    for target, pods in _named_target_ports(stream):
        for pod in pods:
            holders = _ports_named(pod, target)
            if holders and all(container.role == "sidecar" for container, _ in holders):
                container, where = holders[0]
                yield problem(
                    target.path,
                    f"target port {quote(target.name)} is in native sidecar {quote(container.name)}: "
                    f"named target ports in sidecars require Kubernetes {_NAMED_SIDECAR_PORTS_SINCE}",
                    related=(Related("port", (*where, "name")),),
                )
                break


@rule(
    "unknown-target-port",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Use the name of a port in the pods, or a port number.",
)
def unknown_target_port(stream: StreamView, ctx: Context) -> Problems:
    """A Service refers to a port name that no container of its pods has.

    The Service has no endpoints for the port, and connections to it are refused.

    This rule compares objects of the same input: the Service and all workloads that it selects.
    """
    for target, pods in _named_target_ports(stream):
        if not any(_ports_named(pod, target) for pod in pods):
            known = sorted({str(port.get("name")) for pod in pods for port in _target_ports(pod) if port.get("name")})
            note = f" (known: {', '.join(known)})" if known else ""
            yield problem(
                target.path,
                f"unknown {target.protocol} port {quote(target.name)} in {pods[0].object.label}{note}",
                related=(Related("containers", pods[0].at("containers")),),
            )


def _target_ports(pod: PodView) -> Iterator[dict[str, Any]]:
    for container in pod.by_role(*_RUNNING):
        for _, port in listed(container.value, "ports"):
            yield port
