"""Rules about duplicate entries and entries without effect, which the API server accepts with a warning."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import listed, pod_volumes
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_AFFINITIES = ("podAffinity", "podAntiAffinity")
_REQUIRED, _PREFERRED = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))


@rule(
    "duplicate-env",
    Severity.WARNING,
    layer="advice",
    scope="container",
    fix="Keep one of them. The last one takes effect.",
)
def duplicate_env(container: ContainerView, ctx: Context) -> Problems:
    """A container sets an environment variable twice.

    The last value takes effect. `kubectl apply` merges variables by name and can drop either of them. The API server
    accepts duplicates with a warning. A value that refers to the earlier one, such as `$(NAME) more`, is not reported.
    """
    variables = listed(container.value, "env")
    if len(variables) < 2:
        return
    seen: dict[str, int] = {}
    for index, variable in variables:
        name = variable.get("name")
        if not isinstance(name, str) or not name:
            continue
        first = seen.setdefault(name, index)
        if first != index and _hides(variable, f"$({name})"):
            related = (Related("first", container.at("env", first, "name")),)
            yield problem(
                container.at("env", index, "name"), f"duplicate environment variable {quote(name)}", related=related
            )


def _hides(variable: Data, reference: str) -> bool:
    value = variable.get("value")
    return variable.get("valueFrom") is not None or value == reference or reference not in str(value or "")


@rule(
    "duplicate-pull-secret",
    Severity.WARNING,
    layer="advice",
    fix="Remove the entry.",
)
def duplicate_pull_secret(pod: PodView, ctx: Context) -> Problems:
    """An image pull secret is listed twice or has no name.

    The entry has no effect, and `kubectl apply` can drop either of two entries with the same name. The API server
    accepts it with a warning.
    """
    yield from _repeated(pod, "imagePullSecrets", "name", "image pull secret")
    for index, secret in listed(pod.value, "imagePullSecrets"):
        # An entry with other keys misspells the field, which is an unknown-field finding.
        if not secret.get("name") and secret.keys() <= {"name"}:
            yield problem(pod.at("imagePullSecrets", index, "name"), "image pull secret has no name")


@rule(
    "duplicate-host-alias",
    Severity.WARNING,
    layer="advice",
    fix="List all host names of an address in one entry.",
)
def duplicate_host_alias(pod: PodView, ctx: Context) -> Problems:
    """Two host aliases have the same IP address.

    `kubectl apply` merges host aliases by address and can drop either of them. The API server accepts duplicates with
    a warning.
    """
    yield from _repeated(pod, "hostAliases", "ip", "host alias address")


def _repeated(pod: PodView, field: str, key: str, what: str) -> Problems:
    items = listed(pod.value, field)
    if len(items) < 2:
        return
    seen: dict[str, int] = {}
    for index, item in items:
        name = item.get(key)
        if not isinstance(name, str) or not name:
            continue
        first = seen.setdefault(name, index)
        if first != index:
            related = (Related("first", pod.at(field, first, key)),)
            yield problem(pod.at(field, index, key), f"duplicate {what} {quote(name)}", related=related)


@rule(
    "overlapping-volume-paths",
    Severity.WARNING,
    layer="advice",
    fix="Give each file a unique path that is not below the path of another file.",
)
def overlapping_volume_paths(pod: PodView, ctx: Context) -> Problems:
    """Two files of a volume have the same path, or one path is below the other.

    One file overwrites the other, or the volume cannot be mounted and the pod never starts. The API server accepts
    overlapping paths with a warning.
    """
    for index, volume in pod_volumes(pod):
        for source in ("configMap", "secret", "downwardAPI"):
            if isinstance(volume.get(source), dict):
                yield from _overlaps(list(_files(volume[source], pod.at("volumes", index, source))), equal=True)
        projected = volume.get("projected")
        if isinstance(projected, dict):
            # The API server rejects equal paths in a projected volume: projected-path-conflict reports them.
            yield from _overlaps(list(_projected(projected, pod.at("volumes", index, "projected"))), equal=False)


def _files(source: Data, path: PathTuple) -> Iterator[tuple[str, PathTuple]]:
    for index, item in listed(source, "items"):
        where = item.get("path")
        if isinstance(where, str) and where.rstrip("/"):
            yield where.rstrip("/"), (*path, "items", index, "path")


def _projected(projected: Data, path: PathTuple) -> Iterator[tuple[str, PathTuple]]:
    for index, source in listed(projected, "sources"):
        for kind in ("configMap", "secret", "downwardAPI"):
            if isinstance(source.get(kind), dict):
                yield from _files(source[kind], (*path, "sources", index, kind))
        for kind in ("serviceAccountToken", "clusterTrustBundle"):
            where = as_mapping(source.get(kind)).get("path")
            if isinstance(where, str) and where.rstrip("/"):
                yield where.rstrip("/"), (*path, "sources", index, kind, "path")


class _Directory:
    """A directory or file in a volume, with the numbers of the first files at this path and at or below it."""

    def __init__(self) -> None:
        self.entries: dict[str, _Directory] = {}
        self.at: int | None = None
        self.below: int | None = None


def _overlaps(files: list[tuple[str, PathTuple]], *, equal: bool) -> Problems:
    """Yield the files whose path is that of an earlier file, or above or below it."""
    root = _Directory()
    for number, (name, path) in enumerate(files):
        place, found = root, list[int]()
        for step in name.split("/"):
            place = place.entries.setdefault(step, _Directory())
            found += [] if place.at is None else [place.at]
            place.below, below = number if place.below is None else place.below, place.below
        found += [] if below is None else [below]
        place.at = number if place.at is None else place.at
        if found:
            other, first = files[min(found)]
            if equal or name != other:
                message = f"path {quote(name)} overlaps path {quote(other)}"
                yield problem(path, message, related=(Related("other path", first),))


@rule(
    "selector-matches-nothing",
    Severity.WARNING,
    layer="advice",
    fix="Set labelSelector. An empty selector, {}, selects all pods.",
)
def selector_matches_nothing(pod: PodView, ctx: Context) -> Problems:
    """A topology spread constraint or pod affinity term has no labelSelector.

    Without a selector it matches no pods and has no effect. The API server accepts it with a warning.
    """
    for index, constraint in listed(pod.value, "topologySpreadConstraints"):
        if constraint.get("labelSelector") is None:
            yield _no_selector(pod.at("topologySpreadConstraints", index))
    if not isinstance(pod.value.get("affinity"), dict):
        return
    for kind in _AFFINITIES:
        for index, term in enumerate(as_list(pod.get("affinity", kind, _REQUIRED))):
            if isinstance(term, dict) and term.get("labelSelector") is None:
                yield _no_selector(pod.at("affinity", kind, _REQUIRED, index))
        for index, weighted in enumerate(as_list(pod.get("affinity", kind, _PREFERRED))):
            term = as_mapping(weighted).get("podAffinityTerm")
            if isinstance(term, dict) and term.get("labelSelector") is None:
                yield _no_selector(pod.at("affinity", kind, _PREFERRED, index, "podAffinityTerm"))


def _no_selector(path: PathTuple) -> Problem:
    return problem((*path, "labelSelector"), "no labelSelector: matches no pods")
