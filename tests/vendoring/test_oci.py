"""A library can come from a local OCI image layout: a directory, or a tar file of it. Nothing in it is trusted."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.vendoring.repository_kit import SIDECAR, TEMPLATE, sidecarctl, snapshot

FILES = {
    "agent/sidecar.yaml": SIDECAR.format(name="agent", version="1.0.0").encode(),
    "agent/template.yaml.j2": TEMPLATE.encode(),
}
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEX = "application/vnd.oci.image.index.v1+json"


def tar(files: Mapping[str, bytes], *members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in members:
            archive.addfile(member)
    return buffer.getvalue()


def write_layout(
    directory: Path, layer: bytes, *above: bytes, times: int = 1, kind: str = LAYER, **changes: Any
) -> None:
    """Write a layout with one manifest and one layer, the same one several times, or with others above it."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return f"sha256:{digest}"

    kinds = (LAYER, *(kind for _ in above))
    layers = [
        {"digest": blob(data), "size": len(data), "mediaType": each} for data, each in zip((layer, *above), kinds)
    ]
    manifest = blob(json.dumps({"schemaVersion": 2, "layers": layers * times, **changes}).encode())
    entry = {"digest": manifest, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def pack(directory: Path, archive: Path) -> None:
    with tarfile.open(archive, "w") as out:
        out.add(directory, ".")


@pytest.mark.parametrize("form", ["directory", "tar"])
@pytest.mark.parametrize("compress", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
def test_library_of_an_archive_is_added_and_pinned_by_its_manifest(
    form: str, compress: Callable[[bytes], bytes], tmp_path: Path, shop: Path
) -> None:
    write_layout(tmp_path / "lib", compress(tar(FILES)))
    pack(tmp_path / "lib", tmp_path / "lib.tar")
    source = "../lib" if form == "directory" else "../lib.tar"
    done = sidecarctl(f"library add acme {source}", shop)
    assert done.code == 0, done.stderr
    (locked,) = yaml.safe_load((shop / "sidecarctl.lock").read_text())["libraries"]
    (entry,) = json.loads((tmp_path / "lib" / "index.json").read_text())["manifests"]
    assert (locked["manifest"], locked["source"]) == (entry["digest"], source)
    assert sidecarctl("library verify", shop).code == 0
    assert sidecarctl("add agent -f web.yaml", shop).code == 0
    assert "is up to date" in sidecarctl("library update", shop).stderr


def test_layer_can_be_below_a_directory_as_in_a_chart(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", gzip.compress(tar({f"chart/files/{name}": data for name, data in FILES.items()})))
    assert "use --path chart/files" in sidecarctl("library add acme ../lib", shop).stderr
    assert sidecarctl("library add acme ../lib --path chart/files", shop).code == 0


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("agent/../../up"), "leads out of the library"),
        (member("agent/link", tarfile.SYMTYPE, "/etc/passwd"), "is a symbolic link"),
        (member("agent/hard", tarfile.LNKTYPE, "agent/sidecar.yaml"), "is a symbolic link"),
        (member("agent/pipe", tarfile.FIFOTYPE), "is not a regular file"),
        (member("agent/device", tarfile.CHRTYPE), "is not a regular file"),
        (member("agent/.git/config"), "is reserved for Git"),
    ],
)
def test_dangerous_member_of_an_archive_is_refused(
    bad: tarfile.TarInfo, message: str, tmp_path: Path, shop: Path
) -> None:
    write_layout(tmp_path / "lib", tar(FILES, bad))
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, message in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == {"web.yaml"}


def test_archive_bomb_is_stopped(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", gzip.compress(tar({**FILES, "agent/zeros": bytes(3_000_000)})))
    done = sidecarctl("library add acme ../lib", shop, SIDECARCTL_MAX_FETCH="1000000")
    assert (done.code, "the layers are too large" in done.stderr) == (3, True), done.stderr
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "agent/zeros is larger than 1024 KiB" in done.stderr) == (3, True), done.stderr
    many = {f"agent/{number}": b"" for number in range(30)}
    write_layout(tmp_path / "many", tar({**FILES, **many}))
    done = sidecarctl("library add acme ../many", shop, SIDECARCTL_MAX_LIBRARY_FILES="10")
    assert (done.code, "too many files" in done.stderr) == (3, True), done.stderr


