"""Rules about volumes: unused, without a size limit, or unreadable for a container."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.pod_resources import effective_limits
from sidecarctl.kube.quantity import format_readable, parse_quantity, parse_resource_amount
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import RUNNING, SIDECARS, Mount, listed, mounts_of, pod_volumes, volumes_by_name
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView


@rule(
    "unused-volume",
    Severity.WARNING,
    layer="advice",
    fix="Mount the volume or remove it.",
)
def unused_volume(pod: PodView, ctx: Context) -> Problems:
    """A volume of the pod is not mounted by any container.

    The pod still waits for the volume: a missing PersistentVolumeClaim or Secret keeps it from starting.

    Volumes that an annotation of the pod mentions are not reported: an injected container can mount them.
    """
    volumes = pod_volumes(pod)
    claims = listed(as_mapping(pod.object.value.get("spec")), "volumeClaimTemplates") if pod.object.value else ()
    if not (volumes or claims) or not pod.containers:
        return
    used = set()
    for container in pod.containers:
        for field in ("volumeMounts", "volumeDevices"):
            if not isinstance(container.value.get(field), (list, type(None))):
                # Malformed mounts are reported as such, and what they mount is unknown.
                return
            used.update(
                [name for _, item in listed(container.value, field) if isinstance(name := item.get("name"), str)]
            )
    for index, volume in volumes:
        name = volume.get("name")
        if isinstance(name, str) and name and name not in used and not _mentioned_in_annotations(pod, name):
            yield problem(pod.at("volumes", index, "name"), f"unused volume {quote(name)}")
    for index, claim in claims:
        name = as_mapping(claim.get("metadata")).get("name")
        if isinstance(name, str) and name and name not in used and not _mentioned_in_annotations(pod, name):
            path = pod.object.at("spec", "volumeClaimTemplates", index, "metadata", "name")
            yield problem(path, f"unused volume claim template {quote(name)}")


def _mentioned_in_annotations(pod: PodView, name: str) -> bool:
    return any(name in str(text) for text in as_mapping(pod.metadata.value.get("annotations")).values())


@rule(
    "unbounded-emptydir",
    Severity.INFO,
    layer="advice",
    on=False,
    fix="Set emptyDir.sizeLimit.",
)
def unbounded_emptydir(pod: PodView, ctx: Context) -> Problems:
    """An emptyDir volume that no sidecar mounts has no sizeLimit.

    The volume can fill the disk of the node, and other pods are evicted. A volume in memory counts toward the memory
    limit of the container that writes to it, which is then killed. An ephemeral-storage limit also limits volumes on
    disk.
    """
    yield from _unbounded(pod, ctx, shared=False)


@rule(
    "unbounded-shared-emptydir",
    Severity.WARNING,
    layer="advice",
    fix="Set emptyDir.sizeLimit.",
)
def unbounded_shared_emptydir(pod: PodView, ctx: Context) -> Problems:
    """An emptyDir volume that a sidecar mounts has no sizeLimit.

    If one container writes and another one removes the data, the volume grows without limit as soon as the other
    container hangs. It fills the disk of the node, or the memory limit of the container that writes to it. An
    ephemeral-storage limit also limits volumes on disk.
    """
    yield from _unbounded(pod, ctx, shared=True)


def _unbounded(pod: PodView, ctx: Context, shared: bool) -> Problems:
    limited: bool | None = None
    for index, volume in pod_volumes(pod):
        source = volume.get("emptyDir")
        if not isinstance(source, dict) or source.get("sizeLimit") not in (None, "", 0, "0"):
            continue
        in_memory = source.get("medium") == "Memory"
        if not in_memory:
            if limited is None:
                limited = bool(effective_limits(pod.value, ctx.kube_version).get("ephemeral-storage"))
            if limited:
                continue
        if bool(mounts_of(pod, volume.get("name"), *SIDECARS)) is shared:
            kind = "emptyDir in memory" if in_memory else "emptyDir"
            yield problem(pod.at("volumes", index, "emptyDir"), f"{kind} {quote(volume.get('name'))} has no sizeLimit")


@rule(
    "memory-emptydir-over-limit",
    Severity.WARNING,
    layer="advice",
    fix="Lower sizeLimit, or raise the memory limit of the container by the same size.",
)
def memory_emptydir_over_limit(pod: PodView, ctx: Context) -> Problems:
    """The sizeLimit of an emptyDir in memory reaches the memory limit of its containers.

    Data in the volume counts toward the memory limit of the container that writes it. The container is killed
    before the volume is full.
    """
    for index, volume in pod_volumes(pod):
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
                f"sizeLimit {format_readable(size, 'memory')} does not fit in the memory limit of container {quote(largest.name)} "
                f"({format_readable(max(known), 'memory')})",
                related=(Related("memory limit", path),),
            )


def _memory_limit(container: ContainerView, ctx: Context) -> int | None:
    """Return the memory limit of a container: its own or that of the pod, whichever is smaller."""
    own = parse_resource_amount(container.get("resources", "limits", "memory"))
    pod = parse_resource_amount(container.pod.get("resources", "limits", "memory"))
    if pod is None or not enabled("pod-level-resources", ctx.kube_version):
        return own
    return pod if own is None else min(own, pod)


# Volume types whose files belong to the user who writes them unless fsGroup is set.
_WRITABLE = ("emptyDir", "persistentVolumeClaim", "ephemeral")
_OWNED_BY_ROOT = ("secret", "configMap", "downwardAPI", "projected")
_MODE_FIELDS = frozenset(("defaultMode", "items", "sources"))
_OTHERS_READ, _GROUP_READS = 0o004, 0o040


@rule(
    "uid-cannot-read-shared-volume",
    Severity.WARNING,
    layer="advice",
    on=False,
    fix="Set securityContext.fsGroup of the pod, or run both containers as the same user.",
)
def uid_cannot_read_shared_volume(pod: PodView, ctx: Context) -> Problems:
    """A sidecar shares a volume with a container of another user, and the pod has no fsGroup.

    Files belong to the user who writes them. The other container cannot change them, and it cannot read files that are
    private to their owner, as logs and keys often are. With fsGroup, both containers share a group with access.

    Only containers with a known user are compared, from `runAsUser` of the container or the pod. Most programs write
    files that all users can read.
    """
    own = as_mapping(pod.value.get("securityContext"))
    if own.get("fsGroup") is not None or own.get("supplementalGroups") or not _users_differ(pod, own):
        return
    for name, volume in volumes_by_name(pod).items():
        if any(volume.get(source) is not None for source in _WRITABLE):
            mounts = list(mounts_of(pod, name, *RUNNING))
            yield from _user_mismatches(mounts, own)


def _users_differ(pod: PodView, own: Data) -> bool:
    """Return True if containers of the pod run as different users: a fast filter."""
    if len(pod.containers) < 2:
        return False
    users = {_user(container, own) for container in pod.containers if container.role in RUNNING}
    return len(users - {None}) > 1


def _user_mismatches(mounts: list[Mount], own: Data) -> Problems:
    """Yield a problem for each pair of containers that share a volume as different users."""
    reported: set[frozenset[str]] = set()
    # Containers that only read come first, so that the problem is reported at their mount.
    for reader in sorted(mounts, key=lambda mount: (mount.writes, mount.container.role == "app")):
        uid = _user(reader.container, own)
        for writer in mounts:
            other = _user(writer.container, own)
            pair = frozenset((reader.container.name, writer.container.name))
            if not writer.writes or pair in reported or len(pair) == 1 or uid in (None, 0) or other in (None, uid):
                continue
            if not {reader.container.role, writer.container.role} & {*SIDECARS} or _same_group(reader, writer, own):
                continue
            reported.add(pair)
            yield problem(
                reader.path,
                f"user {uid} may be unable to read files that container {quote(writer.container.name)} writes as user {other}",
                related=(Related("writer", writer.path),),
            )


def _user(container: ContainerView, own: Data, field: str = "runAsUser") -> int | None:
    """Return runAsUser, or another `field` of the security context, of a container or its pod; None if not set."""
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
    fix="Set securityContext.fsGroup of the pod, so that the group of the container can read the files.",
)
def unreadable_volume_file(pod: PodView, ctx: Context) -> Problems:
    """Only root can read the files of a volume, and the container runs as another user.

    Files of ConfigMap, Secret, downward API, and projected volumes belong to root. With a mode such as 0400, no other
    user can read them. With fsGroup, the files belong to a group that can read them.
    """
    volumes = pod_volumes(pod)
    if not volumes:
        return
    own = as_mapping(pod.value.get("securityContext"))
    if own.get("fsGroup") is not None or pod.text("os", "name") == "windows":
        return
    for index, volume in volumes:
        for kind in _OWNED_BY_ROOT:
            source = volume.get(kind)
            if not source or not isinstance(source, dict) or not source.keys() & _MODE_FIELDS:
                continue
            # The kubelet sets the mode of service account tokens to suit the user.
            if any("serviceAccountToken" in as_mapping(one) for one in _sources(source)):
                continue
            for mode, path in _root_only_modes(source, pod.at("volumes", index, kind)):
                blocked = [m for m in mounts_of(pod, volume.get("name")) if _user(m.container, own) not in (None, 0)]
                for mount in blocked[:1]:
                    yield problem(
                        path,
                        f"mode {mode:04o} allows only root to read the file, "
                        f"but container {quote(mount.container.name)} runs as user {_user(mount.container, own)}",
                        related=(Related("mount", mount.path),),
                    )


def _sources(source: Data) -> list[object]:
    return as_list(source.get("sources"))


def _root_only_modes(source: Data, path: PathTuple) -> Iterator[tuple[int, PathTuple]]:
    """Yield the modes in a volume source that let neither the group nor others read, with their paths."""
    if _is_root_only(source.get("defaultMode")):
        yield source["defaultMode"], (*path, "defaultMode")
    for index, item in listed(source, "items"):
        if _is_root_only(item.get("mode")):
            yield item["mode"], (*path, "items", index, "mode")
    for number, one in enumerate(_sources(source)):
        for kind, part in as_mapping(one).items():
            if isinstance(part, dict):
                yield from _root_only_modes(part, (*path, "sources", number, kind))


def _is_root_only(mode: object) -> bool:
    return mode.__class__ is int and isinstance(mode, int) and not mode & (_OTHERS_READ | _GROUP_READS)
