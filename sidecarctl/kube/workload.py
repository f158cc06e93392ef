"""Workloads in a document, and their containers by role. Malformed values count as absent."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property, lru_cache
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.kinds import DEFAULT_KINDS, OPTIONAL_TEMPLATES, REPLICAS, RUN_TO_COMPLETION, Kinds, group_of
from sidecarctl.lazy_dataclass import dataclass

RECORD_ANNOTATION = "sidecarctl.dev/sidecars"
# Bytes; Kubernetes rejects more in all annotations of an object.
MAX_RECORD = 256 << 10
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"

ROLES = ("app", "init", "sidecar", "classic", "ephemeral")


@dataclass(frozen=True)
class Container:
    """A container of a pod, with its role and its path from the root of the document."""

    role: str
    name: str
    value: dict[str, Any]
    path: PathTuple


@dataclass(frozen=True, eq=False)
class Workload:
    """An object with a pod spec.

    value          the object
    path           path of the object in its document: () or ("items", 3)
    template       mapping with metadata and spec of the pod, at `template_path`
    classic        names of the containers that the record lists as classic sidecars
    """

    kind: str
    group: str
    api_version: str
    name: str
    namespace: str
    value: dict[str, Any]
    path: PathTuple
    template_path: PathTuple
    template: dict[str, Any]
    classic: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """`Deployment/web`, or `Deployment/prod/web` if the namespace is set."""
        return _label(self.kind, self.namespace, self.name)

    @property
    def pod_path(self) -> PathTuple:
        """The path of the pod spec from the root of the document."""
        return (*self.template_path, "spec")

    @property
    def pod(self) -> dict[str, Any]:
        """The pod spec, {} if it is missing."""
        return as_mapping(self.template.get("spec"))

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of the pod."""
        return as_mapping(self.template.get("metadata"))

    @property
    def annotations(self) -> dict[str, Any]:
        """The annotations of the pod."""
        return as_mapping(self.metadata.get("annotations"))

    @property
    def runs_to_completion(self) -> bool:
        """True for kinds such as Job, whose pods must complete, and for pods that are not always restarted."""
        return (self.group, self.kind) in RUN_TO_COMPLETION or self.pod.get("restartPolicy") in ("Never", "OnFailure")

    @property
    def replicas(self) -> int:
        """The number of pods in the manifest, 1 if not set."""
        found: Any = self.value
        for step in REPLICAS.get(self.kind, ("-",)):
            found = as_mapping(found).get(step)
        return found if isinstance(found, int) and not isinstance(found, bool) else 1

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """All containers in the order of the lists: initContainers, containers, ephemeralContainers."""
        return tuple(self._containers())

    @cached_property
    def named_containers(self) -> dict[tuple[str, str], Container]:
        """The first container of each name, by list and name: ("initContainers", "web")."""
        found: dict[tuple[str, str], Container] = {}
        for container in self.containers:
            if container.value.get("name") == container.name:
                found.setdefault((str(container.path[-2]), container.name), container)
        return found

    @cached_property
    def mounted_volumes(self) -> dict[tuple[str, str], str]:
        """The volume that a container mounts at a path, by name of the container and path; the first one of each."""
        found: dict[tuple[str, str], str] = {}
        for container in self.containers:
            for mount in map(as_mapping, as_list(container.value.get("volumeMounts"))):
                path, name = mount.get("mountPath"), mount.get("name")
                if isinstance(path, str) and isinstance(name, str):
                    found.setdefault((container.name, path), name)
        return found

    @cached_property
    def volume_users(self) -> dict[str, set[PathTuple]]:
        """The paths of the containers that mount a volume, by its name."""
        found: dict[str, set[PathTuple]] = {}
        for container in self.containers:
            for mount in map(as_mapping, as_list(container.value.get("volumeMounts"))):
                found.setdefault(str(mount.get("name")), set()).add(container.path)
        return found

    @cached_property
    def empty_dirs(self) -> frozenset[str]:
        """The names of the emptyDir volumes."""
        volumes = map(as_mapping, as_list(self.pod.get("volumes")))
        return frozenset(str(volume.get("name")) for volume in volumes if "emptyDir" in volume)

    def container_of(self, path: PathTuple) -> Container | None:
        """Return the container that a path of the document leads to or into."""
        return self._containers_by_path.get(path[: len(self.template_path) + 3])

    @cached_property
    def _containers_by_path(self) -> dict[PathTuple, Container]:
        return {container.path: container for container in self.containers}

    def _containers(self) -> Iterator[Container]:
        for field, role in (
            ("initContainers", "init"),
            ("containers", "app"),
            ("ephemeralContainers", "ephemeral"),
        ):
            for index, value in enumerate(as_list(self.pod.get(field))):
                if isinstance(value, dict):
                    name = value.get("name")
                    name = name if isinstance(name, str) else ""
                    own = role
                    if role == "init" and value.get("restartPolicy") == "Always":
                        own = "sidecar"
                    elif role == "app" and name in self.classic:
                        own = "classic"
                    yield Container(own, name, value, (*self.pod_path, field, index))


