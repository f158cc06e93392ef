"""Runs work on other people's input in a child process with limits on CPU time and memory.

One step of a template can run without end, so counting steps is not enough. The child is a fork, which starts in
milliseconds and serves all later requests. It sends JSON, never objects. In a program with several threads, it is a new
process: a fork would inherit locks that other threads hold, such as those of imports, and wait for them without end. A
subinterpreter cannot fork. Without fork (Windows, WebAssembly), the work runs in this process.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sidecarctl import limits, watchdog, workers
from sidecarctl.errors import InputError
from sidecarctl.turn import Turn

# Seconds of real time after which the child is stopped, as a multiple of the limit of CPU time.
_PATIENCE = 6
_START_SECONDS = 60  # of real time, for a new process
_END_SECONDS = 0.2  # for a child that exceeded a limit to end
# True in the child, which has the limits already.
_serving = False


class LimitExceeded(Exception):
    """Work took too much CPU time or memory; the message says which, and how to raise the limit."""


def run_limited(function: Callable[[Any], Any], argument: Any) -> Any:
    """Return `function(argument)`, computed by the child process of this process.

    `function` is a function of a module, its argument can be pickled, and its result is JSON. Raises LimitExceeded if it takes
    more than SIDECARCTL_MAX_SECONDS of CPU time or SIDECARCTL_MAX_MEMORY, RuntimeError for any exception of the function, and
    InputError if the system refuses another process.
    """
    if _serving or not _can_fork():
        return function(argument)
    answer = _child.ask(function, argument)
    if "failed" in answer:
        raise RuntimeError(answer["failed"])
    return answer["result"]


def _can_fork() -> bool:
    # In WebAssembly, os.fork exists and always fails.
    return hasattr(os, "fork") and sys.platform not in ("emscripten", "wasi")


class _Child:
    """The child process, started on first use and again after it was stopped, or in another working directory."""

    def __init__(self) -> None:
        self._process: _Fork | _Program | None = None
        self._directory: tuple[object, ...] = ()
        self._turn = Turn()

    def ask(self, function: Callable[[Any], Any], argument: Any) -> dict[str, Any]:
        seconds = limits.SECONDS.value
        with self._turn.take() as interrupted:
            if interrupted:
                return _ask_another(function, argument)
            if (here := _working_directory()) != self._directory:  # paths of libraries can be relative
                self.stop()
            self._directory = here
            process = self._process = self._process or _start()
            answers = True
            try:
                process.connection.send((function, argument, seconds))
                answers = process.connection.poll(seconds * _PATIENCE)
                if answers:
                    answer: dict[str, Any] = json.loads(process.connection.recv_bytes())
                    watchdog.spend(answer["seconds"])
                    return answer
            except (EOFError, OSError):
                pass  # the child ended: it exceeded a limit
            except BaseException:  # Ctrl-C: the answer must not be taken for that of the next request
                self.stop()
                raise
            code = self.stop()
            watchdog.spend(seconds)
        raise LimitExceeded(_explain(code, answers))

    def forget(self) -> None:
        """Leave the process to the process that started it, which this one is a fork of: multiprocessing would end it."""
        processes = sys.modules.get("multiprocessing.process")
        if isinstance(self._process, _Fork):
            getattr(processes, "_children", set()).discard(self._process.process)

    def stop(self, seconds: float = _END_SECONDS) -> int:
        """End the process, and return its exit code; the next request starts a new one. `seconds`: how long it may take."""
        process, self._process = self._process, None
        if process is None:
            return 0
        code = process.end(seconds)
        process.connection.close()
        return code


def _ask_another(function: Callable[[Any], Any], argument: Any) -> dict[str, Any]:
    other = _Child()
    try:
        return other.ask(function, argument)
    finally:
        other.stop()


def _working_directory() -> tuple[object, ...]:
    """Return what identifies the working directory: another one can have its path by now."""
    try:
        found = os.stat(".")  # noqa: PTH116 - for speed
        return os.getcwd(), found.st_dev, found.st_ino  # noqa: PTH109 - for speed
    except OSError:  # it was deleted
        return ()


def _start() -> _Fork | _Program:
    for limit in limits.ALL:  # an invalid variable is an error here, not in the child
        limit.check()
    memory = limits.MEMORY.value << 20
    # The threads of a command that distributes work are its own, and import nothing.
    if (threading.active_count() > 1 and not workers.is_active()) or _is_daemon() or not watchdog.can_handle_signals():
        with suppress(OSError, EOFError):  # no interpreter, as in a program that has Python inside
            return _Program(memory)
    try:
        return _Fork(memory)
    except OSError as problem:
        raise cannot_start(problem) from None


def cannot_start(problem: OSError) -> InputError:
    """Return the error for a child process that the system refuses."""
    hint = "raise the limits on processes (`ulimit -u`) and open files (`ulimit -n`)"
    return InputError(f"cannot start a child process: {problem.strerror}", hint=hint)


def _is_daemon() -> bool:
    """Return True in a worker of `multiprocessing.Pool`, which may not fork with multiprocessing."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and bool(processes.current_process().daemon)


