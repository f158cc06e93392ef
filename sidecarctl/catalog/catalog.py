"""Find sidecars in libraries.

Entries of the shipped library are listed from an index, if their files have the checksum in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl.catalog.entry_files import METADATA_FILE, Listing, read_index
from sidecarctl.errors import LibraryError, UsageError, did_you_mean
from sidecarctl.files.sources import data_directory
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.lazy_pattern import lazy_pattern

if TYPE_CHECKING:
    from sidecarctl.catalog.sidecar import Sidecar


SHIPPED = "shipped"
ENVIRONMENT = "SIDECARCTL_LIBRARY"
DEFAULT_LIBRARY = "sidecars"  # where `sidecarctl new` writes sidecars
LOCK_FILE = "sidecarctl.lock"  # lists the libraries of other repositories; see `vendoring`
_NAME = lazy_pattern(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_VERSION = lazy_pattern(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?\Z")


@dataclass(frozen=True)
class Entry:
    """One directory of a library: a sidecar, or the error that makes it invalid. `shadowed_by` is the library that takes
    precedence, `newer` the newest version in the same library.

    `listing` is shown in lists. `checked` is True for an unmodified entry of the shipped library.
    """

    name: str
    folder: Path
    library: str
    listing: Listing | None = None
    error: LibraryError | None = None
    shadowed_by: str = ""
    newer: str = ""
    checked: bool = False
    _read: Callable[[], Sidecar] | None = field(default=None, compare=False, repr=False)

    @property
    def sidecar(self) -> Sidecar | None:
        """The sidecar, read on first use; None for an invalid entry."""
        return self._read() if self._read is not None and self.error is None else None

    @property
    def is_default(self) -> bool:
        """True if commands use this entry for the plain name of the sidecar."""
        return not (self.error or self.shadowed_by or self.newer)


@dataclass(frozen=True)
class Catalog:
    """Libraries as (label, directory), in order of precedence."""

    folders: tuple[tuple[str, Path], ...]
    _read: dict[Path, Sidecar] = field(default_factory=dict, compare=False, repr=False)
    _listed: dict[Path, Mapping[str, list[Path]]] = field(default_factory=dict, compare=False, repr=False)

    def find(self, request: str) -> Sidecar:
        """Return the sidecar for `logger` or `logger@1.0.0`, by default the newest version in the first library that has it.

        Raise UsageError for an invalid or unknown name or version, LibraryError for an invalid entry.
        """
        name, version = split_request(request)
        seen: list[str] = []
        for label, folder in self.folders:
            found = [self._sidecar(entry, folder, label) for entry in self._entries_of(folder, name)]
            _reject_duplicates(found)
            fitting = [sidecar for sidecar in found if not version or sidecar.version == version]
            if fitting:
                return max(fitting, key=lambda sidecar: version_order(sidecar.version))
            seen += [sidecar.version for sidecar in found]
        if seen:
            there = ", ".join(sorted(set(seen), key=version_order))
            raise UsageError(f'no version {version} of sidecar "{name}"', hint=f"available versions: {there}")
        names = self.names()
        fallback = (
            f"available sidecars: {', '.join(names)}" if names else "no library has sidecars; set one with --library"
        )
        raise UsageError(f'unknown sidecar "{name}"', hint=did_you_mean(name, names) or fallback)

    def names(self) -> list[str]:
        """Return the sorted names of all sidecars without reading them."""
        return list(self._names)

    @cached_property
    def _names(self) -> Sequence[str]:
        """The sorted names; a manifest can request thousands of unknown ones, which are compared with them."""
        return sorted({entry.name.split("@")[0] for _, folder in self.folders for entry in _entry_directories(folder)})

    def entries(self) -> list[Entry]:
        """Return all entries sorted by name, precedence, and version, newest first, including invalid and shadowed ones."""
        found = [
            self._entry(entry, folder, label) for label, folder in self.folders for entry in _entry_directories(folder)
        ]
        winners: dict[str, str] = {}
        for entry in found:
            winners.setdefault(entry.name, entry.library)
        duplicates = _find_duplicates(found)
        result = [_add_errors(entry, winners, duplicates) for entry in found]
        return _newest_first(result)

    def _entry(self, folder: Path, library: Path, label: str) -> Entry:
        name = folder.name.split("@")[0]
        found = read_index(library).get(folder.name, folder) if label == SHIPPED else None
        if found is not None:
            return Entry(name, folder, label, found, checked=True, _read=lambda: self._sidecar(folder, library, label))
        try:
            sidecar = self._sidecar(folder, library, label)
        except LibraryError as error:
            error.__context__ = None  # as the traceback, it has the frames with the parsed file
            return Entry(name, folder, label, error=error.with_traceback(None))
        listing = Listing(sidecar.version, sidecar.summary, sidecar.keywords)
        return Entry(name, folder, label, listing, _read=lambda: sidecar)

    def _entries_of(self, library: Path, name: str) -> list[Path]:
        """Return the entries of one name. A library is listed once, so that a run with many sidecars is linear."""
        if library not in self._listed:
            by_name: dict[str, list[Path]] = {}
            for entry in _list_library(library):
                by_name.setdefault(entry.partition("@")[0], []).append(library / entry)
            self._listed[library] = by_name
        return [entry for entry in self._listed[library].get(name, ()) if _is_entry(entry)]

    def _sidecar(self, folder: Path, library: Path, label: str) -> Sidecar:
        if folder not in self._read:
            if not folder.resolve().is_relative_to(library.resolve()):
                raise LibraryError(
                    f'sidecar directory "{folder.name}" is a link that leads outside its library',
                    where=str(folder),
                    hint="copy the directory to the library, or set its library with --library",
                )
            from sidecarctl.catalog.sidecar import read_sidecar

            # Unmodified shipped entries were validated when the index was generated.
            checked = label == SHIPPED and read_index(library).get(folder.name, folder) is not None
            metadata = read_index(library).read_metadata(folder.name, library) if checked else None
            self._read[folder] = read_sidecar(folder, label, checked=checked, known=metadata)
        return self._read[folder]


def split_request(request: str) -> tuple[str, str]:
    """Return the name and version ("" for any) of `logger` or `logger@1.0.0`. Raise UsageError for anything else."""
    name, at, version = request.partition("@")
    if not _NAME.match(name):
        from sidecarctl.catalog.assignments import hide_value

        shown = hide_value(request)
        raise UsageError(
            f'invalid sidecar name "{shown}": use lowercase letters, digits, and hyphens',
            hint="to set a parameter, use --set"
            if shown != request
            else "to use a directory of sidecars, set --library",
        )
    if at and not _VERSION.match(version):
        raise UsageError(f'invalid version "{version}"', hint=f"use a full version: {name}@1.0.0")
    return name, version


def split_requests(requests: Iterable[str]) -> dict[str, str]:
    """Return the version by name, as `split_request` does. Raise UsageError for two versions of one name."""
    versions: dict[str, str] = {}
    for name, version in map(split_request, requests):
        if versions.setdefault(name, version) != version:
            both = " and ".join(each or "the newest" for each in (versions[name], version))
            raise UsageError(f"two versions of {name}: {both}", hint="name one of them")
    return versions


def version_order(version: str) -> tuple[object, ...]:
    """Return a sort key for semantic versions: a pre-release comes before its release, build metadata is ignored.

    Raise ValueError for a part that is not a number.
    """
    core, _, pre = version.partition("+")[0].partition("-")
    parts = [(0, _number_order(part), "") if part.isdecimal() else (1, (0, ""), part) for part in pre.split(".")]
    return (*map(_number_order, core.split(".")), not pre, parts if pre else [])


def _number_order(digits: str) -> tuple[int, str]:
    """Return a sort key for a number. It is not converted: Python refuses more than 4,300 digits."""
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f'invalid number "{digits}"')
    plain = digits.lstrip("0")
    return len(plain), plain


def open_catalog(extra: Sequence[Path] = (), env: Mapping[str, str] = os.environ) -> Catalog:
    """Return the libraries in order: `extra` (from --library and the composition), SIDECARCTL_LIBRARY, the shipped library.

    Raise UsageError for a missing directory.
    """
    named = [(path, "--library") for path in extra]
    named += [(Path(text), ENVIRONMENT) for text in env.get(ENVIRONMENT, "").split(os.pathsep) if text]
    for path, origin in named:
        if not path.is_dir():
            raise UsageError(f'{origin}: library "{path}" is not a directory', hint=_library_hint(path))
    folders = dict.fromkeys((_label(path), path) for path, _ in named)
    return Catalog((*folders, (SHIPPED, shipped_library())))


def _label(path: Path) -> str:
    """Return the path as the label of a library, never that of the shipped library, which is trusted."""
    return str(path) if str(path) != SHIPPED else os.path.join(os.curdir, path)  # noqa: PTH118


def shipped_library() -> Path:
    """Return the directory of the shipped library."""
    return data_directory("library")


def _library_hint(path: Path) -> str:
    return (
        "use the directory that contains the file"
        if path.exists()
        else "a library is a directory with one directory per sidecar"
    )


def _entry_directories(library: Path) -> Iterator[Path]:
    """Yield the sorted entries of a library. Files and hidden directories are skipped."""
    return (
        library / each
        for each in _list_library(library)
        if not each.startswith((".", "_")) and _is_entry(library / each)
    )


def _list_library(library: Path) -> list[str]:
    """Return the sorted names of everything in a library, none for a directory that cannot be read."""
    try:
        with os.scandir(library) as scan:
            return sorted(entry.name for entry in scan)
    except OSError:
        return []


def has_sidecars(directory: Path) -> bool:
    """Return True for a directory with at least one sidecar."""
    return next(_entry_directories(directory), None) is not None


def _is_entry(folder: Path) -> bool:
    try:
        return folder.is_dir() and ((folder / METADATA_FILE).is_file() or _is_unfinished(folder))
    except OSError:
        return False


def _is_unfinished(folder: Path) -> bool:
    """Return True for a directory with a template but no metadata, probably an unfinished sidecar, which is reported."""
    return (folder / METADATA_FILE).is_symlink() or any(folder.glob("template.*"))


def _reject_duplicates(sidecars: Sequence[Sidecar]) -> None:
    versions: dict[str, Sidecar] = {}
    for sidecar in sidecars:
        other = versions.setdefault(sidecar.version, sidecar)
        if other is not sidecar:
            raise _duplicate_error(sidecar, other)


def _duplicate_error(sidecar: Sidecar, other: Sidecar) -> LibraryError:
    return LibraryError(
        f'duplicate sidecar {sidecar}, in "{other.folder.name}" and "{sidecar.folder.name}"',
        where=str(sidecar.file),
        hint="delete one of them, or change its version",
    )


def _find_duplicates(entries: Sequence[Entry]) -> dict[Path, LibraryError]:
    first: dict[tuple[str, str, str], Entry] = {}
    errors: dict[Path, LibraryError] = {}
    for entry in entries:
        if entry.listing is not None:
            other = first.setdefault((entry.library, entry.name, entry.listing.version), entry)
            if other is not entry and entry.sidecar is not None and other.sidecar is not None:
                errors[entry.folder] = _duplicate_error(entry.sidecar, other.sidecar)
    return errors


def _add_errors(entry: Entry, winners: Mapping[str, str], duplicates: Mapping[Path, LibraryError]) -> Entry:
    winner = winners[entry.name]
    error = duplicates.get(entry.folder, entry.error)
    return replace(
        entry,
        listing=None if error else entry.listing,
        error=error,
        shadowed_by="" if winner == entry.library else winner,
    )


def _newest_first(entries: Sequence[Entry]) -> list[Entry]:
    """Sort entries by name, keep their precedence, and set `newer` of the older versions."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.name, entry.library), []).append(entry)
    found: list[Entry] = []
    for _, group in sorted(groups.items(), key=lambda item: item[0][0]):
        valid = [(entry.listing.version, entry) for entry in group if entry.listing]
        valid.sort(key=lambda each: version_order(each[0]), reverse=True)
        found += (replace(entry, newer=valid[0][0] if number else "") for number, (_, entry) in enumerate(valid))
        found += (entry for entry in group if not entry.listing)
    return found
