"""Deletes a vendored library, its entry in the lock file, and those in compositions: all of them, or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sidecarctl.catalog.catalog import LOCK_FILE
from sidecarctl.files.directory import OutputError
from sidecarctl.files.signals import defer_signals
from sidecarctl.files.write import Write, write_all
from sidecarctl.vendoring.lock import LIBRARIES, LockedLibrary, LockFile, check_no_link


def check_removable(library: LockedLibrary, home: Path) -> None:
    """Raise UsageError if the library or the lock file is behind a symbolic link: what is elsewhere is not deleted."""
    directory = library.directory(home)
    for path in (home / LIBRARIES, directory, home / LOCK_FILE):
        check_no_link(path)


def uninstall(library: LockedLibrary, lock: LockFile, files: Sequence[Write]) -> None:
    """Delete a library and its entry in the lock file, and write `files`. Raise OutputError.

    If anything fails, what was there is restored. The lock file and `libraries` go with the last library. Ctrl-C takes effect
    when all is deleted.
    """
    with defer_signals():
        _uninstall(library, lock, files)


def _uninstall(library: LockedLibrary, lock: LockFile, files: Sequence[Write]) -> None:
    directory = library.directory(lock.home)
    aside = directory.with_name(f".{directory.name}.{os.urandom(6).hex()}.old.sidecarctl")
    others = [one for one in lock.libraries.values() if one.name != library.name]
    moved = directory.is_dir()
    try:
        if moved:
            directory.replace(aside)
        write_all([*files, lock.with_libraries(others)])
    except BaseException as problem:
        if moved and aside.exists():
            aside.replace(directory)
        if isinstance(problem, OSError):
            raise OutputError(
                f"cannot delete {directory}: {problem.strerror or problem}; nothing was changed",
                hint="check the permissions",
            ) from None
        raise
    if not others:
        lock.path.unlink()
    # Links inside the directory are deleted, not followed.
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(OSError):
        (lock.home / LIBRARIES).rmdir()
