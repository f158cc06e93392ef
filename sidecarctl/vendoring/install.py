"""Writes vendored libraries and the lock file: both are changed, or neither.

The directory of the libraries is held open, so that a link that takes its place meanwhile does not lead elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from sidecarctl.errors import UsageError
from sidecarctl.files.depth import check_tree
from sidecarctl.files.directory import Directory, OutputError, open_directory
from sidecarctl.files.directory import lock as lock_directory
from sidecarctl.files.signals import defer_signals
from sidecarctl.files.write import write_all
from sidecarctl.vendoring.aside import aside_names, delete_old, rename_back
from sidecarctl.vendoring.get import Library
from sidecarctl.vendoring.library_files import SUMS_FILE
from sidecarctl.vendoring.lock import LIBRARIES, UNCHANGED, LockFile, check_no_link
from sidecarctl.vendoring.verify import check_aside


def install(libraries: Sequence[Library], lock: LockFile, *, force: bool = False) -> None:
    """Write the libraries and the lock file next to them. If anything fails, restore what was there. Raise OutputError.

    A library that is replaced must have the files of the lock file, and there must be nothing in the place of a new one, unless
    with `force`: else raise UsageError. Ctrl-C takes effect when all is written.
    """
    with defer_signals():
        _install(libraries, lock, force)


def _install(libraries: Sequence[Library], lock: LockFile, force: bool) -> None:
    parent = Path(os.path.realpath(lock.home)) / LIBRARIES
    created = not parent.exists()
    try:
        check_no_link(lock.home / LIBRARIES)
        parent.mkdir(exist_ok=True)
        with open_directory(parent, UNCHANGED) as directory:
            _replace(libraries, lock, directory, force)
    except BaseException as problem:
        if created:
            with suppress(OSError):
                parent.rmdir()
        if isinstance(problem, OSError):
            raise OutputError(
                f"cannot write {lock.home / LIBRARIES / (problem.filename or '')}: {problem.strerror or problem}; {UNCHANGED}",
                hint="check the permissions and the free disk space",
            ) from None
        raise


def _replace(libraries: Sequence[Library], lock: LockFile, directory: Directory, force: bool) -> None:
    """Write the libraries next to the old ones, exchange them, and write the lock file."""
    swaps: list[tuple[str, str, str]] = []
    replaced: list[str] = []
    try:
        for library in libraries:
            target = library.locked.name
            check_no_link(library.locked.directory(lock.home))
            check_tree(library.locked.directory(lock.home))
            new, old = aside_names(target)
            swaps.append((target, new, old))
            write_files(library, directory, new)
        lock_directory(directory)  # until the lock file is written
        directory.check(UNCHANGED)
        lock.check_unchanged()
        for target, new, old in swaps:
            if directory.status(target) is not None:
                directory.replace(target, old)
                if not force:
                    _check_old(lock, target, old)
            directory.replace(new, target)
            replaced.append(target)
        entries = {**lock.libraries, **{library.locked.name: library.locked for library in libraries}}
        write_all([lock.with_libraries(entries.values())])
    except BaseException:
        _restore(directory, swaps, replaced)
        raise
    with ExitStack() as deletions:  # each is tried, also after an error
        for target, _, old in swaps:
            if directory.status(old) is not None:
                deletions.callback(delete_old, directory, old, f"{target} was updated")


def _check_old(lock: LockFile, name: str, aside: str) -> None:
    """Raise UsageError for a library that was changed or created while the new files were fetched."""
    if name not in lock.libraries:
        raise UsageError(f"{lock.home / LIBRARIES / name} exists already", hint="choose another name, or delete it")
    check_aside(lock.libraries[name], lock.home, aside, "overwrite")


def write_files(library: Library, parent: Directory, name: str) -> None:
    """Write the files of a library and its SHA256SUMS to a new directory. Raises OSError."""
    parent.write_tree(name, {**library.contents, SUMS_FILE: library.sums.encode()})


def _restore(directory: Directory, swaps: Sequence[tuple[str, str, str]], replaced: Sequence[str]) -> None:
    """Remove the new directories, and rename the old ones back. Raises OutputError for one that cannot be renamed."""
    with ExitStack() as restored:  # each is tried, also after an error
        for target, new, old in swaps:
            with suppress(OSError):
                directory.delete(target if target in replaced else new)
            if directory.status(old) is not None:
                restored.callback(rename_back, directory, old, target)
