"""Killed, interrupted, and concurrent runs: each file is either old or new, and the next run completes the work."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.crash.folder import CONFIG, POD, ended, filled, staged, started, until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
ADD = "add logger -q -i -f manifests"
KILLS = int(os.environ.get("SIDECARCTL_KILLS", "1"))
# The smallest number of files that two worker processes share.
FILES = 300


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """The expected text of each file by name, and the duration of a run."""
    cwd = tmp_path_factory.mktemp("whole")
    texts = filled(cwd / "manifests", FILES)
    begin = time.monotonic()
    assert ended(started(ADD, cwd))[0] == 0
    return {path.name: path.read_text() for path in texts}, time.monotonic() - begin


def _killed_at(moment: str, folder: Path, new: dict[str, str], seconds: float, rng: Random) -> None:
    process = started(ADD, folder.parent)
    count = rng.randrange(1, FILES)
    if moment == "at any time":
        until(lambda: False, process, rng.random() * seconds)
    elif moment == "while writing temporary files":
        until(lambda: len(staged(folder)) >= count, process)
    else:
        last = folder / f"web-{min(count, 50):03}.yaml"
        until(lambda: last.stat().st_size == len(new[last.name]), process)
    process.kill()
    process.communicate(timeout=120)  # returns after the workers have ended too


@pytest.mark.parametrize("round_", range(KILLS))
@pytest.mark.parametrize("moment", ["at any time", "while writing temporary files", "while replacing"])
def test_killed_run_leaves_whole_files_and_the_next_run_completes(
    moment: str, round_: int, tmp_path: Path, measured: tuple[dict[str, str], float]
) -> None:
    new, seconds = measured
    texts = filled(tmp_path / "manifests", FILES)
    _killed_at(moment, tmp_path / "manifests", new, seconds, Random(f"{moment} {round_}"))
    assert [path.name for path, old in texts.items() if path.read_text() not in (old, new[path.name])] == []
    assert ended(started(ADD, tmp_path))[0] == 0
    assert [path.name for path in texts if path.read_text() != new[path.name]] == []


def test_ctrl_c_exits_with_130_and_leaves_no_partial_files(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    texts = filled(folder, 200)
    process = started(ADD, tmp_path)
    until(lambda: len(staged(folder)) > 20, process)
    process.send_signal(signal.SIGINT)
    code, said = ended(process)
    assert (code, said) == (130, "")
    assert {path for path, old in texts.items() if path.read_text() == old} == set(texts)
    assert staged(folder) == []


def test_ctrl_c_while_reading_changes_nothing(tmp_path: Path) -> None:
    texts = filled(tmp_path / "manifests", 3)
    os.mkfifo(tmp_path / "pipe")
    process = started(f"{ADD} -f pipe", tmp_path)
    with (tmp_path / "pipe").open("w"):  # opens when both ends are open, so the command is now waiting for input
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, "")
    assert all(path.read_text() == old for path, old in texts.items())


def test_writes_nothing_if_a_file_changed_since_it_was_read(tmp_path: Path) -> None:
    texts = filled(tmp_path / "manifests", 3)
    os.mkfifo(tmp_path / "pipe")
    process = started(f"{ADD} -f pipe", tmp_path)
    with (tmp_path / "pipe").open("w") as pipe:  # opens after the command has read the other files
        (tmp_path / "manifests" / "web-001.yaml").write_text(POD.format("other"))
        pipe.write(CONFIG)
    code, said = ended(process)
    assert code == 3
    assert "web-001.yaml changed since it was read; no files written" in said
    now = [path.read_text() for path in texts]
    assert now == [POD.format(0), POD.format("other"), POD.format(2)]


def test_concurrent_runs_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    texts = filled(folder, 60)
    commands = [ADD, f"add metrics --set exporter=nginx -q -i -f {folder.name}"]
    outcomes = [ended(process) for process in [started(command, tmp_path) for command in commands]]
    for code, said in outcomes:
        assert code == 0 or (code == 3 and "changed since it was read" in said), said
    assert staged(folder) == []
    for command in commands:
        assert ended(started(command, tmp_path))[0] == 0
    for path in texts:
        now = path.read_text()
        assert now.count("- name: logger\n") == now.count("- name: metrics\n") == 1
    assert ended(started(f"remove --all -q -i -f {folder.name}", tmp_path))[0] == 0
    assert all(path.read_text() == old for path, old in texts.items())
