"""Views for rules: plain data with its path. Malformed values read as empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds, group_of
from sidecarctl.kube.workload import Workload, as_list, as_mapping, objects, workloads

if TYPE_CHECKING:
    from sidecarctl.kube.fronts import Front

Data = dict[str, Any]


class View:
    """A mapping and its path. Missing and malformed values read as empty.

    A plain class for speed: a run creates hundreds of thousands.
    """

    __slots__ = ("path", "value")

    def __init__(self, value: Data, path: PathTuple) -> None:
        self.value = value
        self.path = path

    def get(self, *steps: str | int) -> Any:
        """Return the value at the steps, None if there is none."""
        found: Any = self.value
        for step in steps:
            if isinstance(step, str):
                found = found.get(step) if isinstance(found, dict) else None
            else:
                found = found[step] if isinstance(found, list) and -1 < step < len(found) else None
        return found

    def has(self, key: str) -> bool:
        """Return True if the key is set. Null counts as not set, as in the API server."""
        return self.value.get(key) is not None

    def text(self, *steps: str | int) -> str:
        """Return the string at the steps, "" for any other value."""
        found = self.get(*steps)
        return found if isinstance(found, str) else ""

    def number(self, *steps: str | int) -> int | None:
        """Return the integer at the steps, None for any other value."""
        found = self.get(*steps)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def at(self, *steps: str | int) -> PathTuple:
        """Return the path of the value at the steps."""
        return self.path + steps

    def child(self, *steps: str | int) -> View:
        """Return the mapping at the steps, an empty one for any other value."""
        return View(as_mapping(self.get(*steps)), self.path + steps)

    def each(self, *steps: str | int) -> Iterator[View]:
        """Yield the mappings in the list at the steps and skip other items."""
        for index, item in enumerate(as_list(self.get(*steps))):
            if isinstance(item, dict):
                yield View(item, (*self.path, *steps, index))

    def items(self, *steps: str | int) -> Iterator[tuple[Any, PathTuple]]:
        """Yield all items of the list at the steps, with their paths."""
        for index, item in enumerate(as_list(self.get(*steps))):
            yield item, (*self.path, *steps, index)

    def pairs(self, *steps: str | int) -> Iterator[tuple[str, Any, PathTuple]]:
        """Yield key, value, and path of each entry of the mapping at the steps."""
        for key, item in as_mapping(self.get(*steps)).items():
            yield key, item, (*self.path, *steps, key)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class ObjectView(View):
    """An object of any kind, also as an item of a List.

    label           Kind/name or Kind/namespace/name, as in findings
    metadata, spec  {} if missing
    memo            cache for values that several rules use
    """

    __slots__ = ("group", "kind", "label", "memo", "metadata", "name", "namespace", "spec")

    def __init__(self, value: Data, path: PathTuple) -> None:
        super().__init__(value, path)
        self.memo: dict[str, Any] = {}
        self.metadata: Data = as_mapping(value.get("metadata"))
        self.spec: Data = as_mapping(value.get("spec"))
        self.kind = _text(value.get("kind"))
        self.group = group_of(_text(value.get("apiVersion")))
        self.name = _text(self.metadata.get("name")) or _text(self.metadata.get("generateName"))
        self.namespace = _text(self.metadata.get("namespace"))
        name = self.name or "(no name)"
        self.label = f"{self.kind}/{self.namespace}/{name}" if self.namespace else f"{self.kind}/{name}"


class PodView(View):
    """A pod spec and its workload.

    object      the Deployment, Job, or the Pod itself
    template    mapping with metadata and spec of the pod
    metadata    metadata of the pod
    containers  init containers, containers, and ephemeral containers, in this order
    memo        cache for values that several rules use
    """

    __slots__ = ("containers", "memo", "metadata", "object", "template", "workload")

    def __init__(self, workload: Workload, root: PathTuple = ()) -> None:
        super().__init__(workload.pod, root + workload.pod_path)
        self.workload = workload
        self.memo: dict[str, Any] = {}
        self.object = ObjectView(workload.value, root + workload.path)
        self.template = View(workload.template, root + workload.template_path)
        self.metadata = self.template.child("metadata")
        self.containers = tuple(
            ContainerView(one.value, root + one.path, one.name, one.role, self) for one in workload.containers
        )

    @property
    def fronts(self) -> tuple[Front, ...]:
        """The sidecars in front of the app that the record lists."""
        if "fronts" not in self.memo:
            from sidecarctl.kube.fronts import read_fronts

            self.memo["fronts"] = read_fronts(self.workload)
        found: tuple[Front, ...] = self.memo["fronts"]
        return found

    def container_of(self, path: PathTuple) -> ContainerView | None:
        """Return the container that a path leads to or into."""
        if "" not in self.memo:
            self.memo[""] = {container.path: container for container in self.containers}
        found: ContainerView | None = self.memo[""].get(path[: len(self.path) + 2])
        return found

    def by_role(self, *roles: str) -> Iterator[ContainerView]:
        """Yield the containers with one of the roles."""
        return (container for container in self.containers if container.role in roles)


class ContainerView(View):
    """A container with its name ("" if it has none), role, pod, and a cache for values that several rules use."""

    __slots__ = ("memo", "name", "pod", "role")

    def __init__(self, value: Data, path: PathTuple, name: str, role: str, pod: PodView) -> None:
        super().__init__(value, path)
        self.name = name
        self.role = role
        self.pod = pod
        self.memo: dict[str, Any] = {}


class StreamView:
    """All documents of a run. Paths of views start with the number of the document, from 0.

    files  file of each document; without files, all documents are in one
    """

    __slots__ = ("_owners", "files", "objects", "pods")

    def __init__(
        self, documents: Sequence[object], kinds: Kinds = DEFAULT_KINDS, files: Sequence[str] | None = None
    ) -> None:
        self.files = files
        numbered = list(enumerate(documents))
        self.objects = tuple(
            ObjectView(item, path) for number, value in numbered for item, path in objects(value, (number,))
        )
        self.pods = tuple(
            PodView(workload, (number,)) for number, value in numbered for workload in workloads(value, kinds)
        )

        self._owners: dict[PathTuple, PodView | ObjectView] = {}
        for pod in self.pods:
            self._owners.setdefault(pod.object.path, pod)
        for one in self.objects:
            self._owners.setdefault(one.path, one)

    def owner_of(self, path: PathTuple) -> PodView | ObjectView | None:
        """Return the pod or object that contains a path, the pod first because it has the containers."""
        roots = (path[:length] for length in range(1, len(path) + 1))
        return next((self._owners[root] for root in roots if root in self._owners), None)

    def file_of(self, view: View) -> str:
        """Return the file that contains a view, "" if the files are unknown."""
        return self.files[int(view.path[0])] if self.files else ""
