"""Rules about the users who share a volume: whether they can read what is in it."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.mounting import RUNNING, SIDECARS, Mount, mounts_of
from sidecarctl.validate.parts import listed, volumes_by_name
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

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
