"""Rules about what volumes cost: those that nobody uses, and those that may grow without bound."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.pod_resources import effective_limits
from sidecarctl.kube.quantity import format_readable, parse_quantity, parse_resource_amount
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import RUNNING, SIDECARS, Mount, listed, mounts_of, volumes_by_name
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView


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
        size = parse_quantity(source["sizeLimit"])
        writers = [mount.container for mount in mounts_of(pod, volume.get("name"), *RUNNING) if mount.writes]
        limits = [_memory_limit(container, ctx) for container in writers]
        known = [limit for limit in limits if limit]
        if size is not None and known and len(known) == len(limits) and size >= max(known):
            largest = writers[limits.index(max(known))]
            path = largest.at("resources", "limits", "memory")
            yield problem(
                pod.at("volumes", index, "emptyDir", "sizeLimit"),
                f"{format_readable(size, 'memory')} do not fit into the "
                f"{format_readable(max(known), 'memory')} of {quote(largest.name)}",
                related=(Related("its memory limit", path),),
            )


def _memory_limit(container: ContainerView, ctx: Context) -> int | None:
    """Return how much memory a container can have: its own limit or the pod's, whichever is smaller."""
    own = parse_resource_amount(container.get("resources", "limits", "memory"))
    pod = parse_resource_amount(container.pod.get("resources", "limits", "memory"))
    if pod is None or not enabled("pod-level-resources", ctx.kube_version):
        return own
    return pod if own is None else min(own, pod)


# Volumes whose files belong to who wrote them, so that fsGroup matters.
_WRITTEN = ("emptyDir", "persistentVolumeClaim", "ephemeral")
_OWNED_BY_ROOT = ("secret", "configMap", "downwardAPI", "projected")
_MODES = frozenset(("defaultMode", "items", "sources"))
_OTHERS_READ, _GROUP_READS = 0o004, 0o040


@rule(
    "uid-cannot-read-shared-volume",
    Severity.WARNING,
    layer="advice",
    fix="Set the pod's securityContext.fsGroup, or let both run as the same user.",
)
def uid_cannot_read_shared_volume(pod: PodView, ctx: Context) -> Problems:
    """A sidecar shares a volume with a container of another user, and the pod has no fsGroup.

    Files belong to the user who wrote them. Where the writer keeps them from others, as logs and keys often are, the
    other container can't read them; it can never change them. With an fsGroup both share a group that may.

    Only containers whose users are known, by `runAsUser` of the container or the pod, are compared.
    """
    own = as_mapping(pod.value.get("securityContext"))
    if own.get("fsGroup") is not None or own.get("supplementalGroups") or not _users_differ(pod, own):
        return
    for name, volume in volumes_by_name(pod).items():
        if any(volume.get(source) is not None for source in _WRITTEN):
            mounts = list(mounts_of(pod, name, *RUNNING))
            yield from _strangers(mounts, own)


def _users_differ(pod: PodView, own: Data) -> bool:
    """True where containers that run together are told to run as different users; most pods are done here."""
    if len(pod.containers) < 2:
        return False
    users = {_user(container, own) for container in pod.containers if container.role in RUNNING}
    return len(users - {None}) > 1


def _strangers(mounts: list[Mount], own: Data) -> Problems:
    """Yield each mount of a container that another user's container writes to, once for each."""
    told: set[frozenset[str]] = set()
    # Those who only read come first: they are who can't.
    for reader in sorted(mounts, key=lambda mount: (mount.writes, mount.container.role == "app")):
        uid = _user(reader.container, own)
        for writer in mounts:
            other = _user(writer.container, own)
            pair = frozenset((reader.container.name, writer.container.name))
            if not writer.writes or pair in told or len(pair) == 1 or uid in (None, 0) or other in (None, uid):
                continue
            if not {reader.container.role, writer.container.role} & {*SIDECARS} or _same_group(reader, writer, own):
                continue
            told.add(pair)
            yield problem(
                reader.path,
                f"user {uid} may not be able to read what {quote(writer.container.name)} writes as user {other}",
                related=(Related("who writes", writer.path),),
            )


def _user(container: ContainerView, own: Data, field: str = "runAsUser") -> int | None:
    """Return the user (or by `field` the group) that a container is told to run as."""
    context = as_mapping(container.value.get("securityContext"))
    found = context.get(field) if context.get(field) is not None else own.get(field)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _same_group(one: Mount, two: Mount, own: Data) -> bool:
    group = _user(one.container, own, "runAsGroup")
    return group is not None and group == _user(two.container, own, "runAsGroup")


@rule(
    "unreadable-volume-file",
    Severity.ERROR,
    layer="advice",
    fix="Set the pod's securityContext.fsGroup, which lets its group read the files.",
)
def unreadable_volume_file(pod: PodView, ctx: Context) -> Problems:
    """Files of a secret or config map are for root alone, and the container runs as another user.

    They belong to root: with a mode like 0400 nobody else can open them. An fsGroup gives them to a group that may
    read.
    """
    volumes = listed(pod.value, "volumes")
    if not volumes:
        return
    own = as_mapping(pod.value.get("securityContext"))
    if own.get("fsGroup") is not None or pod.text("os", "name") == "windows":
        return
    for index, volume in volumes:
        for kind in _OWNED_BY_ROOT:
            source = volume.get(kind)
            if not source or not isinstance(source, dict) or not source.keys() & _MODES:
                continue
            # Tokens get the mode that their user needs.
            if any("serviceAccountToken" in as_mapping(one) for one in _sources(source)):
                continue
            for mode, path in _closed(source, pod.at("volumes", index, kind)):
                barred = [m for m in mounts_of(pod, volume.get("name")) if _user(m.container, own) not in (None, 0)]
                for mount in barred[:1]:
                    yield problem(
                        path,
                        f"with the mode {mode:04o} only root reads it, "
                        f"and {quote(mount.container.name)} runs as user {_user(mount.container, own)}",
                        related=(Related("its mount", mount.path),),
                    )


def _sources(source: Data) -> list[object]:
    return as_list(source.get("sources"))


def _closed(source: Data, path: PathTuple) -> Iterator[tuple[int, PathTuple]]:
    """Yield the modes in a volume's source that let neither group nor others read."""
    if _closes(source.get("defaultMode")):
        yield source["defaultMode"], (*path, "defaultMode")
    for index, item in listed(source, "items"):
        if _closes(item.get("mode")):
            yield item["mode"], (*path, "items", index, "mode")
    for number, one in enumerate(_sources(source)):
        for kind, part in as_mapping(one).items():
            if isinstance(part, dict):
                yield from _closed(part, (*path, "sources", number, kind))


def _closes(mode: object) -> bool:
    return mode.__class__ is int and isinstance(mode, int) and not mode & (_OTHERS_READ | _GROUP_READS)
