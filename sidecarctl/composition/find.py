"""Finds the files of a repository that configure sidecarctl: the nearest sidecarctl.yaml and sidecarctl.lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sidecarctl.files.patterns import repository_root

FILE_NAME = "sidecarctl.yaml"


# Called with a file or directory that is not used, and the user (uid) that it belongs to.
Report = Callable[[Path, int], None]


def report_nothing(path: Path, owner: int) -> None:
    """Report nothing."""


def find_composition_file(start: Path, report: Report = report_nothing) -> Path | None:
    """Return the nearest sidecarctl.yaml in `start` or above, up to the root of the repository; None if there is none."""
    return find_file(start, FILE_NAME, report)


def find_file(start: Path, name: str, report: Report = report_nothing) -> Path | None:
    """Return the nearest file of this name in `start` or above, up to the root of the repository; None if there is none.

    A file or link of another user than the current one and root is reported and does not count: other users can write to
    a shared directory.
    """
    root = repository_root(start.resolve())
    inside = [each for each in start.resolve().parents if each.is_relative_to(root)]
    for directory in (start, *(inside if (root / ".git").exists() else start.resolve().parents)):
        path = directory / name
        if not path.is_file():
            continue
        owner = foreign_owner(path)
        if owner is None:
            return Path(os.path.relpath(path, start)) if start == Path() else path
        report(path, owner)
    return None


def foreign_owner(path: Path) -> int | None:
    """Return the user (uid) that a path or a link to it belongs to, None for the current user and root.

    Raises OSError if the path does not exist.
    """
    trusted = {0, os.getuid()} if hasattr(os, "getuid") else {0}
    return next((uid for uid in (path.lstat().st_uid, path.stat().st_uid) if uid not in trusted), None)
