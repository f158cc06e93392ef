"""Writes vendored libraries and the lock file: both are changed, or neither."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sidecarctl.errors import InputError, UsageError
from sidecarctl.files.directory import OutputError
from sidecarctl.files.signals import defer_signals
from sidecarctl.files.write import write_all
from sidecarctl.vendoring.get import Library
from sidecarctl.vendoring.library_files import SUMS_FILE
from sidecarctl.vendoring.lock import LIBRARIES, LockFile


def install(libraries: Sequence[Library], lock: LockFile) -> None:
    """Write the libraries and the lock file next to them. If anything fails, restore what was there. Raise OutputError.

    Ctrl-C takes effect when all is written.
    """
    with defer_signals():
        _install(libraries, lock)


def _install(libraries: Sequence[Library], lock: LockFile) -> None:
    swaps: list[tuple[Path, Path, Path]] = []
    replaced: list[Path] = []
    home = lock.home
    parent = home / LIBRARIES
    created = not parent.exists()
    try:
        parent.mkdir(exist_ok=True)
        for library in libraries:
            target = library.locked.directory(home)
            if parent.is_symlink() or target.is_symlink():
                raise UsageError(f"{target} is behind a symbolic link", hint="replace the link with a directory")
            mark = os.urandom(6).hex()
            new, old = (target.with_name(f".{target.name}.{mark}.{word}.sidecarctl") for word in ("new", "old"))
            swaps.append((target, new, old))
            write_files(library, new)
        for target, new, old in swaps:
            if target.exists():
                target.replace(old)
            new.replace(target)
            replaced.append(target)
        entries = {**lock.libraries, **{library.locked.name: library.locked for library in libraries}}
        write_all([lock.with_libraries(entries.values())])
    except BaseException as problem:
        _restore(swaps, replaced)
        if created:
            with suppress(OSError):
                parent.rmdir()
        if isinstance(problem, OSError):
            raise OutputError(
                f"cannot write {problem.filename or parent}: {problem.strerror or problem}; nothing was changed",
                hint="check the permissions and the free disk space",
            ) from None
        raise
    for _, _, old in swaps:
        shutil.rmtree(old, ignore_errors=True)


def write_files(library: Library, directory: Path) -> None:
    """Write the files of a library and its SHA256SUMS to a new directory."""
    for path, data in (*library.contents.items(), (SUMS_FILE, library.sums.encode())):
        file = directory / path
        if not file.resolve().is_relative_to(directory.resolve()):  # names were checked; this must never happen
            raise InputError(f"the path {path} leads out of the library")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _restore(swaps: Sequence[tuple[Path, Path, Path]], replaced: Sequence[Path]) -> None:
    """Move the old directories back, and remove the new ones."""
    for target, new, old in swaps:
        with suppress(OSError):
            if target in replaced:
                shutil.rmtree(target)
            if old.exists():
                old.replace(target)
        shutil.rmtree(new, ignore_errors=True)
