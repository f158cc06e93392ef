"""A limit of CPU time for patterns, schemas, and templates of other people, which can run without end.

In the main thread, a timer interrupts the work. Other threads, and those of subinterpreters, have no timers, so there the work
runs in a child process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sidecarctl import limits
from sidecarctl.watchdog import can_handle_signals

_active = False


class TooSlow(Exception):
    """The limit of time or memory is exceeded; the message says how to raise it."""


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise TooSlow after SIDECARCTL_MAX_SECONDS of CPU time. Inside another time limit, that one applies.

    Without timers (Windows), and in other threads than the main thread, there is no limit.
    """
    global _active
    import signal

    if _active or not has_timer():
        yield
        return

    def over(*_: Any) -> None:
        raise TooSlow(f"takes more than {limits.SECONDS.value} s; {limits.SECONDS.way_out}")

    before = signal.signal(signal.SIGVTALRM, over)
    _active = True
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, limits.SECONDS.value)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        _active = False
        signal.signal(signal.SIGVTALRM, before)


def has_timer() -> bool:
    """Return True if `time_limit` has an effect here."""
    import signal

    # A handler that Python has not set (None) cannot be restored.
    return hasattr(signal, "setitimer") and can_handle_signals() and signal.getsignal(signal.SIGVTALRM) is not None


def run_in_time(function: Callable[[Any], Any], argument: Any) -> Any:
    """Return `function(argument)`, within the time limit in every thread. Raises TooSlow.

    In other threads than the main thread, the result must be JSON and the argument one that can be pickled.
    """
    if has_timer():
        with time_limit():
            return function(argument)
    return run_in_child(function, argument)


def run_in_child(function: Callable[[Any], Any], argument: Any) -> Any:
    """Return `function(argument)`, within the limits of time and memory. Raises TooSlow.

    The result must be JSON and the argument one that can be pickled.
    """
    from sidecarctl.limited_worker import LimitExceeded, run_limited

    try:
        return run_limited(function, argument)
    except LimitExceeded as problem:
        what = str(problem).replace("run time exceeds", "takes more than", 1)
        raise TooSlow(what.replace("memory exceeds", "takes more memory than", 1)) from None
