"""Find the Services of a run that lead to a pod, and the containers that their connections pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sidecarctl.errors import InputError
from sidecarctl.kube.fronts import Front, find_chain
from sidecarctl.kube.workload import Workload, as_mapping, objects
from sidecarctl.report.graph.model import Hop, Route
from sidecarctl.validate.label_index import LabelSelector
from sidecarctl.validate.pod_selection import pod_selector
from sidecarctl.validate.surroundings import resolve_port, service_ports
from sidecarctl.validate.views import ObjectView, PodView
from sidecarctl.yamltext.stream import split_readable


def read_services(text: str, file: str = "-") -> Iterator[ObjectView]:
    """Yield the Services of a text. Documents that cannot be parsed are left out: the reader of pods reports them."""
    for document in split_readable(text, file, []) if "Service" in text else ():
        if "Service" in document.text:
            try:
                found = list(objects(document.value))
            except InputError:
                continue
            yield from (ObjectView(value, path) for value, path in found if value.get("kind") == "Service")


class ServiceIndex:
    """The Services of a run, to find those that select a pod: by one label of their selector."""

    def __init__(self, services: Iterable[ObjectView]) -> None:
        selecting = [(each, selector) for each in services if (selector := pod_selector(each)) is not None]
        counts = Counter(label for _, selector in selecting for label in _labels(selector))
        self._keys = {key for key, _ in counts}
        self._by_label: dict[tuple[str, str], list[tuple[int, ObjectView, LabelSelector]]] = {}
        for number, (service, selector) in enumerate(selecting):
            rarest = min(_labels(selector), key=lambda label: counts[label], default=None)
            if rarest is not None:
                self._by_label.setdefault(rarest, []).append((number, service, LabelSelector(selector)))
        self._found: dict[tuple[str, frozenset[tuple[str, str]]], list[ObjectView]] = {}

    def find(self, pod: PodView) -> list[ObjectView]:
        """Return the Services that select a pod, in order."""
        labels = {
            key: value for key, value in _labels({"matchLabels": pod.metadata.value.get("labels")}) if key in self._keys
        }
        place = pod.object.namespace, frozenset(labels.items())
        if place not in self._found:
            found = [
                (number, service)
                for label in labels.items()
                for number, service, selector in self._by_label.get(label, ())
                if service.namespace == pod.object.namespace and selector.matches(labels)
            ]
            self._found[place] = [service for _, service in sorted(found, key=lambda each: each[0])]
        return self._found[place]


def _labels(selector: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in as_mapping(selector.get("matchLabels")).items() if isinstance(value, str)]


# Of one pod.
MAX_ROUTES = 100


def find_routes(workload: Workload, fronts: Sequence[Front], services: ServiceIndex) -> tuple[list[Route], int]:
    """Return the first ports of the Services that select the pods of a workload, and of how many Services not all are there."""
    pod, routes = PodView(workload), list[Route]()
    found = services.find(pod)
    for number, service in enumerate(found):
        for reference in service_ports(service):
            if len(routes) >= MAX_ROUTES:
                return routes, len(found) - number
            port = resolve_port(reference, pod)
            name = reference.holder.text("name")
            around = tuple(front.instance for front in reversed(find_chain(fronts, port)))
            hops = tuple(_hops(pod, fronts, port))
            routes.append(Route(service.label, f"{reference.port} {name}".rstrip(), hops, around))
    return routes, 0


def _hops(pod: PodView, fronts: Sequence[Front], port: int) -> Iterator[Hop]:
    """Yield the containers from the one that listens on a port to the app."""
    passed: list[int] = []
    while port not in passed:
        passed.append(port)
        front = next((each for each in fronts if each.port == port), None)
        yield Hop(front.instance if front else _holder(pod, port), port)
        if front is None:
            return
        port = front.upstream


def _holder(pod: PodView, port: int) -> str:
    """Return the container that lists a port, "" if none does."""
    running = (each for each in pod.containers if each.role != "init")
    return next((each.name for each in running for one in each.each("ports") if one.get("containerPort") == port), "")
