"""Several worker processes have the same result as one: files, output in the same order, and exit code."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import Pipe
from pathlib import Path

import pytest

from sidecarctl import limited_worker
from sidecarctl.cli.streaming import MIN_BYTES
from sidecarctl.errors import InputError
from sidecarctl.workers import is_active, process_count, spread, spread_stream
from sidecarctl.yamltext.edits import EditRefused
from tests.command import ROOT, run
from tests.crash.helpers import default_signals

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web-{n}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.{n}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""
BAD = {
    "no error": "",
    "invalid YAML": "a: [\n",
    "an unknown field": WEB.format(n=99) + "        nonsense: true\n",
    "a duplicate key": WEB.format(n=99) + "kind: Deployment\n",
    "invalid UTF-8": "# \udcff\n",
}


def folder_of(path: Path, bad: str) -> Path:
    path.mkdir()
    for n in range(7):
        (path / f"web-{n}.yaml").write_text(WEB.format(n=n))
    if bad:
        (path / "web-3b.yaml").write_bytes(bad.encode("utf-8", "surrogateescape"))
    return path


@pytest.mark.parametrize("command", ["add logger -f k8s -i", "add logger -f k8s", "add logger -f k8s -i --keep-going"])
@pytest.mark.parametrize("name", BAD)
def test_result_does_not_depend_on_the_number_of_jobs(command: str, name: str, tmp_path: Path) -> None:
    outcomes = []
    for jobs in (1, 3):
        place = tmp_path / str(jobs)
        place.mkdir()
        folder = folder_of(place / "k8s", BAD[name])
        outcome = run(f"sidecarctl {command} --jobs {jobs}", place)
        outcomes.append((outcome, {file.name: file.read_bytes() for file in sorted(folder.iterdir())}))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "command", ["add logger", "add logger --diff", "add proxy --set upstreamPort=8080 --retarget", "remove logger"]
)
@pytest.mark.parametrize("name", [name for name in BAD if name != "invalid UTF-8"])
def test_documents_of_a_stream_do_not_depend_on_the_number_of_jobs(command: str, name: str, tmp_path: Path) -> None:
    documents = [WEB.format(n=n) for n in range(100)]
    documents[20:20] = [SERVICE, *([BAD[name]] if BAD[name] else [])]
    text = "---\n".join(documents)
    if command.startswith("remove"):
        text = run("sidecarctl add logger -q", tmp_path, stdin=text).stdout or text
    outcomes = [run(f"sidecarctl {command} --jobs {jobs}", tmp_path, stdin=text) for jobs in (1, 3)]
    assert outcomes[0] == outcomes[1]
    assert name != "no error" or outcomes[0].code == 0


def test_errors_of_a_long_stream_do_not_depend_on_the_number_of_jobs(tmp_path: Path) -> None:
    documents = [WEB.format(n=n) for n in range(60)]
    text = "---\n".join([*documents[:30], "a: [\n", *documents[30:]]) + "--- text\n" + "# " + "x" * MIN_BYTES + "\n"
    outcomes = [run(f"sidecarctl add logger --jobs {jobs}", tmp_path, stdin=text) for jobs in (1, 3)]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].code == 3


@pytest.mark.parametrize("format_name", ["text", "json"])
def test_report_of_an_upgrade_does_not_depend_on_the_number_of_jobs(format_name: str, tmp_path: Path) -> None:
    text = "---\n".join(WEB.format(n=n) for n in range(40))
    added = run("sidecarctl add logger -q", tmp_path, stdin=text).stdout
    upgrade = f"sidecarctl add logger --set logDir=/srv --check -v --format {format_name}"
    outcomes = [run(f"{upgrade} --jobs {jobs}", tmp_path, stdin=added) for jobs in (1, 3)]
    assert outcomes[0].code == 1, outcomes[0].stderr
    assert outcomes[0] == outcomes[1]


def test_jobs_can_be_set_in_the_environment(tmp_path: Path) -> None:
    folder_of(tmp_path / "k8s", "")
    assert run("sidecarctl add logger -f k8s -i", tmp_path, env={"SIDECARCTL_JOBS": "2"}).code == 0
    assert run("sidecarctl add logger -f k8s --check", tmp_path).code == 0
    assert run("sidecarctl add logger -f k8s -i", tmp_path, env={"SIDECARCTL_JOBS": "many"}).code == 2


def test_few_inputs_are_processed_by_one_process() -> None:
    assert process_count(0, 1) == process_count(0, 100) == process_count(1, 10_000) == 1
    assert process_count(2, 1) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers need fork")
def test_results_are_in_order_and_errors_are_complete() -> None:
    def work(number: int) -> object:
        if number == 7:
            return EditRefused("no", ("spec", 1), hint="try")
        return (number, os.getpid()) if number != 8 else InputError("bad", where="a:1:1", hint="h")

    found = list(spread(range(200), work, 2))
    refused, bad = found.pop(7), found.pop(7)
    assert isinstance(refused, EditRefused) and (refused.path, refused.hint) == (("spec", 1), "try")
    assert isinstance(bad, InputError) and (str(bad), bad.where, bad.exit_code) == ("bad", "a:1:1", 3)
    assert [one[0] for one in found] == [n for n in range(200) if n not in (7, 8)]  # type: ignore[index]
    assert os.getpid() not in {one[1] for one in found}  # type: ignore[index]


PROGRAM = """
import time
from sidecarctl.workers import spread