def test_layers_share_one_limit(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", gzip.compress(tar({**FILES, "elsewhere": bytes(600_000)})))
    assert sidecarctl("library add once ../lib", shop, SIDECARCTL_MAX_FETCH="1000000").code == 0
    write_layout(tmp_path / "twice", gzip.compress(tar({**FILES, "elsewhere": bytes(600_000)})), times=2)
    done = sidecarctl("library add twice ../twice", shop, SIDECARCTL_MAX_FETCH="1000000")
    assert (done.code, "the layers are too large" in done.stderr) == (3, True), done.stderr


def header(kind: bytes, data: bytes) -> bytes:
    """A special header of a tar file with its data."""
    made = member("special", kind)
    made.size = len(data)
    return made.tobuf() + data + bytes(-len(data) % 512)


@pytest.mark.parametrize(
    ("before", "message"),
    [
        (header(tarfile.GNUTYPE_LONGNAME, b"x" * 10) * 3_000, "is not an OCI image layout"),
        (header(tarfile.XHDTYPE, b"7 a=xx\n") * 3_000, "is not an OCI image layout"),
        (header(tarfile.XHDTYPE, b"99999999999999999999 path=x\n"), "is not an OCI image layout"),
        (header(tarfile.XHDTYPE, b"1" * 2_000_000), "run time exceeds (1 s|6 s of real time)"),
    ],
    ids=["long names", "pax headers", "length", "digits"],
)
def test_odd_headers_of_an_archive_are_an_error_in_time(
    before: bytes, message: str, tmp_path: Path, shop: Path
) -> None:
    write_layout(tmp_path / "lib", gzip.compress(before + tar(FILES), 1))
    done = sidecarctl("library add acme ../lib", shop, SIDECARCTL_MAX_SECONDS="1")
    # Newer Pythons read the digits in time, and refuse them.
    assert done.code == 3 and (re.search(message, done.stderr) or "is not an OCI image layout" in done.stderr), (
        done.stderr
    )
    assert snapshot(shop).keys() == {"web.yaml"}


@pytest.mark.parametrize("file", ["oci-layout", "index.json"])
def test_deeply_nested_json_is_an_error(file: str, tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES))
    (tmp_path / "lib" / file).write_text("[" * 100_000)
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "is not an OCI image layout" in done.stderr) == (3, True), done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipe_in_a_layout_is_an_error(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES))
    (tmp_path / "lib" / "index.json").unlink()
    os.mkfifo(tmp_path / "lib" / "index.json")
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "not a regular file" in done.stderr) == (3, True), done.stderr


@pytest.mark.parametrize("name", ["com\u00b9", "lpt\u00b2.txt", "CONIN$", "conout$", "Aux.yaml"])
def test_name_that_windows_reserves_is_refused(name: str, tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar({**FILES, f"agent/{name}": b""}))
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "is not allowed on Windows" in done.stderr) == (3, True), done.stderr


def test_name_of_a_file_and_a_directory_is_refused(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar({**FILES, "agent/a": b"", "agent/a/b": b""}))
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "agent/a is both a file and a directory" in done.stderr) == (3, True), done.stderr


