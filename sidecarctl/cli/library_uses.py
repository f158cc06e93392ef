"""What uses a vendored library: compositions that name its directory or its sidecars, and manifests that have or request them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sidecarctl.catalog.catalog import Catalog
from sidecarctl.cli.inputs import Inputs, input_options, read_inputs
from sidecarctl.cli.libraries import open_libraries
from sidecarctl.cli.library_compositions import Entries, find_entries, find_files, is_same
from sidecarctl.cli.options import InputFlags
from sidecarctl.cli.rule_config import nearest_kinds
from sidecarctl.cli.selection import find_workloads
from sidecarctl.composition.annotations import INJECT, list_namespaces, read_annotations, split_names
from sidecarctl.composition.composition_file import CompositionFile, read_file
from sidecarctl.composition.includes import resolve_includes
from sidecarctl.composition.layers import EVERY_SIDECAR, Layer
from sidecarctl.errors import InputError, LibraryError, SidecarctlError
from sidecarctl.files.patterns import repository_root
from sidecarctl.files.sources import SUFFIXES
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import may_hold
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.record.annotation import Record
from sidecarctl.record.annotation import read as read_record
from sidecarctl.record.paths import RecordError
from sidecarctl.yamltext.stream import split_readable

_PREFIX = "sidecarctl.dev/"  # of every annotation


@dataclass(frozen=True)
class Uses:
    """What uses a library.

    rules      rules and defaults of compositions, each with the sidecar: `sidecarctl.yaml:9:5: rule "front" adds agent`
    objects    workloads that have or request a sidecar, and Namespaces that request one: `Pod/web has agent`
    entries    the compositions that list the directory
    errors     why manifests or compositions cannot be read: their uses are unknown
    """

    rules: tuple[str, ...]
    objects: tuple[str, ...]
    entries: Entries
    errors: tuple[SidecarctlError, ...] = ()


@dataclass(frozen=True)
class _Selection:
    """What a run with a composition merges: the layers of its files, with one environment or none."""

    layers: tuple[Layer, ...]
    directory: Path

    def open_libraries(self) -> Catalog:
        """Return the libraries of such a run; those of later layers come first. Raises UsageError."""
        listed = [path for layer in reversed(self.layers) for path, _ in layer.libraries]
        return open_libraries([path for path in listed if path.is_dir()], self.directory)


def find_uses(directory: Path, home: Path) -> Uses:
    """Return what uses the library in `directory`, in the repository of `home`, the directory of the lock file.

    Without a repository, only what is below `home` counts. Of a directory that does not exist, the sidecars are unknown, so
    only the entries are found. Raises EditRefused or UsageError for a composition whose entry cannot be removed.
    """
    root = Path(os.path.relpath(repository_root(home.resolve())))
    errors: list[SidecarctlError] = []
    paths = list(find_files(home, (directory,), errors))
    if not is_same(root, home):
        paths += find_files(root, (directory, home), errors)
    entries = find_entries(paths, directory)
    if not directory.is_dir():
        return Uses((), (), entries)
    names = Catalog((("", directory),)).names()
    catalogs = [open_libraries()]
    rules: dict[str, None] = {}
    selections = _read_selections(paths, errors)
    # A walk of the root leaves out a `home` that is hidden or ignored, and what only `spec.manifests` makes manifests.
    inputs = read_inputs(input_options([str(home), str(root), *_named_files(selections)], InputFlags()))
    errors += (each for each in inputs.errors if isinstance(each, InputError))
    enabled = {
        rule.name
        for selection in selections
        for layer in selection.layers
        for rule in layer.rules
        if rule.name and rule.data.get("enabled")
    }
    for selection in selections:
        try:
            catalogs.append(selection.open_libraries())
        except SidecarctlError as error:
            errors.append(error)
            continue
        requests = (each for layer in selection.layers for each in _layer_requests(layer, enabled))
        rules |= {text: None for text, each in requests if _is_from(catalogs[-1:], each, directory, names)}
    errors += _find_unreadable(inputs)
    # A run with any of the compositions can have added a sidecar to a manifest.
    objects = tuple(
        f"{text} {request.partition('@')[0]}"
        for text, request in (*_workload_requests(inputs, _kinds_of(selections), errors), *_namespace_requests(inputs))
        if _is_from(catalogs, request, directory, names)
    )
    return Uses(tuple(rules), objects, entries, tuple(errors))


def _read_selections(paths: Sequence[Path], errors: list[SidecarctlError]) -> list[_Selection]:
    """Return what runs with the compositions among files can merge. Appends the errors of invalid YAML."""
    found: list[_Selection] = []
    for path in paths:
        files: list[CompositionFile] = []
        try:
            first = read_file(path)
            files.append(first)
            files[:0] = (each for each in resolve_includes(first, path) if each is not first)
        except InputError as error:  # an example in a text such as a README does not count
            errors += [error] if path.suffix in SUFFIXES else []
        except SidecarctlError:  # a sidecar, a lock file, or a composition that no command accepts
            pass
        layers = tuple(file.layer for file in files)
        found += [_Selection(layers, path.parent)] if files else []
        for name in dict.fromkeys(name for file in files for name in file.environments):
            own = tuple(file.environments[name] for file in files if name in file.environments)
            found.append(_Selection((*layers, *own), path.parent))
    return found


def _named_files(selections: Sequence[_Selection]) -> Iterator[str]:
    """Yield the files that compositions name as manifests: a walk can leave them out."""
    layers = (layer for selection in selections for layer in selection.layers)
    for name in dict.fromkeys(name for layer in layers for name in layer.manifests or ()):
        if Path(name).is_file():
            yield name


def _layer_requests(layer: Layer, enabled: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the sidecars that defaults and rules of a layer name, each after its place."""
    for name, entry in layer.defaults.items():
        if name != EVERY_SIDECAR:
            version = entry.data.get("version")
            yield f"{entry.place}: spec.defaults has parameters of {name}", f"{name}@{version}" if version else name
    yield from _rule_requests(layer, enabled)


