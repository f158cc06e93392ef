"""log-tail's script follows the files that its parameters name, in the volume that the app writes to, and ends promptly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sidecar_cases import breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("log-tail")
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}},
}


def log_tail(mode: str = "native", kube: str = "1.34", **params: Any) -> Fragment:
    return rendered("log-tail", params=params, manifest=MANIFEST, mode=mode, kube=kube)


def files(fragment: Fragment) -> list[str]:
    (container,) = fragment.containers
    assert container["args"][0] == container["name"], "the shell takes the first for its own name"
    return list(container["args"][1:])


# --- what holds in every case ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("log-tail", case, mode=mode)) == []


@pytest.mark.parametrize("case", CASES)
def test_every_file_lies_in_the_volume_that_the_app_writes_to(case: str) -> None:
    fragment = rendered("log-tail", case)
    (container,), (app,) = fragment.containers, fragment.volume_mounts
    (own,) = container["volumeMounts"]
    assert own["readOnly"] and not app.get("readOnly") and own["mountPath"] == app["mountPath"]
    for file in files(fragment):
        volume = mounted(container, fragment, file)
        assert volume is not None and volume["name"] == app["name"]


# --- parameters ------------------------------------------------------------------------------------------------------


def test_names_are_relative_to_the_log_directory_or_inside_it() -> None:
    fragment = log_tail(logDir="/srv/log", path="a.log, sub/b c.log,/srv/log/d.txt")
    assert files(fragment) == ["/srv/log/a.log", "/srv/log/sub/b c.log", "/srv/log/d.txt"]


@pytest.mark.parametrize("path", ["/var/log/other/a.log", "../a.log", "a.log,,b.log", "/var/log/app2/x", "logs/"])
def test_a_file_outside_of_the_log_directory_is_refused(path: str) -> None:
    with pytest.raises(LibraryError, match="must be a file inside logDir"):
        log_tail(path=path)


@pytest.mark.parametrize("path", ["*.log", "a?.log", "[ab].log"])
def test_a_pattern_is_refused_because_tail_would_look_for_a_file_of_that_name(path: str) -> None:
    with pytest.raises(UsageError, match="path"):
        log_tail(path=path)


def test_a_dollar_sign_in_a_name_is_not_taken_for_a_variable() -> None:
    assert files(log_tail(path="$(HOME).log")) == ["/var/log/app/$$(HOME).log"]


def test_mode_init_is_refused() -> None:
    with pytest.raises(LibraryError, match="next to the app"):
        log_tail(mode="init")


def test_it_reads_on_while_the_app_stops_where_kubernetes_can_wait() -> None:
    assert log_tail().containers[0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert "lifecycle" not in log_tail(kube="1.29").containers[0]
    assert "lifecycle" not in log_tail(preStopSleep=0).containers[0]


def test_the_pod_gets_the_time_that_it_needs_to_stop() -> None:
    assert log_tail().termination_grace_period_seconds is None
    assert log_tail(preStopSleep=40).termination_grace_period_seconds == 46


def test_the_pods_group_is_left_alone_unless_asked_for() -> None:
    assert log_tail().security_context == {}
    assert log_tail(fsGroup=2000).security_context == {"fsGroup": 2000}


# --- the script at work, with the tools of the image -----------------------------------------------------------------

BUSYBOX = shutil.which("busybox")


def at_work(test: Callable[[Path], None]) -> Callable[[Path], None]:
    """Mark a test that runs the script."""
    return pytest.mark.e2e(pytest.mark.skipif(not BUSYBOX, reason="needs busybox")(test))


class Printed:
    """What a process has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines += iter(self.process.stdout.readline, "")

    def until(self, *expected: str) -> None:
        soon(lambda: len(self.lines) >= len(expected))
        assert self.lines == [f"{line}\n" for line in expected]

    def all(self) -> list[str]:
        self.process.wait(10)
        self._reader.join(10)
        return [line.rstrip("\n") for line in self.lines]


def soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def following(folder: Path, **params: Any) -> Iterator[Printed]:
    (container,) = log_tail(logDir=str(folder), **params).containers
    (folder / "bin").mkdir()
    for name in ("tail", "sleep"):
        (folder / "bin" / name).symlink_to(str(BUSYBOX))
    shell, *script = container["command"]
    assert shell == "/bin/sh"
    with subprocess.Popen(
        [str(BUSYBOX), "sh", *script, *container["args"]],
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    ) as process:
        try:
            yield Printed(process)
        finally:
            process.terminate()
            process.wait(10)


def append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(text)


@at_work
def test_a_file_is_printed_from_its_first_line_also_one_that_appears_late(tmp_path: Path) -> None:
    append(tmp_path / "a.log", "early\n")
    with following(tmp_path, path="a.log,b.log") as printed:
        printed.until("early")
        append(tmp_path / "b.log", "late 1\nlate 2\n")
        printed.until("early", "late 1", "late 2")
        append(tmp_path / "a.log", "more\n")
        printed.until("early", "late 1", "late 2", "more")


@at_work
def test_a_file_that_is_rotated_or_emptied_is_followed_on(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    append(file, "one is long\n")
    with following(tmp_path) as printed:
        printed.until("one is long")
        file.rename(tmp_path / "app.log.1")
        append(file, "two\n")
        printed.until("one is long", "two")
        file.write_text("")
        time.sleep(1.2)
        append(file, "3\n")
        printed.until("one is long", "two", "3")


@at_work
def test_only_new_lines_are_printed_where_asked_for(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "old\n")
    with following(tmp_path, read_from_head=False) as printed:
        time.sleep(1.2)
        append(tmp_path / "app.log", "new\n")
        printed.until("new")


@at_work
def test_it_ends_promptly_on_sigterm_and_prints_the_last_lines(tmp_path: Path) -> None:
    append(tmp_path / "app.log", "one\n")
    with following(tmp_path) as printed:
        printed.until("one")
        append(tmp_path / "app.log", "last\n")
        started = time.monotonic()
        printed.process.send_signal(signal.SIGTERM)
        assert printed.all() == ["one", "last"]
        assert time.monotonic() - started < 3
        assert printed.process.returncode == 0
