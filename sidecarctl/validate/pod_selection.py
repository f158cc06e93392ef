"""Which pods of a run Services, NetworkPolicies, and PodMonitors select."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.label_index import LabelIndex
from sidecarctl.validate.views import ObjectView, PodView

MONITORING = "monitoring.coreos.com"
_SELECTORS = {
    ("", "Service"): "selector",
    ("networking.k8s.io", "NetworkPolicy"): "podSelector",
    (MONITORING, "PodMonitor"): "selector",
}


def pod_selector(one: ObjectView) -> dict[str, Any] | None:
    """Return the label selector by which an object selects pods, None if it selects none. An empty one selects all."""
    field = _SELECTORS.get((one.group, one.kind))
    selector = one.get("spec", field) if field else None
    if not isinstance(selector, dict):
        return None
    if one.kind == "Service":
        return {"matchLabels": selector} if selector else None
    return selector


def selected_namespaces(one: ObjectView) -> frozenset[str] | None:
    """Return the namespaces whose pods or Services an object selects: its own, or those that a monitor names; None: all."""
    chosen = as_mapping(one.get("spec", "namespaceSelector")) if one.group == MONITORING else {}
    names = chosen.get("matchNames")
    if isinstance(names, list):
        return frozenset(name for name in names if isinstance(name, str))
    return None if chosen.get("any") is True else frozenset({one.namespace})


class PodIndex:
    """The pods of a run that have containers, to find those that an object selects."""

    def __init__(self, pods: Sequence[PodView], objects: Iterable[ObjectView]) -> None:
        self._index = LabelIndex(
            (
                (pod, pod.object.namespace, as_mapping(pod.metadata.value.get("labels")))
                for pod in pods
                if pod.containers
            ),
            (selector for one in objects if (selector := pod_selector(one)) is not None),
        )

    def find_selected(self, one: ObjectView) -> tuple[PodView, ...]:
        """Return the pods that an object selects, in order; the same tuple for objects with the same selector."""
        selector = pod_selector(one)
        return () if selector is None else self._index.find(selector, selected_namespaces(one))
