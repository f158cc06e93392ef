"""Spreads work over processes and yields the results in order.

Workers are forks and inherit what was prepared. Without fork (Windows), the work runs in this process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")
# With fewer items per worker, starting it costs more than it saves.
_MIN_ITEMS_PER_WORKER = 150
_CHUNKS_PER_WORKER = 8
_MAX_CHUNK = 100

# Inherited by forked workers: the items, and the function to call on each.
_inherited: list[tuple[Sequence[Any], Callable[[Any], Any]]] = []


def process_count(jobs: int, count: int) -> int:
    """Return the number of processes for `count` items. 0 jobs: one per CPU, if there are enough items."""
    if not hasattr(os, "fork"):
        return 1
    return max(1, min(jobs, count) if jobs else min(_processors(), count // _MIN_ITEMS_PER_WORKER))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(items: Sequence[_T], work: Callable[[_T], _R], jobs: int) -> Iterator[_R]:
    """Yield `work(item)` for each item, in order, computed by `jobs` processes (0: chosen by the number of items)."""
    processes = process_count(jobs, len(items))
    if processes == 1:
        yield from map(work, items)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    size = max(1, min(_MAX_CHUNK, len(items) // (processes * _CHUNKS_PER_WORKER)))
    chunks = [range(start, min(start + size, len(items))) for start in range(0, len(items), size)]
    sys.stdout.flush()
    sys.stderr.flush()
    _inherited.append((items, work))
    pool = ProcessPoolExecutor(processes, get_context("fork"), _start_worker)
    try:
        for results in pool.map(_work_on, chunks):
            yield from results
    finally:
        pool.shutdown(cancel_futures=True)
        _inherited.pop()


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
