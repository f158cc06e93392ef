"""The log of `post-render`: one that nobody named is only in a directory and file of the user, and does not grow on."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from sidecarctl.cli.console import log_to
from sidecarctl.errors import UsageError
from sidecarctl.integrations.helm import append_run, default_path


def test_log_of_another_user_or_kind_is_neither_written_nor_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "sidecarctl" / "post-render.log"
    log.parent.mkdir()
    os.mkfifo(log)
    results: list[bool] = []
    thread = threading.Thread(
        target=lambda: results.append(append_run(log, "post-render", "x", required=False)), daemon=True
    )
    thread.start()
    thread.join(20)
    assert results == [False]
    log.unlink()
    assert append_run(log, "post-render", "x", required=False)
    monkeypatch.setattr(os, "getuid", lambda: os.stat(log).st_uid + 1)  # noqa: PTH116
    assert not append_run(log, "post-render", "y", required=False)
    assert log.read_text().count("==") == 1


def test_directory_of_the_log_is_private_like_the_cache_of_renderings(tmp_path: Path) -> None:
    log = tmp_path / "sidecarctl" / "post-render.log"
    assert append_run(log, "post-render", "x", required=False)
    assert log.parent.stat().st_mode & 0o077 == 0


def test_log_that_the_user_named_is_an_error_if_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write log file"):
        append_run(tmp_path, "post-render", "x", required=True)


@pytest.mark.parametrize("always", [True, False], ids=["option", "variable"])
@pytest.mark.parametrize("fails", [True, False])
def test_log_that_the_user_named_can_be_in_a_directory_of_another_user(
    fails: bool, always: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "run.log"
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with suppress(UsageError), log_to(log, "post-render", always=always, named=True):
        sys.stderr.write("changed\n")
        if fails:
            raise UsageError("no such sidecar")
    assert log.read_text().endswith("error: no such sidecar\n" if fails else "changed\n")


def test_pipe_that_the_user_named_in_the_variable_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not append_run(tmp_path / "pipe", "post-render", "x", required=False, named=True)


@pytest.mark.parametrize("required", [True, False], ids=["option", "variable or failed run"])
def test_large_file_that_the_user_named_is_only_appended_to(required: bool, tmp_path: Path) -> None:
    log = tmp_path / "ci.log"
    log.write_text("line of another program\n" * 50_000)
    before = log.read_text()
    assert append_run(log, "post-render", "x", required=required)
    assert log.read_text().startswith(before + "== ")


def test_large_log_in_the_cache_is_replaced_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    log = default_path(os.environ)
    for body in ("x" * (1 << 20), "y", "z"):
        assert append_run(log, "post-render", body, required=False)
    text = log.read_text()
    assert text.count("==") == 2
    assert text.endswith("\nz\n")
    assert "xx" not in text
