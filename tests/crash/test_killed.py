"""Killed, interrupted, and concurrent runs: each file is either old or new, and the next run completes the work."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
import time
from pathlib import Path
from random import Random

import pytest

from sidecarctl.files.directory import Directory, OutputError
from sidecarctl.files.signals import end_on_signals
from sidecarctl.files.sources import NO_FILE
from sidecarctl.files.write import Write, write_all
from tests.crash.helpers import CONFIG, POD, start, temporary_files, wait, wait_until, write_pods

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
ADD = "add logger -q -i -f manifests"
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: all}
spec: {rules: [{select: {all: true}, sidecars: [logger]}]}
"""
KILLS = int(os.environ.get("SIDECARCTL_KILLS", "1"))
# The smallest number of files that two worker processes share.
FILES = 300


@pytest.fixture(scope="module")
def complete_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """The expected text of each file by name, and the duration of a run."""
    cwd = tmp_path_factory.mktemp("whole")
    texts = write_pods(cwd / "manifests", FILES)
    begin = time.monotonic()
    assert wait(start(ADD, cwd))[0] == 0
    return {path.name: path.read_text() for path in texts}, time.monotonic() - begin


def _run_and_kill(moment: str, folder: Path, new: dict[str, str], seconds: float, rng: Random) -> None:
    process = start(ADD, folder.parent)
    count = rng.randrange(1, FILES)
    if moment == "at any time":
        wait_until(lambda: False, process, rng.random() * seconds)
    elif moment == "while writing temporary files":
        wait_until(lambda: len(temporary_files(folder)) >= count, process)
    else:
        last = folder / f"web-{min(count, 50):03}.yaml"
        wait_until(lambda: last.stat().st_size == len(new[last.name]), process)
    process.kill()
    process.communicate(timeout=120)  # returns after the workers have ended too


@pytest.mark.parametrize("round_", range(KILLS))
@pytest.mark.parametrize("moment", ["at any time", "while writing temporary files", "while replacing"])
def test_killed_run_leaves_whole_files_and_the_next_run_completes(
    moment: str, round_: int, tmp_path: Path, complete_run: tuple[dict[str, str], float]
) -> None:
    new, seconds = complete_run
    texts = write_pods(tmp_path / "manifests", FILES)
    _run_and_kill(moment, tmp_path / "manifests", new, seconds, Random(f"{moment} {round_}"))
    assert [path.name for path, old in texts.items() if path.read_text() not in (old, new[path.name])] == []
    assert wait(start(ADD, tmp_path))[0] == 0
    assert [path.name for path in texts if path.read_text() != new[path.name]] == []


