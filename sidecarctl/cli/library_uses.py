"""What uses a vendored library: compositions that name its directory or its sidecars, and manifests with its sidecars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sidecarctl.catalog.catalog import Catalog
from sidecarctl.cli.inputs import Inputs, input_options, read_inputs
from sidecarctl.cli.libraries import open_libraries
from sidecarctl.cli.options import InputFlags
from sidecarctl.cli.rule_config import nearest_kinds
from sidecarctl.cli.selection import find_workloads
from sidecarctl.composition.annotations import read_annotations
from sidecarctl.composition.edit import edit_composition
from sidecarctl.composition.layers import read_file
from sidecarctl.composition.model import Composition, load_composition
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.files.sources import Source, read_source
from sidecarctl.files.write import Write
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.record.annotation import read as read_record
from sidecarctl.record.paths import RecordError
from sidecarctl.skipped import COMPOSITION
from sidecarctl.yamltext.edits import Remove


@dataclass(frozen=True)
class Uses:
    """What uses a library.

    rules      places in compositions, each with the sidecar: `sidecarctl.yaml:9:5: rule "front" adds agent`
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
    paths = [Path(one.name) for one in inputs.skipped if one.reason == COMPOSITION]
    files = tuple(write for path in paths for write in _without_directory(path, directory))
    if not directory.is_dir():
        return Uses((), (), files)
    catalog = open_libraries()
    compositions = list(_compositions(paths))
    return Uses(
        tuple(each for one in compositions for each in _rules(one, catalog, directory)),
        tuple(_workloads(inputs, catalog, directory)),
        files,
    )


def _compositions(paths: Sequence[Path]) -> Iterator[Composition]:
    for path in paths:
        try:
            yield load_composition(path)
            for environment in read_file(path).environments:
                yield load_composition(path, environment)
        except SidecarctlError:  # a sidecar, a lock file, or a composition that no command accepts
            continue


def _rules(composition: Composition, catalog: Catalog, directory: Path) -> Iterator[str]:
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
    """Yield the composition without the entries of `spec.libraries` that are the directory, if it has some."""
    try:
        file = read_file(path)
    except SidecarctlError:
        return
    spec = file.value["spec"]
    listed = spec.get("libraries") or []
    own = [at for at, name in enumerate(listed) if _is_same(path.parent / name, directory)]
    if own and path.is_symlink():
        raise UsageError(
            f"{path} is a symbolic link, and lists the library", hint="edit the file that it points to first"
        )
    if own:
        whole = len(own) == len(listed)
        edits = [Remove(("spec", "libraries"))] if whole else [Remove(("spec", "libraries", at)) for at in own]
        read = read_source(Source(str(path), path))
        yield Write(path, edit_composition(read.text, str(path), lambda value: edits), read.stamp)
