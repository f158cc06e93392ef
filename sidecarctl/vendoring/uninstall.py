"""Deletes a vendored library, its entry in the lock file, and those in compositions: all of them, or none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from sidecarctl.catalog.catalog import LOCK_FILE
from sidecarctl.files.depth import check_tree
from sidecarctl.files.directory import Directory, OutputError, open_directory
from sidecarctl.files.directory import lock as lock_directory
from sidecarctl.files.signals import defer_signals
from sidecarctl.files.write import Write, write_all
from sidecarctl.vendoring.aside import aside_names, delete_old, rename_back
from sidecarctl.vendoring.lock import LIBRARIES, UNCHANGED, LockedLibrary, LockFile, check_no_link
from sidecarctl.vendoring.verify import check_aside


def check_removable(library: LockedLibrary, home: Path) -> None:
    """Raise UsageError if the library or the lock file is behind a symbolic link: what is elsewhere is not deleted."""
    directory = library.directory(home)
    for path in (home / LIBRARIES, directory, home / LOCK_FILE):
        check_no_link(path)


def uninstall(library: LockedLibrary, lock: LockFile, files: Sequence[Write], *, force: bool = False) -> None:
    """Delete a library and its entry in the lock file, and write `files`. Raise OutputError.

    Raise UsageError for a library with other files than the lock file has, unless with `force`.
    If anything fails, what was there is restored. The lock file and `libraries` go with the last library. Ctrl-C takes effect
    when all is deleted.
    """
    with defer_signals():
        _uninstall(library, lock, files, force)


def _uninstall(library: LockedLibrary, lock: LockFile, files: Sequence[Write], force: bool) -> None:
    check_removable(library, lock.home)  # again: the uses of the library were searched since
    check_tree(library.directory(lock.home))
    others = [one for one in lock.libraries.values() if one.name != library.name]
    parent = Path(os.path.realpath(lock.home)) / LIBRARIES
    try:
        with open_directory(parent, UNCHANGED) if parent.is_dir() else nullcontext() as directory:
            if directory:
                lock_directory(directory)  # until the lock file is written
                directory.check(UNCHANGED)
            lock.check_unchanged()
            aside = _set_aside(library, directory)
            try:
                if aside and not force:
                    check_aside(library, lock.home, aside, "delete")
                write_all([*files, lock.with_libraries(others)])
            except BaseException:
                if directory and aside:
                    rename_back(directory, aside, library.name)
                raise
            if not others:
                _delete_lock_file(lock)
            if directory and aside:
                delete_old(directory, aside, "the library was removed")
    except OSError as problem:
        raise OutputError(
            f"cannot delete {library.directory(lock.home)}: {problem.strerror or problem}; {UNCHANGED}",
            hint="check the permissions",
        ) from None
    with suppress(OSError):
        parent.rmdir()


def _delete_lock_file(lock: LockFile) -> None:
    """Delete the lock file, which has no libraries any more. Raises OutputError."""
    try:
        lock.path.unlink()
    except OSError as problem:
        message = f"cannot delete {lock.path}: {problem.strerror or problem}; the library was removed"
        raise OutputError(message, hint="delete it") from None


def _set_aside(library: LockedLibrary, directory: Directory | None) -> str:
    """Rename the directory of a library in the directory of libraries. Return the new name, or "" if there is none."""
    if directory is None or not directory.has_directory(library.name):
        return ""
    _, aside = aside_names(library.name)
    directory.replace(library.name, aside)
    return aside
