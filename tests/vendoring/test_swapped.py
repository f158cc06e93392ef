"""A link that takes the place of `libraries` while a command runs leads it nowhere: what the link points to stays as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.errors import SidecarctlError
from sidecarctl.files.directory import Directory, OutputError
from sidecarctl.vendoring import install, uninstall
from sidecarctl.vendoring.get import get_library
from sidecarctl.vendoring.lock import read_lock
from tests.vendoring.repository_kit import commit, sidecarctl, snapshot, write_sidecar

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs directory descriptors")

# What runs before and after the swap: a method of Directory, or the write of the lock file.
MOMENTS = ("write_tree", "_write", "check", "replace", "delete", "lock", "failed lock")


@pytest.fixture
def swap(acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function that puts a link to another directory in the place of `libraries`, once."""
    monkeypatch.chdir(shop)
    assert sidecarctl("library add acme ../acme", shop).code == 0
    write_sidecar(acme, version="2.0.0")
    commit(acme)
    (shop.parent / "other/acme").mkdir(parents=True)
    (shop.parent / "other/acme/thesis.txt").write_text("years of work\n")

    def swapped() -> None:
        if not (shop / "libraries").is_symlink():
            (shop / "libraries").rename(shop / "moved")
            (shop / "libraries").symlink_to("../other")

    return swapped


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("action", ["update", "remove"])
def test_link_that_takes_the_place_of_the_libraries_is_not_followed(
    action: str, moment: str, swap: Callable[[], None], shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shop.parent / "other"
    before = snapshot(other)
    module: Any = install if action == "update" else uninstall

    def swap_before(function: Callable[..., Any], *, fails: bool = False) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            swap()
            if fails:
                raise OutputError("locked")
            return function(*arguments)

        return wrapped

    if "lock" in moment:
        monkeypatch.setattr(module, "write_all", swap_before(module.write_all, fails=moment == "failed lock"))
    else:
        monkeypatch.setattr(Directory, moment, swap_before(getattr(Directory, moment)))
    lock = read_lock(Path("sidecarctl.lock"))
    with suppress(SidecarctlError):
        if action == "update":
            install.install([get_library("acme", "../acme", "", Path())], lock)
        else:
            uninstall.uninstall(lock.libraries["acme"], lock, ())
    assert snapshot(other) == before
    if moment == "failed lock":
        assert [path.name for path in (shop / "moved").iterdir()] == ["acme"]


def test_link_that_takes_the_place_of_the_libraries_before_they_are_exchanged_is_an_error(
    swap: Callable[[], None], shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree = Directory.write_tree

    def write_and_swap(self: Directory, name: str, contents: dict[str, bytes]) -> None:
        write_tree(self, name, contents)
        swap()

    lock = read_lock(Path("sidecarctl.lock"))
    text = lock.path.read_text()
    monkeypatch.setattr(Directory, "write_tree", write_and_swap)
    with pytest.raises(OutputError, match="replaced by a symbolic link; nothing was changed"):
        install.install([get_library("acme", "../acme", "", Path())], lock)
    assert lock.path.read_text() == text
    assert [path.name for path in (shop / "moved").iterdir()] == ["acme"]


def test_link_that_takes_the_place_of_the_libraries_while_uses_are_searched_is_an_error(
    swap: Callable[[], None], shop: Path
) -> None:
    lock = read_lock(Path("sidecarctl.lock"))
    swap()
    with pytest.raises(SidecarctlError, match="is a symbolic link"):
        uninstall.uninstall(lock.libraries["acme"], lock, ())
    assert lock.path.exists()
