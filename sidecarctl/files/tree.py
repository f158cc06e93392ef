"""Walks directories of any depth. `os.walk` before Python 3.12 and `shutil.rmtree` before 3.13 recurse for each level."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress


def scan_tree(start: str, onerror: Callable[[OSError], None]) -> Iterator[list[os.DirEntry[str]]]:
    """Yield the entries of a directory, and of each directory below it. Links are not followed.

    `onerror` gets the errors of directories that cannot be listed.
    """
    waiting = [start]
    while waiting:
        path = waiting.pop()
        try:
            with os.scandir(path) as scan:
                entries = list(scan)
            below = [each.path for each in entries if each.is_dir(follow_symlinks=False)]
        except OSError as problem:
            onerror(problem)
            continue
        yield entries
        waiting += below


def flatten_tree(top: str) -> None:
    """Move all directories below one directly into it, so that a function that recurses can delete it.

    What cannot be moved stays. No path gets longer than that of a directory in `top`.
    """
    numbers = itertools.count()
    waiting = [top]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as scan:
            for each in list(scan):
                with suppress(OSError):
                    if each.is_dir(follow_symlinks=False):
                        moved = os.path.join(top, f"{next(numbers)}.sidecarctl")  # noqa: PTH118
                        os.rename(each.path, moved)  # noqa: PTH104
                        waiting.append(moved)
