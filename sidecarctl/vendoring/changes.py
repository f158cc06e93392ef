"""What an update of a vendored library changes, for each sidecar: version, changelog, and what an upgrade will miss."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from sidecarctl.catalog.catalog import Catalog, Entry, version_order
from sidecarctl.catalog.changelog import changes_between
from sidecarctl.catalog.entry_files import CASES, list_files
from sidecarctl.errors import LibraryError
from sidecarctl.files.sources import read_small
from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class SidecarUpdate:
    """One sidecar of a library before and after an update.

    old, new   its newest version; "" if the library does not have it, "broken" if its metadata is invalid
    changelog  (version, text) of the versions in between, newest first
    missing    the old version, if the library no longer has it: upgrades cannot compare with it
    error      why the sidecar is broken
    """

    name: str
    old: str
    new: str
    changelog: tuple[tuple[str, str], ...] = ()
    missing: str = ""
    error: str = ""

    @property
    def rewritten(self) -> bool:
        """Whether the files changed and the version did not."""
        return self.old == self.new


def compare_libraries(old: Path | None, new: Path) -> list[SidecarUpdate]:
    """Return the sidecars that differ between two directories, by name. Without `old`, return all of `new`."""
    entries = _entries(new)
    return list(_updates(_newest(_entries(old)), _newest(entries), {(one.name, _version(one)) for one in entries}))


def _updates(
    before: dict[str, Entry], after: dict[str, Entry], versions: set[tuple[str, str]]
) -> Iterator[SidecarUpdate]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old and new and _version(old) == _version(new) and _digest(old.folder) == _digest(new.folder):
            continue
        missing = _version(old) if old and new and (name, _version(old)) not in versions else ""
        yield SidecarUpdate(
            name,
            _version(old) if old else "",
            _version(new) if new else "",
            _changelog(old, new) if old and new else (),
            missing,
            new.error.message if new and new.error else "",
        )


def _digest(folder: Path) -> tuple[tuple[str, str], ...] | str:
    """Return the names and SHA-256 digests of the files of a sidecar, except test cases; a unique text if one is unreadable.

    The checksum of the catalog can be forged.
    """
    try:
        found = sorted(list_files(str(folder), CASES))
        return tuple((name, hashlib.sha256(read_small(Path(file))).hexdigest()) for name, file in found)
    except OSError:
        return str(folder)


def _entries(library: Path | None) -> list[Entry]:
    return Catalog(((str(library), library),)).entries() if library and library.is_dir() else []


def _newest(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries if not entry.newer}


def _version(entry: Entry) -> str:
    return entry.listing.version if entry.listing else "broken"


def _changelog(old: Entry, new: Entry) -> tuple[tuple[str, str], ...]:
    if not (old.listing and new.sidecar) or version_order(old.listing.version) >= version_order(new.sidecar.version):
        return ()
    try:
        entries = changes_between(new.sidecar, old.listing.version)
    except LibraryError:
        return ()
    return tuple((one.version, "\n".join(one.lines)) for one in entries)
