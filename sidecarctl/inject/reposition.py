"""Move the containers of an instance if an upgrade changes their place; otherwise it keeps the order of the manifest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sidecarctl.composition.request import Request
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.inject.placement import applies_position, find_container_index, find_owner
from sidecarctl.inject.record_edits import apply_at
from sidecarctl.kube.workload import Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record.annotation import Instance, Record
from sidecarctl.yamltext.edits import Edit, Insert, Remove


@dataclass(frozen=True)
class Reposition:
    """An upgrade that may change the place of an instance's containers.

    workload  the workload with the instance
    bare      the workload without it
    record    of the workload
    request   what is requested now, for this instance
    planned   the new entry of the record
    template  the pod template that the new version would write
    """

    workload: Workload
    bare: Workload
    record: Record
    request: Request
    planned: Instance
    template: Any

    def add_moves(self, edits: Sequence[Edit]) -> list[Edit]:
        """Return the edits of the upgrade, with the containers moved that have another place now.

        A moved container is written anew.
        """
        moved = list(edits)
        for field, names in (
            ("initContainers", self.planned.added.init_containers),
            ("containers", self.planned.added.containers),
        ):
            if not names:
                continue
            moved = _join_new(self.workload, field, names, moved)
            if self._moves(field):
                moved = _move(self.workload, field, names, moved, _names(self._new_pod, field))
        return moved

    @property
    def _new_pod(self) -> Mapping[str, Any]:
        return as_mapping(as_mapping(self.template).get("spec"))

    @property
    def _present(self) -> Instance:
        return self.record.instances[self.request.instance]

    def _moves(self, field: str) -> bool:
        """Return True if a position is given now, or if the place changes and no person moved the containers."""
        former = _former_request(self.request, self._present)
        order = _order_of(self.request, field, self.planned.mode)
        if order == _order_of(former, field, self._present.mode):
            return False
        position, _, _ = order
        if position:
            return True
        current = self._current_index(field)
        if current is None:
            return False
        try:
            before = find_container_index(self.bare, field, former, self.record, self._present.mode)
        except UsageError:  # the pod no longer has the recorded position
            return False
        now = find_container_index(self.bare, field, self.request, self.record, self.planned.mode)
        moved_by_person = None in self._owners_between(field, before, current)
        return not moved_by_person and not self._passes_waiting(field, current, now)

    def _current_index(self, field: str) -> int | None:
        """Return the index of the containers in the list without them; None if there are none, or others between them."""
        added = self._present.added
        own = frozenset(added.init_containers if field == "initContainers" else added.containers)
        indices = [index for index, name in enumerate(_names(self.workload.pod, field)) if name in own]
        return indices[0] if indices and indices[-1] - indices[0] == len(indices) - 1 else None

    def _owners_between(self, field: str, one: int, two: int) -> list[str | None]:
        """Return the instances of the containers between two places, None for containers of the app."""
        items = as_list(self.bare.pod.get(field))[min(one, two) : max(one, two)]
        return [find_owner(self.record, field, item) for item in items]

    def _passes_waiting(self, field: str, current: int, now: int) -> bool:
        """Return True if the containers would move behind a sidecar that must start after them."""
        behind = self._owners_between(field, current, max(current, now))
        sidecar, name = self.request.sidecar.name, self.request.instance
        return any(owner and self.record.instances[owner].waits_for(sidecar, name) for owner in behind)


def _former_request(request: Request, present: Instance) -> Request:
    """Return the request with the recorded position and `startsAfter`, and the `start` of the recorded version.

    If the libraries do not have that version, its start cannot be known, and that of the requested one counts.
    """
    try:
        sidecar = request.find_recorded(present) or request.sidecar
    except SidecarctlError:
        sidecar = request.sidecar
    common = {key: value for key, value in request.parameters.common.items() if key != "position"}
    is_own = "position" in sidecar.parameters.get("properties", {})  # a sidecar's own parameter of that name
    if "position" in present.parameters and not is_own:
        common["position"] = present.parameters["position"]
    return replace(
        request,
        sidecar=replace(sidecar, starts_after=present.after),
        parameters=replace(request.parameters, common=common),
    )


def _order_of(request: Request, field: str, mode: str) -> tuple[Any, str, frozenset[str]]:
    """Return what decides the place of a sidecar's containers in a list: the position, or else `start` and `startsAfter`."""
    position = request.parameters.common.get("position") if applies_position(field, mode) else None
    if position:
        return position, "", frozenset()
    return None, request.sidecar.start, frozenset(request.sidecar.starts_after)


def _move(
    workload: Workload, field: str, names: Collection[str], edits: Sequence[Edit], order: Sequence[Any]
) -> list[Edit]:
    """Return edits with containers moved to their place in `order`, the names of the containers of the new template."""
    path = (*workload.pod_path, field)
    present = _names(workload.pod, field)
    after = {_name(each): each for each in as_list(apply_at(workload, edits).pod.get(field))}
    own = [name for name in order if name in names and name in after]
    known = [name for name in order if name in present]
    if not any(name in present for name in own) or [name for name in present if name in known] == known:
        return list(edits)
    moved = [present.index(name) for name in own if name in present]
    following = [name for name in order[order.index(own[-1]) + 1 :] if name in present]
    place = present.index(following[0]) if following else len(present)
    kept = [edit for edit in edits if not _concerns(edit, path, moved, own)]
    return [
        *kept,
        *(Remove((*path, index), "position") for index in moved),
        *(Insert((*path, place), after[name], "position") for name in own),
    ]


def _join_new(workload: Workload, field: str, names: Sequence[str], edits: Sequence[Edit]) -> list[Edit]:
    """Return edits that insert new containers of an instance beside those that it has.

    A merge inserts an item behind the one that precedes it, which can be a container of another sidecar.
    """
    path = (*workload.pod_path, field)
    indices = {name: index for index, name in enumerate(_names(workload.pod, field)) if name in names}

    def place(edit: Edit) -> Edit:
        name = _name(edit.value) if isinstance(edit, Insert) and edit.path[:-1] == path else None
        if name not in names or name in indices or not indices:
            return edit
        at = names.index(name)
        before = [indices[each] for each in names[:at] if each in indices]
        behind = [indices[each] for each in names[at:] if each in indices]
        return replace(edit, path=(*path, before[-1] + 1 if before else behind[0]))

    return [place(edit) for edit in edits]


def _concerns(edit: Edit, path: tuple[str | int, ...], moved: Collection[int], own: Collection[str]) -> bool:
    """Return True if an edit is in a moved container, or inserts a container of the instance, which is written with the others."""
    depth = len(path)
    if len(edit.path) <= depth or edit.path[:depth] != path:
        return False
    if isinstance(edit, Insert) and len(edit.path) == depth + 1:
        return _name(edit.value) in own
    return edit.path[depth] in moved


def _names(pod: Mapping[str, Any], field: str) -> list[str | None]:
    return [_name(each) for each in as_list(pod.get(field))]


def _name(container: Any) -> str | None:
    name = as_mapping(container).get("name")
    return name if isinstance(name, str) else None
