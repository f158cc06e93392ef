"""What is around a pod: ports in other objects of a run that lead to it, and those that bypass its fronts.

A *reference* is a port in an object that selects pods: a Service's target port, a port that a NetworkPolicy allows, or a port
that a PodMonitor scrapes. A *bypass* is a reference to a port that a front takes traffic for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.fronts import DEFAULT_STAGE, Front, find_chain, read_fronts
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.views import ContainerView, ObjectView, PodView, StreamView, View

_RUNNING = ("app", "classic", "sidecar")
MONITORING = "monitoring.coreos.com"


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
    """A reference that bypasses the fronts of a pod: to `port`, where `chain` takes traffic for it, innermost first."""

    reference: Reference
    pod: PodView
    port: int
    chain: tuple[Front, ...]

    @property
    def front(self) -> Front:
        """The outermost front, which clients should connect to."""
        return self.chain[-1]


def find_bypasses(stream: StreamView, kind: str) -> Iterator[Bypass]:
    """Yield the references of a kind of object that bypass fronts."""
    index = PodIndex([pod for pod in stream.pods if read_fronts(pod.workload)])
    for reference in find_references(stream, kind):
        for pod in index.find_selected(reference.object):
            port = resolve_port(reference, pod)
            chain = find_chain(read_fronts(pod.workload), port)
            if chain and not allows_front(reference, pod, chain[-1].port):
                yield Bypass(reference, pod, port, chain)


def find_references(stream: StreamView, kind: str = "") -> Iterator[Reference]:
    """Yield the ports in objects of a run that select pods; only those of a kind if it is given."""
    for one in stream.objects:
        reader = _READERS.get((one.group, one.kind))
        if reader is not None and kind in ("", one.kind):
            yield from reader(one)


class PodIndex:
    """Finds the pods that an object selects without looking at all of them: by one label of its selector."""

    def __init__(self, pods: Sequence[PodView]) -> None:
        self.pods = pods
        self._by_label: dict[tuple[str, str], list[PodView]] = {}
        for pod in pods:
            for key, value in as_mapping(pod.metadata.value.get("labels")).items():
                if isinstance(value, str):
                    self._by_label.setdefault((key, value), []).append(pod)

    def find_selected(self, one: ObjectView) -> Iterator[PodView]:
        """Yield the pods that an object selects, in order."""
        selector = as_mapping(one.get("spec", _SELECTORS[one.group, one.kind]))
        wanted = selector if one.kind == "Service" else as_mapping(selector.get("matchLabels"))
        label = next(((key, value) for key, value in wanted.items() if isinstance(value, str)), None)
        candidates = self.pods if label is None else self._by_label.get(label, ())
        return (pod for pod in candidates if selects(one, pod))


def selects(one: ObjectView, pod: PodView) -> bool:
    """Return True if an object selects a pod: same namespace, and labels that match."""
    if not pod.containers or not _reaches_namespace(one, pod.object.namespace):
        return False
    labels = as_mapping(pod.metadata.value.get("labels"))
    field = _SELECTORS[one.group, one.kind]
    selector = one.get("spec", field)
    if field != "selector" or one.kind != "Service":
        return isinstance(selector, dict) and matches_label_selector(selector, labels)
    return bool(selector) and isinstance(selector, dict) and all(labels.get(k) == v for k, v in selector.items())


def _reaches_namespace(one: ObjectView, namespace: str) -> bool:
    """Return True if an object selects pods of a namespace: its own, or those that a PodMonitor names."""
    chosen = one.child("spec", "namespaceSelector") if one.kind == "PodMonitor" else View({}, ())
    names = chosen.get("matchNames")
    if isinstance(names, list):
        return namespace in names
    return chosen.get("any") is True or one.namespace == namespace


def matches_label_selector(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Return True if a label selector (matchLabels, matchExpressions) matches; an empty one matches everything."""
    wanted = as_mapping(selector.get("matchLabels"))
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for item in View(dict(selector), ()).each("matchExpressions"):
        key, values = item.text("key"), as_list(item.get("values"))
        among = key in labels and labels[key] in values
        met = {"In": among, "NotIn": not among, "Exists": key in labels, "DoesNotExist": key not in labels}
        if not met.get(item.text("operator"), True):
            return False
    return True


def resolve_port(reference: Reference, pod: PodView) -> int:
    """Return the number of a referenced port in a pod, 0 if the pod has no port of this name."""
    return resolve_number(reference.port if reference.value is None else reference.value, pod)


def resolve_number(value: int | str, pod: PodView) -> int:
    """Return a port of a pod as a number; a name that the pod does not have is 0."""
    if isinstance(value, int):
        return value
    if value.isdecimal():
        return int(value)
    return next((number for name, number, _ in named_ports(pod) if name == value), 0)


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
    if reference.object.kind != "NetworkPolicy":
        return False
    for rule in reference.object.each("spec", "ingress"):
        entries = list(rule.each("ports"))
        if not entries or any(_covers(entry, pod, port) for entry in entries):
            return True
    return False


def _covers(entry: View, pod: PodView, port: int) -> bool:
    first, last = entry.get("port"), entry.number("endPort")
    if str(entry.get("protocol") or "TCP") != "TCP":
        return False
    if first is None:
        return True
    number = resolve_number(first, pod) if isinstance(first, (int, str)) else 0
    return number <= port <= last if last is not None else number == port


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
_SELECTORS = {
    ("", "Service"): "selector",
    ("networking.k8s.io", "NetworkPolicy"): "podSelector",
    (MONITORING, "PodMonitor"): "selector",
}
