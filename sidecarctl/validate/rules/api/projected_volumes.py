"""Rules about files in volumes: modes, paths, and projected sources."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.fields import (
    Sources,
    listed,
    outside,
    present_keys,
    sources_of_type,
    volume_sources,
)
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.projected_certificates import CERTIFICATE_FILES
from sidecarctl.validate.views import Data, PodView

_OF_FILES = ("secret", "configMap", "downwardAPI")
_LARGEST_MODE = 0o777


@rule(
    "invalid-file-mode",
    Severity.ERROR,
    needs=("volumes",),
    fix="Use an octal mode with a leading zero (0644), or a decimal number up to 511. JSON supports only decimal numbers.",
)
def invalid_file_mode(pod: PodView, ctx: Context) -> Problems:
    """A file mode of a volume is out of range.

    A mode is a number from 0 to 0777, which is 511. Without the leading zero the number is decimal: 755 is 01363, which
    the API server rejects.
    """
    for source, where in _file_sources(pod):
        holders = [(source, "defaultMode", where)]
        holders += [(item, "mode", (*where, "items", index)) for index, item in listed(source, "items")]
        for holder, field, at in holders:
            mode = holder.get(field)
            if mode.__class__ is int and not 0 <= mode <= _LARGEST_MODE:
                meant = f"0{mode}" if str(mode).isdigit() and set(str(mode)) <= set("01234567") else ""
                hint = f"Use {meant}, which is {int(meant, 8)}." if meant and int(meant, 8) <= _LARGEST_MODE else ""
                yield problem((*at, field), f"invalid file mode {mode} (octal {mode:o}): use 0 to 0777", help=hint)


@rule(
    "invalid-volume-item",
    Severity.ERROR,
    needs=("volumes",),
    fix="Use a relative path inside the volume, without `..`.",
)
def invalid_volume_item(pod: PodView, ctx: Context) -> Problems:
    """Invalid key or path of a volume item.

    Item paths are relative to the volume. The API server rejects empty keys, absolute paths, paths that contain "..",
    and paths that start with "..".
    """
    for source, where in _file_sources(pod):
        for index, item in listed(source, "items"):
            at = (*where, "items", index)
            if item.get("key") == "":
                yield problem((*at, "key"), "key is empty")
            path = item.get("path")
            if isinstance(path, str) and (fault := outside(path)):
                yield problem((*at, "path"), f"invalid path {quote(path)}: {fault}")


@rule(
    "invalid-host-path",
    Severity.ERROR,
    needs=("volumes",),
    fix="Remove `..` from the path. For NFS, use an absolute path.",
)
def invalid_host_path(pod: PodView, ctx: Context) -> Problems:
    """Invalid path of a hostPath, nfs, or gitRepo volume.

    The API server rejects ".." in a hostPath because it can escape allowed directories, a relative path on an NFS
    server, and a Git directory outside the volume.
    """
    found = volume_sources(pod)
    for kind, field in (("hostPath", "path"), ("nfs", "path"), ("gitRepo", "directory")):
        for source, where in found.get(kind, ()):
            path = source.get(field)
            if not path or not isinstance(path, str):
                continue
            if kind != "nfs" and ".." in path.split("/"):
                yield problem((*where, field), f'invalid path {quote(path)}: ".." is not allowed')
            elif path[0] != "/" and kind == "nfs":
                yield problem((*where, field), f"invalid path {quote(path)}: use an absolute path")
            elif path[0] == "/" and kind == "gitRepo":
                yield problem((*where, field), f"invalid directory {quote(path)}: use a relative path")


def _file_sources(pod: PodView) -> Sources:
    """Return the volume sources that hold files, including projected ones."""
    return [
        *volume_sources(pod).get("projected", ()),
        *(item for kind in _OF_FILES for item in sources_of_type(pod, kind)),
    ]


# The last two have been on by default since the same version.
_KINDS = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 2**32


@rule(
    "invalid-projected-source",
    Severity.ERROR,
    needs=("volumes",),
    fix="Make each source its own list item.",
)
def invalid_projected_source(pod: PodView, ctx: Context) -> Problems:
    """An item of a projected volume has more than one source.

    Each item of `sources` holds exactly one source. The API server rejects more. It drops sources whose feature is off.
    """
    kinds = _KINDS if enabled("pod-certificate", ctx.kube_version) else _KINDS[:-2]
    for projected, where in volume_sources(pod).get("projected", ()):
        for number, source in listed(projected, "sources"):
            found = present_keys(source, kinds)
            if len(found) > 1:
                yield problem((*where, "sources", number), f"multiple projected sources: {', '.join(found)}")


@rule(
    "projected-path-conflict",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give each file a unique path.",
)
def projected_path_conflict(pod: PodView, ctx: Context) -> Problems:
    """Two files of a projected volume have the same path.

    One file would hide the other, so the API server rejects the pod.
    """
    for projected, where in volume_sources(pod).get("projected", ()):
        seen: dict[str, PathTuple] = {}
        for number, source in listed(projected, "sources"):
            for path, at in _paths(source, (*where, "sources", number), ctx):
                first = seen.setdefault(path, at)
                if first != at:
                    related = (Related("first used here", first),)
                    yield problem(at, f"duplicate file path {quote(path)}", related=related)


def _paths(source: Data, where: PathTuple, ctx: Context) -> Iterator[tuple[str, PathTuple]]:
    """Yield the paths that the API server compares; token paths are not compared."""
    for kind in ("secret", "configMap", "downwardAPI"):
        part = source.get(kind)
        if isinstance(part, dict):
            for index, item in listed(part, "items"):
                path = item.get("path")
                if path and isinstance(path, str):
                    yield path, (*where, kind, "items", index, "path")
    if enabled("pod-certificate", ctx.kube_version):
        for kind, fields in (("clusterTrustBundle", ("path",)), ("podCertificate", CERTIFICATE_FILES)):
            part = source.get(kind)
            if isinstance(part, dict):
                for field in fields:
                    path = part.get(field)
                    if path and isinstance(path, str):
                        yield path, (*where, kind, field)


@rule(
    "invalid-service-account-token",
    Severity.ERROR,
    needs=("volumes",),
    fix="Use a relative path, and an expiration from 600 to 4294967296 seconds.",
)
def invalid_service_account_token(pod: PodView, ctx: Context) -> Problems:
    """Invalid path or expiration of a projected service account token.

    Tokens are valid for at least 10 minutes. Since Kubernetes 1.30 the API server also rejects paths outside the
    volume.
    """
    for token, where in sources_of_type(pod, "serviceAccountToken"):
        seconds = token.get("expirationSeconds")
        if seconds.__class__ is int and not _SHORTEST_TOKEN <= seconds <= _LONGEST_TOKEN:
            limit = f"minimum: {_SHORTEST_TOKEN}" if seconds < _SHORTEST_TOKEN else f"maximum: {_LONGEST_TOKEN}"
            yield problem((*where, "expirationSeconds"), f"invalid expirationSeconds {seconds} ({limit})")
        path = token.get("path")
        if isinstance(path, str) and (fault := outside(path)) and (ctx.since("1.30") or not path):
            yield problem((*where, "path"), f"invalid path {quote(path)}: {fault}")
