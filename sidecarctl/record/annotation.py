"""The record: the annotation on the pod template that lists the instances and everything that sidecarctl added.

`remove` needs nothing else, not even the library. The record is one line of compact JSON, kept short: what follows from the
instance name, the mode, or the manifest is left out, and only exceptions are written down.

    {"v": 2,
     "instances": {"logger": {"version": "1.0.0", "digest": "1f0c9a3e", "parameters": {...}, "volumes": ["logger-logs"]}},
     "was": {"metadata/annotations": " {}"},          text after the colon of values that were empty
     "retargeted": {"Service/web/http": ["http", 8443]}}  ports of other objects: former text, and port that was written

Left out by default: `sidecar` (the instance name), `mode` (native), the container of the instance's name, the app's mounts of the
listed volumes, the annotation with the hash of the configuration, and the ConfigMaps that the listed volumes use.
Format 1, which has all of these under `added`, is read too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from sidecarctl.kube.fronts import front_of
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record.check import parse_record
from sidecarctl.record.model import Added as Added
from sidecarctl.record.model import AppMounts
from sidecarctl.record.model import Instance as Instance
from sidecarctl.record.model import Record as Record
from sidecarctl.record.paths import RecordError, record_path
from sidecarctl.yamltext.style import cache_by_content

VERSION = 2
_PER_CONTAINER = ("volumeMounts", "env")


_ADDED_KEYS = {
    "containers": "containers",
    "initContainers": "init_containers",
    "volumes": "volumes",
    "volumeMounts": "volume_mounts",
    "env": "env",
    "annotations": "annotations",
    "labels": "labels",
    "pod": "pod",
    "documents": "documents",
}


def read(workload: Workload) -> Record:
    """Return a workload's record, an empty one if it has none. Raises RecordError for an invalid one."""
    text = workload.annotations.get(RECORD_ANNOTATION)
    if text is None:
        return Record()
    try:
        record, left_out = _parse(text if isinstance(text, str) else "")
    except (ValueError, TypeError, RecursionError) as problem:
        why = "nested too deeply" if isinstance(problem, RecursionError) else problem
        raise RecordError(
            f"invalid annotation {RECORD_ANNOTATION} on {workload.label}: {why}",
            record_path(workload),
            hint="restore the annotation from version control: it lists what sidecarctl added",
        ) from None
    return _expand(workload, record, left_out) if left_out else record


# Every step reads the record; records are immutable.
@lru_cache(maxsize=64)
def _parse(text: str) -> tuple[Record, Mapping[str, frozenset[str]]]:
    """Return the record as it is written, and what each instance leaves out; nothing in format 1."""
    data = parse_record(text)
    version = data["v"]
    instances = {name: _instance(value, name, version) for name, value in data["instances"].items()}
    retargeted = {key: (former, port) for key, (former, port) in data.get("retargeted", {}).items()}
    record = Record(instances, dict(data.get("was", {})), retargeted)
    return record, {} if version == 1 else {
        name: frozenset(_derived(value.get("mode", "native")) - value.keys())
        for name, value in data["instances"].items()
    }


@cache_by_content
def _instance(data: dict[str, Any], name: str, version: int) -> Instance:
    """Return a checked entry as an instance."""
    mode = str(data.get("mode", "" if version == 1 else "native"))
    added = as_mapping(data.get("added")) if version == 1 else {**_default_containers(name, mode), **data}
    parts: dict[str, Any] = {}
    for key, attribute in _ADDED_KEYS.items():
        value = added.get(key)
        if key in _PER_CONTAINER:
            parts[attribute] = {str(k): _names(v) for k, v in as_mapping(value).items()}
        else:
            parts[attribute] = _names(value)
    return Instance(
        name,
        str(data.get("sidecar", name)),
        str(data.get("version", "")),
        mode,
        as_mapping(data.get("parameters")),
        _names(data.get("containers" if version == 1 else "targets")),
        Added(**parts),
        str(data.get("by", "")),
        _names(data.get("after")),
        str(data.get("digest", "")),
        data.get("keepQoS") is True,
        tuple(front_of(name, each) for each in as_list(data.get("fronts"))),
        _names(data.get("inherited")),
        tuple(map(_names, as_list(data.get("secrets")))),
    )


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in as_list(value))


# ---- what is left out ----------------------------------------------------------------------------------------------

# Derived from the manifest if they are left out.
_DERIVED = frozenset({"volumeMounts", "documents"})


def _derived(mode: str) -> frozenset[str]:
    """Return what is derived from the manifest. A classic sidecar that was renamed would look like an app container."""
    return _DERIVED - {"volumeMounts"} if mode == "classic" else _DERIVED


def _default_containers(name: str, mode: str) -> dict[str, list[str]]:
    return {"containers" if mode == "classic" else "initContainers": [name]}