def test_ctrl_c_exits_with_130_and_leaves_no_partial_files(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    texts = write_pods(folder, 200)
    process = start(ADD, tmp_path)
    wait_until(lambda: len(temporary_files(folder)) > 20, process)
    process.send_signal(signal.SIGINT)
    code, stderr = wait(process)
    assert (code, stderr) == (130, "")
    assert {path for path, old in texts.items() if path.read_text() == old} == set(texts)
    assert temporary_files(folder) == []


def test_sigterm_while_writing_leaves_no_partial_and_no_temporary_files(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    texts = write_pods(folder, 200)
    process = start(ADD, tmp_path)
    wait_until(lambda: len(temporary_files(folder)) > 20, process)
    process.terminate()
    assert wait(process) == (128 + signal.SIGTERM, "")
    assert all(path.read_text() == old for path, old in texts.items())
    assert temporary_files(folder) == []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs the children of a process")
@pytest.mark.parametrize("output", ["-i", "-o out/", ""])
def test_killed_worker_is_an_error_and_nothing_is_written(output: str, tmp_path: Path) -> None:
    texts = write_pods(tmp_path / "manifests", FILES)
    process = start(f"add logger -q -f manifests --jobs 2 {output}", tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: bool(children.read_text()), process)
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (3, "")
    assert "a worker process was killed" in stderr and "--jobs 1" in stderr
    assert all(path.read_text() == old for path, old in texts.items())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_second_signal_does_not_interrupt_the_removal(first: signal.Signals, second: signal.Signals) -> None:
    steps = []
    with pytest.raises((KeyboardInterrupt, SystemExit)), end_on_signals():
        try:
            signal.raise_signal(first)
            steps.append("went on")
        finally:
            signal.raise_signal(second)
            steps.append("removed")
    assert steps == ["removed"]
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_failed_run_leaves_no_empty_directories(tmp_path: Path) -> None:
    writes = [Write(tmp_path / "a/b/c.yaml", "c"), Write(tmp_path / "a/d", "d"), Write(tmp_path / "a/d/e.yaml", "e")]
    (tmp_path / "old").mkdir()
    with pytest.raises(OutputError):
        write_all([*writes, Write(tmp_path / "old/f.yaml", "f", (1, 2, 3))])
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    write_all(writes[:1])
    assert (tmp_path / "a/b/c.yaml").read_text() == "c"


def test_file_that_another_run_creates_is_not_replaced(tmp_path: Path) -> None:
    write_all([Write(tmp_path / "sidecarctl.yaml", "first", NO_FILE)])
    with pytest.raises(OutputError, match="changed since it was read"):
        write_all([Write(tmp_path / "sidecarctl.yaml", "second", NO_FILE)])
    assert (tmp_path / "sidecarctl.yaml").read_text() == "first"


@pytest.mark.parametrize("command", ["init -q", "new a -q"])
def test_only_one_of_several_runs_creates_a_file(command: str, tmp_path: Path) -> None:
    write_pods(tmp_path, 3)
    codes = sorted(wait(process)[0] for process in [start(command, tmp_path) for _ in range(4)])
    assert codes[0] == 0
    assert all(codes[1:])


def test_ctrl_c_while_reading_changes_nothing(tmp_path: Path) -> None:
    texts = write_pods(tmp_path / "manifests", 3)
    os.mkfifo(tmp_path / "pipe")
    process = start(f"{ADD} -f pipe", tmp_path)
    with (tmp_path / "pipe").open("w"):  # opens when both ends are open, so the command is now waiting for input
        process.send_signal(signal.SIGINT)
        assert wait(process) == (130, "")
    assert all(path.read_text() == old for path, old in texts.items())


@pytest.mark.parametrize(
    "command",
    [
        f"{ADD} -f pipe",
        "add logger -q manifests/web-000.yaml manifests/web-001.yaml pipe -o manifests/",
        "add logger -q manifests/web-000.yaml link/web-001.yaml pipe -o manifests/",
        "render -c all.yaml -q manifests/web-000.yaml manifests/web-001.yaml pipe -o manifests/",
    ],
)
def test_writes_nothing_if_a_file_changed_since_it_was_read(command: str, tmp_path: Path) -> None:
    texts = write_pods(tmp_path / "manifests", 3)
    (tmp_path / "link").symlink_to("manifests")
    (tmp_path / "all.yaml").write_text(COMPOSITION)
    os.mkfifo(tmp_path / "pipe")
    process = start(command, tmp_path)
    with (tmp_path / "pipe").open("w") as pipe:  # opens after the command has read the other files
        (tmp_path / "manifests" / "web-001.yaml").write_text(POD.format("other"))
        pipe.write(CONFIG)
    code, stderr = wait(process)
    assert code == 3
    assert "web-001.yaml changed since it was read; no files written" in stderr
    now = [path.read_text() for path in texts]
    assert now == [POD.format(0), POD.format("other"), POD.format(2)]


def test_output_that_is_a_pipe_and_an_input_is_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = start("add logger -q pipe -o pipe", tmp_path)
    (tmp_path / "pipe").write_text(POD.format(0))
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert wait(process) == (0, "")
        assert b"- name: logger" in os.read(reader, 65536)
    finally:
        os.close(reader)


def test_concurrent_runs_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    texts = write_pods(folder, 60)
    commands = [ADD, f"add metrics --set exporter=nginx -q -i -f {folder.name}"]
    outcomes = [wait(process) for process in [start(command, tmp_path) for command in commands]]
    for code, stderr in outcomes:
        assert code == 0 or (code == 3 and "changed since it was read" in stderr), stderr
    assert temporary_files(folder) == []
    for command in commands:
        assert wait(start(command, tmp_path))[0] == 0
    for path in texts:
        now = path.read_text()
        assert now.count("- name: logger\n") == now.count("- name: metrics\n") == 1
    assert wait(start(f"remove --all -q -i -f {folder.name}", tmp_path))[0] == 0
    assert all(path.read_text() == old for path, old in texts.items())


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of directories")
@pytest.mark.parametrize("change", ["edited", "written by another run"])
def test_prune_keeps_a_file_that_changes_while_the_run_waits(change: str, tmp_path: Path) -> None:
    import fcntl

    write_pods(tmp_path / "in", 2)
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        "spec: {rules: [{select: {kinds: [Pod]}, sidecars: [{name: logger}]}]}\n"
    )
    assert wait(start("render -f in -o out", tmp_path))[0] == 0
    stale = tmp_path / "out/web-001.yaml"
    (tmp_path / "in/web-001.yaml").rename(tmp_path / "web-001.yaml")
    held = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)  # as a run does that replaces a file
    process = start("render -f in -o out --prune", tmp_path)
    wait_until(lambda: bool(temporary_files(tmp_path / "out")), process)  # it knows what to delete
    if change == "edited":
        stale.write_text("my work\n")
    else:
        listed = (tmp_path / "out/.sidecarctl-outputs").read_text()
        digest = hashlib.sha256(b"newer\n").hexdigest()
        stale.write_text("newer\n")
        (tmp_path / "out/.sidecarctl-outputs").write_text(re.sub(r"\w+  web-001", f"{digest}  web-001", listed))
    os.close(held)
    code, stderr = wait(process)
    assert (code, stale.exists()) == (0, True), stderr
    assert "web-001.yaml: no longer rendered; edited since it was written, so it is kept" in stderr
    assert "web-001.yaml" in (tmp_path / "out/.sidecarctl-outputs").read_text()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_a_failed_run_removes_its_files_leaves_none(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Directory.unlink

    def interrupted(self: Directory, name: str) -> None:
        unlink(self, name)
        if name.startswith(".a."):
            signal.raise_signal(number)

    monkeypatch.setattr(Directory, "unlink", interrupted)
    (tmp_path / "new/z").mkdir(parents=True)
    writes = [Write(tmp_path / "new/sub" / name, name) for name in "abc"]
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        write_all([*writes, Write(tmp_path / "new/z", "z")])
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["z"]
