"""Lets the threads of a program use a child process one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """The right to send a request to a child process and to read its answer."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._taken = False

    @contextmanager
    def take(self) -> Iterator[bool]:
        """Wait until no other thread has the turn. Yield True if this thread has it: a signal handler interrupted a request.

        Such a handler needs another process: the answer of this one is for the request that was interrupted.
        """
        with self._lock:
            before, self._taken = self._taken, True
            try:
                yield before
            finally:
                self._taken = before
