"""One call of the Python API at a time: modules are imported, and caches are filled, on first use, by code without locks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing import ParamSpec

    _P = ParamSpec("_P")
_R = TypeVar("_R")
# Reentrant, for a signal handler and an argument that call the API.
_lock = threading.RLock()


def one_at_a_time(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let calls of decorated functions by other threads wait for each other."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with _lock:
            return function(*args, **kwargs)

    return call


def _replace_lock() -> None:
    """Use another lock in a forked process: the thread that holds the lock can be missing there."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_lock)
