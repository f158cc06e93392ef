"""Waits for what happens in a running pod."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(true: Callable[[], object], timeout: float = 20) -> None:
    """Call `true` until it returns something true. Fail after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, f"it did not happen within {timeout} seconds"
        time.sleep(0.05)
