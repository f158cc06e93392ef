"""Merge keys: the fields that identify the items of a list, as in the `patchMergeKey` of the Kubernetes API."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any

from sidecarctl.findings import PathTuple

# By the name of the list. A missing protocol is TCP. Lists that are not here are merged as a whole.
MERGE_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "containers": ("name",),
        "initContainers": ("name",),
        "ephemeralContainers": ("name",),
        "env": ("name",),
        "volumes": ("name",),
        "imagePullSecrets": ("name",),
        "resourceClaims": ("name",),
        "volumeMounts": ("mountPath",),
        "volumeDevices": ("devicePath",),
        "hostAliases": ("ip",),
        "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    }
)
# Ports have different keys in containers and in Services.
_CONTAINER_PORT, _SERVICE_PORT = ("containerPort", "protocol"), ("port", "protocol")
_DEFAULTS = {"protocol": "TCP"}
# Maps whose keys are independent of each other.
MAP_FIELDS = frozenset(
    {"labels", "annotations", "data", "stringData", "binaryData", "limits", "requests", "nodeSelector", "matchLabels"}
)


def index_by_merge_key(path: PathTuple, items: Any, *, repeats: bool = False) -> Mapping[Hashable, int] | None:
    """Return the index of each item of the list at `path` by its key.

    None if the list has no merge key, or if an item lacks it or, without `repeats`, shares it with another one. With it, the
    key of such an item has its number too.
    """
    if not isinstance(items, list) or not path:
        return None
    fields = MERGE_KEYS.get(str(path[-1]))
    if path[-1] == "ports":
        fields = _CONTAINER_PORT if "containers" in path or "initContainers" in path else _SERVICE_PORT
    if fields is None:
        return None
    found: dict[Hashable, int] = {}
    counts: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            return None
        key = tuple(item.get(name, _DEFAULTS.get(name)) for name in fields)
        if any(not isinstance(part, (str, int)) for part in key) or (key in found and not repeats):
            return None
        count = counts[key] = counts.get(key, 0) + 1
        found[key if count == 1 else (key, count)] = index
    return found
