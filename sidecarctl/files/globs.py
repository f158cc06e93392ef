"""Expand globs among the inputs: `**` matches directories at any depth, but follows no symbolic links."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from pathlib import Path

STARS = "**"


def expand_glob(pattern: str, onerror: Callable[[OSError], None]) -> list[str]:
    """Return the paths that match a pattern, sorted. `onerror` gets directories that cannot be read.

    Unlike that of `glob.glob`, the time is linear in the number of files: two links to `.` are endlessly many directories.
    """
    return sorted(_expand(Path(pattern).parts, onerror))


def _expand(parts: tuple[str, ...], onerror: Callable[[OSError], None]) -> set[str]:
    if STARS not in parts:
        return set(glob.glob(str(Path(*parts))))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    at = parts.index(STARS)
    below = parts[at + 1 :]
    while below[:1] == (STARS,):
        below = below[1:]
    found: set[str] = set()
    for start in filter(os.path.isdir, _expand(parts[:at], onerror)) if at else ["."]:
        for root, directories, _ in os.walk(start, onerror=onerror):
            directories[:] = [each for each in directories if not each.startswith(".")]
            found |= _expand((*Path(glob.escape(root)).parts, *(below or ("*",))), onerror)
    return found
