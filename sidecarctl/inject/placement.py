"""Placement: the mode of a sidecar for a Kubernetes version, and the position of new items in lists and mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.composition.request import Request, declared_mode
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import PathTuple
from sidecarctl.kube import field_order, versions
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping
from sidecarctl.record.annotation import Record
from sidecarctl.record.paths import decode_path, find_index, record_path
from sidecarctl.yamltext.splice import KeyPlace

NATIVE_KNOWN = "1.28"


def resolve_mode(request: Request, kube_version: str) -> str:
    """Return native, classic, or init. Raises UsageError for native mode on a version without native sidecars."""
    wanted = declared_mode(request.mode or request.sidecar.mode, kube_version)
    if wanted == "native" and not versions.at_least(kube_version, NATIVE_KNOWN):
        raise UsageError(
            f"native sidecars require Kubernetes {NATIVE_KNOWN} or later (target: {kube_version})",
            hint="use --mode classic, or a later --kube-version",
        )
    return wanted


def blocks_completion(workload: Workload, mode: str, fragment: Fragment) -> bool:
    """Return True if a classic sidecar would keep a Job from completing."""
    return mode == "classic" and bool(fragment.containers) and workload.runs_to_completion and not fragment.ends_itself


def find_position(workload: Workload, field: str, position: Any) -> int:
    """Return the index in `containers` or `initContainers` for the common parameter `position`.

    Containers of the other list start earlier (init containers) or later, so a place among them is the start or the end.
    Raises UsageError for a container that the pod does not have, and for a place in the wrong list.
    """
    items = as_list(workload.pod.get(field))
    if position in ("first", "last"):
        return 0 if position == "first" else len(items)
    ((word, name),) = position.items()
    index = find_index(items, "name", name)
    if index is not None:
        return index if word == "before" else index + 1
    native = field == "initContainers"
    other = "containers" if native else "initContainers"
    if find_index(as_list(workload.pod.get(other)), "name", name) is None:
        known = [c.name for c in workload.containers]
        raise UsageError(
            f'{workload.label} has no container "{name}" (containers: {", ".join(known) or "none"})',
            hint=did_you_mean(name, known) or "name one of them in `position`",
        )
    if (word == "before") != native:
        kind, its = ("an app container", "after") if native else ("an init container", "before")
        raise UsageError(
            f'a {"native" if native else "classic"} sidecar cannot start {word} container "{name}" of {workload.label}',
            hint=f'"{name}" is {kind}: it always starts {its} the sidecar',
        )
    return len(items) if native else 0


def applies_position(field: str, mode: str) -> bool:
    """Return True for the list to which `position` applies: the init containers of a classic sidecar start without it."""
    return field == ("containers" if mode == "classic" else "initContainers")


def find_container_index(workload: Workload, field: str, request: Request, record: Record, mode: str) -> int:
    """Return the index in `containers` or `initContainers` for the containers of an instance that the workload does not have.

    Raises UsageError for a position that is not possible.
    """
    index = _find_requested_index(workload, field, request, record) if applies_position(field, mode) else None
    if index is not None:
        return index
    items = as_list(workload.pod.get(field))
    if field == "containers" or request.sidecar.start == "after-init":
        return find_end_index(items, record, request.instance, field)
    return find_start_index(items, record, request)


def _find_requested_index(workload: Workload, field: str, request: Request, record: Record) -> int | None:
    """Return the index that the parameter `position` gives.

    None without it. An upgrade keeps the order if a recorded position is not possible now: the container that it names has
    gone, or moved to the other list.
    """
    position = request.parameters.common.get("position")
    present = record.instances.get(request.instance)
    if not position:
        return None
    if present and present.parameters.get("position") == position and isinstance(position, Mapping):
        (name,) = position.values()
        if all(container.name != name for container in workload.containers):
            return None
        if request.changes is not None and "position" not in request.changes.given:
            with suppress(UsageError):
                return find_position(workload, field, position)
            return None
    return find_position(workload, field, position)


def find_owner(record: Record, field: str, item: Any, container: str = "") -> str | None:
    """Return the instance that added an item of a list, None if the app has it.

    `field` is containers, initContainers, or volumes, or volumeMounts or env of `container`.
    """
    key = get_item_key(field, item) if isinstance(item, dict) else None
    return record.owners.get((field, container, key)) if isinstance(key, str) else None


def get_item_key(field: str, item: Mapping[str, Any]) -> Any:
    """Return what identifies an item of a list: the path of a mount, the name of any other item."""
    return item.get("mountPath" if field == "volumeMounts" else "name")


def find_end_index(items: Sequence[Any], record: Record, instance: str, field: str, container: str = "") -> int:
    """Return the index of a new last item: before the items of later instances, so that an upgrade keeps its position.

    Init containers before the last of the app's own were added at the start or at a position and do not count.
    """
    rank = record.rank(instance)
    owners = [find_owner(record, field, item, container) for item in items]
    first = len(owners) - owners[::-1].index(None) if field == "initContainers" and None in owners else 0
    for index, owner in enumerate(owners[first:], first):
        if owner is not None and record.rank(owner) > rank:
            return index
    return len(items)


def find_start_index(items: Sequence[Any], record: Record, request: Request) -> int:
    """Return the index among the init containers of a sidecar that starts before the app's own.

    It is after the items that earlier instances added at the start and after the sidecars that `startsAfter` names, but
    before the sidecars that start after this one, regardless of the order in which they were added.
    """
    rank = record.rank(request.instance)
    index = 0
    leading = True
    for position, item in enumerate(items):
        owner = find_owner(record, "initContainers", item)
        leading = leading and owner is not None
        if owner is None:
            if isinstance(item, dict) and item.get("name") in request.sidecar.starts_after:
                index = position + 1
            continue
        present = record.instances[owner]
        if present.waits_for(request.sidecar.name, request.instance):
            return index
        waits = present.sidecar in request.sidecar.starts_after or owner in request.sidecar.starts_after
        if waits or (leading and record.rank(owner) < rank):
            index = position + 1
    return index


Owned = dict[PathTuple, dict[str, float]]
_LAST = float("inf")


def make_key_placer(workloads: Iterable[tuple[Workload, Record]], instance: str) -> KeyPlace:
    """Return the function that places new keys of an instance in a mapping. The records tell which keys were added."""
    owned: Owned = {}
    ranks: dict[PathTuple, float] = {}
    for workload, record in workloads:
        _collect(workload, record, owned)
        metadata = (*workload.template_path, "metadata")
        ranks.update({(*metadata, field): record.rank(instance) for field in ("annotations", "labels")})

    def place(path: PathTuple, keys: list[str], key: str) -> int:
        own = owned.get(path, {})
        context = field_order.context_of(path)
        others = [k for k in keys if k not in own]
        index = field_order.insertion_index(others, key, context)
        if path and isinstance(path[-1], int) and others:
            index = max(index, 1)  # the first key is on the line of the dash and cannot move
        index = keys.index(others[index - 1]) + 1 if index else 0
        if path in ranks:
            # Annotations and labels are in the order of the instances, the record last.
            rank = _LAST if key == RECORD_ANNOTATION else ranks[path]
            order = {k: own.get(k, rank) for k in (*own, key)}
        else:
            order = {k: i for i, k in enumerate(field_order.sort_fields((*own, key), context))}
        while index < len(keys) and keys[index] in own and order[keys[index]] <= order[key]:
            index += 1
        return index

    return place


def _collect(workload: Workload, record: Record, owned: Owned) -> None:
    kept = {decode_path(workload, text) for text in record.was}
    for path in _find_owned_collections(workload, record):
        if path not in kept:
            owned.setdefault(path[:-1], {})[str(path[-1])] = 0
    metadata = (*workload.template_path, "metadata")
    for name, instance in record.instances.items():
        for field, keys in (("annotations", instance.added.annotations), ("labels", instance.added.labels)):
            for key in keys:
                owned.setdefault((*metadata, field), {})[key] = record.rank(name)
    path = record_path(workload)
    owned.setdefault(path[:-1], {})[str(path[-1])] = _LAST


def _find_owned_collections(workload: Workload, record: Record) -> Iterable[PathTuple]:
    """Yield the paths of collections that hold nothing but what instances added: they were created for them."""
    for name in ("initContainers", "containers", "volumes"):
        yield from _if_owned((*workload.pod_path, name), workload.pod.get(name), record, name)
    for container in workload.containers:
        for name in ("volumeMounts", "env"):
            yield from _if_owned((*container.path, name), container.value.get(name), record, name, container.name)
    settings = {setting for each in record.instances.values() for setting in each.added.pod}
    context = workload.pod.get("securityContext")
    if isinstance(context, dict) and context and all(f"securityContext/{key}" in settings for key in context):
        yield (*workload.pod_path, "securityContext")
    metadata = (*workload.template_path, "metadata")
    keys = {"annotations": {RECORD_ANNOTATION}, "labels": set[str]()}
    for each in record.instances.values():
        keys["annotations"].update(each.added.annotations)
        keys["labels"].update(each.added.labels)
    owned = [
        name
        for name, own in keys.items()
        if (found := as_mapping(workload.metadata.get(name))) and own.issuperset(found)
    ]
    yield from ((*metadata, name) for name in owned)
    if workload.metadata and len(owned) == len(workload.metadata):
        yield metadata


def _if_owned(path: PathTuple, items: Any, record: Record, name: str, container: str = "") -> Iterable[PathTuple]:
    if isinstance(items, list) and items and all(find_owner(record, name, item, container) for item in items):
        yield path
