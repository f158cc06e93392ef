"""Real paths of many files: each directory is resolved once, and each file costs one look for a link."""

from __future__ import annotations

import os
from collections.abc import Callable

RealPath = Callable[[str], str]


def cached_realpath() -> RealPath:
    """Return `os.path.realpath` for absolute paths without `..`, with the memory of one run.

    A path in a directory that does not exist, or that cannot be a path, is returned as it is.
    """

    known: dict[str, str] = {}

    def real(path: str) -> str:
        below: list[tuple[str, str]] = []
        while path not in known:
            above, name = os.path.split(path)
            # `os.path.isdir` is False, not an error, for a NUL and for a name that is too long.
            if not name or not (below or above in known or os.path.isdir(above)):  # noqa: PTH112
                known[path] = path
                break
            below.append((path, name))
            path = above
        found = known[path]
        for each, name in reversed(below):
            found = os.path.join(found, name)  # noqa: PTH118
            if os.path.islink(found):  # noqa: PTH114
                found = os.path.realpath(found)
            known[each] = found
        return found

    return real
