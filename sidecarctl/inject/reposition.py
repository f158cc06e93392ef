"""Move the containers of an instance whose `position` changed; an upgrade otherwise keeps the order of the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.inject.record_edits import apply_at
from sidecarctl.kube.workload import Workload, as_list, as_mapping
from sidecarctl.record.annotation import Instance
from sidecarctl.yamltext.edits import Edit, Insert, Remove


def reposition(workload: Workload, edits: Sequence[Edit], instance: Instance, template: Any) -> list[Edit]:
    """Return the edits of an upgrade, with the instance's containers moved if their parameter `position` requires it.

    `template` is the pod template that the new version would write. A moved container is written anew.
    """
    field = "containers" if instance.mode == "classic" else "initContainers"
    path = (*workload.pod_path, field)
    names = _names(workload.pod, field)
    order = _names(as_mapping(as_mapping(template).get("spec")), field)
    mine = (*instance.added.containers, *instance.added.init_containers)
    own = [name for name in order if name in mine and name in names]
    known = [name for name in order if name in names]
    if "position" not in instance.parameters or not own or [name for name in names if name in known] == known:
        return list(edits)
    after = {as_mapping(each).get("name"): each for each in as_list(apply_at(workload, edits).pod.get(field))}
    moved = [names.index(name) for name in own]
    kept = [edit for edit in edits if not any(edit.path[: len(path) + 1] == (*path, index) for index in moved)]
    following = known[known.index(own[-1]) + 1 :]
    place = names.index(following[0]) if following else len(names)
    return [
        *kept,
        *(Remove((*path, index), "position") for index in moved),
        *(Insert((*path, place), after[name], "position") for name in own),
    ]


def _names(pod: Mapping[str, Any], field: str) -> list[Any]:
    return [as_mapping(each).get("name") for each in as_list(pod.get(field))]
