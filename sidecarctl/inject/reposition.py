"""Move the containers of an instance whose `position` changed; an upgrade otherwise keeps the order of the manifest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    after = {as_mapping(each).get("name"): each for each in as_list(apply_at(workload, edits).pod.get(field))}
    own = [name for name in order if name in mine and name in after]
    known = [name for name in order if name in names]
    if (
        "position" not in instance.parameters
        or not any(name in names for name in own)
        or [name for name in names if name in known] == known
    ):
        return list(edits)
    moved = [names.index(name) for name in own if name in names]
    kept = [edit for edit in edits if not _concerns(edit, path, moved, own)]
    following = [name for name in order[order.index(own[-1]) + 1 :] if name in names]
    place = names.index(following[0]) if following else len(names)
    return [
        *kept,
        *(Remove((*path, index), "position") for index in moved),
        *(Insert((*path, place), after[name], "position") for name in own),
    ]


def _concerns(edit: Edit, path: tuple[str | int, ...], moved: Collection[int], own: Collection[str]) -> bool:
    """Return True if an edit is in a moved container, or inserts a container of the instance, which is written with the others."""
    depth = len(path)
    if len(edit.path) <= depth or edit.path[:depth] != path:
        return False
    if isinstance(edit, Insert) and len(edit.path) == depth + 1:
        return as_mapping(edit.value).get("name") in own
    return edit.path[depth] in moved


def _names(pod: Mapping[str, Any], field: str) -> list[Any]:
    return [as_mapping(each).get("name") for each in as_list(pod.get(field))]
