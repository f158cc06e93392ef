"""Rules about named target ports of Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sidecarctl.findings import PathTuple, Related, Severity, list_first, quote
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView, StreamView

# Names in a message.
_LISTED = 10
_RUNNING = ("app", "classic", "sidecar")
# The first version that resolves named target ports in native sidecars.
_NAMED_SIDECAR_PORTS_SINCE = "1.33"


@dataclass(frozen=True)
class _Target:
    """A named target port of a Service."""

    name: str
    protocol: str
    path: PathTuple


def _named_target_ports(stream: StreamView) -> Iterator[tuple[_Target, tuple[PodView, ...]]]:
    """Yield each named target port of a Service that selects pods of the input, with those pods.

    Services that select the same pods share the tuple.
    """
    services = [
        service
        for service in stream.objects
        if service.kind == "Service"
        and not service.group
        and any(_is_name(port.get("targetPort")) for _, port in listed(service.spec, "ports"))
    ]
    if not services:
        return
    from sidecarctl.validate.pod_selection import PodIndex

    index = PodIndex(stream.pods, services)
    for service in services:
        pods = index.find_selected(service)
        for number, port in listed(service.spec, "ports") if pods else ():
            if _is_name(port.get("targetPort")):
                path = service.at("spec", "ports", number, "targetPort")
                yield _Target(port["targetPort"], str(port.get("protocol") or "TCP"), path), pods


def _is_name(target: object) -> bool:
    return isinstance(target, str) and bool(target) and not target.isdecimal()


_Holders = dict[tuple[str, str], list[tuple[ContainerView, PathTuple]]]


def _ports_by_name(pod: PodView) -> _Holders:
    """Return the containers that have a named port, with the path of the port, by name and protocol."""
    if "named ports" not in pod.memo:
        found = pod.memo["named ports"] = _Holders()
        for container in pod.by_role(*_RUNNING):
            for index, port in listed(container.value, "ports"):
                name = port.get("name")
                if isinstance(name, str) and name:
                    key = name, str(port.get("protocol") or "TCP")
                    found.setdefault(key, []).append((container, container.at("ports", index)))
    holders: _Holders = pod.memo["named ports"]
    return holders


class _NamedPorts:
    """The pods that have a named port, by pods that a Service selects, and by name and protocol."""

    def __init__(self) -> None:
        self._found: dict[int, dict[tuple[str, str], list[PodView]]] = {}
        self._known: dict[int, str] = {}

    def by_name(self, pods: Sequence[PodView]) -> Mapping[tuple[str, str], Sequence[PodView]]:
        """Return the pods with each named port."""
        if id(pods) not in self._found:
            found = self._found[id(pods)] = {}
            for pod in pods:
                for key in _ports_by_name(pod):
                    found.setdefault(key, []).append(pod)
        return self._found[id(pods)]

    def find(self, pods: Sequence[PodView], target: _Target) -> Sequence[PodView]:
        """Return the pods that have a target port."""
        return self.by_name(pods).get((target.name, target.protocol), ())

    def known(self, pods: Sequence[PodView]) -> str:
        """Return the first names of the ports of pods as a list, "" if no port has a name."""
        if id(pods) not in self._known:
            names = sorted({name for name, _ in self.by_name(pods)})
            self._known[id(pods)] = list_first(names, _LISTED)
        return self._known[id(pods)]


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
    ports, seen, reported = _NamedPorts(), set[tuple[int, str, str]](), set[PathTuple]()
    for target, pods in _named_target_ports(stream):
        key = target.name, target.protocol
        if (id(pods), *key) in seen:
            continue
        seen.add((id(pods), *key))
        for pod in ports.find(pods, target):
            holders = sorted(_ports_by_name(pod)[key], key=lambda one: one[0].role == "sidecar")
            container, first = holders[0]
            for other, where in holders[1:]:
                if other is not container and where not in reported:
                    reported.add(where)
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
    ports = _NamedPorts()
    first: dict[tuple[int, str, str], tuple[ContainerView, PathTuple] | None] = {}
    for target, pods in _named_target_ports(stream):
        key = id(pods), target.name, target.protocol
        if key not in first:
            every = (_ports_by_name(pod)[target.name, target.protocol] for pod in ports.find(pods, target))
            first[key] = next((one[0] for one in every if all(each.role == "sidecar" for each, _ in one)), None)
        found = first[key]
        if found is not None:
            container, where = found
            yield problem(
                target.path,
                f"target port {quote(target.name)} is in native sidecar {quote(container.name)}: "
                f"named target ports in sidecars require Kubernetes {_NAMED_SIDECAR_PORTS_SINCE}",
                related=(Related("port", (*where, "name")),),
            )


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
    ports = _NamedPorts()
    for target, pods in _named_target_ports(stream):
        if not ports.find(pods, target):
            known = ports.known(pods)
            note = f" (known: {known})" if known else ""
            yield problem(
                target.path,
                f"unknown {target.protocol} port {quote(target.name)} in {pods[0].object.label}{note}",
                related=(Related("containers", pods[0].at("containers")),),
            )
