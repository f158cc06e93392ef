"""What uses a vendored library: compositions that name its directory or its sidecars, and manifests with its sidecars."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sidecarctl.catalog.catalog import Catalog
from sidecarctl.cli.inputs import Inputs, input_options, read_inputs
from sidecarctl.cli.libraries import open_libraries
from sidecarctl.cli.options import InputFlags
from sidecarctl.cli.rule_config import nearest_kinds
from sidecarctl.cli.selection import find_workloads
from sidecarctl.composition.annotations import read_annotations
from sidecarctl.composition.composition_file import read_file
from sidecarctl.composition.edit import edit_composition
from sidecarctl.composition.layers import EVERY_SIDECAR
from sidecarctl.composition.model import Composition, load_composition
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.files.sources import Source, read_small, read_source
from sidecarctl.files.write import Write
from sidecarctl.findings import PathTuple
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.record.annotation import read as read_record
from sidecarctl.record.paths import RecordError
from sidecarctl.yamltext.edits import Remove

_NOT_WALKED = (".git", "node_modules")
_WORDS = (b"sidecarctl.dev/", b"Composition")  # of every valid composition


@dataclass(frozen=True)
class Uses:
    """What uses a library.

    rules      rules and defaults of compositions, each with the sidecar: `sidecarctl.yaml:9:5: rule "front" adds agent`
    workloads  workloads that have or request a sidecar, each with its file
    files      the compositions that list the directory, without it
    """

    rules: tuple[str, ...]
    workloads: tuple[str, ...]
    files: tuple[Write, ...]


def find_uses(directory: Path, home: Path) -> Uses:
    """Return what uses the library in `directory`, in the repository below `home`.

    Of a directory that does not exist, the sidecars are unknown, so only the files are found. Raises EditRefused or
    UsageError for a composition whose entry cannot be removed.
    """
    inputs = read_inputs(input_options([str(home)], InputFlags()))
    paths = list(_find_files(home, directory))
    files = tuple(write for path in paths for write in _without_directory(path, directory))
    if not directory.is_dir():
        return Uses((), (), files)
    catalog = open_libraries()
    compositions = list(_compositions(paths))
    return Uses(
        tuple(dict.fromkeys(each for one in compositions for each in _entries(one, catalog, directory))),
        tuple(_workloads(inputs, catalog, directory)),
        files,
    )


def _find_files(home: Path, directory: Path) -> Iterator[Path]:
    """Yield the files below `home` that may be compositions, without those of other repositories and of the library.

    `-c` and `spec.include` accept any file, also one that Git ignores, so it counts whatever its name and directory.
    """
    for root, directories, files in os.walk(home):
        here = Path(root)
        directories[:] = sorted(each for each in directories if not _is_foreign(here / each, directory))
        for path in (here / name for name in sorted(files)):
            try:
                data = read_small(path)
            except OSError:
                continue
            if all(word in data for word in _WORDS):
                yield path


def _is_foreign(path: Path, directory: Path) -> bool:
    """Return whether a directory is the library, or has code of others: another work tree or installed packages."""
    return (
        path.name in _NOT_WALKED
        or (path / ".git").exists()
        or (path / "pyvenv.cfg").exists()
        or _is_same(path, directory)
    )


def _compositions(paths: Sequence[Path]) -> Iterator[Composition]:
    for path in paths:
        try:
            yield load_composition(path)
            for environment in read_file(path).environments:
                yield load_composition(path, environment)
        except SidecarctlError:  # a sidecar, a lock file, or a composition that no command accepts
            continue


def _entries(composition: Composition, catalog: Catalog, directory: Path) -> Iterator[str]:
    """Yield the rules and defaults of a composition that name a sidecar of the library."""
    for name, entry in composition.defaults.items():
        if name != EVERY_SIDECAR and _is_from(catalog, name, directory):
            yield f"{entry.place}: spec.defaults has parameters of {name}"
    for rule in composition.rules:
        for entry in rule.sidecars:
            request = str(entry.data["name"])
            if _is_from(catalog, request, directory):
                yield f"{entry.place}: {rule.label} adds {request}"


def _workloads(inputs: Inputs, catalog: Catalog, directory: Path) -> Iterator[str]:
    for workload in find_workloads(inputs, nearest_kinds(required=False)):
        try:
            record = read_record(workload)
        except RecordError:
            continue
        asked = read_annotations(workload, record)
        named = [f"{one.sidecar}@{one.version}" for one in record.instances.values()] + list(
            asked.sidecars if asked else ()
        )
        for request in named:
            if _is_from(catalog, request, directory):
                yield f"{workload.label} has {request.partition('@')[0]}"


def _is_from(catalog: Catalog, request: str, directory: Path) -> bool:
    """Return whether a sidecar comes from a library. Of a version that no library has, its newest one counts."""
    for each in (request, request.partition("@")[0]):
        try:
            return catalog.find(each).folder.resolve().is_relative_to(directory.resolve())
        except SidecarctlError:
            continue
    return False


def _is_same(path: Path, directory: Path) -> bool:
    """Return whether a path leads to a directory; False for one that cannot be followed, such as a link to itself."""
    try:
        return path.resolve() == directory.resolve()
    except (OSError, RuntimeError, ValueError):
        return False


def _without_directory(path: Path, directory: Path) -> Iterator[Write]:
    """Yield the composition without the entries that are the directory, if it has some: its own, and of environments."""
    try:
        file = read_file(path)
    except SidecarctlError:
        return
    spec = file.value["spec"]
    layers: dict[PathTuple, Mapping[str, Any]] = {("spec",): spec}
    layers |= {("spec", "environments", name): each for name, each in spec.get("environments", {}).items()}
    edits = [each for at, layer in layers.items() for each in _removals(layer, at, path.parent, directory)]
    if edits and path.is_symlink():
        raise UsageError(
            f"{path} is a symbolic link, and lists the library", hint="edit the file that it points to first"
        )
    if edits:
        read = read_source(Source(str(path), path))
        yield Write(path, edit_composition(read.text, str(path), lambda value: edits), read.stamp)


def _removals(layer: Mapping[str, Any], at: PathTuple, parent: Path, directory: Path) -> list[Remove]:
    """Return the edits that remove the directory from `libraries` at a path of a composition."""
    listed = layer.get("libraries", ())
    own = [index for index, name in enumerate(listed) if _is_same(parent / name, directory)]
    holder = (*at, "libraries")
    return [Remove(holder)] if own and len(own) == len(listed) else [Remove((*holder, index)) for index in own]
