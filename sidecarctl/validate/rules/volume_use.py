"""Rules about what volumes cost: those that nobody uses, and those that may grow without bound."""

from __future__ import annotations

from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube.podresources import effective_limits
from sidecarctl.kube.quantity import nano, readable, resource_amount
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.mounting import RUNNING, SIDECARS, mounts_of
from sidecarctl.validate.parts import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView


@rule(
    "unused-volume",
    Severity.WARNING,
    layer="advice",
    fix="Mount it, or remove it.",
)
def unused_volume(pod: PodView, ctx: Context) -> Problems:
    """No container mounts a volume of the pod.

    The pod waits for it all the same: a claim that is missing or a secret that nobody made keeps it from starting.

    Volumes that an annotation names are left alone: who injects containers may mount them.
    """
    volumes = listed(pod.value, "volumes")
    claims = listed(as_mapping(pod.object.value.get("spec")), "volumeClaimTemplates") if pod.object.value else ()
    if not (volumes or claims) or not pod.containers:
        return
    used = set()
    for container in pod.containers:
        for field in ("volumeMounts", "volumeDevices"):
            if not isinstance(container.value.get(field), (list, type(None))):
                # Mounts that are written wrong are said to be; what they were to mount can't be told.
                return
            used.update(
                [name for _, item in listed(container.value, field) if isinstance(name := item.get("name"), str)]
            )
    for index, volume in volumes:
        name = volume.get("name")
        if isinstance(name, str) and name and name not in used and not _annotated(pod, name):
            yield problem(pod.at("volumes", index, "name"), f"no container mounts the volume {quote(name)}")
    for index, claim in claims:
        name = as_mapping(claim.get("metadata")).get("name")
        if isinstance(name, str) and name and name not in used and not _annotated(pod, name):
            path = pod.object.at("spec", "volumeClaimTemplates", index, "metadata", "name")
            yield problem(path, f"no container mounts the volume {quote(name)} that is claimed for each pod")


def _annotated(pod: PodView, name: str) -> bool:
    return any(name in str(text) for text in as_mapping(pod.metadata.value.get("annotations")).values())


@rule(
    "unbounded-emptydir",
    Severity.INFO,
    layer="advice",
    fix="Give the emptyDir a sizeLimit.",
)
def unbounded_emptydir(pod: PodView, ctx: Context) -> Problems:
    """An emptyDir has no sizeLimit.

    It can fill the disk of its node, and then pods of others are evicted too. One in memory counts against the memory
    of the container that writes, which is killed.

    It is a warning where a sidecar shares the volume: what one writes and another takes away grows without end when
    the other stands still. A limit of the pod's ephemeral storage bounds those on disk.
    """
    for index, volume in listed(pod.value, "volumes"):
        source = volume.get("emptyDir")
        if not isinstance(source, dict) or source.get("sizeLimit") not in (None, "", 0, "0"):
            continue
        in_memory = source.get("medium") == "Memory"
        if not in_memory and effective_limits(pod.value, ctx.kube_version).get("ephemeral-storage"):
            continue
        shared = any(mounts_of(pod, volume.get("name"), *SIDECARS))
        kind = "emptyDir in memory" if in_memory else "emptyDir"
        yield problem(
            pod.at("volumes", index, "emptyDir"),
            f"the {kind} {quote(volume.get('name'))} has no sizeLimit",
            severity=Severity.WARNING if shared else None,
        )


@rule(
    "memory-emptydir-over-limit",
    Severity.WARNING,
    layer="advice",
    fix="Lower the sizeLimit, or raise the memory limit of the container that writes by it.",
)
def memory_emptydir_over_limit(pod: PodView, ctx: Context) -> Problems:
    """An emptyDir in memory may grow larger than the memory of those who write to it.

    What is written to it counts as memory of the container that writes: long before the volume is full the container
    is killed.
    """
    for index, volume in listed(pod.value, "volumes"):
        source = volume.get("emptyDir")
        if not isinstance(source, dict) or source.get("medium") != "Memory" or not source.get("sizeLimit"):
            continue
        size = nano(source["sizeLimit"])
        writers = [mount.container for mount in mounts_of(pod, volume.get("name"), *RUNNING) if mount.writes]
        limits = [_memory_limit(container, ctx) for container in writers]
        known = [limit for limit in limits if limit]
        if size is not None and known and len(known) == len(limits) and size >= max(known):
            largest = writers[limits.index(max(known))]
            path = largest.at("resources", "limits", "memory")
            yield problem(
                pod.at("volumes", index, "emptyDir", "sizeLimit"),
                f"{readable(size, 'memory')} do not fit into the {readable(max(known), 'memory')} of {quote(largest.name)}",
                related=(Related("its memory limit", path),),
            )


def _memory_limit(container: ContainerView, ctx: Context) -> int | None:
    """Return how much memory a container can have: its own limit or the pod's, whichever is smaller."""
    own = resource_amount(container.get("resources", "limits", "memory"))
    pod = resource_amount(container.pod.get("resources", "limits", "memory"))
    if pod is None or not enabled("pod-level-resources", ctx.kube_version):
        return own
    return pod if own is None else min(own, pod)