@pytest.mark.parametrize("start", ["/", "//", "./", "././", "//agent/"])
def test_sidecar_at_the_root_of_an_archive_is_an_error(start: str, tmp_path: Path, shop: Path) -> None:
    files = {f"{start}{name.removeprefix('agent/')}": data for name, data in FILES.items()}
    write_layout(tmp_path / "lib", tar(files))
    done = sidecarctl("library add acme ../lib", shop)
    assert done.code in (2, 3), done.stderr
    assert "contains no sidecars" in done.stderr or "leads out of the library" in done.stderr
    assert snapshot(shop).keys() == {"web.yaml"}


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ({"agent/.wh.old.txt": b""}, {"agent/more/a", "agent/more/b"}),
        ({"agent/.wh.more": b""}, {"agent/old.txt"}),
        ({"agent/more/.wh..wh..opq": b"", "agent/more/c": b""}, {"agent/old.txt", "agent/more/c"}),
        (
            {"agent/more/c": b"", "agent/more/.wh.c": b""},
            {"agent/old.txt", "agent/more/a", "agent/more/b", "agent/more/c"},
        ),
        ({".wh..wh..opq": b"", **FILES}, set()),
        ({"./agent/.wh.more": b"", ".wh.other": b""}, {"agent/old.txt"}),
        ({"/agent/.wh.more": b"", "agent/./.wh.old.txt": b""}, set()),
    ],
    ids=["file", "directory", "contents", "same layer", "everything", "prefix", "other spellings"],
)
def test_whiteout_deletes_what_is_in_lower_layers(
    above: dict[str, bytes], expected: set[str], tmp_path: Path, shop: Path
) -> None:
    base = {**FILES, "agent/old.txt": b"", "agent/more/a": b"", "agent/more/b": b""}
    write_layout(tmp_path / "lib", tar(base), gzip.compress(tar(above)))
    done = sidecarctl("library add acme ../lib", shop)
    assert done.code == 0, done.stderr
    library = shop / "libraries" / "acme"
    found = {path.relative_to(library).as_posix() for path in library.rglob("*") if path.is_file()}
    assert found - {"SHA256SUMS", *FILES} == expected


def test_whiteout_deletes_a_sidecar(tmp_path: Path, shop: Path) -> None:
    other = {name.replace("agent", "bad"): data.replace(b"agent", b"bad") for name, data in FILES.items()}
    write_layout(tmp_path / "lib", tar({**FILES, **other}), tar({".wh.bad": b""}))
    assert sidecarctl("library add acme ../lib", shop).code == 0
    assert sorted(path.name for path in (shop / "libraries" / "acme").iterdir()) == ["SHA256SUMS", "agent"]


@pytest.mark.parametrize("compress", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("cut", [1024, 1300, 1536, 2048, 2500])
def test_layer_that_ends_early_is_refused(
    cut: int, compress: Callable[[bytes], bytes], tmp_path: Path, shop: Path
) -> None:
    data = tar({**FILES, "agent/more": b"a" * 600})
    write_layout(tmp_path / "lib", compress(data[:cut]))
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "is not an OCI image layout" in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == {"web.yaml"}


def test_layer_with_a_damaged_header_is_refused(tmp_path: Path, shop: Path) -> None:
    data = bytearray(tar(FILES))
    at = data.index(b"agent/template")
    data[at + 148 : at + 156] = b"0000000\0"  # the checksum
    write_layout(tmp_path / "lib", bytes(data))
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "is not an OCI image layout" in done.stderr) == (3, True), done.stderr


def test_invalid_limit_of_memory_is_one_error(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES))
    done = sidecarctl("library add acme ../lib", shop, SIDECARCTL_MAX_MEMORY="0")
    assert (done.code, "invalid SIDECARCTL_MAX_MEMORY" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


OTHER = tar({"agent/more.txt": b"more"})


@pytest.mark.parametrize("layer", [b"\x28\xb5\x2f\xfd" + OTHER, lzma.compress(OTHER), bz2.compress(OTHER)])
def test_layer_in_a_form_that_is_not_read_is_refused(layer: bytes, tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES), layer)
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "is not a tar file that can be read" in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == {"web.yaml"}