def label_of(value: object) -> str:
    """Return the label of an object of any kind, as `Workload.label` does."""
    data = as_mapping(value)
    metadata = as_mapping(data.get("metadata"))
    return _label(_text(data.get("kind")), _text(metadata.get("namespace")), _name_of(metadata))


def _label(kind: str, namespace: str, name: str) -> str:
    return "/".join(each for each in (kind, namespace, name or "(no name)") if each)


def _name_of(metadata: dict[str, Any]) -> str:
    return _text(metadata.get("name")) or _text(metadata.get("generateName"))


def may_hold(text: str, annotation: str) -> bool:
    """Return False if a text certainly has no annotation of this name; an escape can hide one."""
    if annotation in text:
        return True
    # A single character is found fastest, and most texts have no backslash.
    return "\\" in text and (may_have_escapes(text) or annotation.replace("/", "\\/") in text)


def may_have_escapes(text: str) -> bool:
    """Return whether a text may write characters of a name as escapes, such as `\\u002f`."""
    return "\\" in text and any(escape in text for escape in ("\\u", "\\x", "\\U"))


def get_own_metadata(workload: Workload, field: str) -> dict[str, Any]:
    """Return the labels or annotations of the workload itself, not of its pod template."""
    return as_mapping(as_mapping(workload.value.get("metadata")).get(field))


def as_mapping(value: object) -> dict[str, Any]:
    """Return the value if it is a mapping, else {}."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return the value if it is a list, else []."""
    return value if isinstance(value, list) else []


def objects(value: object, path: PathTuple = ()) -> Iterator[tuple[dict[str, Any], PathTuple]]:
    """Yield each object of a document with its path: the document itself, or the items of a List of any kind."""
    if not isinstance(value, dict):
        return
    kind = value.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            yield from objects(_item_of(value, kind, item), (*path, "items", index))
    else:
        yield value, path


def _item_of(holder: dict[str, Any], kind: str, item: object) -> object:
    """Return an item of a List, with apiVersion and kind, which items of a DeploymentList can omit."""
    if kind == "List" or not isinstance(item, dict) or "kind" in item:
        return item
    return {"apiVersion": holder.get("apiVersion"), "kind": kind[: -len("List")], **item}


def share_objects(found: Collection[Workload]) -> bool:
    """Return True if workloads of one document are pod templates of one object, as in a JobSet."""
    return len({workload.path for workload in found}) < len(found)


def workloads(value: object, kinds: Kinds = DEFAULT_KINDS) -> Iterator[Workload]:
    """Yield the workloads of a document, including items of Lists.

    A workload with a missing or malformed pod template has an empty template.
    """
    for item, path in objects(value):
        kind, api_version = item.get("kind"), item.get("apiVersion")
        if not isinstance(kind, str) or not isinstance(api_version, str):
            continue
        paths = kinds.template_paths(api_version, kind)
        if not paths:
            continue
        metadata = as_mapping(item.get("metadata"))
        # Two paths can lead to one template.
        templates = dict(each for steps in paths for each in _templates(item, path, steps))
        for template_path, template in templates.items():
            if not template and len(paths) > 1 and template_path[len(path) :] in OPTIONAL_TEMPLATES:
                continue
            record = as_mapping(as_mapping(template.get("metadata")).get("annotations")).get(RECORD_ANNOTATION)
            yield Workload(
                kind,
                group_of(api_version),
                api_version,
                _name_of(metadata),
                _text(metadata.get("namespace")),
                item,
                path,
                template_path,
                template,
                _recorded_classics(record),
            )


def is_partial(workload: Workload) -> bool:
    """Return True for a workload without containers or without images, such as a kustomize patch."""
    containers = workload.pod.get("containers")
    if isinstance(containers, list) and containers:
        return all(isinstance(one, dict) and "name" in one and "image" not in one for one in containers)
    return not containers and not isinstance(containers, dict)


def _templates(value: object, path: PathTuple, steps: tuple[str, ...]) -> Iterator[tuple[PathTuple, dict[str, Any]]]:
    """Yield the mapping at the steps and its path; the step `*` means every item of a collection."""
    if not steps:
        yield path, as_mapping(value)
    elif steps[0] == "*":
        for key, item in _items(value):
            yield from _templates(item, (*path, key), steps[1:])
    else:
        yield from _templates(as_mapping(value).get(steps[0]), (*path, steps[0]), steps[1:])


def _items(value: object) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    else:
        yield from enumerate(as_list(value))


def _recorded_classics(record: object) -> frozenset[str]:
    """Return the names of the containers that the record lists as classic sidecars."""
    return _classics(record) if isinstance(record, str) and len(record) <= MAX_RECORD else frozenset()


@lru_cache(maxsize=64)
def _classics(record: str) -> frozenset[str]:
    import json

    try:
        instances = as_mapping(as_mapping(json.loads(record)).get("instances"))
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(
        name
        for instance, data in instances.items()
        for name in _classic_containers(instance, as_mapping(data))
        if isinstance(name, str)
    )


def _classic_containers(instance: str, data: dict[str, Any]) -> list[Any]:
    """Return the containers that an instance added to the app's, in both formats of the record."""
    if "added" in data:
        return as_list(as_mapping(data["added"]).get("containers"))
    return as_list(data.get("containers", [instance] if data.get("mode") == "classic" else []))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
