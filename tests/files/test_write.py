"""Writes files all or none, and never overwrites a change by another program."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecarctl.files.directory import Directory, OutputError
from sidecarctl.files.sources import stamp_of
from sidecarctl.files.write import Write, is_directory, write_all


def write(path: Path, text: str = "old") -> Write:
    """Create a file, and return the write that replaces it."""
    path.write_text(text)
    return Write(path, "new", stamp_of(path.stat()))


def test_keeps_all_files_if_one_changed_since_it_was_read(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")

    def writes() -> Iterator[Write]:
        yield first
        yield second
        second.path.write_text("written by another program")

    with pytest.raises(OutputError, match="no files written"):
        write_all(writes())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "old",
        "b": "written by another program",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("change", ["rewritten", "deleted"])
def test_writes_nothing_to_a_pipe_if_an_earlier_file_changed(change: str, tmp_path: Path) -> None:
    stale, pipe = write(tmp_path / "a"), tmp_path / "pipe"
    stale.path.unlink() if change == "deleted" else stale.path.write_text("written by another program")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OutputError, match="no files written"):
            write_all([stale, Write(pipe, "new")])
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)


def test_error_about_a_changed_link_names_the_link(tmp_path: Path) -> None:
    stale = write(tmp_path / "a")
    (tmp_path / "link").symlink_to("a")
    stale.path.write_text("written by another program")
    with pytest.raises(OutputError, match=r"/link changed"):
        write_all([Write(tmp_path / "link", "new", stale.stamp)])


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX file modes")
def test_replaced_file_keeps_its_mode_and_new_file_follows_the_umask(tmp_path: Path) -> None:
    old = write(tmp_path / "old")
    old.path.chmod(0o640)
    before = os.umask(0o027)
    try:
        write_all([old, Write(tmp_path / "made" / "new", "new")])
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.path.stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "made" / "new").stat().st_mode) == 0o640
    assert [path.read_text() for path in (old.path, tmp_path / "made" / "new")] == ["new", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "old"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
def test_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    old = write(tmp_path / "old")
    os.chown(old.path, 1234, 2345)
    write_all([Write(old.path, "new", stamp_of(old.path.stat()))])
    assert (old.path.stat().st_uid, old.path.stat().st_gid) == (1234, 2345)
    assert old.path.read_text() == "new"


def test_failed_write_keeps_the_other_files_and_reports_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(tmp_path / "old")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*new: .*\w.*; no files written") as caught:
        write_all([old, Write(tmp_path / "file" / "new", "new")])
    assert "None" not in str(caught.value)
    (tmp_path / "directory").mkdir()
    with pytest.raises(OutputError, match=r"directory is a directory; no files written"):
        write_all([old, Write(tmp_path / "directory", "new")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "file", "old"]
    replace = Directory.replace

    def fail_for_last(self: Directory, old: str, new: str) -> None:
        if new == "last":
            raise OSError(errno.EIO, "Input/output error")
        replace(self, old, new)

    monkeypatch.setattr(Directory, "replace", fail_for_last)
    with pytest.raises(OutputError, match=r"cannot replace .*last: Input/output error; 1 of 2 files written"):
        write_all([old, Write(tmp_path / "last", "new")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "file", "old"]


def test_file_with_two_names_is_written_once(tmp_path: Path) -> None:
    old = write(tmp_path / "old")
    (tmp_path / "link").symlink_to("old")
    write_all([old, Write(tmp_path / "link", "other", old.stamp)])
    assert (old.path.read_text(), (tmp_path / "link").is_symlink()) == ("new", True)


def test_output_path_is_a_directory_if_it_exists_or_ends_in_a_separator(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert is_directory(str(tmp_path / "there"))
    assert is_directory(f"{tmp_path / 'new'}{os.sep}")
    assert not is_directory(str(tmp_path / "new"))
    assert not is_directory("")


def test_windows_accepts_both_separators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sep", "\\")
    monkeypatch.setattr(os, "altsep", "/")
    assert is_directory("new\\")
    assert is_directory("new/")
