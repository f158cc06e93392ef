"""The pods that a reference selects, and the ports that it must have for them, found once for equal references."""

from __future__ import annotations

from collections.abc import Sequence

from sidecarctl.inject.retarget_entries import Port, RetargetedPod, find_wanted
from sidecarctl.validate.pod_selection import PodIndex
from sidecarctl.validate.surroundings import Reference, allows_front, resolve_number
from sidecarctl.validate.views import StreamView


class SelectedPods:
    """The pods of a run as references select them."""

    def __init__(self, stream: StreamView, pods: Sequence[RetargetedPod]) -> None:
        self._by_view = {id(pod.view): pod for pod in pods}
        self._index = PodIndex([pod.view for pod in pods], stream.objects)
        self._found: dict[int, tuple[RetargetedPod, ...]] = {}
        self._ids: dict[int, frozenset[int]] = {}
        self._wanted: dict[tuple[object, ...], set[Port | None]] = {}
        self._allowed: dict[tuple[int, int, Port], bool] = {}

    def find(self, reference: Reference) -> tuple[RetargetedPod, ...]:
        """Return the pods that the object of a reference selects; the same tuple for equal selectors."""
        views = self._index.find_selected(reference.object)
        if id(views) not in self._found:
            self._found[id(views)] = tuple(self._by_view[id(view)] for view in views)
        return self._found[id(views)]

    def selects(self, reference: Reference, pod: RetargetedPod) -> bool:
        """Return whether the object of a reference selects a pod."""
        found = self.find(reference)
        if id(found) not in self._ids:
            self._ids[id(found)] = frozenset(map(id, found))
        return id(pod) in self._ids[id(found)]

    def find_wanted(self, reference: Reference, pods: Sequence[RetargetedPod], value: Port) -> set[Port | None]:
        """Return the ports that a reference with a value must have for pods of `find`, None for those that it fits."""
        # Only these decide, so the result is the same for many references.
        key = id(pods), value, reference.object.kind, reference.path[-1]
        if key not in self._wanted:
            self._wanted[key] = {find_wanted(reference, pod, resolve_number(value, pod.view)) for pod in pods}
        return self._wanted[key]

    def are_allowed(
        self, reference: Reference, pods: Sequence[RetargetedPod], ports: set[Port | None], value: Port
    ) -> bool:
        """Return True if a NetworkPolicy allows the wanted ports of all pods already."""
        if reference.object.kind != "NetworkPolicy":
            return False
        key = id(reference.object), id(pods), value
        if key not in self._allowed:
            self._allowed[key] = all(
                allows_front(reference, pod.view, port) for pod in pods for port in ports if isinstance(port, int)
            )
        return self._allowed[key]
