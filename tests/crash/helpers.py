"""Helpers for crash tests: write a directory of manifests, start the command, and inspect the result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.command import ROOT

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web-{0}
spec:
  containers:
    - name: web
      image: nginx:1.27
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: last}\n"


def write_pods(folder: Path, count: int) -> dict[Path, str]:
    """Write manifests to a directory. Return a mapping of path to text."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / f"web-{number:03}.yaml": POD.format(number) for number in range(count)}
    for path, text in texts.items():
        path.write_text(text)
    return texts


def start(arguments: str, cwd: Path, **env: str) -> subprocess.Popen[str]:
    """Start the command in a new process."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SIDECARCTL_")}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
        "SIDECARCTL_NO_CACHE": "1",
        **env,
    }
    with default_signals():
        return subprocess.Popen(
            [sys.executable, "-m", "sidecarctl", *arguments.split()],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def default_signals() -> Iterator[None]:
    """Let a new process end on signals, also if the tests run in the background or without a terminal and ignore them."""
    ignored = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) == signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def wait(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a command. Return its exit code and stderr, which must not contain an internal error."""
    _, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stderr and "internal error" not in stderr, stderr
    return process.returncode, stderr


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Wait until a condition is true or the process ends."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end and not condition():
        time.sleep(0.001)


def temporary_files(folder: Path) -> list[str]:
    """Return the names of temporary files that have not replaced their targets yet."""
    return [path.name for path in folder.iterdir() if path.name.endswith(".sidecarctl")]