def work(number):
    print(number, flush=True)
    time.sleep(120 if number else 0)

list(spread(range(100), work, 2))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_worker_that_is_killed_while_others_get_work_is_not_one_that_cannot_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenProcessPool("a child process terminated abruptly")

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", broken)
    for run_all in (lambda: spread(range(9), str, 2), lambda: spread_stream(range(99), str, 2)):
        with pytest.raises(InputError, match="a worker process was killed"):
            list(run_all())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_process_that_the_system_refuses_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    monkeypatch.setattr(limited_worker, "_child", limited_worker._Child())
    with pytest.raises(InputError, match="cannot start a child process: Resource temporarily unavailable") as raised:
        limited_worker.run_limited(len, "abc")
    assert "ulimit -u" in raised.value.hint


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_processes_that_the_system_refuses_are_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("ProcessPoolExecutor", "ProcessPoolExecutor.submit"):
        with monkeypatch.context() as patch:
            patch.setattr(f"concurrent.futures.{name}", refuse)
            for run_all in (lambda: spread(range(9), str, 2), lambda: spread_stream(range(99), str, 2)):
                with pytest.raises(
                    InputError, match="cannot start worker processes: No space left on device"
                ) as raised:
                    list(run_all())
                assert "--jobs 1" in raised.value.hint
            assert not is_active()


PARENT_ENDS = """
import os, sys, time
from sidecarctl import limited_worker
_, kind, moment = sys.argv
child = getattr(limited_worker, kind)(1 << 30)
if moment == "unread answer":
    child.connection.send((len, "abc", 10))
    assert child.connection.poll(30)
elif moment == "half a request":
    os.write(child.connection.fileno(), b"\\0\\0\\0\\x40abc")
elif moment == "at work":
    child.connection.send((time.sleep, 0.3, 10))
child.connection.close()
print(child.end(30))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["_Fork", "_Program"])
@pytest.mark.parametrize("moment", ["unread answer", "half a request", "at work", "waiting"])
def test_child_process_ends_silently_with_its_parent(kind: str, moment: str) -> None:
    command = [sys.executable, "-c", PARENT_ENDS, kind, moment]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_process_whose_parent_ends_meanwhile_starts_silently() -> None:
    ours, other = Pipe()
    ours.close()
    with other:
        command = [sys.executable, "-c", limited_worker._PROGRAM, str(other.fileno()), str(1 << 30), *sys.path]
        done = subprocess.run(
            command, pass_fds=[other.fileno()], cwd=ROOT, capture_output=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers need fork")
def test_workers_exit_when_their_parent_is_killed() -> None:
    command = [sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert {process.stdout.readline(), process.stdout.readline()}  # both workers are busy
    process.kill()
    # The pipe closes when the last worker exits.
    process.communicate(timeout=30)


INTERRUPTED = PROGRAM.replace(
    "list(spread(range(100), work, 2))",
    "command._run = lambda *_, **__: list(spread(range(100), work, 2))\ncommand.main()",
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers need fork")
def test_ctrl_c_does_not_wait_for_workers() -> None:
    """A worker that waits for a lock, which an interrupt left, kept the process for ever."""
    program = f"import sidecarctl.__main__ as command\n{INTERRUPTED}"
    with default_signals():
        process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    assert process.stdout is not None
    assert {process.stdout.readline(), process.stdout.readline()}  # both workers are busy
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "")
