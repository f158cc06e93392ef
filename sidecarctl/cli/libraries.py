"""Which libraries a command searches: those of --library, of the composition, and of the lock file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sidecarctl.catalog.catalog import LOCK_FILE, Catalog, open_catalog
from sidecarctl.errors import UsageError


def open_libraries(named: Sequence[str | Path] = (), start: Path | None = None) -> Catalog:
    """Return the catalog of a command: `named` directories, vendored libraries, SIDECARCTL_LIBRARY, the shipped library.

    The lock file is the nearest one in `start` (by default the current directory) or above.
    """
    return open_catalog([*map(Path, named), *vendored_directories(start)])


def vendored_directories(start: Path | None = None) -> list[Path]:
    """Return the directories of vendored libraries. Raise UsageError for one that is missing."""
    here = (start or Path()).resolve()
    if not any((directory / LOCK_FILE).exists() for directory in (here, *here.parents)):
        return []
    from sidecarctl.composition.find import find_file
    from sidecarctl.vendoring.lock import read_lock

    file = find_file(start or Path(), LOCK_FILE)
    if file is None:
        return []

    found = []
    for name, library in read_lock(file).items():
        directory = library.directory(file.parent)
        if not directory.is_dir():
            raise UsageError(
                f"library {name} is missing: {directory} is not a directory",
                where=str(file),
                hint=f"restore it from Git, or run `sidecarctl library update {name}`",
            )
        found.append(directory)
    return found
