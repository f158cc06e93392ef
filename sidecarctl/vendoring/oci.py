"""Reads a library from an OCI image layout, as a directory or a tar file, as `oras` and `helm` write them.

A layer is a tar file (gzip or not), or a file that its title names; nothing is extracted. A child process with limits on time
and memory reads it, because damaged headers make `tarfile` run without end. See https://github.com/opencontainers/image-spec,
image-layout.md and manifest.md.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import InputError, SidecarctlError, UsageError
from sidecarctl.files.sources import read_small
from sidecarctl.kube.workload import as_mapping
from sidecarctl.report.terminal import visible
from sidecarctl.vendoring.library_files import TreeFile, choose_files

_LAYOUT_FILE = "oci-layout"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFEST_BYTES = 4 << 20
_DEPTH = 4
# Files that delete one of a lower layer, and all of a directory. See the image specification, layer.md.
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"

# Returns the content of a file of the layout.
_Read = Callable[[str], bytes]


def is_archive(path: Path) -> bool:
    """Return whether a path is an OCI image layout: a directory with the file oci-layout, or a regular file."""
    return path.is_file() or (path / _LAYOUT_FILE).is_file()


def read_archive(path: Path, below: str) -> tuple[str, dict[str, bytes]]:
    """Return the digest of the manifest, and the files of the library in the directory `below` of its layers.

    Raise InputError for an archive that is damaged, too large, or contains files that must not be copied, UsageError if it
    contains no sidecars.
    """
    from sidecarctl.limited_worker import LimitExceeded, run_limited

    try:
        answer = run_limited(_answer, (str(path), below))
    except LimitExceeded as problem:
        raise InputError(f"cannot read {path}: {problem}") from None
    if "damage" in answer:
        raise InputError(
            f"{path} is not an OCI image layout ({visible(answer['damage'])[:200]})",
            hint="write one with `oras copy --to-oci-layout`, or name a Git repository",
        )
    if "error" in answer:
        kind = UsageError if answer["usage"] else InputError
        raise kind(answer["error"], hint=answer["hint"])
    return answer["digest"], {name: base64.b64decode(data) for name, data in answer["files"].items()}


def _answer(argument: tuple[str, str]) -> dict[str, Any]:
    """Return the digest and the files, or why there are none, as JSON."""
    path, below = argument
    try:
        digest, files = _read_path(Path(path), below)
    except SidecarctlError as problem:
        return {"error": problem.message, "hint": problem.hint, "usage": isinstance(problem, UsageError)}
    except MemoryError:
        raise
    except Exception as problem:  # json, gzip, and tarfile raise all kinds of exceptions for damaged data
        return {"damage": f"{type(problem).__name__}: {problem}"}
    return {"digest": digest, "files": {name: base64.b64encode(data).decode() for name, data in files.items()}}


def _read_path(path: Path, below: str) -> tuple[str, dict[str, bytes]]:
    if path.is_dir():
        return _read_layout(lambda name: read_small(path / name, limits.FETCH_SIZE), str(path), below)
    with tarfile.open(path) as archive:
        members = {member.name.removeprefix("./"): member for member in _members(archive, str(path))}

        def read(name: str) -> bytes:
            stream = archive.extractfile(members[name])
            return limits.read_at_most(stream, limits.FETCH_SIZE.value + 1) if stream else b""

        return _read_layout(read, str(path), below)


def _members(archive: tarfile.TarFile, source: str) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(archive):
        if number > limits.LIBRARY_FILES.value * 2:
            raise InputError(f"{source}: the archive has too many files", hint=limits.LIBRARY_FILES.way_out)
        yield member


def _read_layout(read: _Read, source: str, below: str) -> tuple[str, dict[str, bytes]]:
    if json.loads(_limited(read(_LAYOUT_FILE), _MANIFEST_BYTES, source)).get("imageLayoutVersion") != "1.0.0":
        raise ValueError("unknown layout version")
    manifest, digest = _find_manifest(read, source)
    contents: dict[str, memoryview] = {}
    files: dict[str, TreeFile] = {}
    left = limits.FETCH_SIZE.value  # bytes of unpacked layers
    for layer in manifest["layers"]:
        data = _blob(read, layer["digest"], left, source)
        plain = _is_plain_file(layer, alone=len(manifest["layers"]) == 1)
        if not plain:
            data = _unpacked(data, left, source)
        left -= len(data)
        added = list(_layer_files(data, layer, source, plain=plain))
        for path in _deleted(files, [file.path for file, _ in added]):
            del files[path]
        for file, content in added:
            if not _base_name(file.path).startswith(_WHITEOUT):
                files[file.path], contents[file.path] = file, content
    prefix = f"{below}/" if below else ""
    inside = [
        TreeFile(file.path.removeprefix(prefix), file.mode, file.size, file.path)
        for file in files.values()
        if file.path.startswith(prefix)
    ]
    return digest, {file.path: contents[file.handle].tobytes() for file in choose_files(inside, source)}


def _deleted(files: Iterable[str], layer: Iterable[str]) -> list[str]:
    """Return the paths of lower layers that whiteouts of a layer delete: files, directories, and contents of directories."""
    gone, emptied = set(), set()
    for path in (posixpath.normpath(f"/{each}").lstrip("/") for each in layer):
        name = _base_name(path)
        directory = path.removesuffix(name)
        if name == _OPAQUE:
            emptied.add(directory)
        elif name.startswith(_WHITEOUT):
            gone.add(directory + name.removeprefix(_WHITEOUT))
    if not gone and not emptied:
        return []

    def is_deleted(path: str) -> bool:
        ends = [at for at, character in enumerate(path) if character == "/"]
        inside = "" in emptied or any(path[: end + 1] in emptied for end in ends)
        return inside or path in gone or any(path[:end] in gone for end in ends)

    return [path for path in files if is_deleted(path)]


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _find_manifest(read: _Read, source: str) -> tuple[Mapping[str, Any], str]:
    """Return the only manifest of the index and its digest, through nested indexes."""
    index: Mapping[str, Any] = json.loads(_limited(read("index.json"), _MANIFEST_BYTES, source))
    for _ in range(_DEPTH):
        entries = index["manifests"]
        if len(entries) != 1:
            raise InputError(
                f"{source} has {len(entries)} manifests; a library has one",
                hint="write the archive from one tag: `oras copy --to-oci-layout`",
            )
        entry = entries[0]
        data: Mapping[str, Any] = json.loads(_blob(read, entry["digest"], _MANIFEST_BYTES, source))
        if entry.get("mediaType") not in _INDEXES and "manifests" not in data:
            return data, entry["digest"]
        index = data
    raise ValueError("indexes are nested too deep")


def _blob(read: _Read, digest: str, most: int, source: str) -> bytes:
    """Return a blob whose content has the digest. Raise InputError for a different or too large one."""
    match = _DIGEST.match(digest)
    if not match:
        raise ValueError(f"unsupported digest {digest[:80]}")
    data = _limited(read(f"blobs/sha256/{match[1]}"), most, source)
    if hashlib.sha256(data).hexdigest() != match[1]:
        raise InputError(f"{source}: the content of {digest} does not match its digest", hint="get the archive again")
    return data


def _layer_files(
    data: bytes, layer: Mapping[str, Any], source: str, *, plain: bool
) -> Iterator[tuple[TreeFile, memoryview]]:
    """Yield the files of an unpacked layer: the members of a tar file, or one file that the layer's title names.

    Another layer, such as the signature of a chart, has none. Raise InputError for a tar file in a form that is not read.
    """
    view, kind, title = memoryview(data), _media_type(layer), _title(layer)
    if plain or not _is_tar(data):
        if _names_tar(kind) or not (kind or title):
            raise InputError(
                f"{source}: layer {layer['digest']} is not a tar file that can be read ({kind or 'no media type'})",
                hint="write its layers as tar or tar+gzip, in POSIX format",
            )
        if title:
            yield TreeFile(title, "100644", len(data), ""), view
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in _members(archive, source):
            if member.isdir():
                continue
            is_regular = member.isreg() and not member.issparse()
            mode = "100644" if is_regular else "120000" if member.issym() or member.islnk() else "0"
            content = view[member.offset_data :][: member.size if is_regular else 0]
            if is_regular and len(content) != member.size:
                raise ValueError("the archive ends early")
            yield TreeFile(member.name.removeprefix("./"), mode, len(content), ""), content
        # tarfile takes a truncated or damaged header for the end, which is a block of zeros.
        if data[archive.offset : archive.offset + tarfile.BLOCKSIZE] != bytes(tarfile.BLOCKSIZE):
            raise ValueError("the archive ends early")


def _is_plain_file(layer: Mapping[str, Any], *, alone: bool) -> bool:
    """Return whether a layer is a file that is stored as it is, also if it is a tar or gzip file: a titled one.

    Unpacked are those whose media type names tar, directories that oras packed, and a tar file that is the only layer.
    """
    title = _title(layer)
    packed = str(as_mapping(layer.get("annotations")).get("io.deis.oras.content.unpack", "")) == "true"
    whole = alone and title.endswith((".tar", ".tgz", ".tar.gz"))
    return bool(title) and not packed and not whole and not _names_tar(_media_type(layer))


def _title(layer: Mapping[str, Any]) -> str:
    return str(as_mapping(layer.get("annotations")).get("org.opencontainers.image.title", ""))


def _media_type(layer: Mapping[str, Any]) -> str:
    return str(layer.get("mediaType", ""))


def _names_tar(media_type: str) -> bool:
    return not {"tar", "x-tar", "x-gtar", "tgz", "x-tgz"}.isdisjoint(re.split(r"[./+]", media_type))


def _unpacked(data: bytes, most: int, source: str) -> bytes:
    """Return the content of a gzip file, other data as it is. Raise InputError if it is too large."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    with gzip.open(io.BytesIO(data)) as stream:
        return _limited(limits.read_at_most(stream, most + 1), most, source)


def _limited(data: bytes, most: int, source: str) -> bytes:
    if len(data) > most:
        raise InputError(f"{source}: the layers are too large", hint=limits.FETCH_SIZE.way_out)
    return data


def _is_tar(data: bytes) -> bool:
    # The empty layer that image builders write is only the end of a tar file: two or more blocks of zeros.
    return data[257:262] == b"ustar" or (len(data) >= 2 * tarfile.BLOCKSIZE and not data.strip(b"\0"))
