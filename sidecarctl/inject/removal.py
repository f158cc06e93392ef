"""Plan the removal of instances from their record: the exact inverse of the plans that added them, without the library."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.inject.companion_search import Companion
from sidecarctl.inject.record_edits import apply_at, prune_record
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record.annotation import Added, Instance, Record, write
from sidecarctl.record.paths import (
    PULL_SECRETS,
    RecordError,
    decode_path,
    find_settings,
    index_items,
    parse_empty,
    record_path,
)
from sidecarctl.yamltext.edits import Edit, EditRefused, Remove, Replace, Restore


@dataclass(frozen=True)
class Removal:
    """The removal of instances from one workload.

    edits      of the workload's document, including the record's
    record     the remaining record
    names      the instances to remove
    companions  the companions to remove
    left_behind  companions that no input file has: (instance, `Kind/name`)
    unlisted   objects whose owner annotation names an instance, and that its record does not list
    missing    recorded items that the workload no longer has
    """

    workload: Workload
    edits: tuple[Edit, ...]
    record: Record
    names: tuple[str, ...] = ()
    companions: tuple[Companion, ...] = ()
    left_behind: tuple[tuple[str, str], ...] = ()
    unlisted: tuple[Companion, ...] = ()
    missing: tuple[str, ...] = ()


def plan_removal(
    workload: Workload, record: Record, names: Iterable[str], *, for_upgrade: bool = False, keep: Sequence[str] = ()
) -> Removal:
    """Plan the removal of instances.

    A volume that another instance still uses is handed over to it, unless the removed instance is added again. `keep` are
    volumes that stay, with the app's mounts of them.
    """
    going = [name for name in record.instances if name in set(names)]
    staying = {name: value for name, value in record.instances.items() if name not in going}
    leaves: dict[PathTuple, None] = {}
    missing: list[str] = []
    volumes: set[str] = set()
    for name in going:
        added = without_volumes(workload, record.instances[name].added, keep)
        if not for_upgrade:
            added, staying = _hand_over_volumes(workload, added, staying)
            volumes.update(added.volumes)
        for what, path in _paths(workload, _without_shared(added, [other.added for other in staying.values()])):
            if path is None:
                missing.append(what)
            else:
                leaves[path] = None
    leaves.update(dict.fromkeys(_find_mounts(workload, volumes, leaves)))
    if for_upgrade:
        # Keep the record for its order; the plan that follows writes it.
        return Removal(
            workload, tuple(_plan_edits(workload, record, leaves)), record, tuple(going), missing=tuple(missing)
        )
    left = replace(record, instances=staying) if staying else Record()
    path = record_path(workload)
    containers = (*workload.pod_path, "containers")
    total = len(as_list(workload.pod.get("containers")))
    if total and sum(leaf[:-1] == containers for leaf in leaves) == total:
        raise RecordError(
            f"invalid annotation {RECORD_ANNOTATION} on {workload.label}: it lists every container of the pod",
            path,
            hint="restore the annotation from version control: it lists what sidecarctl added",
        )
    if staying:
        edits = list(_plan_edits(workload, record, leaves))
        after = apply_at(workload, edits)
        left = prune_record(after, left)
        edits.append(Replace(path, write(left, after), "record"))
    else:
        edits = list(_plan_edits(workload, record, {**leaves, path: None}))
    return Removal(workload, tuple(edits), left, tuple(going), missing=tuple(missing))


def _without_shared(added: Added, others: Sequence[Added]) -> Added:
    """Return what an instance added, without the variables, annotations, labels, and pod settings that others need too."""

    def own(attribute: str) -> tuple[str, ...]:
        needed = {each for other in others for each in getattr(other, attribute)}
        return tuple(each for each in getattr(added, attribute) if each not in needed)

    needed = {(container, name) for other in others for container, names in other.env.items() for name in names}
    env = {
        container: tuple(name for name in names if (container, name) not in needed)
        for container, names in added.env.items()
    }
    return replace(added, env=env, annotations=own("annotations"), labels=own("labels"), pod=own("pod"))


def _check_twice(items: Sequence[Any], names: Sequence[str], path: PathTuple, what: str) -> None:
    """Raise EditRefused for a recorded variable or pull secret that is there twice: one of them is of a person.

    Kubernetes allows it in these two lists.
    """
    recorded, seen = set(names), set[str]()
    for index, item in enumerate(items):
        name = as_mapping(item).get("name")
        if not isinstance(name, str) or name not in recorded:
            continue
        if name in seen:
            raise EditRefused(
                f"{what} {name} twice, and the record does not say which one is yours",
                (*path, index),
                hint="delete yours, or the one of the sidecar",
            )
        seen.add(name)


def _paths(workload: Workload, added: Added) -> Iterator[tuple[str, PathTuple | None]]:
    """Yield a description and the path of everything that an instance added; the path is None if it no longer exists."""
    pod, pod_path = workload.pod, workload.pod_path
    by_name = {each.name: each for each in reversed(workload.containers)}
    for field, names in (
        ("initContainers", added.init_containers),
        ("containers", added.containers),
        ("volumes", added.volumes),
    ):
        indices = index_items(pod.get(field), "name")
        for name in names:
            index = indices.get(name)
            yield f"{field} {name}", None if index is None else (*pod_path, field, index)
    for field, key, holders in (("volumeMounts", "mountPath", added.volume_mounts), ("env", "name", added.env)):
        for container, values in holders.items():
            holder = by_name.get(container)
            indices = index_items(holder.value.get(field), key) if holder else {}
            if field == "env" and holder:
                what = f'container "{container}" has the variable'
                _check_twice(as_list(holder.value.get("env")), values, (*holder.path, "env"), what)
            for value in values:
                index = indices.get(value)
                found = None if index is None or holder is None else (*holder.path, field, index)
                yield f"{field} {value} in {container}", found
    for field, keys in (("annotations", added.annotations), ("labels", added.labels)):
        for key in keys:
            present = key in as_mapping(workload.metadata.get(field))
            yield f"{field} {key}", (*workload.template_path, "metadata", field, key) if present else None
    secrets = [text.partition("/")[2] for text in added.pod if text.startswith(f"{PULL_SECRETS}/")]
    _check_twice(as_list(pod.get(PULL_SECRETS)), secrets, (*pod_path, PULL_SECRETS), "the pod has the pull secret")
    settings = find_settings(pod, added.pod)
    for text in added.pod:
        yield f"pod {text}", (*pod_path, *settings[text][0]) if text in settings else None


def _find_mounts(workload: Workload, volumes: Collection[str], gone: Collection[PathTuple]) -> Iterator[PathTuple]:
    """Yield the paths of mounts of volumes that go, also of those that a person changed or added, in containers that stay."""
    for container in workload.containers if volumes else ():
        for index, mount in enumerate(as_list(container.value.get("volumeMounts"))):
            path = (*container.path, "volumeMounts", index)
            name = as_mapping(mount).get("name")
            if isinstance(name, str) and name in volumes and container.path not in gone and path not in gone:
                yield path


def _hand_over_volumes(
    workload: Workload, added: Added, staying: Mapping[str, Instance]
) -> tuple[Added, dict[str, Instance]]:
    """Move volumes that other instances mount, and the app's mounts of them, to the first of these instances."""
    heirs = find_heirs(workload, added, staying) if added.volumes and staying else {}
    return without_volumes(workload, added, tuple(heirs)), give_volumes(workload, added, staying, heirs)


