"""Many inputs spread over processes: chunks go out, results come back in their order. Knows nothing of the work.

Workers are forks, which have everything that was made ready; where there are none (Windows) the work is done here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")
# With fewer items for each, starting workers takes longer than they save.
_WORTH_A_WORKER = 150
_CHUNKS_PER_WORKER = 8
_MAX_CHUNK = 100

# What workers find when they are forked: the items and what to do with each.
_inherited: list[tuple[Sequence[Any], Callable[[Any], Any]]] = []


def number_of(jobs: int, count: int) -> int:
    """Return how many processes to use for `count` items; for 0 jobs as many as are worth it, one per processor at most."""
    if not hasattr(os, "fork"):
        return 1
    return max(1, min(jobs, count) if jobs else min(_processors(), count // _WORTH_A_WORKER))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(items: Sequence[_T], work: Callable[[_T], _R], jobs: int) -> Iterator[_R]:
    """Yield the result of each item, in order, worked out by `jobs` processes (0: as many as are worth it)."""
    processes = number_of(jobs, len(items))
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
    pool = ProcessPoolExecutor(processes, get_context("fork"), _begin)
    try:
        for results in pool.map(_worked, chunks):
            yield from results
    finally:
        pool.shutdown(cancel_futures=True)
        _inherited.pop()


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end when the parent is killed."""
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _worked(chunk: range) -> list[Any]:
    items, work = _inherited[-1]
    return [work(items[index]) for index in chunk]
