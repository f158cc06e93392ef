"""Move the containers of an instance whose `position` changed; an upgrade otherwise keeps the order of the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.inject.record import Added
from sidecarctl.inject.record_edits import apply_at
from sidecarctl.kube.workload import Workload, as_list
from sidecarctl.yamltext.edits import Edit, Insert, Remove

POSITION = "position"


def reposition(
    workload: Workload,
    edits: Sequence[Edit],
    added: Added,
    new: Sequence[Any],
    old_parameters: Mapping[str, Any],
    new_parameters: Mapping[str, Any],
) -> list[Edit]:
    """Return the edits of an upgrade, with the instance's init containers moved if a new `position` requires it.

    `new` are the names of the init containers in their new order. A moved container is written anew.
    """
    wanted = new_parameters.get(POSITION)
    path = (*workload.pod_path, "initContainers")
    names = [_name(each) for each in as_list(workload.pod.get("initContainers"))]
    own = [name for name in new if name in added.init_containers and name in names]
    if not wanted or wanted == old_parameters.get(POSITION) or not own:
        return list(edits)
    present = [name for name in names if name in own or name in new]
    if present == [name for name in new if name in names]:
        return list(edits)
    after = {_name(each): each for each in as_list(apply_at(workload, edits).pod.get("initContainers"))}
    moved = [names.index(name) for name in own]
    kept = [edit for edit in edits if not any(edit.path[: len(path) + 1] == (*path, index) for index in moved)]
    following = [name for name in new[new.index(own[-1]) + 1 :] if name in names]
    place = names.index(following[0]) if following else len(names)
    return [
        *kept,
        *(Remove((*path, index), POSITION) for index in moved),
        *(Insert((*path, place), after[name], POSITION) for name in own),
    ]


def _name(container: Any) -> Any:
    return container.get("name") if isinstance(container, dict) else None
