"""Compares the files of vendored libraries with the lock file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sidecarctl import limits
from sidecarctl.catalog.entry_files import METADATA_FILE
from sidecarctl.errors import InputError, UsageError
from sidecarctl.files.depth import check_tree
from sidecarctl.files.sources import read_small
from sidecarctl.files.tree import scan_tree
from sidecarctl.lazy_dataclass import replace
from sidecarctl.vendoring.library_files import SUMS_FILE, digest_of
from sidecarctl.vendoring.lock import LIBRARIES, LockedLibrary

_CHANGED_ENDS = f"changed line ends; add the line `{LIBRARIES}/** -text` to .gitattributes"
_MAX_LISTED = 3
_OF_LIBRARIES = (METADATA_FILE, SUMS_FILE)
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def find_differences(library: LockedLibrary, home: Path) -> list[str]:
    """Return how the files of a library differ from the lock file in `home`: a line for each, with its path."""
    directory = library.directory(home)
    above = [path for path in directory.parents if path != home and path.is_relative_to(home)]
    for path in (*reversed(above), directory):
        if path.is_symlink():
            return [f"{path.as_posix()}: a symbolic link instead of the directory"]
    if not directory.is_dir():
        return [f"{directory.as_posix()}: missing directory"]
    try:
        check_tree(directory)
    except InputError as error:
        return [error.message]
    sums = directory / SUMS_FILE
    if sums.is_symlink() or not sums.is_file():
        return [f"{sums.as_posix()}: missing file"]
    try:
        data = read_small(sums, limits.LIBRARY_SIZE)
    except OSError as problem:
        return [_describe_unreadable(sums, problem)]
    text = data.replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
    if digest_of(text) != library.digest:
        return [f"{sums.as_posix()}: changed file; its digest is not that of {library.name} in the lock file"]
    wanted = {match[2]: match[1] for match in map(_LINE.fullmatch, text.split("\n")) if match}
    changed = [f"{sums.as_posix()}: {_CHANGED_ENDS}"] if b"\r\n" in data else []
    return changed + _compare(directory, wanted)


def changed_error(name: str, changed: Sequence[str], verb: str) -> UsageError:
    """Return the error about changed files of a library, which a command would overwrite or delete."""
    return UsageError(
        f"files of library {name} were changed: {shorten(changed)}",
        hint=f"restore them from Git, or {verb} them with --force",
    )


def shorten(lines: Sequence[str]) -> str:
    """Return the first lines of several on one line, and how many more there are."""
    more = len(lines) - _MAX_LISTED
    return "; ".join(lines[:_MAX_LISTED]) + (f"; and {more} more" if more > 0 else "")


def check_aside(library: LockedLibrary, home: Path, aside: str, verb: str) -> None:
    """Raise UsageError if files of a library were changed before its directory got the name `aside`."""
    found = find_differences(replace(library, name=aside), home)
    if found:
        raise changed_error(library.name, [line.replace(aside, library.name) for line in found], verb)


def _compare(directory: Path, wanted: Mapping[str, str]) -> list[str]:
    unreadable: list[OSError] = []
    present = _list_paths(directory, unreadable)
    found = [_describe_unreadable(Path(each.filename), each) for each in unreadable]
    found += [f"{(directory / path).as_posix()}: missing file" for path in wanted if path not in present]
    for path, is_link in present.items():
        file = directory / path
        if path not in wanted:
            found += [] if path == SUMS_FILE else [f"{file.as_posix()}: extra file"]
        elif is_link:
            found.append(f"{file.as_posix()}: a symbolic link instead of the file")
        else:
            found += _compare_file(file, wanted[path])
    return sorted(found)


def _compare_file(file: Path, wanted: str) -> list[str]:
    shown = file.as_posix()
    try:
        data = read_small(file)
    except OSError as problem:
        return [_describe_unreadable(file, problem)]
    if hashlib.sha256(data).hexdigest() == wanted:
        return []
    if hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest() == wanted:
        return [f"{shown}: {_CHANGED_ENDS}"]
    return [f"{shown}: changed file"]


def _list_paths(directory: Path, unreadable: list[OSError]) -> dict[str, bool]:
    """Return the paths of everything below a directory except directories, and whether each is a symbolic link.

    Appends the errors of directories that cannot be listed.
    """
    found: dict[str, bool] = {}
    for entries in scan_tree(str(directory), unreadable.append):
        for each in entries:
            if not each.is_dir(follow_symlinks=False):
                found[Path(each.path).relative_to(directory).as_posix()] = each.is_symlink()
    return found


def find_unlocked(home: Path, locked: Mapping[str, LockedLibrary]) -> list[str]:
    """Return the libraries and links next to the vendored libraries that the lock file does not list, a line for each.

    A directory that cannot be listed can have some, so it gets a line too.
    """
    libraries = home / LIBRARIES
    try:
        entries = sorted(libraries.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as problem:
        return [_describe_unreadable(libraries, problem)]
    return [line for entry in entries if entry.name not in locked for line in _find_libraries(entry)]


def _find_libraries(path: Path) -> list[str]:
    """Return a line for an entry with a library, or for each directory in it that cannot be listed."""
    unreadable: list[OSError] = []
    if path.is_symlink() or _has_library(path, unreadable):
        return [f"{path.as_posix()}: not in the lock file"]
    return [_describe_unreadable(Path(each.filename), each) for each in unreadable if path.is_dir()]


def _has_library(path: Path, unreadable: list[OSError]) -> bool:
    """Return whether a directory has a sidecar, a vendored library, or a link to a directory, at any depth.

    Appends the errors of directories that cannot be listed.
    """
    return path.name == METADATA_FILE or any(
        each.is_symlink() or (each.name in _OF_LIBRARIES and not each.is_dir(follow_symlinks=False))
        for entries in scan_tree(str(path), unreadable.append)
        for each in entries
    )


def _describe_unreadable(path: Path, problem: OSError) -> str:
    return f"{path.as_posix()}: cannot read it: {problem.strerror or problem}"