def find_heirs(workload: Workload, added: Added, staying: Mapping[str, Instance]) -> dict[str, str]:
    """Return, for each volume that other instances use too, the name of the first of these instances."""
    ranks = {name: rank for rank, name in enumerate(staying)}
    owners: dict[str, str] = {}
    for name, other in staying.items():
        for container in (*other.added.containers, *other.added.init_containers):
            owners.setdefault(container, name)
    users: dict[str, list[str]] = {}
    for container, volume in _mounts(workload, owners):
        users.setdefault(volume, []).append(owners[container])
    for name, other in staying.items():
        for container, paths in other.added.volume_mounts.items():
            for path in paths:
                users.setdefault(workload.mounted_volumes.get((container, path), ""), []).append(name)
    return {volume: min(users[volume], key=ranks.__getitem__) for volume in added.volumes if volume in users}


def give_volumes(
    workload: Workload, added: Added, staying: Mapping[str, Instance], heirs: Mapping[str, str]
) -> dict[str, Instance]:
    """Return the instances with the volumes that they inherit; `heirs` maps volumes to instances."""
    given: dict[str, list[str]] = {}
    for volume, name in heirs.items():
        given.setdefault(name, []).append(volume)
    inherited = {name: with_volumes(workload, staying[name], volumes, added) for name, volumes in given.items()}
    return {**staying, **inherited}


