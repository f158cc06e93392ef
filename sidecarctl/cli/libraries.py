"""Which libraries a command searches, and which of them belong to the repository: those that `test` tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sidecarctl.catalog.catalog import DEFAULT_LIBRARY, LOCK_FILE, SHIPPED, Catalog, has_sidecars, open_catalog
from sidecarctl.cli import console
from sidecarctl.errors import UsageError

COMPOSITION_FILE = "sidecarctl.yaml"  # as in `composition.find`, which most runs of `list` do without


def open_libraries(named: Sequence[str | Path] = (), start: Path | None = None) -> Catalog:
    """Return the catalog of a command.

    It has the `named` directories, the libraries of the repository, vendored libraries, those of SIDECARCTL_LIBRARY, and
    the shipped library. `start` is the directory of a composition whose libraries are among the named ones; by default,
    the nearest composition and lock file of the current directory or above count.
    """
    own = _default_library(start) if start is not None else own_libraries()
    return open_catalog(_unique([*map(Path, named), *own, *vendored_directories(start)]))


def own_libraries() -> list[Path]:
    """Return the libraries of the repository: of the nearest composition, ./sidecars, and `sidecars` next to the composition."""
    here = _default_library(Path())
    if not _is_above(Path(), COMPOSITION_FILE):
        return here
    from sidecarctl.cli.rule_config import nearest_composition

    composition = nearest_composition()
    return [*composition.libraries, *here, *_default_library(Path(composition.file).parent)] if composition else here


def open_own_libraries(named: Sequence[str]) -> Catalog:
    """Return the libraries to test: the `named` ones, else those of the repository and of SIDECARCTL_LIBRARY, else `.`.

    Libraries of other repositories and the shipped library are left out. Raise UsageError if there is no library.
    """
    catalog = open_catalog(_unique([*map(Path, named)] or own_libraries()), {} if named else os.environ)
    folders = tuple((label, folder) for label, folder in catalog.folders if label != SHIPPED)
    if not folders and has_sidecars(Path()):
        folders = ((".", Path()),)
    if not folders:
        raise UsageError(
            f"no library to test: no sidecars in this directory or in {DEFAULT_LIBRARY}/, and no library in a composition",
            hint=_suggest_library(),
        )
    return Catalog(folders)


def _suggest_library() -> str:
    """Return where a library may be: below the current directory, or above it."""
    if (Path() / "sidecar.yaml").is_file():
        return "this directory is a sidecar: use --library .."
    near = sorted(each.name for each in Path().iterdir() if each.is_dir() and has_sidecars(each))
    return (
        f"use --library {near[0]}" if near else "name one with --library DIR, or create a sidecar with `sidecarctl new`"
    )


def _default_library(directory: Path) -> list[Path]:
    """Return the library that `sidecarctl new` writes, if it is there and belongs to the current user or root."""
    library = directory / DEFAULT_LIBRARY
    if not has_sidecars(library):
        return []
    from sidecarctl.composition.find import foreign_owner

    owner = foreign_owner(library)
    if owner is not None:
        console.report_foreign(library, owner)
    return [library] if owner is None else []


def _unique(directories: Sequence[Path]) -> list[Path]:
    """Return directories without those that have another name in the list already."""
    found: dict[str, Path] = {}
    for directory in directories:
        found.setdefault(os.path.realpath(directory), directory)
    return list(found.values())


def vendored_directories(start: Path | None = None) -> list[Path]:
    """Return the directories of vendored libraries. Raise UsageError for one that is missing."""
    if not _is_above(start or Path(), LOCK_FILE):
        return []
    from sidecarctl.composition.find import find_file
    from sidecarctl.vendoring.lock import read_lock

    file = find_file(start or Path(), LOCK_FILE, console.report_foreign)
    if file is None:
        return []

    found = []
    for name, library in read_lock(file).libraries.items():
        directory = library.directory(file.parent)
        if not directory.is_dir():
            raise UsageError(
                f"library {name} is missing: {directory} is not a directory",
                where=str(file),
                hint=f"restore it from Git, or run `sidecarctl library update {name}`",
            )
        found.append(directory)
    return found


def _is_above(start: Path, name: str) -> bool:
    """Return whether a directory or one above has a file of this name: a check that needs no further module."""
    here = start.resolve()
    return any((directory / name).exists() for directory in (here, *here.parents))
