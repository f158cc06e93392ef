"""What is around a pod: ports in other objects of a run that lead to it, and those that bypass its fronts.

A *reference* is a port in an object that selects pods: a Service's target port, a port that a NetworkPolicy allows, or a port
that a PodMonitor scrapes. A *bypass* is a reference to a port that a front takes traffic for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sidecarctl.findings import PathTuple
from sidecarctl.kube.fronts import DEFAULT_STAGE, Front, find_chain
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.pod_selection import MONITORING, PodIndex
from sidecarctl.validate.views import ContainerView, ObjectView, PodView, StreamView, View

_RUNNING = ("app", "classic", "sidecar")
# Python converts longer texts of digits slowly, or not at all. A port has five digits.
_MAX_DIGITS = 10


@dataclass(frozen=True)
class Reference:
    """A port in an object that selects pods.

    key     what identifies it in the object: the name or number of a Service port, indices in other objects
    path    of the port, whether it is set or not
    value   a number or a name; None if it is not set
    port    the number that an unset port stands for, 0 if it has none
    holder  the entry that holds the port
    editable  whether another port can be written in its place; False for a range
    """

    object: ObjectView
    key: str
    path: PathTuple
    value: int | str | None
    holder: View
    port: int = 0
    editable: bool = True


@dataclass(frozen=True)
class Bypass:
    """A reference that bypasses the fronts of pods.

    pods   the pods, the first one is that of `port` and `chain`
    port   the port of the app that the reference leads to
    chain  the fronts that take traffic for it, innermost first
    agree  whether the reference would fit all pods with the same change
    """

    reference: Reference
    pods: tuple[PodView, ...]
    port: int
    chain: tuple[Front, ...]
    agree: bool

    @property
    def pod(self) -> PodView:
        """The first pod."""
        return self.pods[0]

    @property
    def front(self) -> Front:
        """The outermost front, which clients should connect to."""
        return self.chain[-1]


_Fronted = tuple[PodView, int, tuple[Front, ...]]


def find_bypasses(stream: StreamView, kind: str) -> Iterator[Bypass]:
    """Yield the references of a kind of object that bypass fronts, each once for all pods."""
    index = PodIndex([pod for pod in stream.pods if pod.fronts], stream.objects)
    # What bypasses is the same for all references to one port of the same pods.
    ports: dict[int, dict[int | str, list[_Fronted]]] = {}
    bypassed: dict[tuple[int, int, int | str], list[_Fronted]] = {}
    for reference in find_references(stream, kind):
        pods = index.find_selected(reference.object)
        if not pods:
            continue
        number = parse_port(reference.port if reference.value is None else reference.value)
        own = id(reference.object) if kind == "NetworkPolicy" else 0
        key = (id(pods), own, number)
        if key not in bypassed:
            if id(pods) not in ports:
                ports[id(pods)] = _fronted_ports(pods)
            bypassed[key] = [
                each
                for each in ports[id(pods)].get(number, ())
                if not allows_front(reference, each[0], each[2][-1].port)
            ]
        if found := bypassed[key]:
            _, port, chain = found[0]
            agree = all((each[2][-1].port, each[1]) == (chain[-1].port, port) for each in found)
            yield Bypass(reference, tuple(each[0] for each in found), port, chain, agree)


def _fronted_ports(pods: Sequence[PodView]) -> dict[int | str, list[_Fronted]]:
    """Return the pods with a front by the number and the names of the port that it takes traffic for."""
    found: dict[int | str, list[_Fronted]] = {}
    for pod in pods:
        for port in dict.fromkeys(front.upstream for front in pod.fronts):
            one = (pod, port, find_chain(pod.fronts, port))
            for key in port_keys(pod, port):
                found.setdefault(key, []).append(one)
    return found


def find_references(stream: StreamView, kind: str = "") -> Iterator[Reference]:
    """Yield the ports in objects of a run that select pods; only those of a kind if it is given."""
    for one in stream.objects:
        reader = _READERS.get((one.group, one.kind))
        if reader is not None and kind in ("", one.kind):
            yield from reader(one)


def resolve_port(reference: Reference, pod: PodView) -> int:
    """Return the number of a referenced port in a pod, 0 if the pod has no port of this name."""
    return resolve_number(reference.port if reference.value is None else reference.value, pod)


def resolve_number(value: int | str, pod: PodView) -> int:
    """Return a port of a pod as a number; a name that the pod does not have is 0."""
    port = parse_port(value)
    return port if isinstance(port, int) else port_numbers(pod).get(port, 0)


def parse_port(value: int | str) -> int | str:
    """Return the number that a port of digits stands for, else the value itself: a number or a name."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < _MAX_DIGITS else value