def with_volumes(workload: Workload, instance: Instance, volumes: Sequence[str], former: Added) -> Instance:
    """Return an instance that inherits volumes, with the app's mounts of them that their former owner added."""
    added, mounts = instance.added, dict(instance.added.volume_mounts)
    wanted = frozenset(volumes)
    for container, paths in former.volume_mounts.items():
        own = dict.fromkeys(mounts.get(container, ()))
        inherited = [each for each in paths if workload.mounted_volumes.get((container, each)) in wanted]
        if inherited:
            mounts[container] = tuple({**own, **dict.fromkeys(inherited)})
    return replace(
        instance,
        added=replace(added, volumes=(*added.volumes, *volumes), volume_mounts=mounts),
        inherited=(*instance.inherited, *volumes),
    )


def without_volumes(workload: Workload, added: Added, volumes: Sequence[str]) -> Added:
    """Return what an instance added, without volumes and the app's mounts of them."""
    if not volumes:
        return added
    gone = frozenset(volumes)
    mounts = {
        container: tuple(each for each in paths if workload.mounted_volumes.get((container, each)) not in gone)
        for container, paths in added.volume_mounts.items()
    }
    return replace(
        added,
        volumes=tuple(each for each in added.volumes if each not in gone),
        volume_mounts={container: paths for container, paths in mounts.items() if paths},
    )


def used_volumes(workload: Workload, added: Added) -> frozenset[str]:
    """Return the names of the volumes that the containers of an instance mount."""
    own = {*added.containers, *added.init_containers}
    return frozenset(volume for _, volume in _mounts(workload, own))


def _mounts(workload: Workload, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield container and volume of each mount of the containers with these names."""
    for container in workload.containers:
        if container.name not in names:
            continue
        for mount in as_list(container.value.get("volumeMounts")):
            if isinstance(volume := as_mapping(mount).get("name"), str):
                yield container.name, volume


def _plan_edits(workload: Workload, record: Record, leaves: Mapping[PathTuple, None]) -> Iterator[Edit]:
    """Yield the removals. An emptied collection is removed, or its former text is restored if it was an empty value."""
    was = {
        path: text for path, text in ((decode_path(workload, t), w) for t, w in record.was.items()) if path is not None
    }
    gone: dict[PathTuple, None] = {path: None for path in leaves if path not in was}
    restored: dict[PathTuple, str] = {path: was[path] for path in leaves if path in was}  # settings that were empty
    holders: dict[PathTuple, list[PathTuple]] = {}
    for path in gone:
        holders.setdefault(path[:-1], []).append(path)
    # From the inside out: a collection that goes may empty the one around it.
    for depth in range(max(map(len, holders), default=0), len(workload.template_path), -1):
        for path in [each for each in holders if len(each) == depth]:
            if len(holders[path]) != len(_at(workload, path) or ()):
                continue
            for leaf in holders[path]:
                del gone[leaf]
            if path in was:
                restored[path] = was[path]
            else:
                gone[path] = None
                holders.setdefault(path[:-1], []).append(path)
    yield from (Remove(path, "record") for path in gone)
    for path, text in restored.items():
        yield Restore(path, text, parse_empty(text, record_path(workload)), "record")


def _at(workload: Workload, path: PathTuple) -> Any:
    value: Any = workload.template
    for step in path[len(workload.template_path) :]:
        value = value[step]
    return value


def resolve_instance_names(record: Record, wanted: Iterable[str]) -> list[str]:
    """Return the instances with the given names; a name that no instance has stands for all instances of that sidecar."""
    words = set(wanted)
    sidecars = words - record.instances.keys()
    return [each.name for each in record.instances.values() if each.name in words or each.sidecar in sidecars]
