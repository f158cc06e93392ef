"""Runs the real command for tests: in its own directory, with a clean environment."""

from __future__ import annotations

import atexit
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fork_server import MESSAGE_BYTES

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 120
# The interpreter reads these when it starts, typer when it is imported.
_READ_AT_START = (
    *("PYTHON", "LC_", "LANG", "TZ"),
    *("FORCE_COLOR", "GITHUB_ACTIONS", "TERMINAL_WIDTH", "TYPER"),
)


@dataclass(frozen=True)
class Outcome:
    """The exit code and the output of a command."""

    code: int
    stdout: str
    stderr: str
    raw: bytes = b""


def run(
    command: str | list[str],
    cwd: Path,
    *,
    stdin: str | bytes | None = None,
    env: dict[str, str] | None = None,
    fresh: bool = not sys.platform.startswith("linux"),
) -> Outcome:
    """Run `sidecarctl ...` in a directory. The output shows the path of the directory as FOLDER.

    `fresh` starts a new interpreter, which takes about five times as long as a fork of one that has imported sidecarctl.
    """
    words = shlex.split(command) if isinstance(command, str) else command
    assert words[0] == "sidecarctl"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SIDECARCTL_", "FORCE_COLOR", "COLUMNS"))}
    clean |= {"NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    data = stdin.encode() if isinstance(stdin, str) else stdin or b""
    if fresh or any(name.startswith(_READ_AT_START) for name in env or {}):
        words = [sys.executable, "-m", *words]
        done = subprocess.run(words, cwd=cwd, env=clean, input=data, capture_output=True, timeout=SECONDS, check=False)
        code, out, err = done.returncode, done.stdout, done.stderr
    else:
        code, out, err = _server().run(words[1:], cwd, clean, data)
    shown = [text.decode("utf-8", "replace").replace(str(cwd), "FOLDER") for text in (out, err)]
    return Outcome(code, *shown, out)


@cache
def _server() -> ForkServer:
    return ForkServer()


class ForkServer:
    """Client of `tests.fork_server`, with one server for each test process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                cwd=ROOT,
                env={k: v for k, v in os.environ.items() if not k.startswith(("SIDECARCTL_", "FORCE_COLOR"))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop the server. It exits when its socket closes."""
        self._channel.close()
        self._process.communicate()

    def run(self, arguments: list[str], cwd: Path, env: dict[str, str], data: bytes) -> tuple[int, bytes, bytes]:
        """Run a command. Return its exit code, stdout, and stderr."""
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": env}).encode()
        assert len(request) <= MESSAGE_BYTES
        with self._lock:
            (child_in, our_in), (our_out, child_out), (our_err, child_err) = os.pipe(), os.pipe(), os.pipe()
            theirs = [child_in, child_out, child_err]
            socket.send_fds(self._channel, [request], theirs)
            for pipe in theirs:
                os.close(pipe)
            pid = int(self._channel.recv(32))
            killer = threading.Timer(SECONDS, os.kill, (pid, signal.SIGKILL))
            killer.start()
            read: list[bytes] = [b"", b""]
            threads = [threading.Thread(target=_write, args=(our_in, data))]
            threads += [threading.Thread(target=_read, args=(p, read, i)) for i, p in enumerate((our_out, our_err))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            code = int(self._channel.recv(32))
            killer.cancel()
        assert code != -signal.SIGKILL, f"killed after {SECONDS} seconds: {arguments}"
        return code, *read


def _write(pipe: int, data: bytes) -> None:
    try:
        with os.fdopen(pipe, "wb", buffering=0) as stream:
            view = memoryview(data)
            while view:
                view = view[stream.write(view) :]
    except BrokenPipeError:  # the command exited without reading all of its input
        pass


def _read(pipe: int, results: list[bytes], index: int) -> None:
    with os.fdopen(pipe, "rb") as stream:
        results[index] = stream.read()
