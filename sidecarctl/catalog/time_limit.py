"""A time limit for schemas of other people: a pattern, or a schema that refers to itself, can run without end.

In the main thread, a timer interrupts the work. Other threads have no timers, so there the work runs in a child process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sidecarctl import limits
from sidecarctl.catalog.json_schema_messages import SchemaFault, SchemaProblem, explain_errors

_T = TypeVar("_T")
_active = False


class TooSlow(Exception):
    """The time limit is exceeded; the message says how to raise it."""


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
    import threading

    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def run_in_time(function: Callable[[Any], Any], argument: Any) -> Any:
    """Return `function(argument)`, within the time limit in every thread. Raises TooSlow.

    In other threads than the main thread, the result must be JSON and the argument one that can be pickled.
    """
    if has_timer():
        with time_limit():
            return function(argument)
    from sidecarctl.limited_worker import LimitExceeded, run_limited

    try:
        return run_limited(function, argument)
    except LimitExceeded as problem:
        raise TooSlow(str(problem).removeprefix("run time ")) from None


def explain_in_time(schema: Any, value: object) -> list[SchemaProblem]:
    """Return the violations of a schema. Raises SchemaFault for an invalid schema, and if finding them takes too long."""
    try:
        answer = run_in_time(_explain, (schema, value))
    except TooSlow as problem:
        raise SchemaFault(f"validating the value {problem}") from None
    if isinstance(answer, str):
        raise SchemaFault(answer)
    return [SchemaProblem(tuple(path), *rest) for path, *rest in answer]


def _explain(request: tuple[Any, object]) -> list[list[Any]] | str:
    """Return the violations as JSON, or the fault of the schema."""
    try:
        found = explain_errors(*request)
    except SchemaFault as fault:
        return str(fault)
    return [[list(one.path), one.message, one.hint, one.on_key, one.missing] for one in found]


# A pattern without repetition inside a repeated group takes at most this many steps for n characters and k repetitions: n ** k.
_REPETITION = re.compile(r"[*+}]")
_CHOICE = re.compile(r"(?<!\()\?|\|")
_REPEATED_GROUP = re.compile(r"\)[*+{]|\(\?[^:]|\\[1-9]")
_FEW_STEPS = 1_000_000


def pattern_matches(pattern: str, text: str) -> bool:
    """Return True if the pattern matches anywhere in the text. Raise SchemaFault if that exceeds the time limit."""
    if _is_quick(pattern, len(text)):
        return _search((pattern, text))
    try:
        return bool(run_in_time(_search, (pattern, text)))
    except TooSlow as problem:
        raise SchemaFault(f'pattern "{pattern}" on {len(text)} characters {problem}') from None


def _is_quick(pattern: str, length: int) -> bool:
    if _REPEATED_GROUP.search(pattern):
        return length < 2
    ways = len(_CHOICE.findall(pattern))  # two each
    if ways > _FEW_STEPS.bit_length():
        return False
    steps: int = (length + 1) ** (len(_REPETITION.findall(pattern)) + 1) << ways
    return steps <= _FEW_STEPS


def _search(request: tuple[str, str]) -> bool:
    pattern, text = request
    return re.search(pattern, text) is not None
