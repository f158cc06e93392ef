"""Where things go: the mode for a target version, and the index of a new item among the items of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.compose.record import Added, Record
from sidecarctl.compose.request import Request
from sidecarctl.errors import UsageError
from sidecarctl.kube import versions
from sidecarctl.kube.workload import Workload

NATIVE_DEFAULT = "1.29"
NATIVE_KNOWN = "1.28"


def resolve_mode(request: Request, kube_version: str) -> str:
    """Return native, classic or init.

    `auto` is native where the target Kubernetes has native sidecars on by default (KEP-753: beta in 1.29). Raises
    UsageError for native mode on a version that does not know it.
    """
    wanted = request.mode or request.sidecar.mode
    if wanted == "auto":
        return "native" if versions.at_least(kube_version, NATIVE_DEFAULT) else "classic"
    if wanted == "native" and not versions.at_least(kube_version, NATIVE_KNOWN):
        raise UsageError(
            f"Kubernetes {kube_version} has no native sidecars: they came with {NATIVE_KNOWN}",
            hint="use --mode classic, or a newer --kube-version",
        )
    return wanted


def never_completes(workload: Workload, mode: str) -> bool:
    """True where a classic sidecar would keep a Job from finishing."""
    return mode == "classic" and workload.runs_to_completion


# Attribute of Added that names the items of a list, and the key of the item that holds the name.
_NAMED = {
    "containers": ("containers", "name"),
    "initContainers": ("init_containers", "name"),
    "volumes": ("volumes", "name"),
}


def owner_of(record: Record, field: str, item: Any, container: str = "") -> str | None:
    """Return the instance that added an item of a list, None for the app's own.

    `field` is containers, initContainers or volumes; or volumeMounts or env of the container named.
    """
    if not isinstance(item, dict):
        return None
    for instance in record.instances.values():
        if item_name(field, item) in _owned(instance.added, field, container):
            return instance.name
    return None


def item_name(field: str, item: Mapping[str, Any]) -> Any:
    """Return what identifies an item of a list: a mount by its path, the rest by name."""
    return item.get("mountPath" if field == "volumeMounts" else "name")


def _owned(added: Added, field: str, container: str) -> tuple[str, ...]:
    if field == "volumeMounts":
        return added.volume_mounts.get(container, ())
    if field == "env":
        return added.env.get(container, ())
    return tuple(getattr(added, _NAMED[field][0]))


def index_at_end(items: Sequence[Any], record: Record, instance: str, field: str, container: str = "") -> int:
    """Return the index for an item that goes last: before what later instances added, so that an upgrade stays put."""
    rank = record.rank(instance)
    for index, item in enumerate(items):
        owner = owner_of(record, field, item, container)
        if owner is not None and record.rank(owner) > rank:
            return index
    return len(items)


def index_at_start(items: Sequence[Any], record: Record, request: Request) -> int:
    """Return the index among the init containers for a sidecar that starts before the app's own.

    After what earlier instances added at the start, and after every sidecar that `startsAfter` names; before every one
    that waits for it, whichever came first.
    """
    rank = record.rank(request.instance)
    index = 0
    leading = True
    for position, item in enumerate(items):
        owner = owner_of(record, "initContainers", item)
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
