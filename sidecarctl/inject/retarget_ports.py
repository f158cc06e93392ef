"""The pods that a reference selects, and the ports that it must have for them, found once for equal references."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from sidecarctl.inject.retarget_entries import Port, RetargetedPod, document_number, find_wanted
from sidecarctl.validate.pod_selection import PodIndex
from sidecarctl.validate.surroundings import Reference, allows_front, resolve_number
from sidecarctl.validate.views import ObjectView, StreamView
from sidecarctl.yamltext.stream import Document

_Identity = tuple[str, str, str, str]


class SelectedPods:
    """The pods of a run as references select them.

    Of objects of one name in several files, as two environments have them, a pod belongs to the nearest: the one in its file,
    or the one whose path has most directories in common. To several, if they are equally near.
    """

    def __init__(
        self,
        stream: StreamView,
        pods: Sequence[RetargetedPod],
        references: Sequence[Reference],
        documents: Sequence[Document],
    ) -> None:
        self._by_view = {id(pod.view): pod for pod in pods}
        self._index = PodIndex([pod.view for pod in pods], stream.objects)
        self._files = [each.file for each in documents]
        self._namesakes: dict[_Identity, set[str]] = {}
        for reference in references:
            self._namesakes.setdefault(_identity(reference.object), set()).add(self._file(reference.object))
        self._nearest: dict[tuple[_Identity, str], frozenset[str]] = {}
        self._found: dict[tuple[object, ...], tuple[RetargetedPod, ...]] = {}
        self._ids: dict[int, frozenset[int]] = {}
        self._wanted: dict[tuple[object, ...], set[Port | None]] = {}
        self._allowed: dict[tuple[int, int, Port], bool] = {}

    def find(self, reference: Reference) -> tuple[RetargetedPod, ...]:
        """Return the pods that the object of a reference selects; the same tuple for equal selectors."""
        views = self._index.find_selected(reference.object)
        place = (_identity(reference.object), self._file(reference.object)) if self.has_namesakes(reference) else None
        if (id(views), place) not in self._found:
            found = (self._by_view[id(view)] for view in views)
            self._found[id(views), place] = tuple(pod for pod in found if place is None or self._is_near(pod, *place))
        return self._found[id(views), place]

    def has_namesakes(self, reference: Reference) -> bool:
        """Return whether other files have an object of the same name."""
        return len(self._namesakes.get(_identity(reference.object), ())) > 1

    def selects(self, reference: Reference, pod: RetargetedPod) -> bool:
        """Return whether `find` returns a pod."""
        found = self.find(reference)
        if id(found) not in self._ids:
            self._ids[id(found)] = frozenset(map(id, found))
        return id(pod) in self._ids[id(found)]

    def _is_near(self, pod: RetargetedPod, identity: _Identity, file: str) -> bool:
        return file in self._find_nearest(identity, self._file(pod.view.object))

    def _find_nearest(self, identity: _Identity, file: str) -> frozenset[str]:
        """Return the files of an object that are nearest to a file with a pod."""
        if (identity, file) not in self._nearest:
            files = self._namesakes[identity]
            above = set(PurePath(file).parents)
            shared = {each: len(above.intersection(PurePath(each).parents)) for each in files}
            most = max(shared.values())
            near = {file} if file in files else {each for each in files if shared[each] == most}
            self._nearest[identity, file] = frozenset(near)
        return self._nearest[identity, file]

    def _file(self, one: ObjectView) -> str:
        return self._files[document_number(one.path)]

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


def _identity(one: ObjectView) -> _Identity:
    return one.group, one.kind, one.namespace, one.name
