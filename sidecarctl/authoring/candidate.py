"""A container that may be a sidecar, and what belongs to it in its pod. Values that look like secrets are masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.inject.targets import choose_targets
from sidecarctl.kube.secret_values import mask_values
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping
from sidecarctl.results import field_text
from sidecarctl.yamltext.edits import identical

# The mode of a sidecar by the role of its container.
MODES: Mapping[str, str] = {"sidecar": "native", "app": "classic"}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A container that may be a sidecar, with the volumes, app mounts, and targets that belong to it."""

    file: str
    workload: Workload
    container: Container
    targets: tuple[str, ...] = ()
    volumes: tuple[Any, ...] = ()
    mounts: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def image(self) -> str:
        """The image reference, with a secret in it masked."""
        return str(self.shape.get("image", ""))

    @property
    def mode(self) -> str:
        """The mode: native or classic."""
        return MODES[self.container.role]

    @cached_property
    def _masked(self) -> tuple[dict[str, Any], tuple[PathTuple, ...]]:
        value = {k: v for k, v in self.container.value.items() if k not in ("name", "restartPolicy")}
        return mask_values(value)

    @property
    def shape(self) -> dict[str, Any]:
        """The container without its name, without fields that the mode sets, and with secrets masked."""
        return self._masked[0]

    @property
    def secrets(self) -> tuple[PathTuple, ...]:
        """The paths of masked values in the container."""
        return self._masked[1]

    @property
    def after_init(self) -> bool:
        """True for a native sidecar after an ordinary init container."""
        path = self.container.path
        before = as_list(self.workload.pod.get("initContainers"))[: int(path[-1])] if path[-2] != "containers" else []
        return any(as_mapping(c).get("restartPolicy") != "Always" for c in before)


def add_shared_parts(found: Candidate) -> Candidate:
    """Add the volumes of the container, and the app mounts of an emptyDir that only both use, with secrets masked."""
    own, pod = found.container, found.workload.pod
    # Exclude the sidecar from the app containers, also if it is listed first.
    without_sidecar = replace(found.workload, classic=found.workload.classic | {own.name})
    others = [c for c in without_sidecar.containers if c.path != own.path]
    default = choose_targets(without_sidecar, (), "default")
    apps = [c for c in others if c.role == "app"]
    used = {str(as_mapping(m).get("name")) for m in as_list(own.value.get("volumeMounts"))}
    volumes: list[Any] = []
    shared: dict[str, list[Any]] = {}
    notes: list[str] = []
    for volume in as_list(pod.get("volumes")):
        name = as_mapping(volume).get("name")
        if not isinstance(name, str) or name not in used:
            continue
        app_mounts = {c.name: mounts for c in others if (mounts := _mounts_of(c, name))}
        if app_mounts and ("emptyDir" not in volume or not set(app_mounts) <= {c.name for c in apps}):
            notes.append(f'volume "{name}" is not included: the app uses it')
            continue
        volumes.append(volume)
        for container, mounts in app_mounts.items():
            shared.setdefault(container, []).extend(mounts)
    lists = list(shared.values())
    if any(not identical(lists[0], other) for other in lists[1:]):
        notes.append("shared volumes are not included: the app containers mount them differently")
        kept = {m.get("name") for mounts in lists for m in mounts}
        volumes, shared = [v for v in volumes if v["name"] not in kept], {}
    targets = tuple(shared) if shared and set(shared) != {c.name for c in default} else ()
    given, secret_mounts = mask_values(next(iter(shared.values()), []))
    masked, secret_volumes = mask_values(volumes)
    held = (("volumes", secret_volumes), ("app.volumeMounts", secret_mounts))
    notes += (
        f"{what}{field_text(path)} was not copied: it looks like a secret" for what, paths in held for path in paths
    )
    return replace(found, targets=targets, volumes=tuple(masked), mounts=tuple(given), notes=tuple(notes))


def _mounts_of(container: Container, volume: str) -> list[Any]:
    return [m for m in as_list(container.value.get("volumeMounts")) if as_mapping(m).get("name") == volume]
