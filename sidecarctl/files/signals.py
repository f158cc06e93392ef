"""Ends a run on SIGTERM and SIGHUP as on Ctrl-C, so that what it created is removed, or after a change is complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl.errors import InputError
from sidecarctl.files.tree import flatten_tree
from sidecarctl.watchdog import can_handle_signals

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise SystemExit, as Ctrl-C raises KeyboardInterrupt, so that no temporary file remains.

    After the first signal, others have no effect until the end: a second one would interrupt the removal of these files.
    `timeout`, `make`, and shells often send two.
    """
    import signal

    if not can_handle_signals():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    changed = [number for number in numbers if before[number] in (signal.SIG_DFL, signal.default_int_handler)]

    def end(number: int, _: object) -> None:
        for each in changed:
            signal.signal(each, lambda *_: None)  # not SIG_IGN: Python warns if it is set after the signal came
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in changed:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])


@contextmanager
def defer_signals() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM, and SIGHUP take effect at the end: for a short change of several files that must not stop halfway."""
    import signal

    if not can_handle_signals():
        yield
        return
    received: list[int] = []
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    changed = [number for number, handler in before.items() if handler not in (None, signal.SIG_IGN)]
    try:
        for number in changed:
            signal.signal(number, lambda caught, _: received.append(caught))
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])
    for number in received[:1]:
        signal.raise_signal(number)


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """Create a directory, and remove it at the end, also if a signal comes while it is created or removed.

    For runs with `end_on_signals`, in which only the first signal has an effect. Raises InputError if none can be created.
    """
    from tempfile import TemporaryDirectory

    made: list[TemporaryDirectory[str]] = []
    try:
        try:
            with defer_signals():
                try:
                    made.append(TemporaryDirectory(prefix="sidecarctl-", ignore_cleanup_errors=True))
                except OSError as problem:
                    hint = "set TMPDIR to a directory that you can write to, or free space in it"
                    raise InputError(f"cannot create a temporary directory: {problem.strerror}", hint=hint) from None
            yield Path(made[0].name).resolve()
        finally:
            _remove(made)
    finally:  # the first signal can interrupt the removal
        _remove(made)


def _remove(directories: Sequence[TemporaryDirectory[str]]) -> None:
    for each in directories:
        flatten_tree(each.name)
        each.cleanup()
