"""Limits how deep directories are searched and deleted: each level costs time for every file below it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sidecarctl.errors import InputError

MOST_LEVELS = 100


def check_depth(start: Path, directory: Path, instead: str) -> None:
    """Raise InputError for a directory that is too many levels below the start of a search; `instead` is another way out."""
    if len(directory.parts) - len(start.parts) > MOST_LEVELS:
        first = Path(*directory.parts[: len(start.parts) + 1])
        raise InputError(
            f"directories below {first} are nested too deeply: more than {MOST_LEVELS} levels",
            hint=f"name the directories to read, {instead}",
        )


def check_tree(directory: Path) -> None:
    """Raise InputError if a directory has others that are nested too deeply to be searched or deleted. Links are not followed."""
    waiting = [(os.fspath(directory), 0)]
    while waiting:
        path, level = waiting.pop()
        if level > MOST_LEVELS:
            raise InputError(
                f"directories in {directory} are nested too deeply: more than {MOST_LEVELS} levels", hint="delete them"
            )
        with suppress(OSError), os.scandir(path) as entries:
            waiting += [(each.path, level + 1) for each in entries if each.is_dir(follow_symlinks=False)]
