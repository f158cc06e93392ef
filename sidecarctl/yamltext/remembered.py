"""Functions of plain data that remember results by content: what many documents have in common is worked out once."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

_R = TypeVar("_R")
_BY_CONTENT = 2  # the format of marshal in which equal bytes are equal data, keys in the same order
_MAX_BYTES = 1 << 16
_MAX_RESULTS = 256


def by_content(function: Callable[..., _R]) -> Callable[..., _R]:
    """Remember the results of a function whose first argument is plain data and whose others are hashable.

    A result is shared: nobody may change it. Values that are large or of a class of their own are not remembered.
    """

    @lru_cache(maxsize=_MAX_RESULTS)
    def known(content: bytes, *more: Any) -> _R:
        return function(marshal.loads(content), *more)

    @wraps(function)
    def remembering(value: Any, *more: Any) -> _R:
        try:
            content = marshal.dumps(value, _BY_CONTENT)
        except ValueError:
            return function(value, *more)
        return known(content, *more) if len(content) <= _MAX_BYTES else function(value, *more)

    return remembering