class _Fork:
    """A fork of this process. `memory`: the limit in bytes."""

    def __init__(self, memory: int) -> None:
        from multiprocessing import get_context

        context = get_context("fork")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve_fork, args=(other, self.connection, memory), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads: the child starts none
            self.process.start()
        other.close()

    def end(self, seconds: float) -> int:
        self.process.join(seconds)
        self.process.kill()
        self.process.join()
        return int(self.process.exitcode or 0)


class _Program:
    """A new process with the same interpreter and search path. `memory`: the limit in bytes. Raises OSError or EOFError."""

    def __init__(self, memory: int) -> None:
        import subprocess
        from multiprocessing import Pipe
        from multiprocessing.spawn import get_executable

        executable = get_executable()
        if getattr(sys, "frozen", False) or not executable:
            raise OSError("the executable is not Python, or unknown")
        self.connection, other = Pipe()
        with other:
            self._process = subprocess.Popen(
                [os.fsdecode(executable), "-c", _PROGRAM, str(other.fileno()), str(memory), *map(str, sys.path)],
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                start_new_session=True,  # Ctrl-C is for the parent
            )
        if not self.connection.poll(_START_SECONDS):
            self.end(0)
        self.connection.recv_bytes()

    def end(self, seconds: float) -> int:
        from subprocess import TimeoutExpired

        with suppress(TimeoutExpired):
            self._process.wait(seconds)
        self._process.kill()
        return self._process.wait()


_PROGRAM = """\
import sys
_, descriptor, memory, *sys.path = sys.argv
from sidecarctl.limited_worker import serve_program
serve_program(int(descriptor), int(memory))
"""


def _explain(code: int, answers: bool) -> str:
    import signal

    if not answers:
        return f"run time exceeds {limits.SECONDS.value * _PATIENCE} s of real time; {limits.SECONDS.way_out}"
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return f"run time exceeds {limits.SECONDS.value} s; {limits.SECONDS.way_out}"
    return f"memory exceeds {limits.MEMORY.value} MiB; {limits.MEMORY.way_out}"


def serve_program(descriptor: int, memory: int) -> None:
    """Answer requests in a new process."""
    from multiprocessing.connection import Connection

    connection = Connection(descriptor)
    with suppress(OSError):  # the parent ended meanwhile
        connection.send_bytes(b"ready")
        _serve(connection, memory)


def _serve_fork(connection: Any, parent: Any, memory: int) -> None:
    parent.close()
    _serve(connection, memory)


def _serve(connection: Any, memory: int) -> None:
    """Answer requests until the parent closes the pipe. `memory`: the limit in bytes."""
    global _serving
    import signal

    _serving = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    _limit_memory(memory)
    # The parent ended, or closed the pipe while it sent a request or had an answer left.
    with suppress(EOFError, OSError):
        while True:
            try:
                function, argument, seconds = connection.recv()
            except MemoryError:  # the request alone is too large
                os._exit(1)
            connection.send_bytes(_answer(function, argument, seconds))


def _answer(function: Callable[[Any], Any], argument: Any, seconds: int) -> bytes:
    _limit_time(seconds)
    began = time.process_time()
    try:
        answer = json.dumps({"result": function(argument), "seconds": time.process_time() - began})
    except MemoryError:
        os._exit(1)
    except Exception as error:
        failed = f"{type(error).__name__}: {error}"
        answer = json.dumps({"failed": failed, "seconds": time.process_time() - began})
    return answer.encode("utf-8", "surrogatepass")


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


_child = _Child()


def _replace_child() -> None:
    """Use another child in a forked process: it must not share the pipe of its parent."""
    global _child
    _child.forget()
    _child = _Child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_child)
atexit.register(lambda: _child.stop(0))
