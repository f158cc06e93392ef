"""Limits how deep directories are searched: each level costs time for every file below it."""

from __future__ import annotations

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
