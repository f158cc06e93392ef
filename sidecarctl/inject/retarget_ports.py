"""The pods that a reference selects, and the ports that it must have for them, found once for equal references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from sidecarctl.inject.retarget_entries import Port, RetargetedPod, document_number, find_wanted
from sidecarctl.validate.pod_selection import PodIndex
from sidecarctl.validate.surroundings import Reference, allows_front, resolve_number
from sidecarctl.validate.views import ObjectView, StreamView
from sidecarctl.yamltext.stream import Document


class SelectedPods:
    """The pods of a run as references select them.

    Of objects of one name, as two environments have them, each selects the pods that are nearest: in its directory, or in one
    that has most directories above in common. If a namesake is in its directory too, it selects those of its file, if any.
    """

    def __init__(self, stream: StreamView, pods: Sequence[RetargetedPod], documents: Sequence[Document]) -> None:
        self._by_view = {id(pod.view): pod for pod in pods}
        self._index = PodIndex([pod.view for pod in pods], stream.objects)
        self._files = [each.file for each in documents]
        self._namesakes = Counter(map(_identity, stream.objects))
        self._in_directory = Counter((_identity(each), self._directory(each)) for each in stream.objects)
        self._found: dict[tuple[int, str], tuple[RetargetedPod, ...]] = {}
        self._ids: dict[int, frozenset[int]] = {}
        self._wanted: dict[tuple[object, ...], set[Port | None]] = {}
        self._allowed: dict[tuple[int, int, Port], bool] = {}

    def find(self, reference: Reference) -> tuple[RetargetedPod, ...]:
        """Return the pods that the object of a reference selects; the same tuple for equal selectors."""
        views = self._index.find_selected(reference.object)
        has_namesakes = self._namesakes[_identity(reference.object)] > 1
        key = id(views), self._file(reference.object) if has_namesakes else ""
        if key not in self._found:
            found = tuple(self._by_view[id(view)] for view in views)
            self._found[key] = self._near(reference.object, found) if has_namesakes else found
        return self._found[key]

    def selects(self, reference: Reference, pod: RetargetedPod) -> bool:
        """Return whether `find` returns a pod."""
        found = self.find(reference)
        if id(found) not in self._ids:
            self._ids[id(found)] = frozenset(map(id, found))
        return id(pod) in self._ids[id(found)]

    def _near(self, one: ObjectView, pods: tuple[RetargetedPod, ...]) -> tuple[RetargetedPod, ...]:
        directories = set(PurePath(self._file(one)).parents)
        shared = [len(directories.intersection(PurePath(self._file(pod.view.object)).parents)) for pod in pods]
        near = tuple(pod for pod, each in zip(pods, shared) if each == max(shared))
        if self._in_directory[_identity(one), self._directory(one)] == 1:
            return near
        return tuple(pod for pod in near if self._file(pod.view.object) == self._file(one)) or near

    def _file(self, one: ObjectView) -> str:
        return self._files[document_number(one.path)]

    def _directory(self, one: ObjectView) -> PurePath:
        return PurePath(self._file(one)).parent

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


def _identity(one: ObjectView) -> tuple[str, str, str]:
    return one.kind, one.namespace, one.name