@pytest.mark.parametrize("data", [gzip.compress(b"payload"), OTHER, gzip.compress(OTHER)], ids=["gzip", "tar", "tgz"])
def test_titled_file_is_stored_as_it_is(data: bytes, tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES), data)
    blobs = tmp_path / "lib/blobs/sha256"
    index = json.loads((tmp_path / "lib/index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].removeprefix("sha256:")).read_bytes())
    manifest["layers"][1] |= {
        "mediaType": "application/octet-stream",
        "annotations": {"org.opencontainers.image.title": "agent/data.bin"},
    }
    text = json.dumps(manifest).encode()
    digest = hashlib.sha256(text).hexdigest()
    (blobs / digest).write_bytes(text)
    index["manifests"][0]["digest"] = f"sha256:{digest}"
    (tmp_path / "lib/index.json").write_text(json.dumps(index))
    done = sidecarctl("library add acme ../lib", shop)
    assert done.code == 0, done.stderr
    assert (shop / "libraries/acme/agent/data.bin").read_bytes() == data
    assert not (shop / "libraries/acme/agent/more.txt").exists()


def test_layer_of_another_kind_is_left_out(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES), b"signature", kind="application/vnd.cncf.helm.chart.provenance.v1.prov")
    assert sidecarctl("library add acme ../lib", shop).code == 0


def test_changed_layer_is_refused(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES))
    largest = max((tmp_path / "lib" / "blobs" / "sha256").iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(tar({**FILES, "agent/more": b"x"}))
    done = sidecarctl("library add acme ../lib", shop)
    assert (done.code, "does not match its digest" in done.stderr) == (3, True), done.stderr


@pytest.mark.parametrize(
    "text", [b"", b"not a tar", b"\x1f\x8b\x08broken", b"{}", b"[]"], ids=["empty", "text", "gzip", "map", "list"]
)
@pytest.mark.parametrize("where", ["archive", "index.json", "oci-layout", "layer"])
def test_broken_archive_is_an_error(where: str, text: bytes, tmp_path: Path, shop: Path) -> None:
    if where == "archive":
        (tmp_path / "lib").write_bytes(text)
    else:
        write_layout(tmp_path / "lib", text if where == "layer" else tar(FILES))
        if where != "layer":
            (tmp_path / "lib" / where).write_bytes(text)
    done = sidecarctl("library add acme ../lib", shop)
    assert done.code in (2, 3), done.stderr
    assert snapshot(shop).keys() == {"web.yaml"}


def test_archive_with_several_manifests_is_ambiguous(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES))
    index = json.loads((tmp_path / "lib" / "index.json").read_text())
    index["manifests"] *= 2
    (tmp_path / "lib" / "index.json").write_text(json.dumps(index))
    assert "has 2 manifests" in sidecarctl("library add acme ../lib", shop).stderr


def test_index_of_indexes_that_never_ends_is_an_error(tmp_path: Path, shop: Path) -> None:
    write_layout(tmp_path / "lib", tar(FILES), manifests=[])
    data = b"{}"
    for _ in range(6):
        digest = hashlib.sha256(data).hexdigest()
        (tmp_path / "lib" / "blobs" / "sha256" / digest).write_bytes(data)
        data = json.dumps({"manifests": [{"digest": f"sha256:{digest}", "mediaType": INDEX}]}).encode()
    (tmp_path / "lib" / "index.json").write_bytes(data)
    assert sidecarctl("library add acme ../lib", shop).code == 3


def test_empty_layer_is_a_tar_file() -> None:
    from sidecarctl.vendoring.oci import _is_tar

    assert _is_tar(bytes(1024))
    assert not _is_tar(bytes(100))


def test_source_of_another_kind_is_reported(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    write_layout(acme, tar(FILES))
    done = sidecarctl("library update --quiet", shop)
    expected = "warning: library acme: the source was a Git repository and is now an OCI archive, which cannot be compared with commit"
    assert (done.code, expected in done.stderr) == (0, True), done.stderr
    assert "warning" not in sidecarctl("library update", shop).stderr
    (acme / "oci-layout").unlink()
    done = sidecarctl("library update --quiet", shop)
    expected = "warning: library acme: the source was an OCI archive and is now a Git repository, which cannot be compared with manifest"
    assert (done.code, expected in done.stderr) == (0, True), done.stderr
