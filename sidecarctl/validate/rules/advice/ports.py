"""Rules about ports of containers and Services that the API server accepts, at most with a warning."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

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
