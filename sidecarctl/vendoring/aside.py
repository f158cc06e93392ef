"""The old directory of a library while a command exchanges or deletes it: renamed, then deleted or renamed back."""

from __future__ import annotations

import os

from sidecarctl.files.directory import Directory, OutputError


def aside_names(library: str) -> tuple[str, str]:
    """Return new names for the directories with the new and with the old files of a library."""
    mark = os.urandom(6).hex()
    return f".{library}.{mark}.new.sidecarctl", f".{library}.{mark}.old.sidecarctl"


def rename_back(directory: Directory, old: str, library: str) -> None:
    """Rename the directory with the old files to the library again. Raises OutputError that says where they are."""
    try:
        directory.replace(old, library)
    except OSError as problem:
        raise OutputError(
            f"cannot restore {directory.path / library}: {problem.strerror or problem}; its files are in {old}",
            hint=f"rename {old} to {library}",
        ) from None


def delete_old(directory: Directory, old: str, done: str) -> None:
    """Delete the directory with the old files; links in it are not followed. Raises OutputError, which says what is done."""
    try:
        directory.delete(old)
    except OSError as problem:
        raise OutputError(
            f"cannot delete {directory.path / old}: {problem.strerror or problem}; {done}",
            hint="check the permissions of the directories in it, and delete it",
        ) from None
