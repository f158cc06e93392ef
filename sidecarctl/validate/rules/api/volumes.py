"""Rules about volumes, volume mounts, and block devices of a pod."""

from __future__ import annotations

from sidecarctl.errors import Suggester
from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import has_unknown_keys, listed, pod_volumes, present_keys, volumes_by_name
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

# In the order in which the API server checks them; it reports the later of two.
SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs",
    "iscsi", "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte",
    "downwardAPI", "fc", "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk",
    "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_KNOWN = frozenset(("name", *SOURCES))


@rule(
    "invalid-volume-name",
    Severity.ERROR,
    needs=("volumes",),
    fix="Use at most 63 lowercase letters, digits, and hyphens. Start and end with a letter or digit.",
)
def invalid_volume_name(pod: PodView, ctx: Context) -> Problems:
    """A volume name is not a DNS label.

    The API server rejects the pod: the kubelet uses the name for a directory on the node.
    """
    for index, volume in pod_volumes(pod):
        name = volume.get("name")
        if isinstance(name, str) and (fault := names.check_dns_label(name)):
            yield problem(pod.at("volumes", index, "name"), f"invalid volume name {quote(name)}: {fault}")


@rule(
    "duplicate-volume-name",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give each volume a unique name.",
)
def duplicate_volume_name(pod: PodView, ctx: Context) -> Problems:
    """Two volumes in a pod have the same name.

    Mounts refer to volumes by name, so the API server rejects duplicates.
    """
    volumes = pod_volumes(pod)
    if len(volumes) < 2:
        return
    seen: dict[str, int] = {}
    for index, volume in volumes:
        name = volume.get("name")
        if name and isinstance(name, str) and seen.setdefault(name, index) != index:
            related = (Related("first defined here", pod.at("volumes", seen[name], "name")),)
            message = f"duplicate volume name {quote(name)}"
            yield problem(pod.at("volumes", index, "name"), message, related=related)


@rule(
    "multiple-volume-sources",
    Severity.ERROR,
    needs=("volumes",),
    fix="Keep one source, or split the volume in two.",
)
def multiple_volume_sources(pod: PodView, ctx: Context) -> Problems:
    """A volume has more than one source.

    A volume has exactly one source. The API server rejects any other.
    """
    for index, volume in pod_volumes(pod):
        if len(volume) > 2:
            found = present_keys(volume, SOURCES)
            for late in found[1:]:
                message = f"multiple volume sources: {found[0]} and {late}"
                yield problem(pod.at("volumes", index, late), message, on_key=True)


@rule(
    "volume-without-source",
    Severity.WARNING,
    needs=("volumes",),
    fix="Set a volume source. For an empty directory, use `emptyDir: {}`.",
)
def volume_without_source(pod: PodView, ctx: Context) -> Problems:
    """A volume has no source.

    The API server silently turns it into an empty directory, even if a source is named but has no value.
    """
    for index, volume in pod_volumes(pod):
        # Fast path: a name and one source.
        if len(volume) == 2 and None not in volume.values():
            continue
        if "emptyDir" not in volume and not has_unknown_keys(volume, _KNOWN) and not present_keys(volume, SOURCES):
            empty = next((key for key in SOURCES if key in volume), "")
            reason = f" ({empty} has no value)" if empty else ""
            yield problem(pod.at("volumes", index), f"volume without a source becomes an empty directory{reason}")


@rule(
    "image-volume-disabled",
    Severity.WARNING,
    needs=("volumes",),
    since="1.31",
    until="1.34",
    given=Context("1.33"),
    fix="Use Kubernetes 1.35, or enable the feature gate ImageVolume.",
)
def image_volume_disabled(pod: PodView, ctx: Context) -> Problems:
    """Image volumes are disabled in the target Kubernetes version.

    Before Kubernetes 1.35 the API server silently drops image volumes and their mounts unless the feature gate
    ImageVolume is enabled.
    """
    for index, volume in pod_volumes(pod):
        if volume.get("image") is not None and not enabled("image-volume", ctx.kube_version):
            message = (
                f"Kubernetes {ctx.kube_version} drops image volumes and their mounts unless ImageVolume is enabled"
            )
            yield problem(pod.at("volumes", index, "image"), message, on_key=True)


_CLAIMS = ("persistentVolumeClaim", "ephemeral")


@rule(
    "unknown-volume",
    Severity.ERROR,
    fix="Add the volume to the pod, or use an existing volume.",
)
def unknown_volume(pod: PodView, ctx: Context) -> Problems:
    """A container mounts a volume that the pod does not have.

    The API server rejects the pod. The volumeClaimTemplates of a StatefulSet count as volumes. Before Kubernetes 1.37
    the API server accepts such a StatefulSet, and then rejects each of its pods.
    """
    known: dict[str, Data] | None = None
    suggester = Suggester()
    for container in pod.containers:
        for field in ("volumeMounts", "volumeDevices"):
            for index, mount in listed(container.value, field):
                name = mount.get("name")
                if not isinstance(name, str):
                    continue
                if known is None:
                    known = volumes_by_name(pod)
                if not name:
                    yield problem(container.at(field, index, "name"), "missing volume name")
                elif name not in known:
                    message = f"unknown volume {quote(name)}"
                    yield problem(
                        container.at(field, index, "name"), message, help=_hint(suggester.did_you_mean(name, known))
                    )


