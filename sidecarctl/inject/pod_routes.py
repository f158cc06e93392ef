"""Find the Services of a run that lead to a pod, and the containers that their connections pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecarctl.errors import InputError
from sidecarctl.kube.fronts import Front, find_chain
from sidecarctl.kube.workload import Workload, objects
from sidecarctl.report.graph.model import Hop, Route
from sidecarctl.validate.surroundings import resolve_port, selects, service_ports
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


def find_routes(workload: Workload, fronts: Sequence[Front], services: Sequence[ObjectView]) -> Iterator[Route]:
    """Yield the ports of the Services that select the pods of a workload."""
    pod = PodView(workload)
    for service in services:
        if not service.group and selects(service, pod):
            for reference in service_ports(service):
                port = resolve_port(reference, pod)
                name = reference.holder.text("name")
                around = tuple(front.instance for front in reversed(find_chain(fronts, port)))
                hops = tuple(_hops(pod, fronts, port))
                yield Route(service.label, f"{reference.port} {name}".rstrip(), hops, around)


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
