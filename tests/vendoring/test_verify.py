"""`library verify` names every file that differs from the lock file, without Git and network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.vendoring import verify
from sidecarctl.vendoring.library_files import digest_of, format_sums
from sidecarctl.vendoring.lock import read_lock
from tests.vendoring.repository_kit import deep_directory, sidecarctl

LIBRARY = "libraries/acme"


def change(directory: Path) -> None:
    (directory / "agent" / "template.yaml.j2").write_text("other\n")


def delete(directory: Path) -> None:
    (directory / "LICENSE").unlink()


def add(directory: Path) -> None:
    (directory / "agent" / ".hidden").write_text("x")


def link(directory: Path) -> None:
    (directory / "LICENSE").unlink()
    (directory / "LICENSE").symlink_to("/etc/passwd")


def link_directory(directory: Path) -> None:
    (directory / "more").symlink_to("/etc")


def convert(directory: Path) -> None:
    file = directory / "agent" / "sidecar.yaml"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def convert_sums(directory: Path) -> None:
    sums = directory / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().replace(b"\n", b"\r\n"))


def link_libraries(directory: Path) -> None:
    directory.parent.rename(directory.parent.parent / "elsewhere")
    directory.parent.symlink_to("elsewhere")


def rewrite_sums(directory: Path) -> None:
    change(directory)
    files = [path for path in directory.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    sums = format_sums({path.relative_to(directory).as_posix(): path.read_bytes() for path in files})
    (directory / "SHA256SUMS").write_text(sums)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (change, f"error: {LIBRARY}/agent/template.yaml.j2: changed file"),
        (delete, f"error: {LIBRARY}/LICENSE: missing file"),
        (add, f"error: {LIBRARY}/agent/.hidden: extra file"),
        (link, f"error: {LIBRARY}/LICENSE: a symbolic link instead of the file"),
        (link_directory, f"error: {LIBRARY}/more: extra file"),
        (convert, f"error: {LIBRARY}/agent/sidecar.yaml: changed line ends; add the line `libraries/** -text`"),
        (convert_sums, f"error: {LIBRARY}/SHA256SUMS: changed line ends"),
        (rewrite_sums, f"error: {LIBRARY}/SHA256SUMS: changed file"),
    ],
)
def test_difference_is_an_error_that_names_the_file(
    damage: Callable[[Path], None], line: str, acme: Path, shop: Path
) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    assert sidecarctl("library verify", shop).code == 0
    damage(shop / LIBRARY)
    done = sidecarctl("library verify", shop)
    assert done.code == 1
    assert line in done.stderr
    assert sidecarctl("library verify --format json", shop).stdout.count(LIBRARY) >= 1
    assert sidecarctl("library update --force", shop).code == 0
    assert sidecarctl("library verify", shop).code == 0


def test_checksums_that_are_too_large_are_a_difference(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    with (shop / "libraries/acme/SHA256SUMS").open("wb") as file:
        file.truncate(20 << 20)
    done = sidecarctl("library verify", shop)
    assert (done.code, "libraries/acme/SHA256SUMS: cannot read it" in done.stderr) == (1, True), done.stderr


def test_link_above_a_library_is_an_error(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    link_libraries(shop / LIBRARY)
    done = sidecarctl("library verify", shop)
    assert done.code == 1
    assert "error: libraries: a symbolic link instead of the directory" in done.stderr


def test_library_that_the_lock_file_does_not_list_is_an_error(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    assert sidecarctl("library add extra ../acme", shop).code == 0
    lock = shop / "sidecarctl.lock"
    head, _, _ = lock.read_text().partition("- name: extra\n")
    lock.write_text(head)
    done = sidecarctl("library verify", shop)
    assert (done.code, "libraries/extra: not in the lock file" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("path", "is_reported"),
    [
        ("extra/agent", True),
        ("extra", True),
        ("extra/old/agent", True),
        ("link", True),
        ("code/link", True),
        ("extra/file-link", True),
        ("extra/gone-link", True),
        ("code", False),
        ("README.md", False),
    ],
)
def test_library_or_link_beside_vendored_libraries_is_an_error(
    path: str, is_reported: bool, acme: Path, shop: Path
) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    added = shop / "libraries" / path
    if path.endswith("link"):
        added.parent.mkdir(exist_ok=True)
        targets = {"extra/file-link": acme / "agent/sidecar.yaml", "extra/gone-link": acme / "gone"}
        added.symlink_to(targets.get(path, acme))
    elif path == "README.md":
        added.write_text("These libraries are vendored.\n")
    else:
        added.mkdir(parents=True)
        (added / ("sidecar.yaml" if path.startswith("extra") else "main.c")).touch()
    done = sidecarctl("library verify", shop)
    line = f"libraries/{path.partition('/')[0]}: not in the lock file"
    assert (done.code, line in done.stderr) == (int(is_reported), is_reported), done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("libraries: []", "missing required"),
        ("<<<<<<< HEAD\n", "resolve its merge conflict"),
        ("apiVersion: sidecarctl.dev/v1alpha1\nkind: LibraryLock\nlibraries: []\n", "no libraries to verify"),
    ],
)
def test_invalid_or_empty_lock_file_is_an_error(text: str, message: str, shop: Path) -> None:
    (shop / "sidecarctl.lock").write_text(text)
    done = sidecarctl("library verify", shop)
    assert done.code == 2
    assert message in done.stderr


def test_digest_is_that_of_the_output_of_sha256sum() -> None:
    sums = format_sums({"b/x": b"", "a": b"1\n"})
    assert sums.splitlines()[0].endswith("  a") and digest_of(sums).startswith("sha256:")


class Names(list[str]):
    """Names of files that are not searched: a search for each name takes quadratic time."""

    def __contains__(self, _: object) -> bool:
        raise AssertionError("searched a list of names")


def test_extra_files_cost_the_same_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").mkdir()
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top, onerror: ((at, below, Names(names)) for at, below, names in walk(top)))
    assert verify._list_paths(tmp_path, []) == {"a": False}


def refuse_to_list(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no directory be listed whose path has an ending; root may list every one."""
    for name in ("scandir", "listdir"):

        def refuse(path: Any, listed: Callable[[Any], Any] = getattr(os, name)) -> Any:
            if str(path).endswith(ending):
                raise PermissionError(13, "Permission denied", str(path))
            return listed(path)

        monkeypatch.setattr(os, name, refuse)


