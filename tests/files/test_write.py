"""Writing files: all or none, and never over what another program has written meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecarctl.files.sources import stamp_of
from sidecarctl.files.write import OutputError, Write, write_all


def write(path: Path, text: str = "old") -> Write:
    """Create a file, and return the write that replaces it."""
    path.write_text(text)
    return Write(path, "new", stamp_of(path.stat()))


def test_a_file_that_changes_after_the_last_one_is_prepared_keeps_all_of_them(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")

    def writes() -> Iterator[Write]:
        yield first
        yield second
        second.path.write_text("written by another program")

    with pytest.raises(OutputError, match="no file was changed"):
        write_all(writes())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "old",
        "b": "written by another program",
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("change", ["rewritten", "deleted"])
def test_nothing_goes_to_a_pipe_if_a_file_before_it_has_changed(change: str, tmp_path: Path) -> None:
    stale, pipe = write(tmp_path / "a"), tmp_path / "pipe"
    stale.path.unlink() if change == "deleted" else stale.path.write_text("written by another program")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OutputError, match="no file was changed"):
            write_all([stale, Write(pipe, "new")])
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)


def test_a_link_that_has_changed_is_named_as_it_was_given(tmp_path: Path) -> None:
    stale = write(tmp_path / "a")
    (tmp_path / "link").symlink_to("a")
    stale.path.write_text("written by another program")
    with pytest.raises(OutputError, match=r"/link was changed"):
        write_all([Write(tmp_path / "link", "new", stale.stamp)])
