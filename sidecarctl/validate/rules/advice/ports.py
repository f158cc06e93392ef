"""Rules about ports across the containers of a pod, which share one network namespace. The server only warns of these."""

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
    """Yield number, protocol and the rest of each port of a container, with its path."""
    for index, port in listed(container.value, "ports"):
        number = port.get("containerPort")
        if number.__class__ is int:
            yield number, str(port.get("protocol") or "TCP"), port, container.at("ports", index)


def _many_ports(pod: PodView) -> bool:
    """True where more than one container has ports: only then can they meet."""
    return sum(1 for container in pod.containers if container.value.get("ports")) > 1


def _together(one: ContainerView, two: ContainerView) -> bool:
    """True where two containers run at the same time.

    An ordinary init container only meets the native sidecars that were started before it.
    """
    if "init" not in (one.role, two.role):
        return "ephemeral" not in (one.role, two.role)
    init, other = (one, two) if one.role == "init" else (two, one)
    return other.role == "sidecar" and str(other.path[-2]) == init.path[-2] and int(other.path[-1]) < int(init.path[-1])


@rule(
    "port-conflict",
    Severity.ERROR,
    layer="advice",
    fix="Let one of them listen on another port.",
)
def port_conflict(pod: PodView, ctx: Context) -> Problems:
    """Two containers that run at the same time listen on the same port.

    The containers of a pod share one network namespace, so the second one can't bind to the port and ends.

    The API server accepts it with a warning. Between two containers of the app, where the list of ports may be older
    than the app, it is a warning here too; with a sidecar it is an error.
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
                        f"the port {number}/{protocol} is that of the container {quote(other.name)} too",
                        related=(Related("the other", (*first, "containerPort")),),
                        severity=Severity.WARNING if app_only else None,
                    )
                    break
            holders.append((container, path))


@rule(
    "duplicate-port",
    Severity.WARNING,
    layer="advice",
    scope="container",
    fix="Keep one of them.",
)
def duplicate_port(container: ContainerView, ctx: Context) -> Problems:
    """A container lists the same port twice.

    Number and protocol are what `kubectl apply` tells ports by: applied again, one of them is lost, and server-side
    apply refuses the list. Two hostPorts that lead to one port are all right.
    """
    if len(listed(container.value, "ports")) < 2:
        return
    seen: dict[tuple[int, str], list[tuple[Data, PathTuple]]] = {}
    for number, protocol, port, path in _ports(container):
        others = seen.setdefault((number, protocol), [])
        for other, first in others:
            if _same_place(port, other):
                related = (Related("the first", (*first, "containerPort")),)
                message = f"the port {number}/{protocol} is listed twice"
                yield problem((*path, "containerPort"), message, related=related)
                break
        others.append((port, path))


def _same_place(one: Data, two: Data) -> bool:
    """True where two ports of the same number are not told apart by their ports on the node."""
    first, second = one.get("hostPort") or 0, two.get("hostPort") or 0
    here, there = one.get("hostIP") or "", two.get("hostIP") or ""
    if first == second and here == there:
        # Where it is a port of the node, the server refuses it: that is another rule's.
        return not first
    return not first or not second or (first == second and (not here or not there))


@rule(
    "ambiguous-port-name",
    Severity.WARNING,
    layer="advice",
    fix="Give each port of the pod a name of its own.",
)
def ambiguous_port_name(pod: PodView, ctx: Context) -> Problems:
    """Ports of two containers have the same name.

    A Service that uses the name reaches only one of them, an app's before a sidecar's. The API server warns of it.
    """
    if not _many_ports(pod):
        return
    seen: dict[str, tuple[ContainerView, PathTuple]] = {}
    for container in sorted(pod.containers, key=lambda one: one.role in ("sidecar", "init")):
        for _, _, port, path in _ports(container):
            name = port.get("name")
            if not name or not isinstance(name, str):
                continue
            other, first = seen.setdefault(name, (container, path))
            if other is not container:
                yield problem(
                    (*path, "name"),
                    f"a port of the container {quote(other.name)} is called {quote(name)} too",
                    related=(Related("the first", (*first, "name")),),
                )


@rule(
    "host-ip-without-host-port",
    Severity.WARNING,
    layer="advice",
    scope="container",
    fix="Remove the hostIP, or give a hostPort too.",
)
def host_ip_without_host_port(container: ContainerView, ctx: Context) -> Problems:
    """A port has a hostIP and no hostPort.

    The address of the node says where a hostPort listens; alone it does nothing, least of all bind the app to it. The
    API server warns of it.
    """
    # In the network of the node every port is one of the node.
    for index, port in listed(container.value, "ports"):
        if port.get("hostIP") and not port.get("hostPort") and container.pod.value.get("hostNetwork") is not True:
            yield problem(container.at("ports", index, "hostIP"), "the hostIP does nothing without a hostPort")


_RUNNING = ("app", "classic", "sidecar")
# Controllers find ports of native sidecars by name from here on.
_NAMES_OF_SIDECARS_SINCE = "1.33"


@dataclass(frozen=True)
class _Target:
    """A port of a Service that is a name: the name, its protocol, and its path."""

    name: str
    protocol: str
    path: PathTuple


def _named_targets(stream: StreamView) -> Iterator[tuple[_Target, list[PodView]]]:
    """Yield each target port that is a name, with the pods of the input that the Service selects, if any."""
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
        pods = _selected(service, stream) if targets else []
        if pods:
            yield from ((target, pods) for target in targets)


def _is_name(target: object) -> bool:
    return isinstance(target, str) and bool(target) and not target.isdecimal()


def _selected(service: ObjectView, stream: StreamView) -> list[PodView]:
    """Return the pods of the input that a Service selects."""
    selector = as_mapping(service.get("spec", "selector"))
    if not selector:
        return []
    return [
        pod
        for pod in stream.pods
        if pod.object.namespace == service.namespace
        and selector.items() <= _flat(pod.metadata.value.get("labels")).items()
        and pod.containers
    ]


def _flat(labels: object) -> dict[str, Any]:
    return {key: value for key, value in as_mapping(labels).items() if isinstance(value, str)}


def _holders(pod: PodView, target: _Target) -> list[tuple[ContainerView, PathTuple]]:
    """Return the containers that have the port, with its path."""
    return [
        (container, container.at("ports", index))
        for container in pod.by_role(*_RUNNING)
        for index, port in listed(container.value, "ports")
        if port.get("name") == target.name and str(port.get("protocol") or "TCP") == target.protocol
    ]


@rule(
    "named-targetport-to-sidecar",
    Severity.ERROR,
    layer="advice",
    scope="stream",
    until="1.32",
    fix="Give the number as the targetPort, or target Kubernetes 1.33 or newer.",
    given=Context("1.31"),
)
def named_targetport_to_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """A Service leads to a port of a native sidecar by its name.

    Before Kubernetes 1.33 the names of ports were only looked for among the ordinary containers: the Service has no
    endpoint there, and connections are refused. Numbers have always worked.

    It is found where the Service and the workload are in the same input.
    """
    for target, pods in _named_targets(stream):
        for pod in pods:
            holders = _holders(pod, target)
            if holders and all(container.role == "sidecar" for container, _ in holders):
                container, where = holders[0]
                yield problem(
                    target.path,
                    f"{quote(target.name)} is a port of the native sidecar {quote(container.name)}, "
                    f"which Services find by number only before {_NAMES_OF_SIDECARS_SINCE}",
                    related=(Related("the port", (*where, "name")),),
                )
                break


@rule(
    "unknown-target-port",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Use the name of a port of the pods, or a number.",
)
def unknown_target_port(stream: StreamView, ctx: Context) -> Problems:
    """A Service leads to a port by a name that no container of its pods has.

    It has no endpoint for that port, and connections are refused.

    It is found where the Service and the workload are in the same input, and none of the workloads it selects has
    such a port.
    """
    for target, pods in _named_targets(stream):
        if not any(_holders(pod, target) for pod in pods):
            there = sorted({str(port.get("name")) for pod in pods for port in _target_ports(pod) if port.get("name")})
            known = f"; there are {', '.join(there)}" if there else ""
            yield problem(
                target.path,
                f"no container of {pods[0].object.label} has a {target.protocol} port {quote(target.name)}{known}",
                related=(Related("the pods", pods[0].at("containers")),),
            )


def _target_ports(pod: PodView) -> Iterator[dict[str, Any]]:
    for container in pod.by_role(*_RUNNING):
        for _, port in listed(container.value, "ports"):
            yield port
