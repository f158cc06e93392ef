"""Ends a command that spends too much CPU time on one step, such as a file or a document.

The last line of defense against input that was made to take hours: other limits bound its size, not every product of sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import InputError, StepTooLong

_seconds = 0
_step = ""
_in_one_step = False


def start() -> None:
    """Limit the steps of this process and its forks. Without timers (Windows), there is no limit.

    For a process that does nothing else: a program that uses the Python API has its own timers.
    """
    global _seconds
    import signal

    if hasattr(signal, "setitimer"):
        _seconds = limits.STEP_SECONDS.value
        signal.signal(signal.SIGPROF, _end)
        begin()


def can_handle_signals() -> bool:
    """Return True in the main thread of the main interpreter. A subinterpreter (mod_wsgi) calls its first thread main too."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        return False
    try:
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))  # changes nothing
    except TypeError:  # a handler that Python has not set
        return True
    except ValueError:
        return False
    return True


def begin(step: str = "") -> None:
    """Begin a step, such as a file: its time starts at zero. The name is for the error. A fork has no timer until it does."""
    global _step
    if _seconds and not _in_one_step:
        import signal

        _step = "stdin" if step == "-" else step
        signal.setitimer(signal.ITIMER_PROF, _seconds)


@contextmanager
def one_step(step: str) -> Iterator[None]:
    """Count all work inside as one step, such as trials of several sidecars with one file."""
    global _in_one_step
    begin(step)
    _in_one_step = True
    try:
        yield
    finally:
        _in_one_step = False


def spend(seconds: float) -> None:
    """Count the CPU time of a child process for the step."""
    if _seconds:
        import signal

        left = signal.getitimer(signal.ITIMER_PROF)[0]
        if left:  # else the time is stopped
            signal.setitimer(signal.ITIMER_PROF, max(left - seconds, 1e-6))


def stop() -> None:
    """Stop the time: a change of several files is not interrupted."""
    if _seconds:
        import signal

        signal.setitimer(signal.ITIMER_PROF, 0)


def _end(*_: Any) -> None:
    raise StepTooLong(
        InputError(
            f"{_step or 'the command'} takes more than {_seconds:,} s of CPU time",
            hint=f"split the input; {limits.STEP_SECONDS.way_out}",
        )
    )
