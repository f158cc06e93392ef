"""Effective requests, limits, and QoS class of a pod.

The formula is that of the API server, with native sidecars and pod-level resources. A malformed value counts as absent.
Quantities are integers in nano-units (see `quantity`), by resource name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.quantity import format_readable, parse_resource_amount
from sidecarctl.kube.versions import NEWEST, enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass

Quantities = dict[str, int]

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"

_QOS_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True)
class PodResources:
    """Effective requests, limits, and QoS class of one pod."""

    requests: Mapping[str, int]
    limits: Mapping[str, int]
    qos: str


def compute_pod_resources(pod: object, version: str = NEWEST) -> PodResources:
    """Return requests, limits, and QoS class of a pod spec for a Kubernetes version ("1.34")."""
    return PodResources(effective_requests(pod, version), effective_limits(pod, version), qos_class(pod, version))


def effective_requests(pod: object, version: str = NEWEST) -> Quantities:
    """Return the requests that the scheduler uses.

    For each resource, this is the larger of two sums: all app containers and native sidecars, or the init container
    that needs most together with the sidecars started before it. Missing requests default to the limits. Pod-level
    requests replace the sum, and the pod overhead is added. Source: PodRequests in Kubernetes component-helpers.
    """
    totals = _aggregate(pod, _requests, version)
    own_requests, own_limits = _pod_level(pod, version)
    if own_requests or own_limits:
        # A pod-level request defaults to the sum of the containers, then to the pod-level limit; for huge pages,
        # which cannot be overcommitted, always to the limit.
        summed = {name for name in totals if not name.startswith("hugepages-")}
        totals.update({name: amount for name, amount in own_limits.items() if name not in summed})
        totals.update(own_requests)
    return _sum(totals, _amounts(as_mapping(pod).get("overhead")))


def effective_limits(pod: object, version: str = NEWEST) -> Quantities:
    """Return the limits by the same formula.

    If only some containers limit a resource, the result is the sum of those limits. Overhead is added to limits other
    than zero.
    """
    totals = _aggregate(pod, _limits, version)
    totals.update(_pod_level(pod, version)[1])
    overhead = _amounts(as_mapping(pod).get("overhead"))
    return {name: amount + overhead.get(name, 0) if amount else amount for name, amount in totals.items()}


def qos_class(pod: object, version: str = NEWEST) -> str:
    """Return Guaranteed, Burstable, or BestEffort.

    A pod is Guaranteed if every container and init container has equal CPU and memory requests and limits. If pod-level
    resources are enabled and set, only they count.
    """
    own_requests, own_limits = _pod_level(pod, version)
    if own_requests or own_limits:
        return _class_of(effective_requests({**as_mapping(pod), "overhead": None}, version), own_limits)
    classes = {
        _class_of(_requests(container), _limits(container))
        for field in ("initContainers", "containers")
        for container in _items(pod, field)
    }
    if len(classes) == 1:
        return classes.pop()
    return BURSTABLE if classes else BEST_EFFORT


def container_resources(container: object) -> tuple[Quantities, Quantities]:
    """Return requests, which default to the limits, and limits of one container."""
    return _requests(container), _limits(container)


def _aggregate(pod: object, of: Callable[[object], Quantities], version: str) -> Quantities:
    running: Quantities = {}
    for container in _items(pod, "containers"):
        running = _sum(running, of(container))
    sidecars: Quantities = {}
    peak: Quantities = {}
    for container in _items(pod, "initContainers"):
        amounts = of(container)
        if container.get("restartPolicy") == "Always" and enabled("native-sidecar", version):
            running = _sum(running, amounts)
            sidecars = _sum(sidecars, amounts)
            peak = _max(peak, sidecars)
        else:
            peak = _max(peak, _sum(amounts, sidecars))
    return _max(running, peak)


def _pod_level(pod: object, version: str) -> tuple[Quantities, Quantities]:
    """Return the pod-level requests and limits, which support only CPU, memory, and huge pages."""
    if not enabled("pod-level-resources", version):
        return {}, {}
    resources = as_mapping(as_mapping(pod).get("resources"))
    requests, limits = (
        {
            name: amount
            for name, amount in _amounts(resources.get(field)).items()
            if name in _QOS_RESOURCES or name.startswith("hugepages-")
        }
        for field in ("requests", "limits")
    )
    return requests, limits


def _class_of(requests: Quantities, limits: Quantities) -> str:
    classes = set()
    for name in _QOS_RESOURCES:
        request, limit = requests.get(name, 0), limits.get(name, 0)
        if request != limit:
            return BURSTABLE
        classes.add(GUARANTEED if request else BEST_EFFORT)
    return classes.pop() if len(classes) == 1 else BURSTABLE


def _requests(container: object) -> Quantities:
    resources = as_mapping(as_mapping(container).get("resources"))
    return {**_amounts(resources.get("limits")), **_amounts(resources.get("requests"))}


def _limits(container: object) -> Quantities:
    return _amounts(as_mapping(as_mapping(container).get("resources")).get("limits"))


def _amounts(value: object) -> Quantities:
    found = ((name, parse_resource_amount(text)) for name, text in as_mapping(value).items() if isinstance(name, str))
    return {name: amount for name, amount in found if amount is not None}


def _sum(left: Quantities, right: Quantities) -> Quantities:
    return {**left, **{name: left.get(name, 0) + amount for name, amount in right.items()}}


def _max(left: Quantities, right: Quantities) -> Quantities:
    return {**left, **{name: max(left.get(name, amount), amount) for name, amount in right.items()}}


def _items(pod: object, field: str) -> list[dict[Any, Any]]:
    value = as_mapping(pod).get(field)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_RANK = (BEST_EFFORT, BURSTABLE, GUARANTEED)
_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True)
class Shortfall:
    """A resource of a container whose request and limit differ, so that the pod is not Guaranteed.

    path   path of the resources in the pod spec: ("initContainers", 0, "resources")
    value  value for both that makes the container Guaranteed: "100m", or "" if the container sets neither
    """

    container: str
    path: PathTuple
    resource: str
    value: str


@dataclass(frozen=True)
class Downgrade:
    """A change to a lower QoS class, and the resources to change to keep the class."""

    before: str
    after: str
    shortfalls: tuple[Shortfall, ...] = ()


def find_qos_downgrade(before_pod: object, after_pod: object, version: str = NEWEST) -> Downgrade | None:
    """Return the change to a lower QoS class between two pod specs, None if the class is not lower.

    Only a pod that was Guaranteed has shortfalls.
    """
    before, after = qos_class(before_pod, version), qos_class(after_pod, version)
    if _RANK.index(after) >= _RANK.index(before):
        return None
    return Downgrade(before, after, tuple(_shortfalls(after_pod)) if before == GUARANTEED else ())


def _shortfalls(pod: object) -> Iterator[Shortfall]:
    for field in ("initContainers", "containers"):
        for index, container in enumerate(as_list(as_mapping(pod).get(field))):
            requests, limits = container_resources(container)
            for resource in _RESOURCES:
                limit, request = limits.get(resource, 0), requests.get(resource, 0)
                if not limit or limit != request:
                    amount = max(limit, request)
                    value = format_readable(amount, resource) if amount else ""
                    name = str(as_mapping(container).get("name") or "")
                    yield Shortfall(name, (field, index, "resources"), resource, value)
