"""Move the containers of an instance whose `position` changed; an upgrade otherwise keeps the order of the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sidecarctl.inject.record import Instance
from sidecarctl.inject.record_edits import apply_at
from sidecarctl.kube.workload import Workload, as_list
from sidecarctl.yamltext.edits import Edit, Insert, Remove


def reposition(workload: Workload, edits: Sequence[Edit], instance: Instance, order: Sequence[Any]) -> list[Edit]:
    """Return the edits of an upgrade, with the instance's containers moved if their parameter `position` requires it.

    `order` are the names of the init containers, or of the containers of a classic sidecar, as the new version would write
    them. A moved container is written anew.
    """
    field = "containers" if instance.mode == "classic" else "initContainers"
    path = (*workload.pod_path, field)
    names = [_name(each) for each in as_list(workload.pod.get(field))]
    mine = (*instance.added.containers, *instance.added.init_containers)
    own = [name for name in order if name in mine and name in names]
    known = [name for name in order if name in names]
    if "position" not in instance.parameters or not own or [name for name in names if name in known] == known:
        return list(edits)
    after = {_name(each): each for each in as_list(apply_at(workload, edits).pod.get(field))}
    moved = [names.index(name) for name in own]
    kept = [edit for edit in edits if not any(edit.path[: len(path) + 1] == (*path, index) for index in moved)]
    following = known[known.index(own[-1]) + 1 :]
    place = names.index(following[0]) if following else len(names)
    return [
        *kept,
        *(Remove((*path, index), "position") for index in moved),
        *(Insert((*path, place), after[name], "position") for name in own),
    ]


def _name(container: Any) -> Any:
    return container.get("name") if isinstance(container, dict) else None
