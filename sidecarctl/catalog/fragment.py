"""The fragment: what a template renders to, checked, as data. Knows no engine and no workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sidecarctl.catalog.json_schema import Problem, problems
from sidecarctl.catalog.sidecar import schema
from sidecarctl.errors import LibraryError
from sidecarctl.lazy_dataclass import dataclass

Item = Mapping[str, Any]


@dataclass(frozen=True)
class Fragment:
    """What goes into the pod, and the companion documents. Plain data, shared between renderings: never change it.

    `volume_mounts` and `env` are for the targeted app containers, `annotations`, `labels`, `security_context`,
    `termination_grace_period_seconds` (a minimum, in seconds) and `share_process_namespace` for the pod.
    """

    containers: tuple[Item, ...] = ()
    init_containers: tuple[Item, ...] = ()
    volumes: tuple[Item, ...] = ()
    volume_mounts: tuple[Item, ...] = ()
    env: tuple[Item, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    termination_grace_period_seconds: int | None = None
    share_process_namespace: bool = False
    documents: tuple[Item, ...] = ()


def checked(value: object, where: str) -> dict[str, Any]:
    """Return what a template rendered, without its empty parts, if it is a fragment; raise LibraryError if not.

    A key without a value (`volumes:` with nothing under it, as a loop over nothing leaves it) counts as absent.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        noun = "a list" if isinstance(value, list) else "a single value"
        raise LibraryError(
            f"the template renders {noun}, not a fragment",
            where=where,
            hint="a fragment is a mapping: containers, initContainers, volumes, app, pod, documents",
        )
    fragment = _without_nulls(value)
    found = fragment_problems(fragment)
    if found:
        text = "; ".join(str(problem) for problem in found[:5])
        raise LibraryError(
            f"the template renders no valid fragment: {text}",
            where=where,
            hint="`sidecarctl schema fragment` prints what may stand in it",
        )
    return fragment


def fragment_problems(value: object) -> list[Problem]:
    """Return what the schema of fragments, and two containers or volumes of one name, find wrong with `value`."""
    found = problems(schema("fragment"), value)
    return found or [*_twins(value, ("containers", "initContainers")), *_twins(value, ("volumes",))]


def _twins(value: Any, keys: tuple[str, ...]) -> list[Problem]:
    seen: set[str] = set()
    found = []
    for key in keys:
        for index, item in enumerate(value.get(key, ())):
            if item["name"] in seen:
                found.append(Problem((key, index, "name"), f"the name {item['name']!r} is used twice"))
            seen.add(item["name"])
    return found


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    result = {}
    for key, part in value.items():
        if key in ("app", "pod") and isinstance(part, dict):
            part = {name: inner for name, inner in part.items() if inner is not None}
        elif key in ("containers", "initContainers") and isinstance(part, list):
            part = [_lean(item) for item in part]
        if part is not None:
            result[key] = part
    return result


def _lean(item: object) -> object:
    return {k: v for k, v in item.items() if v is not None} if isinstance(item, dict) else item


def build(value: Mapping[str, Any]) -> Fragment:
    """Return the Fragment of a checked mapping."""
    app, pod = value.get("app", {}), value.get("pod", {})
    return Fragment(
        containers=tuple(value.get("containers", ())),
        init_containers=tuple(value.get("initContainers", ())),
        volumes=tuple(value.get("volumes", ())),
        volume_mounts=tuple(app.get("volumeMounts", ())),
        env=tuple(app.get("env", ())),
        annotations=pod.get("annotations", {}),
        labels=pod.get("labels", {}),
        security_context=pod.get("securityContext", {}),
        termination_grace_period_seconds=pod.get("terminationGracePeriodSeconds"),
        share_process_namespace=pod.get("shareProcessNamespace", False),
        documents=tuple(value.get("documents", ())),
    )
