"""Rules about volumes as such: their names, and that each has exactly one source."""

from __future__ import annotations

from sidecarctl.errors import did_you_mean
from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import chosen, listed, strange, volumes_by_name
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

# In the order in which the API server looks at them: of two, the later one is too many.
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
    fix='Use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends.',
)
def invalid_volume_name(pod: PodView, ctx: Context) -> Problems:
    """A volume's name is no DNS label.

    The name becomes that of a folder on the node; the API server refuses other names.
    """
    for index, volume in listed(pod.value, "volumes"):
        name = volume.get("name")
        if isinstance(name, str) and (fault := names.dns_label(name)):
            yield problem(pod.at("volumes", index, "name"), f"{quote(name)} is no name for a volume: it {fault}")


@rule(
    "duplicate-volume-name",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give each volume a name of its own.",
)
def duplicate_volume_name(pod: PodView, ctx: Context) -> Problems:
    """Two volumes of a pod have the same name.

    A mount names its volume, so the API server refuses names that stand for two.
    """
    volumes = listed(pod.value, "volumes")
    if len(volumes) < 2:
        return
    seen: dict[str, int] = {}
    for index, volume in volumes:
        name = volume.get("name")
        if name and isinstance(name, str) and seen.setdefault(name, index) != index:
            related = (Related("the first", pod.at("volumes", seen[name], "name")),)
            message = f"another volume is called {quote(name)} too"
            yield problem(pod.at("volumes", index, "name"), message, related=related)


@rule(
    "multiple-volume-sources",
    Severity.ERROR,
    needs=("volumes",),
    fix="Leave one source, or make two volumes of it.",
)
def multiple_volume_sources(pod: PodView, ctx: Context) -> Problems:
    """A volume has more than one source.

    The API server refuses it: nobody could tell what is in the volume.
    """
    for index, volume in listed(pod.value, "volumes"):
        if len(volume) > 2:
            found = chosen(volume, SOURCES)
            for late in found[1:]:
                message = f"the volume has a source already: {found[0]}"
                yield problem(pod.at("volumes", index, late), message, on_key=True)


@rule(
    "volume-without-source",
    Severity.WARNING,
    needs=("volumes",),
    fix="Give the volume a source; for an empty directory write `emptyDir: {}`.",
)
def volume_without_source(pod: PodView, ctx: Context) -> Problems:
    """A volume has no source.

    The API server makes it an empty directory without a word, also where a source is named and nothing stands behind it.
    """
    for index, volume in listed(pod.value, "volumes"):
        # What nearly all volumes are: a name and one source.
        if len(volume) == 2 and None not in volume.values():
            continue
        if "emptyDir" not in volume and not strange(volume, _KNOWN) and not chosen(volume, SOURCES):
            empty = next((key for key in SOURCES if key in volume), "")
            because = f", since {empty} has no value" if empty else ""
            message = f"the volume has no source{because}; it becomes an empty directory"
            yield problem(pod.at("volumes", index), message)


@rule(
    "image-volume-disabled",
    Severity.WARNING,
    needs=("volumes",),
    since="1.31",
    until="1.34",
    given=Context("1.33"),
    fix="Use Kubernetes 1.35, or switch on the feature gate ImageVolume.",
)
def image_volume_disabled(pod: PodView, ctx: Context) -> Problems:
    """A volume comes from an image on a Kubernetes where that is off.

    Before 1.35 the API server drops such volumes and their mounts without a word unless ImageVolume is switched on.
    """
    for index, volume in listed(pod.value, "volumes"):
        if volume.get("image") is not None and not enabled("image-volume", ctx.kube_version):
            message = f"Kubernetes {ctx.kube_version} drops the volume and its mounts unless ImageVolume is switched on"
            yield problem(pod.at("volumes", index, "image"), message, on_key=True)


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
    "invalid-sub-path",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Use one relative path without .. in it.",
)
def invalid_sub_path(container: ContainerView, ctx: Context) -> Problems:
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
    "invalid-mount-propagation",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    fix="Use HostToContainer, or make the container privileged.",
)
def invalid_mount_propagation(container: ContainerView, ctx: Context) -> Problems:
    """A container that is not privileged propagates its mounts to the node.

    What it mounts would outlive it on the node, so the API server allows Bidirectional to privileged containers only.
    """
    for index, mount in listed(container.value, "volumeMounts"):
        if mount.get("mountPropagation") == "Bidirectional":
            if as_mapping(container.value.get("securityContext")).get("privileged") is not True:
                where = container.at("volumeMounts", index, "mountPropagation")
                yield problem(where, "only a privileged container can propagate its mounts to the node")


@rule(
    "invalid-recursive-read-only",
    Severity.ERROR,
    needs=("volumeMounts",),
    scope="container",
    since="1.31",
    fix="Add `readOnly: true`, and leave mountPropagation out.",
)
def invalid_recursive_read_only(container: ContainerView, ctx: Context) -> Problems:
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
    "invalid-volume-device",
    Severity.ERROR,
    needs=("volumeDevices",),
    scope="container",
    fix="Use a claim of a block volume, once, at a device path that nothing else has.",
)
def invalid_volume_device(container: ContainerView, ctx: Context) -> Problems:
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
