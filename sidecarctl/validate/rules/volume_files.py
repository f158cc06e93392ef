"""Rules about the files and folders of volumes: modes, paths, keys that become files."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.validate.parts import Sources, listed, projections, sources
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import PodView

_OF_FILES = ("secret", "configMap", "downwardAPI")
_LARGEST_MODE = 0o777


@rule(
    "file-mode",
    Severity.ERROR,
    needs=("volumes",),
    fix="Write the mode in octal, with a leading zero (0644), or as a decimal number up to 511; JSON takes decimal only.",
)
def file_mode(pod: PodView, ctx: Context) -> Problems:
    """The mode of a volume's files is out of range.

    A mode goes from 0 to 0777, which is 511. A number without the leading zero is decimal: 755 is 01363, which the API
    server refuses.
    """
    for source, where in _file_sources(pod):
        holders = [(source, "defaultMode", where)]
        holders += [(item, "mode", (*where, "items", index)) for index, item in listed(source, "items")]
        for holder, field, at in holders:
            mode = holder.get(field)
            if mode.__class__ is int and not 0 <= mode <= _LARGEST_MODE:
                meant = f"0{mode}" if str(mode).isdigit() and set(str(mode)) <= set("01234567") else ""
                hint = f"Write {meant}, which is {int(meant, 8)}." if meant and int(meant, 8) <= _LARGEST_MODE else ""
                yield problem((*at, field), f"{mode} is no mode; it is octal {mode:o}", help=hint)


@rule(
    "volume-item",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give each item a path in the volume: relative, and without .. in it or in front.",
)
def volume_item(pod: PodView, ctx: Context) -> Problems:
    """A file of a volume lies outside of it, or has no key or path.

    Paths of items begin at the volume, wherever that is mounted. The API server refuses absolute paths, ".." and names
    that begin with it.
    """
    for source, where in _file_sources(pod):
        for index, item in listed(source, "items"):
            at = (*where, "items", index)
            if item.get("key") == "":
                yield problem((*at, "key"), "the key is empty")
            path = item.get("path")
            if isinstance(path, str) and (fault := outside(path)):
                yield problem((*at, "path"), f"the path {quote(path)} {fault}")


@rule(
    "host-path",
    Severity.ERROR,
    needs=("volumes",),
    fix="Write the path without ..; where it is mounted from NFS, make it absolute.",
)
def host_path(pod: PodView, ctx: Context) -> Problems:
    """The path of a hostPath, nfs or gitRepo volume is one that the API server refuses.

    It refuses ".." in the path of a hostPath, which could lead out of what is allowed, a relative path on an NFS server,
    and a directory for a Git repository outside of the volume.
    """
    found = sources(pod)
    for kind, field in (("hostPath", "path"), ("nfs", "path"), ("gitRepo", "directory")):
        for source, where in found.get(kind, ()):
            path = source.get(field)
            if not path or not isinstance(path, str):
                continue
            if kind != "nfs" and ".." in path.split("/"):
                yield problem((*where, field), f'the path {quote(path)} must not contain ".."')
            elif path[0] != "/" and kind == "nfs":
                yield problem((*where, field), f"the path {quote(path)} must be absolute")
            elif path[0] == "/" and kind == "gitRepo":
                yield problem((*where, field), f"the directory {quote(path)} must be relative")


def outside(path: str) -> str:
    """Say why a path does not lie in a volume, "" where it does; as the server's ValidateLocalNonReservedPath."""
    if not path:
        return "is empty"
    if path[0] == "/":
        return "must be relative"
    if ".." in path.split("/"):
        return 'must not contain ".."'
    return 'must not begin with ".."' if path.startswith("..") else ""


def _file_sources(pod: PodView) -> Sources:
    """Return the sources that hold files, those projected into one volume included."""
    return [*sources(pod).get("projected", ()), *(one for kind in _OF_FILES for one in projections(pod, kind))]
