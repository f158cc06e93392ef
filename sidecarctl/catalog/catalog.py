"""What the shipped sidecars say of themselves in a list, so that listing them reads none. Made by tools/gen_library_docs.py.

An entry counts only while its files have the checksum that they had when it was made: a library that somebody edits is
read as any other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl.catalog.index import METADATA_FILE, Known, known
from sidecarctl.errors import LibraryError, UsageError, did_you_mean
from sidecarctl.files.sources import data_directory
from sidecarctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from sidecarctl.catalog.sidecar import Sidecar


SHIPPED = "shipped"
ENVIRONMENT = "SIDECARCTL_LIBRARY"
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?\Z")


@dataclass(frozen=True)
class Entry:
    """One folder of a library: a sidecar, or the error that says why it is none; `shadowed_by` names who wins instead.

    `known` is what a list says of it; `checked` is True for one that is as it was when the program was made.
    """

    name: str
    folder: Path
    library: str
    known: Known | None = None
    error: LibraryError | None = None
    shadowed_by: str = ""
    checked: bool = False
    _read: Callable[[], Sidecar] | None = field(default=None, compare=False, repr=False)

    @property
    def sidecar(self) -> Sidecar | None:
        """The sidecar, read on first use; None for a broken one."""
        return self._read() if self._read is not None and self.error is None else None


@dataclass(frozen=True)
class Catalog:
    """Libraries, label and folder, in order: the first that has the name wins."""

    folders: tuple[tuple[str, Path], ...]
    _read: dict[Path, Sidecar] = field(default_factory=dict, compare=False, repr=False)

    def find(self, request: str) -> Sidecar:
        """Return the sidecar that `logger` or `logger@1.0.0` means; without a version, the newest of the first library.

        Raises UsageError for a name that is unknown or no name, or a version that is not there; LibraryError for an entry
        that is broken.
        """
        name, version = split_request(request)
        seen: list[str] = []
        for label, folder in self.folders:
            found = [self._sidecar(entry, folder, label) for entry in _folders(folder, name)]
            _refuse_twins(found)
            fitting = [sidecar for sidecar in found if not version or sidecar.version == version]
            if fitting:
                return max(fitting, key=lambda sidecar: version_order(sidecar.version))
            seen += [sidecar.version for sidecar in found]
        if seen:
            there = ", ".join(sorted(set(seen), key=version_order))
            raise UsageError(
                f"there is no version {version} of the sidecar {name!r}", hint=f"versions there are: {there}"
            )
        names = self.names()
        known = (
            f"sidecars there are: {', '.join(names)}"
            if names
            else "no library holds a sidecar; name one with --library"
        )
        raise UsageError(f"unknown sidecar {name!r}", hint=did_you_mean(name, names) or known)

    def names(self) -> list[str]:
        """Return the names of all sidecars, sorted, without reading them."""
        return sorted({entry.name.split("@")[0] for _, folder in self.folders for entry in _folders(folder)})

    def entries(self) -> list[Entry]:
        """Return every entry, by name and then in order of search: also the broken ones and those that another shadows."""
        found = [self._entry(entry, folder, label) for label, folder in self.folders for entry in _folders(folder)]
        winners: dict[str, str] = {}
        for entry in found:
            winners.setdefault(entry.name, entry.library)
        twins = _twins(found)
        result = [_judged(entry, winners, twins) for entry in found]
        return sorted(result, key=lambda entry: entry.name)

    def _entry(self, folder: Path, library: Path, label: str) -> Entry:
        name = folder.name.split("@")[0]
        found = known(library).get(folder.name, folder) if label == SHIPPED else None
        if found is not None:
            return Entry(name, folder, label, found, checked=True, _read=lambda: self._sidecar(folder, library, label))
        try:
            sidecar = self._sidecar(folder, library, label)
        except LibraryError as error:
            return Entry(name, folder, label, error=error)
        told = Known(sidecar.version, sidecar.summary, sidecar.keywords)
        return Entry(name, folder, label, told, _read=lambda: sidecar)

    def _sidecar(self, folder: Path, library: Path, label: str) -> Sidecar:
        if folder not in self._read:
            if not folder.resolve().is_relative_to(library.resolve()):
                raise LibraryError(
                    f"the sidecar's folder {folder.name!r} is a link that leads outside its library",
                    where=str(folder),
                    hint="copy the folder into the library, or name its library with --library",
                )
            from sidecarctl.catalog.sidecar import read_sidecar

            # The shipped ones were held against their schema when the index was made.
            checked = label == SHIPPED and known(library).get(folder.name, folder) is not None
            self._read[folder] = read_sidecar(folder, label, checked=checked)
        return self._read[folder]


def split_request(request: str) -> tuple[str, str]:
    """Return name and version ("" for any) of `logger` or `logger@1.0.0`. Raises UsageError for what is neither."""
    name, at, version = request.partition("@")
    if not _NAME.match(name):
        raise UsageError(
            f"{request!r} is not the name of a sidecar",
            hint="a name has lower-case letters, digits and '-'; folders of sidecars are named with --library",
        )
    if at and not _VERSION.match(version):
        raise UsageError(f"{version!r} is not a version", hint=f"write the whole version: {name}@1.0.0")
    return name, version


def version_order(version: str) -> tuple[object, ...]:
    """Return a key that sorts semantic versions: a pre-release before its release, build metadata ignored."""
    core, _, pre = version.partition("+")[0].partition("-")
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")] if pre else []
    return (*(int(part) for part in core.split(".")), not pre, parts)


def open_catalog(extra: Sequence[Path] = (), env: Mapping[str, str] = os.environ) -> Catalog:
    """Return the libraries in order: `extra` (--library and the composition's), SIDECARCTL_LIBRARY, the shipped one.

    Raises UsageError for a folder that is not there.
    """
    named = [(path, "--library") for path in extra]
    named += [(Path(text), ENVIRONMENT) for text in env.get(ENVIRONMENT, "").split(os.pathsep) if text]
    for path, origin in named:
        if not path.is_dir():
            raise UsageError(f"{origin}: the library {str(path)!r} is not a folder", hint=_library_hint(path))
    folders = dict.fromkeys((str(path), path) for path, _ in named)
    return Catalog((*folders, (SHIPPED, shipped_library())))


def shipped_library() -> Path:
    """Return the folder of the sidecars that come with the program."""
    return data_directory("library")


def _library_hint(path: Path) -> str:
    return (
        "name the folder that holds it" if path.exists() else "a library is a folder that holds one folder per sidecar"
    )


def _folders(library: Path, name: str = "") -> Iterator[Path]:
    """Yield the entries of a library (those of one name), sorted; files and hidden folders are none."""
    try:
        with os.scandir(library) as scan:
            found = sorted(entry.name for entry in scan)
    except OSError:
        return
    for each in found:
        base, _, _ = each.partition("@")
        if (base == name if name else not each.startswith((".", "_"))) and _is_entry(library / each):
            yield library / each


def _is_entry(folder: Path) -> bool:
    try:
        return folder.is_dir() and ((folder / METADATA_FILE).is_file() or _looks_meant(folder))
    except OSError:
        return False


def _looks_meant(folder: Path) -> bool:
    """True for a folder with a template but no metadata: somebody's unfinished sidecar, which deserves an error."""
    return (folder / METADATA_FILE).is_symlink() or any(folder.glob("template.*"))


def _refuse_twins(sidecars: Sequence[Sidecar]) -> None:
    versions: dict[str, Sidecar] = {}
    for sidecar in sidecars:
        other = versions.setdefault(sidecar.version, sidecar)
        if other is not sidecar:
            raise _twin_error(sidecar, other)


def _twin_error(sidecar: Sidecar, other: Sidecar) -> LibraryError:
    return LibraryError(
        f"the library has {sidecar} twice, in {other.folder.name!r} and in {sidecar.folder.name!r}",
        where=str(sidecar.file),
        hint="delete one of them, or give it another version",
    )


def _twins(entries: Sequence[Entry]) -> dict[Path, LibraryError]:
    first: dict[tuple[str, str, str], Entry] = {}
    errors: dict[Path, LibraryError] = {}
    for entry in entries:
        if entry.known is not None:
            other = first.setdefault((entry.library, entry.name, entry.known.version), entry)
            if other is not entry and entry.sidecar is not None and other.sidecar is not None:
                errors[entry.folder] = _twin_error(entry.sidecar, other.sidecar)
    return errors


def _judged(entry: Entry, winners: Mapping[str, str], twins: Mapping[Path, LibraryError]) -> Entry:
    winner = winners[entry.name]
    error = twins.get(entry.folder, entry.error)
    return replace(
        entry,
        known=None if error else entry.known,
        error=error,
        shadowed_by="" if winner == entry.library else winner,
    )
