"""Finds the files of a repository that configure sidecarctl: the nearest sidecarctl.yaml and sidecarctl.lock."""

from __future__ import annotations

import os
from pathlib import Path

from sidecarctl.files.patterns import repository_root

FILE_NAME = "sidecarctl.yaml"


def find_composition_file(start: Path) -> Path | None:
    """Return the nearest sidecarctl.yaml in `start` or above, up to the root of the repository; None if there is none."""
    return find_file(start, FILE_NAME)


def find_file(start: Path, name: str) -> Path | None:
    """Return the nearest file of this name in `start` or above, up to the root of the repository; None if there is none.

    A file or link of another user than the current one and root does not count: other users can write to a shared
    directory.
    """
    root = repository_root(start.resolve())
    inside = [each for each in start.resolve().parents if each.is_relative_to(root)]
    for directory in (start, *(inside if (root / ".git").exists() else start.resolve().parents)):
        if is_trusted(directory / name):
            return Path(os.path.relpath(directory / name, start)) if start == Path() else directory / name
    return None


def is_trusted(path: Path) -> bool:
    """Return True for an existing file that belongs to the current user or to root, as does a link to it."""
    return path.is_file() and has_trusted_owner(path)


def has_trusted_owner(path: Path) -> bool:
    """Return True for a path that belongs to the current user or to root, as does a link to it."""
    try:
        found = {path.stat().st_uid, path.lstat().st_uid}
    except OSError:
        return False
    return not hasattr(os, "getuid") or found <= {0, os.getuid()}