def config_hash_annotation(instance: str) -> str:
    """Return the pod annotation that holds the hash of an instance's configuration."""
    return f"sidecarctl.dev/{instance}.config-hash"


def _expand(workload: Workload, record: Record, left_out: Mapping[str, frozenset[str]]) -> Record:
    """Return the record with what it leaves out."""
    instances = {}
    mounts, documents = AppMounts.of(workload, record), _documents_by_volume(workload)
    annotations = workload.annotations
    for name, instance in record.instances.items():
        added, key, derived = instance.added, config_hash_annotation(name), dict[str, Any]()
        if added.volumes and "volumeMounts" in left_out[name]:
            derived["volume_mounts"] = mounts.derive("", added.volumes)
        if added.volumes and "documents" in left_out[name]:
            derived["documents"] = _derive_documents(documents, added.volumes)
        if key in annotations and key not in added.annotations:
            derived["annotations"] = (*added.annotations, key)
        instances[name] = _add_derived(instance, derived) if derived else instance
    return replace(record, instances=instances)


def _add_derived(instance: Instance, derived: Mapping[str, Any]) -> Instance:
    key = tuple((name, _freeze(value)) for name, value in derived.items())
    return instance.remember("added", key, lambda: replace(instance, added=replace(instance.added, **derived)))


def _freeze(value: Any) -> Any:
    return tuple(value.items()) if isinstance(value, Mapping) else value


# ConfigMaps by the volume that uses them, with the number of the volume in the pod.
_Documents = Mapping[str, list[tuple[int, str]]]


def _documents_by_volume(workload: Workload) -> _Documents:
    found: dict[str, list[tuple[int, str]]] = {}
    for number, volume in enumerate(as_list(workload.pod.get("volumes"))):
        if isinstance(volume, dict) and isinstance(volume.get("name"), str):
            name = as_mapping(volume.get("configMap")).get("name")
            if isinstance(name, str):
                found.setdefault(volume["name"], []).append((number, f"ConfigMap/{name}"))
    return found


def _derive_documents(documents: _Documents, volumes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ConfigMaps that the volumes use, as `ConfigMap/name`, in the order of the pod."""
    numbered = sorted(each for name in dict.fromkeys(volumes) for each in documents.get(name, ()))
    return tuple(dict.fromkeys(document for _, document in numbered))


def write(record: Record, workload: Workload) -> str:
    """Return a record as the value of the annotation. `workload` has everything that the record lists."""
    mounts, documents = AppMounts.of(workload, record), _documents_by_volume(workload)
    data: dict[str, Any] = {
        "v": VERSION,
        "instances": {name: _get_data(each, documents, mounts) for name, each in record.instances.items()},
    }
    if record.was:
        data["was"] = dict(sorted(record.was.items()))
    if record.retargeted:
        data["retargeted"] = {key: list(value) for key, value in sorted(record.retargeted.items())}
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True)


def _get_data(instance: Instance, documents: _Documents, mounts: AppMounts) -> dict[str, Any]:
    """Return an entry without what follows from the manifest."""
    volumes = instance.added.volumes
    derived = {
        "volumeMounts": mounts.derive(instance.name, volumes),
        "documents": _derive_documents(documents, volumes),
    }
    key = tuple(map(_freeze, derived.values()))
    return instance.remember("data", key, lambda: dict(_instance_data(instance, derived)))


def _instance_data(instance: Instance, derived: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    fields = (
        ("sidecar", instance.sidecar if instance.sidecar != instance.name else ""),
        ("version", instance.version),
        ("mode", instance.mode if instance.mode != "native" else ""),
        ("digest", instance.digest),
        ("by", instance.by),
        ("parameters", dict(instance.parameters)),
        ("targets", list(instance.containers)),
        ("after", list(instance.after)),
        ("keepQoS", instance.keep_qos),
        ("fronts", [front.recorded for front in instance.fronts]),
        ("inherited", list(instance.inherited)),
        ("secrets", list(map(list, instance.secrets))),
    )
    yield from ((key, value) for key, value in fields if value)
    defaults = _default_containers(instance.name, instance.mode)
    for key in ("containers", "initContainers"):
        names = list(getattr(instance.added, _ADDED_KEYS[key]))
        if names != defaults.get(key, []):
            yield key, names
    for key in ("volumes", "volumeMounts", "env", "annotations", "labels", "pod", "documents"):
        value: Any = getattr(instance.added, _ADDED_KEYS[key])
        if key == "annotations":
            value = tuple(each for each in value if each != config_hash_annotation(instance.name))
        left_out = derived[key] if key in _derived(instance.mode) else ()
        if (value or left_out) and _sorted(value) != _sorted(left_out):
            yield key, {k: list(v) for k, v in value.items()} if isinstance(value, Mapping) else list(value)


def _sorted(names: Any) -> Any:
    return {k: sorted(v) for k, v in names.items()} if isinstance(names, Mapping) else sorted(names)