def _rule_requests(layer: Layer, enabled: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the sidecars of the rules of a layer, without disabled rules that no layer enables by their name."""
    for number, rule in enumerate(layer.rules, 1):
        if rule.data.get("enabled", True) or rule.name in enabled:
            for entry in rule.entries.values():
                request = str(entry.data["name"])
                yield f"{entry.place}: {rule.label(number)} adds {request}", request


def _find_unreadable(inputs: Inputs) -> Iterator[SidecarctlError]:
    """Yield the errors of documents that cannot be parsed, in files that may have a record or a request."""
    for source, read in inputs.sources:
        if not may_hold(read.text, _PREFIX):
            continue
        errors: list[SidecarctlError] = []
        for document in split_readable(read.text, source.name, errors):
            try:
                document.value  # noqa: B018
            except InputError as error:
                errors.append(error)
        yield from errors


def _kinds_of(selections: Sequence[_Selection]) -> Kinds:
    """Return the kinds that a run with any of the compositions knows, each with all templates that one of them declares."""
    templates = dict(nearest_kinds(required=False).templates)
    for kind, paths in (each for one in selections for layer in one.layers for each in layer.kinds.items()):
        templates[kind] = tuple(dict.fromkeys((*templates.get(kind, ()), *paths)))
    return Kinds(templates)


def _workload_requests(inputs: Inputs, kinds: Kinds, errors: list[SidecarctlError]) -> Iterator[tuple[str, str]]:
    """Yield the sidecars that workloads have or request, each after its workload. Appends the errors of records."""
    for workload in find_workloads(inputs, kinds):
        try:
            record = read_record(workload)
        except RecordError as error:
            errors.append(InputError(f"record of {workload.label}: {error.message}"))
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


def _is_from(catalogs: Sequence[Catalog], request: str, directory: Path, names: Collection[str]) -> bool:
    """Return whether one of the catalogs has a sidecar from a library with such `names`.

    Of a version that no library has, the newest one counts.
    """
    name = request.partition("@")[0]
    return name in names and any(_finds(catalog, (request, name), directory) for catalog in catalogs)


def _finds(catalog: Catalog, requests: Sequence[str], directory: Path) -> bool:
    """Return whether the first request that a catalog can fulfill leads to a library, or can, if a sidecar is invalid."""
    for each in requests:
        try:
            return catalog.find(each).folder.resolve().is_relative_to(directory.resolve())
        except LibraryError:
            return True
        except SidecarctlError:
            continue
    return False
