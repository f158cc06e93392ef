"""Rules about what is said twice, or says nothing: the server accepts it and warns, since applying may lose it."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_AFFINITIES = ("podAffinity", "podAntiAffinity")
_REQUIRED, _PREFERRED = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))


@rule(
    "duplicate-env",
    Severity.WARNING,
    layer="advice",
    scope="container",
    fix="Keep the one that is meant; the last one counts.",
)
def duplicate_env(container: ContainerView, ctx: Context) -> Problems:
    """A variable of a container is set twice.

    The later one hides the earlier, and `kubectl apply`, which tells variables by their names, may drop either. The
    API server warns of it. A value that builds on the earlier one, `$(NAME) more`, is meant so.
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
            related = (Related("the first", container.at("env", first, "name")),)
            yield problem(container.at("env", index, "name"), f"{quote(name)} is set before", related=related)


def _hides(variable: Data, reference: str) -> bool:
    value = variable.get("value")
    return variable.get("valueFrom") is not None or value == reference or reference not in str(value or "")


@rule(
    "duplicate-pull-secret",
    Severity.WARNING,
    layer="advice",
    fix="Remove it.",
)
def duplicate_pull_secret(pod: PodView, ctx: Context) -> Problems:
    """A pull secret is listed twice, or has no name.

    It does nothing, and `kubectl apply` may drop either of two with one name. The API server warns of it.
    """
    yield from _repeated(pod, "imagePullSecrets", "name", "pull secret")
    for index, secret in listed(pod.value, "imagePullSecrets"):
        # One with other keys misspells it: the structural layer speaks of that.
        if not secret.get("name") and secret.keys() <= {"name"}:
            yield problem(pod.at("imagePullSecrets", index, "name"), "the pull secret has no name")


@rule(
    "duplicate-host-alias",
    Severity.WARNING,
    layer="advice",
    fix="Put all names of an address into one entry.",
)
def duplicate_host_alias(pod: PodView, ctx: Context) -> Problems:
    """An address has two entries among the host aliases.

    `kubectl apply` tells them by their address and may drop either. The API server warns of it.
    """
    yield from _repeated(pod, "hostAliases", "ip", "address")


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
            related = (Related("the first", pod.at(field, first, key)),)
            yield problem(pod.at(field, index, key), f"the {what} {quote(name)} is listed before", related=related)


@rule(
    "overlapping-volume-paths",
    Severity.WARNING,
    layer="advice",
    fix="Give each file a path of its own, none below another.",
)
def overlapping_volume_paths(pod: PodView, ctx: Context) -> Problems:
    """Two files of a volume have the same path, or one is to be a directory of the other.

    One of them is lost, or the volume can't be set up and the pod never starts. The API server warns of it.
    """
    for index, volume in listed(pod.value, "volumes"):
        for source in ("configMap", "secret", "downwardAPI"):
            if isinstance(volume.get(source), dict):
                yield from _overlaps(list(_files(volume[source], pod.at("volumes", index, source))), equal=True)
        projected = volume.get("projected")
        if isinstance(projected, dict):
            # Of equal paths in a projected volume the server speaks itself: another rule's.
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


def _overlaps(files: list[tuple[str, PathTuple]], *, equal: bool) -> Problems:
    for position, (name, path) in enumerate(files):
        for other, first in files[:position]:
            if f"{name}/".startswith(f"{other}/") or f"{other}/".startswith(f"{name}/"):
                if equal or name != other:
                    message = f"{quote(name)} and {quote(other)} can't both be there"
                    yield problem(path, message, related=(Related("the other", first),))
                break


@rule(
    "selector-matches-nothing",
    Severity.WARNING,
    layer="advice",
    fix="Give a labelSelector; an empty one, {}, selects all pods.",
)
def selector_matches_nothing(pod: PodView, ctx: Context) -> Problems:
    """A spread constraint or a pod affinity has no labelSelector.

    Without one it selects no pod, so it does nothing. The API server warns of it.
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
    return problem((*path, "labelSelector"), "without a labelSelector it selects no pod")