def port_numbers(pod: PodView) -> dict[str, int]:
    """Return the numbers of the named ports of a pod; of two ports with one name, that of the app."""
    if "ports" not in pod.memo:
        pod.memo["ports"] = {name: number for name, number, _ in reversed(list(named_ports(pod)))}
    found: dict[str, int] = pod.memo["ports"]
    return found


def port_keys(pod: PodView, port: int) -> list[int | str]:
    """Return what a reference to a port of a pod can have: its number, or one of its names."""
    return [port, *(name for name, number in port_numbers(pod).items() if number == port)]


def named_ports(pod: PodView) -> Iterator[tuple[str, int, ContainerView]]:
    """Yield name, number, and container of the named ports of a pod, those of the app first."""
    for container in sorted(pod.by_role(*_RUNNING), key=lambda each: each.role == "sidecar"):
        for port in container.each("ports"):
            number = port.number("containerPort")
            if number is not None and port.text("name"):
                yield port.text("name"), number, container


def wanted_port(reference: Reference, pod: PodView, chain: Sequence[Front]) -> int | str | None:
    """Return what a reference must have instead, None if a change of the port alone does not do.

    A PodMonitor that names a port gets a name, and cannot log in or verify a certificate.
    """
    port = chain[-1].port
    if reference.object.kind != "PodMonitor":
        return port
    if any(each.stage != DEFAULT_STAGE for each in chain):
        return None
    if reference.path[-1] != "port":
        return port
    return next((name for name, number, _ in named_ports(pod) if number == port), None)


def allows_front(reference: Reference, pod: PodView, port: int) -> bool:
    """Return True if a NetworkPolicy allows the port of the front too, so that traffic to it is not blocked."""
    one = reference.object
    if one.kind != "NetworkPolicy":
        return False
    if "allowed" not in one.memo:
        one.memo["allowed"] = _read_allowed(one)
    allowed: _Allowed = one.memo["allowed"]
    return allowed.covers(port) or any(
        number == port and name in allowed.names for name, number in port_numbers(pod).items()
    )


class _Allowed:
    """The TCP ports that a NetworkPolicy allows: numbers, ranges, and names."""

    def __init__(self) -> None:
        self.every = False
        self.numbers: set[int] = set()
        self.ranges: list[tuple[int, int]] = []
        self.names: set[str] = set()
        self._covered: dict[int, bool] = {}

    def covers(self, port: int) -> bool:
        """Return True if a number or a range allows a port."""
        if port not in self._covered:
            inside = any(first <= port <= last for first, last in self.ranges)
            self._covered[port] = self.every or port in self.numbers or inside
        return self._covered[port]


def _read_allowed(one: ObjectView) -> _Allowed:
    allowed = _Allowed()
    for rule in one.each("spec", "ingress"):
        entries = list(rule.each("ports"))
        allowed.every |= not entries
        for entry in entries:
            first, last = entry.get("port"), entry.number("endPort")
            if str(entry.get("protocol") or "TCP") != "TCP":
                continue
            if first is None:
                allowed.every = True
            elif isinstance(first, (int, str)):
                port = parse_port(first)
                if isinstance(port, str):
                    allowed.names.add(port)
                elif last is None:
                    allowed.numbers.add(port)
                else:
                    allowed.ranges.append((port, last))
    return allowed


# ---- readers of references -----------------------------------------------------------------------------------------


def service_ports(one: ObjectView) -> Iterator[Reference]:
    """Yield the TCP ports of a Service."""
    for port in one.each("spec", "ports"):
        if str(port.get("protocol") or "TCP") == "TCP":
            number = port.number("port") or 0
            yield Reference(
                one, port.text("name") or str(number), port.at("targetPort"), _port(port, "targetPort"), port, number
            )


def _allowed_ports(one: ObjectView) -> Iterator[Reference]:
    types = one.get("spec", "policyTypes")
    if isinstance(types, list) and "Ingress" not in types:
        return
    for number, rule in enumerate(one.each("spec", "ingress")):
        for index, entry in enumerate(rule.each("ports")):
            if entry.get("port") is not None and str(entry.get("protocol") or "TCP") == "TCP":
                yield Reference(
                    one, f"{number}/{index}", entry.at("port"), _port(entry, "port"), entry, 0, not entry.has("endPort")
                )


def _scraped_ports(one: ObjectView) -> Iterator[Reference]:
    for number, entry in enumerate(one.each("spec", "podMetricsEndpoints")):
        field = next((each for each in ("portNumber", "port", "targetPort") if entry.has(each)), "")
        if field:
            yield Reference(one, str(number), entry.at(field), _port(entry, field), entry)


def _port(holder: View, field: str) -> int | str | None:
    value = holder.get(field)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


_READERS: Mapping[tuple[str, str], Callable[[ObjectView], Iterator[Reference]]] = {
    ("", "Service"): service_ports,
    ("networking.k8s.io", "NetworkPolicy"): _allowed_ports,
    (MONITORING, "PodMonitor"): _scraped_ports,
}
