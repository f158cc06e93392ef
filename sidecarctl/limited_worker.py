"""Runs work on other people's input in a child process with limits on CPU time and memory.

One step of a template can run without end, so counting steps is not enough. The child is a fork, which starts in
milliseconds and serves all later requests. It sends JSON, never objects. Without fork (Windows, WebAssembly), the work runs
in this process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sidecarctl import limits, watchdog

# Seconds of real time after which the child is stopped, as a multiple of the limit of CPU time.
_PATIENCE = 6


class LimitExceeded(Exception):
    """Work took too much CPU time or memory; the message says which, and how to raise the limit."""


def run_limited(function: Callable[[Any], Any], argument: Any) -> Any:
    """Return `function(argument)`, computed by the child process of this process.

    `function` is a function of a module, its argument can be pickled, and its result is JSON. Raises LimitExceeded if it takes
    more than SIDECARCTL_MAX_SECONDS of CPU time or SIDECARCTL_MAX_MEMORY, RuntimeError for any exception of the function.
    """
    if not _can_fork():
        return function(argument)
    answer = _child().ask(function, argument)
    if "failed" in answer:
        raise RuntimeError(answer["failed"])
    return answer["result"]


def _can_fork() -> bool:
    # In WebAssembly, os.fork exists and always fails.
    return hasattr(os, "fork") and sys.platform not in ("emscripten", "wasi")


class _Child:
    """The child process, started on first use and again after it was stopped."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Any = None
        self._turn = threading.Lock()

    def ask(self, function: Callable[[Any], Any], argument: Any) -> dict[str, Any]:
        seconds = limits.SECONDS.value
        with self._turn:
            if self._process is None:
                self._start()
            try:
                self._connection.send((function, argument, seconds))
                if self._connection.poll(seconds * _PATIENCE):
                    answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
                    watchdog.spend(answer["seconds"])
                    return answer
            except (EOFError, OSError):
                pass  # the child ended: it exceeded a limit
            except BaseException:  # Ctrl-C: the answer must not be taken for that of the next request
                self._stop()
                raise
            code = self._stop()
            watchdog.spend(seconds)
        raise LimitExceeded(_explain(code))

    def _start(self) -> None:
        from multiprocessing import get_context

        for limit in limits.ALL:  # an invalid variable is an error here, not in the child
            limit.check()
        memory = limits.MEMORY.value << 20
        context = get_context("fork")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._connection, memory), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads: the child starts none
            self._process.start()
        other.close()

    def _stop(self) -> int:
        process, self._process = self._process, None
        process.join(0.2)
        process.kill()
        process.join()
        self._connection.close()
        return int(process.exitcode or 0)


def _explain(code: int) -> str:
    import signal

    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return f"run time exceeds {limits.SECONDS.value} s; {limits.SECONDS.way_out}"
    return f"memory exceeds {limits.MEMORY.value} MiB; {limits.MEMORY.way_out}"


def _serve(connection: Any, parent: Any, memory: int) -> None:
    """Answer requests until the parent closes the pipe. `memory`: the limit in bytes."""
    import signal

    parent.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    _limit_memory(memory)
    while True:
        try:
            function, argument, seconds = connection.recv()
        except EOFError:
            return
        except MemoryError:  # the request alone is too large
            os._exit(1)
        _limit_time(seconds)
        began = time.process_time()
        try:
            answer = json.dumps({"result": function(argument), "seconds": time.process_time() - began})
        except MemoryError:
            os._exit(1)
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
            answer = json.dumps({"failed": failed, "seconds": time.process_time() - began})
        connection.send_bytes(answer.encode("utf-8", "surrogatepass"))


def _limit_time(seconds: int) -> None:
    """Let the process be killed after more CPU time, in addition to what it has used."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, most))


def _limit_memory(more: int) -> None:
    """Limit what the process allocates in addition to what it inherited, in bytes; forbid files and core dumps."""
    import resource

    with suppress(OSError, ValueError, IndexError):
        with open("/proc/self/statm", encoding="ascii") as file:
            inherited = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (inherited + more, inherited + more))
    for what, value in ((resource.RLIMIT_DATA, more), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (value, value))


_children: dict[int, _Child] = {}


def _child() -> _Child:
    """Return the child of this process; a forked process must not share the pipe of its parent."""
    pid = os.getpid()
    if pid not in _children:
        _children.clear()
        _children[pid] = _Child()
    return _children[pid]
