"""A document that holds a pod spec, and its containers by role. Plain data and paths; every shape is survived."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.kinds import DEFAULT_KINDS, REPLICAS, RUN_TO_COMPLETION, Kinds, group_of
from sidecarctl.lazy_dataclass import dataclass

RECORD_ANNOTATION = "sidecarctl.dev/sidecars"
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"

ROLES = ("app", "init", "sidecar", "classic", "ephemeral")


@dataclass(frozen=True)
class Container:
    """A container of a pod with its role and its path from the document's root."""

    role: str
    name: str
    value: dict[str, Any]
    path: PathTuple


@dataclass(frozen=True, eq=False)
class Workload:
    """An object with a pod spec.

    value          the object; `path` leads to it from the document's root (() or ("items", 3))
    template_path  leads to what has the pod's metadata and spec, `pod_path` to its spec
    pod            the pod spec (a mapping, maybe empty)
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
        """`Deployment/web`, `Deployment/prod/web` where a namespace is given."""
        name = self.name or "(no name)"
        return f"{self.kind}/{self.namespace}/{name}" if self.namespace else f"{self.kind}/{name}"

    @property
    def pod_path(self) -> PathTuple:
        """Path of the pod spec from the document's root."""
        return (*self.template_path, "spec")

    @property
    def pod(self) -> dict[str, Any]:
        """The pod spec."""
        return as_mapping(self.template.get("spec"))

    @property
    def metadata(self) -> dict[str, Any]:
        """The pod's own metadata."""
        return as_mapping(self.template.get("metadata"))

    @property
    def annotations(self) -> dict[str, Any]:
        """The pod's annotations."""
        return as_mapping(self.metadata.get("annotations"))

    @property
    def runs_to_completion(self) -> bool:
        """True for a Job or CronJob, whose pods must end."""
        return (self.group, self.kind) in RUN_TO_COMPLETION

    @property
    def replicas(self) -> int:
        """How many pods the manifest asks for; 1 where it does not say."""
        found: Any = self.value
        for step in REPLICAS.get(self.kind, ("-",)):
            found = as_mapping(found).get(step)
        return found if isinstance(found, int) and not isinstance(found, bool) else 1

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """All containers in the order of the lists: initContainers, containers, ephemeralContainers."""
        return tuple(self._containers())

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


def as_mapping(value: object) -> dict[str, Any]:
    """The value itself when it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value itself when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def objects(value: object, path: PathTuple = ()) -> Iterator[tuple[dict[str, Any], PathTuple]]:
    """Yield every object of a document with its path: the document itself, or the items of a List of any kind."""
    if not isinstance(value, dict):
        return
    kind = value.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            yield from objects(_item_of(value, kind, item), (*path, "items", index))
    else:
        yield value, path


def _item_of(holder: dict[str, Any], kind: str, item: object) -> object:
    """An item of a DeploymentList need not repeat apiVersion and kind."""
    if kind == "List" or not isinstance(item, dict) or "kind" in item:
        return item
    return {"apiVersion": holder.get("apiVersion"), "kind": kind[: -len("List")], **item}


def workloads(value: object, kinds: Kinds = DEFAULT_KINDS) -> Iterator[Workload]:
    """Yield the workloads of a document, Lists included; objects of other kinds are passed over.

    A workload whose pod template is missing or no mapping is yielded with an empty template.
    """
    for item, path in objects(value):
        kind, api_version = item.get("kind"), item.get("apiVersion")
        if not isinstance(kind, str) or not isinstance(api_version, str):
            continue
        steps = kinds.template_path(api_version, kind)
        if steps is None:
            continue
        metadata = as_mapping(item.get("metadata"))
        for template_path, template in _templates(item, path, steps):
            record = as_mapping(as_mapping(template.get("metadata")).get("annotations")).get(RECORD_ANNOTATION)
            yield Workload(
                kind,
                group_of(api_version),
                api_version,
                _text(metadata.get("name")) or _text(metadata.get("generateName")),
                _text(metadata.get("namespace")),
                item,
                path,
                template_path,
                template,
                _recorded_classics(record),
            )


def _templates(value: object, path: PathTuple, steps: tuple[str, ...]) -> Iterator[tuple[PathTuple, dict[str, Any]]]:
    """Follow the steps; `*` fans out over a list."""
    if not steps:
        yield path, as_mapping(value)
    elif steps[0] == "*":
        for index, item in enumerate(as_list(value)):
            yield from _templates(item, (*path, index), steps[1:])
    else:
        yield from _templates(as_mapping(value).get(steps[0]), (*path, steps[0]), steps[1:])


def _recorded_classics(record: object) -> frozenset[str]:
    """Names of containers that the record calls classic sidecars."""
    return _classics(record) if isinstance(record, str) else frozenset()


@lru_cache(maxsize=64)
def _classics(record: str) -> frozenset[str]:
    import json

    try:
        instances = as_mapping(as_mapping(json.loads(record)).get("instances"))
    except ValueError:
        return frozenset()
    return frozenset(
        name
        for instance in instances.values()
        for name in as_list(as_mapping(as_mapping(instance).get("added")).get("containers"))
        if isinstance(name, str)
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
