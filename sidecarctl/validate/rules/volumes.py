"""Rules about volumes as such: their names, and that each has exactly one source."""

from __future__ import annotations

from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.parts import chosen, listed, strange
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import PodView

# In the order in which the API server looks at them: of two, the later one is too many.
SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs",
    "iscsi", "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte",
    "downwardAPI", "fc", "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk",
    "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_KNOWN = frozenset(("name", *SOURCES))


@rule(
    "volume-name",
    Severity.ERROR,
    needs=("volumes",),
    fix='Use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends.',
)
def volume_name(pod: PodView, ctx: Context) -> Problems:
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
    "volume-source",
    Severity.ERROR,
    needs=("volumes",),
    fix="Leave one source, or make two volumes of it.",
)
def volume_source(pod: PodView, ctx: Context) -> Problems:
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
    "sourceless-volume",
    Severity.WARNING,
    needs=("volumes",),
    fix="Give the volume a source; for an empty directory write `emptyDir: {}`.",
)
def sourceless_volume(pod: PodView, ctx: Context) -> Problems:
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
    "image-volume-gate",
    Severity.WARNING,
    needs=("volumes",),
    since="1.31",
    until="1.34",
    given=Context("1.33"),
    fix="Use Kubernetes 1.35, or switch on the feature gate ImageVolume.",
)
def image_volume_gate(pod: PodView, ctx: Context) -> Problems:
    """A volume comes from an image on a Kubernetes where that is off.

    Before 1.35 the API server drops such volumes and their mounts without a word unless ImageVolume is switched on.
    """
    for index, volume in listed(pod.value, "volumes"):
        if volume.get("image") is not None and not enabled("image-volume", ctx.kube_version):
            message = f"Kubernetes {ctx.kube_version} drops the volume and its mounts unless ImageVolume is switched on"
            yield problem(pod.at("volumes", index, "image"), message, on_key=True)
