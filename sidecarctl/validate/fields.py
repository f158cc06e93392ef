"""Functions that read fields for rules: lists of mappings, volumes, mounts, labels, and selectors."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from sidecarctl.findings import PathTuple, quote
from sidecarctl.kube import names
from sidecarctl.kube.kinds import DEFAULT_KINDS, GroupKind
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.registry import Problems, problem
from sidecarctl.validate.views import ContainerView, Data, ObjectView, PodView, View

# Mappings with their paths.
Sources = list[tuple[Data, PathTuple]]
# Limit of the API server for the annotations of an object, in bytes.
ANNOTATIONS_SIZE = 256 * 1024
_BYTES_OF_CHARACTER = 4  # at most, in UTF-8


def listed(data: Data, key: str) -> Sequence[tuple[int, Data]]:
    """Return the mappings in the list at `key` with their indices, () if there is no list.

    Faster than `View.each`, for rules that skip most of their input.
    """
    found = data.get(key)
    if not found or not isinstance(found, list):
        return ()
    return [(index, item) for index, item in enumerate(found) if isinstance(item, dict)]


def entries(data: Data, key: str) -> Sequence[tuple[int, Data]]:
    """Return the same as `listed`, with null as {}, as the API server reads items without required fields."""
    found = data.get(key)
    if not found or not isinstance(found, list):
        return ()
    return [(index, item or {}) for index, item in enumerate(found) if item is None or isinstance(item, dict)]


def texts(data: Data, key: str) -> Sequence[tuple[int, str]]:
    """Return the strings in the list at `key` with their indices, with null as "", as the API server reads them."""
    found = data.get(key)
    if not found or not isinstance(found, list):
        return ()
    return [(index, item or "") for index, item in enumerate(found) if item is None or isinstance(item, str)]


def text_size(values: Iterable[object], limit: int) -> int:
    """Return the size of the strings among `values` in bytes of UTF-8, or an upper bound that is within the limit."""
    found = [text for text in values if isinstance(text, str)]
    bound = sum(map(len, found)) * _BYTES_OF_CHARACTER
    return bound if bound <= limit else sum(len(text.encode("utf-8", "surrogatepass")) for text in found)


def blank(value: object) -> bool:
    """Return True for values that the API server treats as not set: null, absent, or an empty string."""
    return value is None or value == ""


def outside(path: str) -> str:
    """Return why a path is outside its volume, "" if it is inside (ValidateLocalNonReservedPath of the API server)."""
    if not path:
        return "must not be empty"
    if path[0] == "/":
        return "use a relative path"
    if ".." in path.split("/"):
        return '".." is not allowed'
    return 'must not start with ".."' if path.startswith("..") else ""


def amounts(resources: Data, side: str) -> Data:
    """Return the requests or limits of a resources mapping by name, with null as 0, as the API server reads it."""
    found = resources.get(side)
    if not found or not isinstance(found, dict):
        return {}
    return {name: 0 if value is None else value for name, value in found.items() if isinstance(name, str)}


def present_keys(data: Data, keys: Sequence[str]) -> list[str]:
    """Return the keys that are set, in the order of `keys`."""
    return [key for key in keys if data.get(key) is not None]


def has_unknown_keys(data: Data, known: Mapping[str, object] | frozenset[str]) -> bool:
    """Return True if a mapping has unknown keys, which the schema check reports."""
    return not data.keys() <= known.keys() if isinstance(known, Mapping) else not data.keys() <= known


def pod_volumes(pod: PodView) -> Sequence[tuple[int, Data]]:
    """Return the volumes of a pod with their indices, without those that a claim template of the same name replaces."""
    found = listed(pod.value, "volumes")
    claims = _claim_names(pod) if found else ()
    return [(index, volume) for index, volume in found if volume.get("name") not in claims] if claims else found


def _claim_names(pod: PodView) -> list[str]:
    """Return the names of the claim templates of a StatefulSet."""
    templates = (as_mapping(item) for item in as_list(pod.object.spec.get("volumeClaimTemplates")))
    return [name for one in templates if isinstance(name := as_mapping(one.get("metadata")).get("name"), str)]


def volumes_by_name(pod: PodView) -> dict[str, Data]:
    """Return the volumes of a pod by name, with the claim templates of a StatefulSet as claim volumes."""
    volumes: dict[str, Data] = {name: {"persistentVolumeClaim": {}} for name in _claim_names(pod)}
    for _, volume in pod_volumes(pod):
        name = volume.get("name")
        if isinstance(name, str):
            volumes[name] = volume
    return volumes


def env_value_sources(container: ContainerView) -> Sources:
    """Return the `valueFrom` mappings of the environment variables of a container, with their paths."""
    found: Sources | None = container.memo.get("env_sources")
    if found is None:
        found = container.memo["env_sources"] = [
            (variable["valueFrom"], container.at("env", index, "valueFrom"))
            for index, variable in listed(container.value, "env")
            if isinstance(variable.get("valueFrom"), dict)
        ]
    return found


def volume_sources(pod: PodView) -> Mapping[str, Sources]:
    """Return the volume sources of a pod by type, with their paths."""
    found: dict[str, Sources] | None = pod.memo.get("sources")
    if found is None:
        found = pod.memo["sources"] = {}
        for index, volume in pod_volumes(pod):
            for kind, source in volume.items():
                if isinstance(source, dict):
                    found.setdefault(kind, []).append((source, pod.at("volumes", index, kind)))
    return found


def sources_of_type(pod: PodView, kind: str) -> Sources:
    """Return the volume sources of a type ("configMap"), including those in projected volumes."""
    found = volume_sources(pod)
    own = found.get(kind, [])
    if "projected" not in found:
        return own
    parts = (
        (part.get(kind), (*where, "sources", number, kind))
        for projected, where in found["projected"]
        for number, part in listed(projected, "sources")
    )
    return [*own, *((part, where) for part, where in parts if isinstance(part, dict))]


DEPLOYMENT: GroupKind = ("apps", "Deployment")
REPLICA_SET: GroupKind = ("apps", "ReplicaSet")
STATEFUL_SET: GroupKind = ("apps", "StatefulSet")
DAEMON_SET: GroupKind = ("apps", "DaemonSet")
REPLICATION_CONTROLLER: GroupKind = ("", "ReplicationController")
JOB: GroupKind = ("batch", "Job")
CRON_JOB: GroupKind = ("batch", "CronJob")
POD: GroupKind = ("", "Pod")

# Kinds whose pods always restart.
RUNS_FOREVER_KINDS = frozenset((DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET, REPLICATION_CONTROLLER))


def is_one_of(one: ObjectView, kinds: Container[GroupKind]) -> bool:
    """Return True for an object of one of the kinds."""
    return (one.group, one.kind) in kinds


def job_spec(one: ObjectView) -> View | None:
    """Return the Job spec of a Job or CronJob, None for other kinds."""
    if one.group != "batch":
        return None
    if one.kind == "Job":
        return View(one.spec, one.at("spec"))
    return one.child("spec", "jobTemplate", "spec") if one.kind == "CronJob" else None


def completions_of(one: ObjectView, spec: View) -> int | None:
    """Return the completions of a Job spec with the default of Jobs, None if unknown."""
    if one.kind == "Job" and spec.value.get("completions") is None and spec.value.get("parallelism") is None:
        return 1
    return spec.number("completions")


def all_metadata(one: ObjectView) -> list[View]:
    """Return the metadata of an object and of its pod templates."""
    found: list[View] | None = one.memo.get("all_metadata")
    if found is None:
        paths = DEFAULT_KINDS.templates.get((one.group, one.kind), ())
        found = one.memo["all_metadata"] = [View(one.metadata, one.at("metadata"))]
        for steps in paths:
            if steps:
                found += _metadata(one, steps)
    return found


def _metadata(view: View, steps: tuple[str, ...]) -> Iterator[View]:
    """Yield the metadata at the steps; the step `*` means every item of a list."""
    if "*" not in steps:
        yield view.child(*steps, "metadata")
        return
    star = steps.index("*")
    before, after = steps[:star], steps[star + 1 :]
    holder = view.get(*before)
    for key, item in holder.items() if isinstance(holder, dict) else enumerate(as_list(holder)):
        yield from _metadata(View(as_mapping(item), (*view.path, *before, key)), after)


Holder = PodView | ContainerView


def security_contexts(pod: PodView) -> list[tuple[Holder, Data]]:
    """Return the pod and its containers with their security contexts, without empty ones."""
    found: list[tuple[Holder, Data]] | None = pod.memo.get("security_contexts")
    if found is None:
        found = pod.memo["security_contexts"] = []
        views: tuple[Holder, ...] = (pod, *pod.containers)
        for view in views:
            context = view.value.get("securityContext")
            if context and isinstance(context, dict):
                found.append((view, context))
    return found


SIDECARS = ("sidecar", "classic")
RUNNING = ("app", *SIDECARS)


@dataclass(frozen=True)
class Mount:
    """A volume mount of a container."""

    container: ContainerView
    path: PathTuple
    writes: bool


def mounts_of(pod: PodView, name: object, *roles: str) -> Sequence[Mount]:
    """Return the mounts of a volume in containers of the given roles, or in all containers."""
    key = " ".join(("mounts", *roles))
    by_volume: dict[str, list[Mount]] | None = pod.memo.get(key)
    if by_volume is None:
        by_volume = pod.memo[key] = {}
        for container in pod.containers:
            if roles and container.role not in roles:
                continue
            for index, mount in listed(container.value, "volumeMounts"):
                if isinstance(volume := mount.get("name"), str):
                    writes = mount.get("readOnly") is not True
                    by_volume.setdefault(volume, []).append(
                        Mount(container, container.at("volumeMounts", index), writes)
                    )
    return by_volume.get(name, ()) if isinstance(name, str) else ()


def check_labels(labels: object, where: PathTuple) -> Problems:
    """Yield the invalid keys and values of labels. Source: ValidateLabels of the API server."""
    for key, value in as_mapping(labels).items():
        if isinstance(key, str) and (fault := names.check_qualified_name(key)):
            yield problem((*where, key), f"invalid label key {quote(key)}: {fault}", on_key=True)
        if isinstance(value, str) and (fault := names.check_label_value(value)):
            yield problem((*where, key), f"invalid label value {quote(value)}: {fault}")


def check_selector(selector: object, where: PathTuple) -> Problems:
    """Yield the errors of a label selector, except operators. Source: ValidateLabelSelector of the API server."""
    data = as_mapping(selector)
    yield from check_labels(data.get("matchLabels"), (*where, "matchLabels"))
    for index, one in listed(data, "matchExpressions"):
        at = (*where, "matchExpressions", index)
        key, operator, values = one.get("key"), one.get("operator"), one.get("values")
        if isinstance(key, str) and (fault := names.check_qualified_name(key)):
            yield problem((*at, "key"), f"invalid label key {quote(key)}: {fault}")
        if operator in ("In", "NotIn") and values in (None, []):
            yield problem((*at, "values"), f"operator {operator} requires values")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield problem((*at, "values"), f"operator {operator} does not allow values")
        for number, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str) and (fault := names.check_label_value(value)):
                yield problem((*at, "values", number), f"invalid label value {quote(value)}: {fault}")
