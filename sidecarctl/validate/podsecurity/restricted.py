"""The checks of the level restricted, one function each: what hardens a container. Most must be said, not only left."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.parts import listed
from sidecarctl.validate.podsecurity.reading import CONTEXT, Breach, context, contexts, own_contexts
from sidecarctl.validate.views import PodView

_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
_OTHER_VOLUMES = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
]
_SECCOMP = ("RuntimeDefault", "Localhost")


def privilege_escalation(pod: PodView) -> Iterator[Breach]:
    """Every container says that its processes may not get more rights than it has."""
    for container, own in own_contexts(pod):
        value = own.get("allowPrivilegeEscalation")
        if value is None or value is True:
            state = "not set" if value is None else "true"
            yield Breach(container.at(CONTEXT, "allowPrivilegeEscalation"), f"allowPrivilegeEscalation is {state}")


def capabilities(pod: PodView) -> Iterator[Breach]:
    """Every container drops all capabilities, and adds at most that of binding to low ports."""
    for container, own in own_contexts(pod):
        found = own.get("capabilities")
        if found is not None and not isinstance(found, dict):
            continue
        drop, add = as_mapping(found).get("drop"), as_mapping(found).get("add")
        if drop is None or (isinstance(drop, list) and "ALL" not in drop):
            where = container.at(CONTEXT, "capabilities", "drop")
            yield Breach(where, "the container does not drop ALL capabilities")
        for index, name in enumerate(add if isinstance(add, list) else ()):
            if isinstance(name, str) and name != "NET_BIND_SERVICE":
                where = container.at(CONTEXT, "capabilities", "add", index)
                yield Breach(where, f"the container adds the capability {name}")


def volume_types(pod: PodView) -> Iterator[Breach]:
    """Volumes are of types that need no rights on the node; one without a source is an emptyDir."""
    for index, volume in listed(pod.value, "volumes"):
        if any(volume.get(source) is not None for source in volume if source in _VOLUMES):
            continue
        source = next((source for source in _OTHER_VOLUMES if volume.get(source) is not None), None)
        if source is not None:
            yield Breach(pod.at("volumes", index, source), f"the volume {volume.get('name')} is of the type {source}")


def run_as_non_root(pod: PodView) -> Iterator[Breach]:
    """Every container, or the pod for those that don't say, runs as a user other than root.

    Of a pod that says false this is the breach, whatever its containers say; those that say nothing follow from it.
    """
    said = (context(pod) or {}).get("runAsNonRoot")
    if said is False:
        yield Breach(pod.at(CONTEXT, "runAsNonRoot"), "runAsNonRoot is false for the pod")
    for container, own in own_contexts(pod):
        value = own.get("runAsNonRoot")
        if value is False or (value is None and said is None):
            state = "not set, neither here nor for the pod" if value is None else "false"
            yield Breach(container.at(CONTEXT, "runAsNonRoot"), f"runAsNonRoot is {state}")


def run_as_user(pod: PodView) -> Iterator[Breach]:
    """Nobody asks for user 0."""
    for holder, own in contexts(pod):
        value = own.get("runAsUser")
        if value.__class__ is int and value == 0:
            yield Breach(holder.at(CONTEXT, "runAsUser"), "runAsUser is 0, which is root")


def seccomp(pod: PodView) -> Iterator[Breach]:
    """Every container, or the pod for those that don't say, has a seccomp profile.

    Of a pod that has a wrong one this is the breach; containers that say nothing follow from it.
    """
    for holder, own in contexts(pod):
        kind = as_mapping(own.get("seccompProfile")).get("type")
        if isinstance(kind, str) and kind not in _SECCOMP:
            yield Breach(holder.at(CONTEXT, "seccompProfile", "type"), f"the seccomp profile is {kind}")
    if (context(pod) or {}).get("seccompProfile") is not None:
        return
    for container, own in own_contexts(pod):
        if own.get("seccompProfile") is None:
            where = container.at(CONTEXT, "seccompProfile")
            yield Breach(where, "no seccomp profile is set, neither here nor for the pod")
