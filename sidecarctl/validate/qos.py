"""Whether a change makes a pod's quality of service worse, and what would keep it. Knows no rule."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple
from sidecarctl.kube.podresources import BEST_EFFORT, BURSTABLE, GUARANTEED, container_amounts, qos_class
from sidecarctl.kube.quantity import readable
from sidecarctl.kube.versions import NEWEST
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazily import dataclass

_RANK = (BEST_EFFORT, BURSTABLE, GUARANTEED)
_RESOURCES = ("cpu", "memory")


@dataclass(frozen=True)
class Shortfall:
    """What keeps a container from being Guaranteed: a resource whose request and limit are not one amount.

    path   of the resources, from the pod spec: ("initContainers", 0, "resources")
    value  the amount that would do, "100m", as far as the container says one; else ""
    """

    container: str
    path: PathTuple
    resource: str
    value: str


@dataclass(frozen=True)
class Downgrade:
    """A pod whose class became worse: from what to what, and what would keep the old one."""

    before: str
    after: str
    shortfalls: tuple[Shortfall, ...] = ()


def qos_downgrade(before_pod: object, after_pod: object, version: str = NEWEST) -> Downgrade | None:
    """Compare two pod specs (plain data); None where the class is the same or better.

    Shortfalls are those of the containers that the pod did not have before, or had otherwise; a pod that was Burstable
    can't be kept by amounts, so there are none.
    """
    before, after = qos_class(before_pod, version), qos_class(after_pod, version)
    if _RANK.index(after) >= _RANK.index(before):
        return None
    return Downgrade(before, after, tuple(_shortfalls(after_pod)) if before == GUARANTEED else ())


def _shortfalls(pod: object) -> Iterator[Shortfall]:
    for field in ("initContainers", "containers"):
        for index, container in enumerate(as_list(as_mapping(pod).get(field))):
            requests, limits = container_amounts(container)
            for resource in _RESOURCES:
                limit, request = limits.get(resource, 0), requests.get(resource, 0)
                if not limit or limit != request:
                    amount = max(limit, request)
                    value = readable(amount, resource) if amount else ""
                    name = str(as_mapping(container).get("name") or "")
                    yield Shortfall(name, (field, index, "resources"), resource, value)
