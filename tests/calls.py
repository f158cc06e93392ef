"""Counts calls, for tests of growth: calls are the same in each run, times are not."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any


def count_calls(work: Callable[[], object], *codes: CodeType) -> Counter[str]:
    """Return the number of calls that `work` makes by function name: of these functions, or of all, those in C too."""
    counted: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code in codes if codes else event in ("call", "c_call"):
            counted[frame.f_code.co_name] += 1

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted
