"""The files of a repository that may be compositions, and their entries of a vendored library."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sidecarctl.composition.composition_file import read_file
from sidecarctl.composition.edit import edit_composition
from sidecarctl.composition.find import foreign_owner
from sidecarctl.errors import InputError, SidecarctlError, UsageError
from sidecarctl.files.depth import check_depth
from sidecarctl.files.sources import SUFFIXES, Source, read_small, read_source
from sidecarctl.files.write import Write
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.edits import Remove

_NOT_WALKED = (".git", "node_modules")
_WORDS = (b"sidecarctl.dev/", b"Composition")  # of every valid composition
# Of a letter or a slash in a quoted value, and of a line break that its value does not have.
_ESCAPE = re.compile(
    rb"\\(?:(/)|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(?:\r?\n|\r|\xc2\x85|\xe2\x80[\xa8\xa9])[ \t]*)"
)


@dataclass(frozen=True)
class Entries:
    """The compositions that list a library.

    files    those of the current user and root, without the library
    foreign  those of other users, each with the user (uid): they are not edited
    """

    files: tuple[Write, ...] = ()
    foreign: tuple[tuple[Path, int], ...] = ()


def find_files(start: Path, left_out: Collection[Path], errors: list[SidecarctlError]) -> Iterator[Path]:
    """Yield the files below `start` that may be compositions, without other repositories and the directories left out.

    `-c` and `spec.include` accept any file, also one that Git ignores, so it counts whatever its name and directory.
    """

    def report(problem: OSError) -> None:
        errors.append(InputError(f"cannot read directory {Path(problem.filename)}: {problem.strerror}"))

    for root, directories, files in os.walk(start, onerror=report):
        here = Path(root)
        try:
            check_depth(start, here, "or delete the others")
        except InputError as error:
            errors.append(error)
            directories.clear()
            continue
        directories[:] = sorted(
            each
            for each in directories
            if not (_has_code_of_others(here / each) or any(is_same(here / each, other) for other in left_out))
        )
        for path in (here / name for name in sorted(files)):
            try:
                data = read_small(path)
            except PermissionError as problem:
                if path.suffix in SUFFIXES:
                    errors.append(InputError(f"cannot read {path}: {problem.strerror}"))
                continue
            except OSError:  # a device, or too large for a composition
                continue
            if _may_be_composition(data):
                yield path


def _may_be_composition(data: bytes) -> bool:
    """Return False for what is certainly no composition, whatever characters it writes as escapes."""
    if b"\\" in data:
        data = _ESCAPE.sub(_unescape, data)
    return all(word in data for word in _WORDS)


def _unescape(match: re.Match[bytes]) -> bytes:
    slash, *codes = match.groups()
    code = next((int(code, 16) for code in codes if code), 0)
    return slash or (bytes([code]) if 0 < code < 128 else b"")


def _has_code_of_others(path: Path) -> bool:
    """Return whether a directory has code of others: another work tree or installed packages."""
    # In a directory without permission, `Path.exists` raises PermissionError before Python 3.14.
    return path.name in _NOT_WALKED or any(os.path.exists(path / name) for name in (".git", "pyvenv.cfg"))  # noqa: PTH110


def find_entries(paths: Sequence[Path], directory: Path) -> Entries:
    """Return the compositions among files that list the library in `directory`: their own entries, and of environments.

    Raises EditRefused or UsageError for an entry that cannot be removed.
    """
    files: list[Write] = []
    foreign: list[tuple[Path, int]] = []
    for path in paths:
        edits = _find_removals(path, directory)
        if not edits:
            continue
        owner = foreign_owner(path)
        if owner is None:
            files.append(_edit(path, edits))
        else:
            foreign.append((path, owner))
    return Entries(tuple(files), tuple(foreign))


def _find_removals(path: Path, directory: Path) -> list[Remove]:
    """Return the edits that remove the directory from a composition, none for another file."""
    try:
        file = read_file(path)
    except SidecarctlError:
        return []
    spec = file.value["spec"]
    layers: dict[PathTuple, Mapping[str, Any]] = {("spec",): spec}
    layers |= {("spec", "environments", name): each for name, each in spec.get("environments", {}).items()}
    return [each for at, layer in layers.items() for each in _removals(layer, at, path.parent, directory)]


def _edit(path: Path, edits: Sequence[Remove]) -> Write:
    """Return the write that edits a composition. Raises EditRefused, and UsageError for a symbolic link."""
    if path.is_symlink():
        raise UsageError(
            f"{path} is a symbolic link, and lists the library", hint="edit the file that it points to first"
        )
    read = read_source(Source(str(path), path))
    return Write(path, edit_composition(read.text, str(path), lambda value: edits), read.stamp)


def _removals(layer: Mapping[str, Any], at: PathTuple, parent: Path, directory: Path) -> list[Remove]:
    """Return the edits that remove the directory from `libraries` at a path of a composition."""
    listed = layer.get("libraries", ())
    own = [index for index, name in enumerate(listed) if is_same(parent / name, directory)]
    holder = (*at, "libraries")
    return [Remove(holder)] if own and len(own) == len(listed) else [Remove((*holder, index)) for index in own]


def is_same(path: Path, directory: Path) -> bool:
    """Return whether a path leads to a directory; False for one that cannot be followed, such as a link to itself."""
    try:
        return path.resolve() == directory.resolve()
    except (OSError, RuntimeError, ValueError):
        return False
