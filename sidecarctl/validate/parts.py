"""Small readers that rules share: lists of mappings, names of a pod's volumes, text to quote. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.views import ContainerView, Data, PodView

# Mappings with their paths.
Sources = list[tuple[Data, PathTuple]]


def listed(data: Data, key: str) -> Sequence[tuple[int, Data]]:
    """Return the mappings of the list at `key` with their indices; () where there is no list.

    Cheaper than `View.each`: for rules that pass over most of what they see.
    """
    found = data.get(key)
    if not found or not isinstance(found, list):
        return ()
    return [(index, item) for index, item in enumerate(found) if isinstance(item, dict)]


def entries(data: Data, key: str) -> Sequence[tuple[int, Data]]:
    """Return what `listed` does, and null as an empty mapping: for items without required fields, as to the server."""
    found = data.get(key)
    if not found or not isinstance(found, list):
        return ()
    return [(index, item or {}) for index, item in enumerate(found) if item is None or isinstance(item, dict)]


def texts(data: Data, key: str) -> Sequence[tuple[int, str]]:
    """Return the strings of the list at `key` with their indices. Null is an empty string, as to the API server."""
    found = data.get(key)
    if not found or not isinstance(found, list):
        return ()
    return [(index, item or "") for index, item in enumerate(found) if item is None or isinstance(item, str)]


def blank(value: object) -> bool:
    """True for what the API server takes as not given: null, absent, or an empty string."""
    return value is None or value == ""


def amounts(resources: Data, side: str) -> Data:
    """Return the requests or limits as they stand there, by name. Null is an amount of 0, as to the API server."""
    found = resources.get(side)
    if not found or not isinstance(found, dict):
        return {}
    return {name: 0 if value is None else value for name, value in found.items() if isinstance(name, str)}


def chosen(data: Data, keys: Sequence[str]) -> list[str]:
    """Return those of the keys that have a value, in the order of `keys`."""
    return [key for key in keys if data.get(key) is not None]


def strange(data: Data, known: Mapping[str, object] | frozenset[str]) -> bool:
    """True where a mapping has keys that are not known: the structural layer speaks of those."""
    return not data.keys() <= known.keys() if isinstance(known, Mapping) else not data.keys() <= known


def volumes_by_name(pod: PodView) -> dict[str, Data]:
    """Return the pod's volumes by name, and a StatefulSet's claim templates as volumes of the claims they make."""
    volumes: dict[str, Data] = {
        name: {"persistentVolumeClaim": {}}
        for item in as_list(pod.object.get("spec", "volumeClaimTemplates"))
        if isinstance(name := as_mapping(as_mapping(item).get("metadata")).get("name"), str)
    }
    for _, volume in listed(pod.value, "volumes"):
        name = volume.get("name")
        if isinstance(name, str):
            volumes[name] = volume
    return volumes


def env_sources(container: ContainerView) -> Sources:
    """Return what stands in the `valueFrom` of a container's variables, with its path."""
    found: Sources | None = container.memo.get("env_sources")
    if found is None:
        found = container.memo["env_sources"] = [
            (variable["valueFrom"], container.at("env", index, "valueFrom"))
            for index, variable in listed(container.value, "env")
            if isinstance(variable.get("valueFrom"), dict)
        ]
    return found


def sources(pod: PodView) -> Mapping[str, Sources]:
    """Return the sources of the pod's volumes by their kind, with their paths."""
    found: dict[str, Sources] | None = pod.memo.get("sources")
    if found is None:
        found = pod.memo["sources"] = {}
        for index, volume in listed(pod.value, "volumes"):
            for kind, source in volume.items():
                if isinstance(source, dict):
                    found.setdefault(kind, []).append((source, pod.at("volumes", index, kind)))
    return found


def projections(pod: PodView, kind: str) -> Sources:
    """Return the sources of one kind ("configMap"), be they a volume's own or parts of a projected one."""
    found = sources(pod)
    own = found.get(kind, [])
    if "projected" not in found:
        return own
    parts = (
        (part.get(kind), (*where, "sources", number, kind))
        for projected, where in found["projected"]
        for number, part in listed(projected, "sources")
    )
    return [*own, *((part, where) for part, where in parts if isinstance(part, dict))]
