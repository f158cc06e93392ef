"""The files of a library to copy: which of a tree are taken, and which names and kinds of files are refused."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from sidecarctl import limits
from sidecarctl.catalog.entry_files import METADATA_FILE
from sidecarctl.errors import InputError, UsageError
from sidecarctl.files.depth import MOST_LEVELS
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.report.terminal import visible

SUMS_FILE = "SHA256SUMS"
# Licenses must stay with the files that they cover.
_ROOT_FILES = re.compile(r"(?:LICEN[CS]E|NOTICE|COPYING|README|AUTHORS)(?:[.-][A-Za-z0-9.-]+)?\Z")
_OF_GIT = (".gitattributes", ".gitignore", ".gitmodules", ".gitkeep")
# Of folded names, so that com\u00b9 is com1.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])(?:\..*)?\Z")
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\\]')
# Characters with the property Default_Ignorable_Code_Point of Unicode that `isprintable` allows, and two with blank glyphs.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff\u2800\U0001d159]"
)
_LONGEST_PATH = 240
_LONGEST_NAME = 255  # bytes, on most file systems
_REGULAR = ("100644", "100755", "100664")
_KINDS = {"120000": "a symbolic link", "160000": "a submodule"}


@dataclass(frozen=True)
class TreeFile:
    """A file of a tree: its path relative to the library, its mode as Git writes it, its size, and how to get it."""

    path: str
    mode: str
    size: int
    handle: str


def parse_tree(listing: bytes, source: str) -> list[TreeFile]:
    """Return the files that `git ls-tree -r -z -l` prints. Raise InputError for a name that is not UTF-8."""
    files = []
    for line in listing.split(b"\0"):
        if not line:
            continue
        head, _, name = line.partition(b"\t")
        mode, _, handle, size = head.decode("ascii", "replace").split()
        try:
            path = name.decode("utf-8")
        except UnicodeDecodeError:
            shown = visible(name.decode("utf-8", "backslashreplace"))
            raise InputError(f'{source}: the file name "{shown}" is not UTF-8', hint=_ASK) from None
        files.append(TreeFile(path, mode, int(size) if size.isdigit() else 0, handle))
    return files


_ASK = "ask the owner of the library to change it; nothing was copied"


def choose_files(files: Sequence[TreeFile], source: str) -> list[TreeFile]:
    """Return the files to copy, sorted: the directories of sidecars, and the license and README of the library.

    Raise UsageError if there is no sidecar, InputError for a file that must not be copied or a library that is too large.
    """
    sidecars = {file.path.partition("/")[0] for file in files if _is_metadata(file.path)}
    if not sidecars:
        raise UsageError(f"{source} contains no sidecars", hint=_where_sidecars_are(files))
    wanted = [file for file in files if _is_wanted(file.path, sidecars)]
    _check_amount(wanted, source)
    _check_lengths(wanted, source)
    seen: dict[str, str] = {}
    directories = {str(parent) for file in wanted for parent in PurePosixPath(file.path).parents}
    for file in wanted:
        problem = _problem(file, seen, directories)
        if problem:
            raise InputError(f"{source}: {problem}", hint=_ASK)
    return sorted(wanted, key=lambda file: file.path)


def _is_metadata(path: str) -> bool:
    """Return True for the metadata of a sidecar, also in a path like `//a/sidecar.yaml`, which is refused later."""
    names = [name for name in path.split("/") if name]
    return len(names) == 2 and names[1] == METADATA_FILE and not path.startswith((".", "_"))


def _is_wanted(path: str, sidecars: Iterable[str]) -> bool:
    first, slash, _ = path.partition("/")
    if not slash:
        return bool(_ROOT_FILES.match(path))
    return first in sidecars and path.rpartition("/")[2].casefold() not in _OF_GIT


def _where_sidecars_are(files: Iterable[TreeFile]) -> str:
    metadata = [PurePosixPath(file.path) for file in files if PurePosixPath(file.path).name == METADATA_FILE]
    found = sorted({str(path.parent.parent) for path in metadata if len(path.parts) > 2})
    if found:
        return f"use --path {visible(found[0])}" + (f", or {visible(', '.join(found[1:4]))}" if found[1:] else "")
    if any(path.name == str(path) for path in metadata):
        return "--path names a sidecar; use the directory above it"
    return f"a library is a directory with one directory per sidecar, each with a {METADATA_FILE}"


def _check_amount(files: Sequence[TreeFile], source: str) -> None:
    """Raise InputError for too many or too large files."""
    if len(files) > limits.LIBRARY_FILES.value:
        raise InputError(f"{source}: the library has {len(files):,} files", hint=limits.LIBRARY_FILES.way_out)
    for file in files:
        if file.size > limits.FILE.value:
            raise InputError(
                f"{source}: {visible(file.path)} is larger than {limits.FILE.value >> 10} KiB", hint=limits.FILE.way_out
            )
    total = sum(file.size for file in files)
    if total > limits.LIBRARY_SIZE.value:
        raise InputError(f"{source}: the library has {total:,} bytes", hint=limits.LIBRARY_SIZE.way_out)


def _check_lengths(files: Sequence[TreeFile], source: str) -> None:
    """Raise InputError for a path that is too long or too deep. What is done with the others depends on all of their parents."""
    for file in files:
        if len(file.path) > _LONGEST_PATH:
            shown = visible(file.path[:_LONGEST_PATH])[:60]
            raise InputError(f"{source}: the path {shown}... is longer than {_LONGEST_PATH} characters", hint=_ASK)
        if file.path.count("/") > MOST_LEVELS:  # `library verify` would refuse it
            shown = visible(file.path)[:60]
            raise InputError(
                f"{source}: the path {shown}... has more than {MOST_LEVELS} levels of directories", hint=_ASK
            )


def _problem(file: TreeFile, seen: dict[str, str], directories: Collection[str]) -> str:
    """Return why a file must not be copied, "" if it may be. `seen` has the paths so far by their folded form."""
    shown = visible(file.path)
    if file.path in directories:
        return f"{shown} is both a file and a directory"
    if file.mode not in _REGULAR:
        return f"{shown} is {_KINDS.get(file.mode, 'not a regular file')}"
    if seen.get(_fold(file.path)) == file.path:
        return f"{shown} is there twice"
    parts = file.path.split("/")
    if _fold(parts[0]) == _fold(SUMS_FILE):
        return f"the name {visible(parts[0])} is reserved for the checksums of the library"
    for part in parts:
        why = name_problem(part)
        if why:
            return f'the file name "{visible(part)}" in {shown} {why}'
    for end in range(1, len(parts) + 1):
        path = "/".join(parts[:end])
        other = seen.setdefault(_fold(path), path)
        if other != path:
            return f"{shown} and {visible(other)} differ only in case or in the form of their characters"
    return ""


def name_problem(name: str) -> str:
    """Return why a file or directory of this name must not be created, "" if it may be."""
    if name in ("", ".", ".."):
        return "leads out of the library"
    if not name.isprintable() or _INVISIBLE.search(name):
        return "contains control or invisible characters"
    if len(name.encode()) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} bytes"
    folded = "".join(char for char in _fold(name) if unicodedata.category(char) != "Cf").rstrip(". ")
    if folded == ".git" or re.fullmatch(r"git~\d+", folded):
        return "is reserved for Git"
    if _RESERVED.match(folded) or _NOT_ON_WINDOWS.search(name) or name.endswith((".", " ")):
        return "is not allowed on Windows"
    return ""


def _fold(path: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())


def format_sums(contents: Mapping[str, bytes]) -> str:
    """Return the text of SHA256SUMS for files by path, in the format of `sha256sum`."""
    return "".join(f"{hashlib.sha256(contents[path]).hexdigest()}  {path}\n" for path in sorted(contents))


def digest_of(sums: str) -> str:
    """Return the digest of a library: the SHA-256 of its SHA256SUMS."""
    return f"sha256:{hashlib.sha256(sums.encode('utf-8', 'surrogateescape')).hexdigest()}"
