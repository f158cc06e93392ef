"""Distributes work over processes, in order: many files, or the documents of one stream.

Workers are forks and inherit what was prepared; without fork (Windows), the work runs in this process. A worker does not
start workers.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from sidecarctl.errors import InputError, StepTooLong

if TYPE_CHECKING:
    from concurrent.futures import Executor

_T = TypeVar("_T")
_R = TypeVar("_R")


# With fewer items per worker, starting it costs more than it saves.
_MIN_ITEMS_PER_WORKER = 150
_CHUNKS_PER_WORKER = 8
_MAX_CHUNK = 100
# Items of a stream per task, and how many the first process works on before it forks: imports and caches are inherited.
_STREAM_CHUNK = 25
_FIRST = 8


# Inherited by forked workers: the items, and the function to call on each.
_inherited: list[tuple[Sequence[Any], Callable[[Any], Any]]] = []


def process_count(jobs: int, count: int) -> int:
    """Return the number of processes for `count` items. 0 jobs: one per CPU, if there are enough items."""
    if not hasattr(os, "fork") or _inherited:
        return 1
    return max(1, min(jobs, count) if jobs else min(_processors(), count // _MIN_ITEMS_PER_WORKER))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_active() -> bool:
    """Return True in a worker, and in the process that has started workers."""
    return bool(_inherited)


def spread(items: Sequence[_T], work: Callable[[_T], _R], jobs: int) -> Iterator[_R]:
    """Yield `work(item)` for each item, in order, computed by `jobs` processes (0: chosen by the number of items)."""
    processes = process_count(jobs, len(items))
    if processes == 1:
        for item in items:  # not `map`: there, a StopIteration of `work` would end the items without a word
            yield work(item)
        return
    size = max(1, min(_MAX_CHUNK, len(items) // (processes * _CHUNKS_PER_WORKER)))
    chunks = [range(start, min(start + size, len(items))) for start in range(0, len(items), size)]
    with _pool(processes, items, work) as pool:
        with _starting():
            found = pool.map(_work_on, chunks)
        for results in found:
            yield from results


def spread_stream(items: Iterable[_T], work: Callable[[_T], _R], jobs: int) -> Iterator[_R]:
    """Yield `work(item)` for each item, in order, as `spread` does, and hold only a few of them: a stream has any length."""
    failure: list[Exception] = []
    rest = _until_failure(items, failure)
    head = list(islice(rest, _MIN_ITEMS_PER_WORKER * _processors())) if jobs != 1 else []
    processes = process_count(jobs, len(head))
    if processes == 1 or len(head) <= _FIRST:
        for item in chain(head, rest):
            yield work(item)
    else:
        for item in head[:_FIRST]:
            yield work(item)
        yield from _spread_chunks(_chunks(chain(head[_FIRST:], rest)), work, processes)
    for error in failure:
        raise error


def _spread_chunks(chunks: Iterator[list[_T]], work: Callable[[_T], _R], processes: int) -> Iterator[_R]:
    with _pool(processes, (), work) as pool:
        first = list(islice(chunks, 2 * processes))
        with _starting():
            waiting = deque(pool.submit(_work_on_items, chunk) for chunk in first)
        while waiting:
            results = waiting.popleft().result()
            waiting.extend(pool.submit(_work_on_items, chunk) for chunk in islice(chunks, 1))
            yield from results


def _until_failure(items: Iterable[_T], failure: list[Exception]) -> Iterator[_T]:
    """Yield items up to an error, which is kept: what comes before it in the stream is processed first."""
    try:
        yield from items
    except Exception as error:
        failure.append(error)


def _chunks(items: Iterator[_T]) -> Iterator[list[_T]]:
    while chunk := list(islice(items, _STREAM_CHUNK)):
        yield chunk


class _CannotStart(InputError):
    """The system refuses worker processes."""


@contextmanager
def _pool(processes: int, items: Sequence[Any], work: Callable[[Any], Any]) -> Iterator[Executor]:
    """Start workers that inherit the items and the function. Raises InputError if one of them is killed.

    After Ctrl-C, after a step that takes too long, and if not all can start, nothing waits for the workers, which end with this
    process: one can wait for a lock that is never released.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    sys.stdout.flush()
    sys.stderr.flush()
    _inherited.append((items, work))
    pool: Executor | None = None
    wait = True
    try:
        with _starting():
            pool = ProcessPoolExecutor(processes, get_context("fork"), _start_worker)
        yield pool
    except (KeyboardInterrupt, StepTooLong):
        wait = False
        raise
    except _CannotStart:
        wait = False
        for process in (getattr(pool, "_processes", None) or {}).values():
            process.kill()  # Python waits for those that started before it ends
        raise
    except BrokenProcessPool:
        raise InputError(
            "a worker process was killed, possibly because the memory is full; nothing was written",
            hint="run again with --jobs 1, which takes less memory",
        ) from None
    finally:
        if pool:
            pool.shutdown(wait, cancel_futures=True)
        _inherited.pop()


@contextmanager
def _starting() -> Iterator[None]:
    """Raise an error if the system refuses processes, or what they need: threads, and semaphores, which use /dev/shm."""
    from concurrent.futures import BrokenExecutor

    try:
        yield
    except BrokenExecutor:  # a RuntimeError: a worker that had started was killed
        raise
    except (OSError, RuntimeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise _CannotStart(
            f"cannot start worker processes: {reason}; nothing was written", hint="run again with --jobs 1"
        ) from None


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and exit when the parent is killed."""
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work_on(chunk: range) -> list[Any]:
    items, work = _inherited[-1]
    return [work(items[index]) for index in chunk]


def _work_on_items(chunk: list[Any]) -> list[Any]:
    _, work = _inherited[-1]
    return [work(item) for item in chunk]
