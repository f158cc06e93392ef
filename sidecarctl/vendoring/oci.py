"""Reads a library from an OCI image layout, as a directory or a tar file, as `oras` and `helm` write them.

Each layer that is a tar file (gzip or not) is read; nothing is extracted. See https://github.com/opencontainers/image-spec,
image-layout.md and manifest.md.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import InputError
from sidecarctl.report.terminal import visible
from sidecarctl.vendoring.library_files import TreeFile, choose_files

_LAYOUT_FILE = "oci-layout"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})\Z")
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFEST_BYTES = 4 << 20
_DEPTH = 4
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, tarfile.TarError, zlib.error)

# Returns at most the given number of bytes of a file of the layout.
_Read = Callable[[str, int], bytes]


def is_archive(path: Path) -> bool:
    """Return whether a path is an OCI image layout: a directory with the file oci-layout, or a regular file."""
    return path.is_file() or (path / _LAYOUT_FILE).is_file()


def read_archive(path: Path, below: str) -> tuple[str, dict[str, bytes]]:
    """Return the digest of the manifest, and the files of the library in the directory `below` of its layers.

    Raise InputError for an archive that is damaged, too large, or contains files that must not be copied.
    """
    try:
        if path.is_dir():
            return _read_layout(lambda name, most: _read_file(path / name, most), str(path), below)
        with tarfile.open(path) as archive:
            members = {member.name.removeprefix("./"): member for member in _members(archive, str(path))}

            def read(name: str, most: int) -> bytes:
                stream = archive.extractfile(members[name])
                return stream.read(most + 1) if stream else b""

            return _read_layout(read, str(path), below)
    except _UNREADABLE as problem:
        what = f"{type(problem).__name__}: {problem}"
        raise InputError(
            f"{path} is not an OCI image layout ({visible(what)[:200]})",
            hint="write one with `oras copy --to-oci-layout`, or name a Git repository",
        ) from None


def _read_file(file: Path, most: int) -> bytes:
    with file.open("rb") as stream:
        return stream.read(most + 1)


def _members(archive: tarfile.TarFile, source: str) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(archive):
        if number > limits.LIBRARY_FILES.value * 2:
            raise InputError(f"{source}: the archive has too many files", hint=limits.LIBRARY_FILES.way_out)
        yield member


def _read_layout(read: _Read, source: str, below: str) -> tuple[str, dict[str, bytes]]:
    if json.loads(read(_LAYOUT_FILE, _MANIFEST_BYTES)).get("imageLayoutVersion") != "1.0.0":
        raise ValueError("unknown layout version")
    manifest, digest = _find_manifest(read, source)
    contents: dict[str, bytes] = {}
    files: dict[str, TreeFile] = {}
    for layer in manifest["layers"]:
        data = _blob(read, layer["digest"], limits.FETCH_SIZE.value, source)
        title = str(layer.get("annotations", {}).get("org.opencontainers.image.title", ""))
        for file, content in _layer_files(data, title, source):
            files[file.path], contents[file.path] = file, content
    prefix = f"{below}/" if below else ""
    inside = [
        TreeFile(file.path.removeprefix(prefix), file.mode, file.size, file.path)
        for file in files.values()
        if file.path.startswith(prefix)
    ]
    return digest, {file.path: contents[file.handle] for file in choose_files(inside, source)}


def _find_manifest(read: _Read, source: str) -> tuple[Mapping[str, Any], str]:
    """Return the only manifest of the index and its digest, through nested indexes."""
    index: Mapping[str, Any] = json.loads(read("index.json", _MANIFEST_BYTES))
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
    data = read(f"blobs/sha256/{match[1]}", most)
    if len(data) > most:
        raise InputError(f"{source}: a layer is too large", hint=limits.FETCH_SIZE.way_out)
    if hashlib.sha256(data).hexdigest() != match[1]:
        raise InputError(f"{source}: the content of {digest} does not match its digest", hint="get the archive again")
    return data


def _layer_files(data: bytes, title: str, source: str) -> Iterator[tuple[TreeFile, bytes]]:
    """Yield the files of a layer: the members of a tar file, or one file that the layer's title names."""
    data = _unpacked(data, source)
    if not _is_tar(data):
        if title:
            yield TreeFile(title, "100644", len(data), ""), data
        return
    total = 0
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in _members(archive, source):
            if member.isdir():
                continue
            total += member.size
            if total > limits.FETCH_SIZE.value:
                raise InputError(f"{source}: a layer is too large", hint=limits.FETCH_SIZE.way_out)
            mode = "100644" if member.isreg() else "120000" if member.issym() or member.islnk() else "0"
            stream = archive.extractfile(member) if member.isreg() else None
            content = stream.read() if stream else b""
            yield TreeFile(member.name.removeprefix("./"), mode, len(content), ""), content


def _unpacked(data: bytes, source: str) -> bytes:
    """Return the content of a gzip file up to a limit, other data as it is."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    with gzip.open(io.BytesIO(data)) as stream:
        unpacked = stream.read(limits.FETCH_SIZE.value + 1)
    if len(unpacked) > limits.FETCH_SIZE.value:
        raise InputError(f"{source}: a layer is too large", hint=limits.FETCH_SIZE.way_out)
    return unpacked


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar"
