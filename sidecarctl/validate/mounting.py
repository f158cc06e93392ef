"""Which containers mount a volume, and whether they write to it. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple
from sidecarctl.lazily import dataclass
from sidecarctl.validate.parts import listed
from sidecarctl.validate.views import ContainerView, PodView

SIDECARS = ("sidecar", "classic")
RUNNING = ("app", *SIDECARS)


@dataclass(frozen=True)
class Mount:
    """A container's mount of a volume."""

    container: ContainerView
    path: PathTuple
    writes: bool


def mounts_of(pod: PodView, name: object, *roles: str) -> Iterator[Mount]:
    """Yield the mounts of a volume by containers of these roles, all roles where none is given."""
    for container in pod.containers:
        if roles and container.role not in roles:
            continue
        for index, mount in listed(container.value, "volumeMounts"):
            if mount.get("name") == name:
                yield Mount(container, container.at("volumeMounts", index), mount.get("readOnly") is not True)
