"""Target containers: the containers of the app that share volumes and variables with a sidecar, and what templates see of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection
from typing import Any

from sidecarctl.catalog.render import Inputs
from sidecarctl.composition.request import Request
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import PathTuple
from sidecarctl.kube.injectors import PROXY_NAMES
from sidecarctl.kube.workload import (
    DEFAULT_CONTAINER_ANNOTATION,
    RECORD_ANNOTATION,
    Container,
    Workload,
    as_list,
    as_mapping,
)
from sidecarctl.record.annotation import Instance, Record


def choose_targets(
    workload: Workload,
    wanted: tuple[str, ...],
    rule: str,
    sidecars: Collection[str] = (),
    former: Collection[str] = (),
) -> tuple[Container, ...]:
    """Return the containers that get the sidecar's mounts and variables.

    `wanted` are names or globs of app containers, or else of init containers. If there are none, `rule` decides: "all" app
    containers, or "default" for one of `former`, else the one that the annotation kubectl.kubernetes.io/default-container
    names, else the first: a container that a person puts before it does not take its place.
    Injected proxies, such as istio-proxy, are targets only by name, or if there is nothing else. `sidecars` are the
    init containers that sidecarctl added. Raises UsageError for a name or glob that matches no container.
    """
    apps = tuple(c for c in workload.containers if c.role == "app")
    if wanted:
        others = tuple(c for c in workload.containers if c.role in ("init", "sidecar") and c.name not in sidecars)
        chosen: dict[PathTuple, Container] = {}
        for pattern in dict.fromkeys(wanted):
            matching = _matching(apps, pattern) or _matching(others, pattern)
            if not matching:
                known = [c.name for c in (*apps, *others)]
                raise UsageError(
                    f'{workload.label} has no container "{pattern}" (containers: {", ".join(known) or "none"})',
                    hint=did_you_mean(pattern, known) or "name one of them with --container",
                )
            chosen.update((c.path, c) for c in matching if c.path not in chosen)
        return tuple(chosen.values())
    apps = tuple(c for c in apps if c.name not in PROXY_NAMES) or apps
    if rule == "all":
        return apps
    default = workload.annotations.get(DEFAULT_CONTAINER_ANNOTATION)
    return tuple(c for c in apps if c.name in former)[:1] or tuple(c for c in apps if c.name == default)[:1] or apps[:1]


def find_former_targets(workload: Workload, instance: Instance | None) -> frozenset[str]:
    """Return the containers that an instance gave mounts or variables, or whose port it serves; None if it is new.

    Mounts of an inherited volume do not count: another sidecar chose their containers.
    """
    if instance is None:
        return frozenset()
    mounted = {
        container
        for container, paths in instance.added.volume_mounts.items()
        for path in paths
        if workload.mounted_volumes.get((container, path)) not in instance.inherited
    }
    served = {front.upstream for front in instance.fronts}
    listening = (
        container.name
        for container in (workload.containers if served else ())
        for port in as_list(container.value.get("ports"))
        if isinstance(number := as_mapping(port).get("containerPort"), int) and number in served
    )
    return frozenset((*mounted, *instance.added.env)) or frozenset(listening)


def _matching(containers: tuple[Container, ...], pattern: str) -> list[Container]:
    return [c for c in containers if fnmatch.fnmatchcase(c.name, pattern)]


def build_template_inputs(
    workload: Workload,
    request: Request,
    mode: str,
    targets: tuple[Container, ...],
    companion: str,
    kube_version: str,
    record: Record = Record(),
) -> Inputs:
    """Return the inputs of a sidecar's template. It can ignore mounts that it did not see when it was added (`later`)."""
    later = _find_later_mounts(record, request.instance)
    return Inputs(
        instance=request.instance,
        companion=companion,
        workload={
            "kind": workload.kind,
            "name": workload.name,
            "namespace": workload.namespace,
            "labels": as_mapping(workload.metadata.get("labels")),
            "annotations": {k: v for k, v in workload.annotations.items() if k != RECORD_ANNOTATION},
        },
        targets=tuple(_describe_container(target, workload, later) for target in targets),
        containers=tuple(_describe_container(c, workload, later) for c in workload.containers if c.role == "app"),
        kube_version=kube_version,
        mode=mode,
    )


def _find_later_mounts(record: Record, instance: str) -> Collection[tuple[str, str]]:
    """Return the mounts, as container and path, of the sidecars that were added after an instance."""
    rank = record.rank(instance)
    if rank >= len(record.instances) - 1:
        return ()
    return {
        (container, key)
        for (items, container, key), owner in record.owners.items()
        if items == "volumeMounts" and record.rank(owner) > rank
    }


def _describe_container(container: Container, workload: Workload, later: Collection[tuple[str, str]]) -> dict[str, Any]:
    value = container.value
    return {
        "name": container.name,
        "image": value.get("image", ""),
        "runAsUser": _user(container, workload),
        "ports": [
            {"name": p.get("name", ""), "containerPort": p.get("containerPort"), "protocol": p.get("protocol", "TCP")}
            for p in as_list(value.get("ports"))
            if isinstance(p, dict)
        ],
        "env": [e.get("name", "") for e in as_list(value.get("env")) if isinstance(e, dict)],
        "mounts": [
            {
                "name": m.get("name", ""),
                "mountPath": m.get("mountPath", ""),
                "readOnly": bool(m.get("readOnly")),
                "subPath": m.get("subPath", ""),
                "later": (container.name, str(m.get("mountPath"))) in later,
            }
            for m in as_list(value.get("volumeMounts"))
            if isinstance(m, dict)
        ],
    }


def _user(container: Container, workload: Workload) -> int | None:
    """Return the user ID that the container runs as, or None if the image decides."""
    for holder in (container.value, workload.pod):
        user = as_mapping(holder.get("securityContext")).get("runAsUser")
        if isinstance(user, int):
            return user
    return None
