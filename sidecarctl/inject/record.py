"""The record: the annotation on the pod template that lists the instances and everything that sidecarctl added.

`remove` needs nothing else, not even the library. The record is one line of compact JSON:

    {"v": 1,
     "instances": {"logger": {"sidecar": "logger", "version": "1.0.0", "mode": "native",
                              "parameters": {...}, "containers": ["web"], "added": {...}}},
     "created": ["spec/volumes"],            keys that did not exist
     "was": {"metadata/annotations": " {}"}}  text after the colon of values that were empty

Paths start at the pod template and identify containers by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.parse import parse

VERSION = 1
_PER_CONTAINER = ("volumeMounts", "env")
_CONTAINER_LISTS = ("containers", "initContainers")


class RecordError(SidecarctlError):
    """Invalid record, for example after a manual edit."""

    exit_code = 1

    def __init__(self, message: str, path: PathTuple, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


@dataclass(frozen=True)
class Added:
    """Everything that one instance added.

    containers, init_containers, volumes  names
    volume_mounts, env                    mount paths and variable names by container name
    annotations, labels                   keys
    pod                                   paths below the pod spec
    documents                             companions as `Kind/name`
    """

    containers: tuple[str, ...] = ()
    init_containers: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    volume_mounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    env: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    pod: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Instance:
    """One sidecar in one workload.

    by     the composition that added it, empty for the command line
    after  sidecars that must start before it, including ones that are added later
    """

    name: str
    sidecar: str
    version: str
    mode: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    containers: tuple[str, ...] = ()
    added: Added = Added()
    by: str = ""
    after: tuple[str, ...] = ()

    def waits_for(self, sidecar: str, instance: str) -> bool:
        """Return True if it must start after the given instance of the given sidecar."""
        return sidecar in self.after or instance in self.after


@dataclass(frozen=True)
class Record:
    """The instances of a workload in the order in which they were first added, and the collections created for them."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    created: tuple[str, ...] = ()
    was: Mapping[str, str] = field(default_factory=dict)

    def rank(self, name: str) -> int:
        """Return the position of an instance in the order; a new one is last."""
        return list(self.instances).index(name) if name in self.instances else len(self.instances)


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
        return _parse(text if isinstance(text, str) else None)
    except (ValueError, TypeError, RecursionError) as problem:
        why = "nested too deeply" if isinstance(problem, RecursionError) else problem
        raise RecordError(
            f"invalid annotation {RECORD_ANNOTATION} on {workload.label}: {why}",
            record_path(workload),
            hint="restore the annotation from version control: it lists what sidecarctl added",
        ) from None


# Every step reads the record; records are immutable.
@lru_cache(maxsize=64)
def _parse(text: str | None) -> Record:
    data = None if text is None else json.loads(text)
    if not isinstance(data, dict) or not isinstance(data.get("instances"), dict):
        raise ValueError("expected a JSON object with `instances`")
    if data.get("v") != VERSION:
        raise ValueError(f"unsupported version {data.get('v')!r} (supported: {VERSION})")
    for name, value in data["instances"].items():
        if not name or not isinstance(value, dict) or not value.get("sidecar", name):
            raise ValueError(f"instance {name!r} has no sidecar")
    instances = {name: _instance(name, value) for name, value in data["instances"].items()}
    return Record(instances, _names(data.get("created")), {k: str(v) for k, v in as_mapping(data.get("was")).items()})


def _instance(name: str, data: dict[str, Any]) -> Instance:
    added = as_mapping(data.get("added"))
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
        str(data.get("mode", "")),
        as_mapping(data.get("parameters")),
        _names(data.get("containers")),
        Added(**parts),
        str(data.get("by", "")),
        _names(data.get("after")),
    )


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in as_list(value))


def write(record: Record) -> str:
    """Return a record as the annotation's value."""
    data: dict[str, Any] = {"v": VERSION, "instances": {i.name: _instance_data(i) for i in record.instances.values()}}
    if record.created:
        data["created"] = list(record.created)
    if record.was:
        data["was"] = dict(record.was)
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True)


def _instance_data(instance: Instance) -> dict[str, Any]:
    data: dict[str, Any] = {"sidecar": instance.sidecar, "version": instance.version, "mode": instance.mode}
    if instance.by:
        data["by"] = instance.by
    if instance.parameters:
        data["parameters"] = dict(instance.parameters)
    if instance.containers:
        data["containers"] = list(instance.containers)
    if instance.after:
        data["after"] = list(instance.after)
    added: dict[str, Any] = {}
    for key, attribute in _ADDED_KEYS.items():
        value = getattr(instance.added, attribute)
        if value:
            added[key] = {k: list(v) for k, v in value.items()} if isinstance(value, Mapping) else list(value)
    data["added"] = added
    return data


def record_path(workload: Workload) -> PathTuple:
    """Return the path of the record from the document's root."""
    return (*workload.template_path, "metadata", "annotations", RECORD_ANNOTATION)


def encode_path(workload: Workload, path: PathTuple) -> str:
    """Return a document path in the record's form: from the pod template, containers by name."""
    rest = list(path[len(workload.template_path) :])
    if len(rest) > 2 and rest[0] == "spec" and rest[1] in _CONTAINER_LISTS and isinstance(rest[2], int):
        rest[2] = as_mapping(as_list(workload.pod.get(str(rest[1])))[rest[2]]).get("name", rest[2])
    return "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in rest)


def decode_path(workload: Workload, text: str) -> PathTuple | None:
    """Return the document path of a recorded path, None if its container no longer exists."""
    rest: list[str | int] = [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")]
    if len(rest) > 2 and rest[0] == "spec" and rest[1] in _CONTAINER_LISTS:
        items = as_list(workload.pod.get(str(rest[1])))
        index = find_index(items, "name", str(rest[2]))
        if index is None:
            index = _find_unnamed(items, str(rest[2]))
        if index is None:
            return None
        rest[2] = index
    return (*workload.template_path, *rest)


def _find_unnamed(items: list[Any], text: str) -> int | None:
    """Return the index in a recorded path if the container there has no name, as the first one of Knative can."""
    index = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    unnamed = 0 <= index < len(items) and isinstance(items[index], dict) and "name" not in items[index]
    return index if unnamed else None


def find_index(items: list[Any], key: str, value: object) -> int | None:
    """Return the index of the first mapping in a list whose `key` is `value`, None if there is none."""
    return next((i for i, item in enumerate(items) if isinstance(item, dict) and item.get(key) == value), None)


def parse_empty(text: str, path: PathTuple) -> Any:
    """Return the value of the recorded text of an empty collection. Raises RecordError if it is not empty."""
    try:
        root = parse(f'{{"k":{text}\n}}')  # JSON may have no space after the colon
    except (SyntaxProblem, UnicodeEncodeError):  # a lone surrogate cannot be encoded
        root = None
    value = root.value if root else None
    if not isinstance(value, dict) or list(value) != ["k"] or value["k"] not in (None, [], {}):
        raise RecordError(
            f'invalid record: "{text.strip()}" is not an empty value',
            path,
            hint=f"correct the annotation {RECORD_ANNOTATION}, or restore the manifest from version control",
        )
    return value["k"]
