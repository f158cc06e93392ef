"""Rules about the names of ports that Services of the same input look for in a pod."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazily import dataclass
from sidecarctl.validate.parts import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, ObjectView, PodView, StreamView

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
            there = sorted({str(port.get("name")) for pod in pods for port in _ports(pod) if port.get("name")})
            known = f"; there are {', '.join(there)}" if there else ""
            yield problem(
                target.path,
                f"no container of {pods[0].object.label} has a {target.protocol} port {quote(target.name)}{known}",
                related=(Related("the pods", pods[0].at("containers")),),
            )


def _ports(pod: PodView) -> Iterator[dict[str, Any]]:
    for container in pod.by_role(*_RUNNING):
        for _, port in listed(container.value, "ports"):
            yield port