def _hint(meant: str) -> str:
    return f"{meant[:1].upper()}{meant[1:]}" if meant else ""


@rule(
    "duplicate-mount-path",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Remove one of the mounts, or change its mountPath.",
)
def duplicate_mount_path(container: ContainerView, ctx: Context) -> Problems:
    """A container mounts two volumes at the same path.

    One mount would hide the other, so the API server rejects the pod.
    """
    mounts = listed(container.value, "volumeMounts")
    if len(mounts) < 2:
        return
    seen: dict[str, int] = {}
    for index, mount in mounts:
        path = mount.get("mountPath")
        if path and isinstance(path, str) and seen.setdefault(path, index) != index:
            related = (Related("first used here", container.at("volumeMounts", seen[path], "mountPath")),)
            message = f"duplicate mountPath {quote(path)}"
            yield problem(container.at("volumeMounts", index, "mountPath"), message, related=related)


@rule(
    "invalid-sub-path",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Set either subPath or subPathExpr, to a relative path without `..`.",
)
def invalid_sub_path(container: ContainerView, ctx: Context) -> Problems:
    """Invalid subPath of a volume mount.

    A subPath is a path inside the volume. The API server rejects absolute paths, paths that contain "..", and a mount
    with both subPath and subPathExpr.
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
                yield problem(where, f"invalid {field} {quote(path)}: use a relative path")
            elif ".." in path.split("/"):
                yield problem(where, f'invalid {field} {quote(path)}: ".." is not allowed')
            elif field == "subPathExpr" and mount.get("subPath"):
                yield problem(where, "both subPath and subPathExpr are set")


@rule(
    "invalid-mount-propagation",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Use HostToContainer, or make the container privileged.",
)
def invalid_mount_propagation(container: ContainerView, ctx: Context) -> Problems:
    """A container that is not privileged uses Bidirectional mount propagation.

    With Bidirectional, mounts that the container creates appear on the node, so the API server accepts it only for
    privileged containers.
    """
    for index, mount in listed(container.value, "volumeMounts"):
        if mount.get("mountPropagation") == "Bidirectional":
            if as_mapping(container.value.get("securityContext")).get("privileged") is not True:
                where = container.at("volumeMounts", index, "mountPropagation")
                yield problem(where, "mountPropagation: Bidirectional requires a privileged container")


@rule(
    "invalid-recursive-read-only",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    since="1.31",
    fix="Add `readOnly: true`, and remove mountPropagation.",
)
def invalid_recursive_read_only(container: ContainerView, ctx: Context) -> Problems:
    """A recursively read-only mount is not read-only or propagates mounts.

    The API server accepts recursiveReadOnly only with `readOnly: true` and without mountPropagation.
    """
    for index, mount in listed(container.value, "volumeMounts"):
        if mount.get("recursiveReadOnly") not in ("Enabled", "IfPossible"):
            continue
        where = container.at("volumeMounts", index, "recursiveReadOnly")
        if mount.get("readOnly") is not True:
            yield problem(where, "recursiveReadOnly requires readOnly: true")
        elif mount.get("mountPropagation") not in (None, "None"):
            yield problem(where, "recursiveReadOnly conflicts with mountPropagation")


@rule(
    "invalid-volume-device",
    Severity.ERROR,
    needs=("volumeDevices",),
    scope="container",
    fix="Use the claim of a block volume, once, with a unique devicePath.",
)
def invalid_volume_device(container: ContainerView, ctx: Context) -> Problems:
    """Invalid block device of a container.

    Only claims can be block devices. The API server rejects other volumes, a volume or path that is used twice or also
    mounted, empty paths, and paths that contain "..".
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
                yield problem(where, f"duplicate volume device {quote(name)}")
            elif name in taken_names:
                yield problem(where, f"volume {quote(name)} is both a device and a mount of the container")
            elif source is not None and all(source.get(kind) is None for kind in _CLAIMS):
                yield problem(where, f"volume {quote(name)} is not a claim and can't be a device")
            seen_names.add(name)
        if isinstance(path, str):
            where = container.at("volumeDevices", index, "devicePath")
            if not path:
                yield problem(where, "device path is empty")
            elif ".." in path.split("/"):
                yield problem(where, f'invalid devicePath {quote(path)}: ".." is not allowed')
            elif path in seen_paths or path in taken_paths:
                yield problem(where, f"duplicate path {quote(path)}")
            seen_paths.add(path)
