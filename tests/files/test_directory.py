"""Other programs that swap links, and other runs, while files are replaced."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.cli import prune
from sidecarctl.files import directory as directories
from sidecarctl.files import write as writing
from sidecarctl.files.directory import OutputError, check_inside, lock_parent, open_directory
from sidecarctl.files.sources import stamp_of
from sidecarctl.files.write import Write, write_all

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs directory descriptors")


@pytest.fixture
def swap(tmp_path: Path) -> Callable[[], None]:
    """Directories `own` and `other` with a file of the same name. The function puts a link to `other` in place of `own`."""
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)

    def swapped() -> None:
        (tmp_path / "own").rename(tmp_path / "moved")
        (tmp_path / "own").symlink_to("other")

    return swapped


@pytest.mark.parametrize("stamped", [True, False])
def test_directory_swapped_for_a_link_before_replacing_is_detected(
    stamped: bool, swap: Callable[[], None], tmp_path: Path
) -> None:
    path = tmp_path / "own" / "a"

    def writes() -> Iterator[Write]:
        yield Write(path, "new", stamp_of(path.stat()) if stamped else None)
        swap()

    with pytest.raises(OutputError):
        write_all(writes())
    assert (tmp_path / "other" / "a").read_text() == "other"
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["a"]


def test_directory_swapped_for_a_link_while_it_is_opened_is_detected(swap: Callable[[], None], tmp_path: Path) -> None:
    swap()
    with pytest.raises(OutputError, match="symbolic link"), open_directory(tmp_path / "own"):
        pass


def test_directory_swapped_for_a_link_while_replacing_does_not_change_the_other(
    swap: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = directories.Directory.replace

    def swap_and_replace(self: directories.Directory, name: str, target: str) -> None:
        swap()
        replace(self, name, target)

    monkeypatch.setattr(directories.Directory, "replace", swap_and_replace)
    write_all([Write(tmp_path / "own" / "a", "new")])
    assert (tmp_path / "other" / "a").read_text() == "other"
    assert (tmp_path / "moved" / "a").read_text() == "new"


def test_output_directory_swapped_between_two_files_does_not_change_the_other(
    swap: Callable[[], None], tmp_path: Path
) -> None:
    own = tmp_path / "own"

    def writes() -> Iterator[Write]:
        yield Write(own / "a", "new", root=own)
        swap()
        yield Write(own / "b", "new", root=own)

    with pytest.raises(OutputError, match="through a symbolic link; no files written"):
        write_all(writes())
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["a"]
    assert (tmp_path / "other" / "a").read_text() == "other"


def test_directory_swapped_after_the_first_file_says_how_many_were_written(
    swap: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = directories.Directory.replace

    def replace_and_swap(self: directories.Directory, name: str, target: str) -> None:
        replace(self, name, target)
        swap()

    monkeypatch.setattr(directories.Directory, "replace", replace_and_swap)
    own = tmp_path / "own"
    with pytest.raises(OutputError, match="replaced by a symbolic link; 1 of 2 files written"):
        write_all([Write(own / "a", "new"), Write(own / "b", "new")])


@pytest.fixture
def swap_new(tmp_path: Path) -> Callable[[], None]:
    """A directory `out`, and `other` with an empty directory `b`. The function puts a link to `other` in place of `out/a`."""
    (tmp_path / "out").mkdir()
    (tmp_path / "other" / "b").mkdir(parents=True)

    def swapped() -> None:
        (tmp_path / "out" / "a").rename(tmp_path / "out" / "moved")
        (tmp_path / "out" / "a").symlink_to(tmp_path / "other")

    return swapped


@pytest.mark.parametrize("fails", [False, True])
def test_new_directory_swapped_for_a_link_does_not_delete_directories_of_the_other(
    fails: bool, swap_new: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_all = writing._replace_all

    def replace_and_swap(*staged: Any) -> None:
        if not fails:
            replace_all(*staged)
        swap_new()
        if fails:
            raise OutputError("cannot write")

    monkeypatch.setattr(writing, "_replace_all", replace_and_swap)
    with pytest.raises(OutputError) if fails else nullcontext():
        write_all([Write(tmp_path / "out/a/b/x", "new", root=tmp_path / "out")])
    assert (tmp_path / "other" / "b").is_dir()


def test_new_directory_swapped_for_a_link_gets_no_directory_in_the_other(
    swap_new: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, mkdir = list[str](), directories.Directory.mkdir

    def make_and_swap(self: directories.Directory, name: str) -> None:
        mkdir(self, name)
        made.append(name)
        if name == "a":
            swap_new()

    monkeypatch.setattr(directories.Directory, "mkdir", make_and_swap)
    with pytest.raises(OutputError, match="replaced by a symbolic link; no files written"):
        write_all([Write(tmp_path / "out/a/c/x", "new", root=tmp_path / "out")])
    assert made == ["a"]
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["b"]


def test_directory_swapped_for_a_link_while_stale_files_are_deleted_does_not_change_the_other(
    swap_new: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out/a/b").mkdir(parents=True)
    (tmp_path / "out/a/b/x").write_text("stale")
    unlink = directories.Directory.unlink

    def unlink_and_swap(self: directories.Directory, file: str) -> None:
        unlink(self, file)
        swap_new()

    monkeypatch.setattr(directories.Directory, "unlink", unlink_and_swap)
    with pytest.raises(OutputError, match="through a symbolic link"):
        stale = prune.Stale(tmp_path / "out/a/b/x", hashlib.sha256(b"stale").hexdigest())
        prune.delete([stale], tmp_path / "out", os.path.realpath(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["b"]


def test_output_directory_swapped_for_a_link_before_stale_files_are_deleted_is_detected(
    swap: Callable[[], None], tmp_path: Path
) -> None:
    real = os.path.realpath(tmp_path / "own")
    swap()
    with pytest.raises(OutputError, match="through a symbolic link"):
        prune.delete([prune.Stale(tmp_path / "own/a", "")], tmp_path / "own", real)
    assert (tmp_path / "other/a").read_text() == "other"


def test_output_directory_swapped_for_a_link_before_its_first_file_is_detected(
    swap: Callable[[], None], tmp_path: Path
) -> None:
    """Where the directory was when the run looked for stale files counts."""
    own = tmp_path / "own"
    roots = {own: os.path.realpath(own)}
    swap()
    with pytest.raises(OutputError, match="through a symbolic link"):
        write_all([Write(own / "a", "new", root=own)], roots)
    assert (tmp_path / "other/a").read_text() == "other"


def test_file_swapped_for_a_link_is_detected(tmp_path: Path) -> None:
    path, victim = tmp_path / "a", tmp_path / "victim"
    path.write_text("old")
    victim.write_text("keep")

    def writes() -> Iterator[Write]:
        yield Write(path, "new", stamp_of(path.stat()))
        path.unlink()
        path.symlink_to("victim")

    with pytest.raises(OutputError, match="changed since it was read"):
        write_all(writes())
    assert victim.read_text() == "keep"


def test_runs_that_replace_one_file_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last check and the replacement, another run must not replace the file."""
    path = tmp_path / "a"
    path.write_text("old")
    stamp = stamp_of(path.stat())
    checked, errors = threading.Barrier(2, timeout=0.5), list[OutputError]()
    replace = directories.Directory.replace

    def replace_after_both_checked(self: directories.Directory, name: str, target: str) -> None:
        try:
            checked.wait()
        except threading.BrokenBarrierError:
            pass
        replace(self, name, target)

    def change(text: str) -> None:
        try:
            write_all([Write(path, text, stamp)])
        except OutputError as error:
            errors.append(error)

    monkeypatch.setattr(directories.Directory, "replace", replace_after_both_checked)
    threads = [threading.Thread(target=change, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    assert "changed since it was read" in errors[0].message


def test_file_that_changes_while_others_are_replaced_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = directories.Directory.replace

    def replace_and_change(self: directories.Directory, name: str, target: str) -> None:
        replace(self, name, target)
        (tmp_path / "b").write_text("written by another program")

    monkeypatch.setattr(directories.Directory, "replace", replace_and_change)
    for name in "ab":
        (tmp_path / name).write_text("old")
    with pytest.raises(OutputError, match="b changed since it was read; 1 of 2 files written"):
        write_all([Write(tmp_path / name, "new", stamp_of((tmp_path / name).stat())) for name in "ab"])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "new",
        "b": "written by another program",
    }


def test_file_that_several_runs_share_is_renewed_if_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("old\n")
    lock = directories.lock

    def write_and_lock(held: directories.Directory) -> None:
        path.write_text("old\nother\n")
        lock(held)

    monkeypatch.setattr(writing, "lock", write_and_lock)
    stamp = stamp_of(path.stat())
    write_all([Write(path, "old\nown\n", stamp, renew=lambda: path.read_text() + "own\n")])
    assert path.read_text() == "old\nother\nown\n"
    assert list(tmp_path.iterdir()) == [path]


def test_directory_that_stays_locked_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_LOCK_SECONDS", 0.05)
    with open_directory(tmp_path) as held:
        directories.lock(held)
        with pytest.raises(OutputError, match="locked by another process"):
            write_all([Write(tmp_path / "a", "new")])
    assert list(tmp_path.iterdir()) == []
    write_all([Write(tmp_path / "a", "new")])


def test_outputs_stay_inside_their_directory(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "victim").write_text("keep")
    (tmp_path / "out" / "up").symlink_to("..")
    for path in ("up/victim", "../victim"):
        with pytest.raises(OutputError, match="leads out of"):
            check_inside(tmp_path / "out" / path, tmp_path / "out")
    with pytest.raises(OutputError, match="leads out of"):
        write_all([Write(tmp_path / "out" / "up" / "victim", "new", root=tmp_path / "out")])
    with (
        pytest.raises(OutputError, match="leads out of"),
        lock_parent(tmp_path / "out" / "up" / "victim", tmp_path / "out"),
    ):
        pass
    assert (tmp_path / "victim").read_text() == "keep"


def test_file_that_takes_the_place_of_a_pipe_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").write_text("other")
    (tmp_path / "pipe").symlink_to("other")
    monkeypatch.setattr(writing, "_is_replaceable", lambda write: False)  # it was a pipe
    with pytest.raises(OutputError, match="was replaced by a file"):
        write_all([Write(tmp_path / "pipe", "new")])
    assert (tmp_path / "other").read_text() == "other"
