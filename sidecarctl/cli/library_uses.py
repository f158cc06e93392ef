"""What uses a vendored library: compositions that name its directory or its sidecars, and manifests that have or request them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sidecarctl.catalog.catalog import Catalog
from sidecarctl.cli.inputs import Inputs, input_options, read_inputs
from sidecarctl.cli.libraries import open_libraries
from sidecarctl.cli.options import InputFlags
from sidecarctl.cli.rule_config import nearest_kinds
from sidecarctl.cli.selection import find_workloads
from sidecarctl.composition.annotations import INJECT, list_namespaces, read_annotations, split_names
from sidecarctl.composition.composition_file import CompositionFile, read_file
from sidecarctl.composition.edit import edit_composition
from sidecarctl.composition.includes import resolve_includes
from sidecarctl.composition.layers import EVERY_SIDECAR, Layer
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.files.sources import Source, read_small, read_source
from sidecarctl.files.write import Write
from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import may_hold
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.record.annotation import Record
from sidecarctl.record.annotation import read as read_record
from sidecarctl.record.paths import RecordError
from sidecarctl.yamltext.edits import Remove
from sidecarctl.yamltext.stream import split_readable

_NOT_WALKED = (".git", "node_modules")
_WORDS = (b"sidecarctl.dev/", b"Composition")  # of every valid composition


@dataclass(frozen=True)
class Uses:
    """What uses a library.

    rules      rules and defaults of compositions, each with the sidecar: `sidecarctl.yaml:9:5: rule "front" adds agent`
    objects    workloads that have or request a sidecar, and Namespaces that request one: `Pod/web has agent`
    files      the compositions that list the directory, without it
    """

    rules: tuple[str, ...]
    objects: tuple[str, ...]
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
    requests = (*_workload_requests(inputs), *_namespace_requests(inputs))
    return Uses(
        tuple(text for text, request in _composition_requests(paths) if _is_from(catalog, request, directory)),
        tuple(
            f"{text} {request.partition('@')[0]}" for text, request in requests if _is_from(catalog, request, directory)
        ),
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


def _composition_requests(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the sidecars that rules and defaults of compositions name, each after its place.

    Each file counts with all its environments, and for itself: which ones a run merges depends on its options.
    """
    files = _read_compositions(paths)
    layers = [layer for file in files for layer in (file.layer, *file.environments.values())]
    enabled = {rule.name for layer in layers for rule in layer.rules if rule.name and rule.data.get("enabled")}
    for layer in layers:
        for name, entry in layer.defaults.items():
            if name != EVERY_SIDECAR:
                yield f"{entry.place}: spec.defaults has parameters of {name}", name
        yield from _rule_requests(layer, enabled)


def _read_compositions(paths: Sequence[Path]) -> list[CompositionFile]:
    """Return the compositions among files and the ones that they include, each once."""
    found: dict[Path, CompositionFile] = {}
    for path in paths:
        try:
            first = read_file(path)
            found.setdefault(path.resolve(), first)
            for file in resolve_includes(first, path):
                found.setdefault(Path(file.file).resolve(), file)
        except SidecarctlError:  # a sidecar, a lock file, or a composition that no command accepts
            continue
    return list(found.values())


def _rule_requests(layer: Layer, enabled: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the sidecars of the rules of a layer, without disabled rules that no layer enables by their name."""
    for number, rule in enumerate(layer.rules, 1):
        if rule.data.get("enabled", True) or rule.name in enabled:
            for entry in rule.entries.values():
                request = str(entry.data["name"])
                yield f"{entry.place}: {rule.label(number)} adds {request}", request


def _workload_requests(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield the sidecars that workloads have or request, each after its workload."""
    for workload in find_workloads(inputs, nearest_kinds(required=False)):
        try:
            record = read_record(workload)
        except RecordError:  # what it lists is unknown
            record = Record()
        asked = read_annotations(workload, record)
        for one in record.instances.values():
            yield f"{workload.label} has", f"{one.sidecar}@{one.version}"
        for request in asked.sidecars if asked else ():
            yield f"{workload.label} has", request


def _namespace_requests(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield the sidecars that Namespaces request, each after its Namespace."""
    for source, read in inputs.sources:
        if not may_hold(read.text, INJECT):
            continue
        for name, inject in list_namespaces(split_readable(read.text, source.name, [])):
            for request in split_names(inject or ""):
                yield f"Namespace/{name} requests", request


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