def test_directory_that_cannot_be_listed_is_an_error(acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    (shop / "libraries/acme/hidden").mkdir()
    refuse_to_list("hidden", monkeypatch)
    lock = read_lock(shop / "sidecarctl.lock")
    (line,) = verify.find_differences(lock.libraries["acme"], shop)
    assert line.endswith("libraries/acme/hidden: cannot read it: Permission denied")


@pytest.mark.parametrize("hidden", ["libraries", "libraries/other", "libraries/other/deeper"])
def test_directory_beside_the_libraries_that_cannot_be_listed_is_an_error(
    hidden: str, acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    (shop / "libraries/other/deeper").mkdir(parents=True)
    (shop / "libraries/notes.txt").write_text("notes\n")
    assert verify.find_unlocked(shop, {"acme": read_lock(shop / "sidecarctl.lock").libraries["acme"]}) == []
    refuse_to_list(hidden, monkeypatch)
    (line,) = verify.find_unlocked(shop, {"acme": read_lock(shop / "sidecarctl.lock").libraries["acme"]})
    assert line.endswith(f"/{hidden}: cannot read it: Permission denied")


def test_deep_directory_beside_the_libraries_is_searched(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    with deep_directory(shop / "libraries/z", 1200):
        done = sidecarctl("library verify", shop)
        assert done.code == 0, done.stderr
        (shop / "libraries/z" / "/".join("a" * 1200) / "sidecar.yaml").write_text("")
        done = sidecarctl("library verify", shop)
        assert (done.code, "error: libraries/z: not in the lock file" in done.stderr) == (1, True), done.stderr
