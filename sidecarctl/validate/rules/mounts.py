"""Rules about what containers mount: volumes that are there, paths that are free, sub-paths, block devices."""

from __future__ import annotations

from sidecarctl.errors import did_you_mean
from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.parts import listed, volumes_by_name
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_CLAIMS = ("persistentVolumeClaim", "ephemeral")


@rule(
    "unknown-volume",
    Severity.ERROR,
    fix="Add the volume to the pod, or name one that it has.",
)
def unknown_volume(pod: PodView, ctx: Context) -> Problems:
    """A container mounts a volume that the pod does not have.

    The API server refuses it. The claim templates of a StatefulSet count as volumes. Before Kubernetes 1.37 a StatefulSet
    is taken as it is, and each of its pods is refused.
    """
    known: dict[str, Data] | None = None
    for container in pod.containers:
        for field in ("volumeMounts", "volumeDevices"):
            for index, mount in listed(container.value, field):
                name = mount.get("name")
                if not isinstance(name, str):
                    continue
                if known is None:
                    known = volumes_by_name(pod)
                if not name:
                    yield problem(container.at(field, index, "name"), "it does not say which volume")
                elif name not in known:
                    message = f"the pod has no volume {quote(name)}"
                    yield problem(container.at(field, index, "name"), message, help=_hint(name, known))


def _hint(name: str, known: dict[str, Data]) -> str:
    meant = did_you_mean(name, known)
    return f"{meant[:1].upper()}{meant[1:]}" if meant else ""


@rule(
    "duplicate-mount-path",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Remove one, or give it a path of its own.",
)
def duplicate_mount_path(container: ContainerView, ctx: Context) -> Problems:
    """A container mounts two volumes at the same path.

    One would hide the other; the API server refuses it.
    """
    mounts = listed(container.value, "volumeMounts")
    if len(mounts) < 2:
        return
    seen: dict[str, int] = {}
    for index, mount in mounts:
        path = mount.get("mountPath")
        if path and isinstance(path, str) and seen.setdefault(path, index) != index:
            related = (Related("the first", container.at("volumeMounts", seen[path], "mountPath")),)
            message = f"another volume is mounted at {quote(path)} too"
            yield problem(container.at("volumeMounts", index, "mountPath"), message, related=related)


@rule(
    "sub-path",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Use one relative path without .. in it.",
)
def sub_path(container: ContainerView, ctx: Context) -> Problems:
    """A mount's subPath leads out of the volume, or there are two.

    It is a path in the volume: the API server refuses absolute ones and "..", and subPathExpr beside subPath.
    """
    for index, mount in listed(container.value, "volumeMounts"):
        if "subPath" not in mount and "subPathExpr" not in mount:
            continue
        for field in ("subPath", "subPathExpr"):
            path = mount.get(field)
            if not path or not isinstance(path, str):
                continue
            where = container.at("volumeMounts", index, field)
            if path[0] == "/":
                yield problem(where, f"the {field} {quote(path)} must be relative")
            elif ".." in path.split("/"):
                yield problem(where, f'the {field} {quote(path)} must not contain ".."')
            elif field == "subPathExpr" and mount.get("subPath"):
                yield problem(where, "there can't be both a subPath and a subPathExpr")


@rule(
    "mount-propagation",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Use HostToContainer, or make the container privileged.",
)
def mount_propagation(container: ContainerView, ctx: Context) -> Problems:
    """A container that is not privileged propagates its mounts to the node.

    What it mounts would outlive it on the node, so the API server allows Bidirectional to privileged containers only.
    """
    for index, mount in listed(container.value, "volumeMounts"):
        if mount.get("mountPropagation") == "Bidirectional":
            if as_mapping(container.value.get("securityContext")).get("privileged") is not True:
                where = container.at("volumeMounts", index, "mountPropagation")
                yield problem(where, "only a privileged container can propagate its mounts to the node")


@rule(
    "recursive-read-only",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    since="1.31",
    fix="Add `readOnly: true`, and leave mountPropagation out.",
)
def recursive_read_only(container: ContainerView, ctx: Context) -> Problems:
    """A mount is to be read-only recursively, but not read-only, or its mounts propagate.

    The API server takes recursiveReadOnly only beside `readOnly: true` and without mountPropagation.
    """
    for index, mount in listed(container.value, "volumeMounts"):
        if mount.get("recursiveReadOnly") not in ("Enabled", "IfPossible"):
            continue
        where = container.at("volumeMounts", index, "recursiveReadOnly")
        if mount.get("readOnly") is not True:
            yield problem(where, "a mount that is not readOnly can't be read-only recursively")
        elif mount.get("mountPropagation") not in (None, "None"):
            yield problem(where, "a mount that propagates can't be read-only recursively")


@rule(
    "volume-device",
    Severity.ERROR,
    needs=("volumeDevices",),
    scope="container",
    fix="Use a claim of a block volume, once, at a device path that nothing else has.",
)
def volume_device(container: ContainerView, ctx: Context) -> Problems:
    """A container uses a volume as a block device in a way that is not possible.

    Only claims can be devices. The API server refuses other volumes, a volume or path used twice, as a mount too, and
    empty paths and "..".
    """
    devices = listed(container.value, "volumeDevices")
    if not devices:
        return
    volumes = volumes_by_name(container.pod)
    mounts = listed(container.value, "volumeMounts")
    taken_names = {mount["name"] for _, mount in mounts if isinstance(mount.get("name"), str)}
    taken_paths = {mount["mountPath"] for _, mount in mounts if isinstance(mount.get("mountPath"), str)}
    seen_names: set[str] = set()
    seen_paths: set[str] = set()
    for index, device in devices:
        name, path = device.get("name"), device.get("devicePath")
        if isinstance(name, str) and name:
            where = container.at("volumeDevices", index, "name")
            source = volumes.get(name)
            if name in seen_names:
                yield problem(where, f"the volume {quote(name)} is a device of this container already")
            elif name in taken_names:
                yield problem(where, f"the volume {quote(name)} is mounted in this container already")
            elif source is not None and all(source.get(kind) is None for kind in _CLAIMS):
                yield problem(where, f"the volume {quote(name)} is no claim, so it can't be a device")
            seen_names.add(name)
        if isinstance(path, str):
            where = container.at("volumeDevices", index, "devicePath")
            if not path:
                yield problem(where, "the path of the device is empty")
            elif ".." in path.split("/"):
                yield problem(where, f'the path {quote(path)} must not contain ".."')
            elif path in seen_paths or path in taken_paths:
                yield problem(where, f"something is at {quote(path)} already")
            seen_paths.add(path)
