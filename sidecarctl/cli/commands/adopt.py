"""`sidecarctl adopt`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.edit_flags import EditFlags
from sidecarctl.errors import UsageError
from sidecarctl.lazy_dataclass import replace

if TYPE_CHECKING:
    from sidecarctl.authoring.discover import Adopted, Discovery
    from sidecarctl.authoring.migrate import FileCheck
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.pipeline import Options

_INPUTS = o.InputFlags()


def adopt(
    path: Annotated[
        list[str],
        o.Argument("[PATH...]", "Manifests and directories to search. Default: the current directory.", required=False),
    ] = [],  # noqa: B006
    inputs: o.InputFlags = _INPUTS,
    output: Annotated[
        str | None,
        o.Option(
            ("--output", "-o"),
            "Directory for the composition and the library. Default: that of the nearest sidecarctl.yaml, "
            "else the current directory.",
            "DIR",
            panel=o.OUTPUT,
        ),
    ] = None,
    kube_version: o.KubeVersion = None,
    quiet: o.Quiet = False,
) -> int:
    """Find sidecars that were pasted by hand; write a library and a composition that own them."""
    from sidecarctl.authoring import adopt_report, migrate
    from sidecarctl.cli import console
    from sidecarctl.composition.find import FILE_NAME
    from sidecarctl.files.sources import NO_FILE, Source, read_source

    paths = [*path, *inputs.file] or ["."]
    target = _find_target(paths, output)
    composition = target / FILE_NAME
    texts = read_texts(paths, target, inputs)
    found = search(texts, paths, target, find_adopted(composition, texts, kube_version))
    if not found.groups:
        console.report(adopt_report.render_nothing_found(found))
        return 0
    present = read_source(Source(str(composition), composition)) if composition.is_file() else None
    files = migrate.build_files(found, Path(paths[0]).resolve().name, present.text if present else None)
    files |= migrate.build_cases(files, found)
    migrate.write_files(target, files, (present and present.stamp) or NO_FILE)
    checks = check_files(target / FILE_NAME, texts, kube_version)
    if not quiet:
        errors = adopt_report.find_errors(found, target)
        report = adopt_report.Adoption(found, checks, paths, target, list(files), errors, kube_version or "")
        console.report(adopt_report.render_report(report))
    return 0


def find_adopted(composition: Path, texts: Sequence[tuple[str, str]], kube_version: str | None) -> Adopted:
    """Return the containers that `render --adopt` adopts with the present composition, none without one."""
    from sidecarctl.authoring import migrate

    return migrate.find_adopted(texts, *_prepare(composition, texts, kube_version)) if composition.is_file() else {}


def check_files(composition: Path, texts: Sequence[tuple[str, str]], kube_version: str | None) -> list[FileCheck]:
    """Apply the composition to the manifests as `render --adopt` does, the command that the report names."""
    from sidecarctl.authoring import migrate

    return migrate.check_files(texts, *_prepare(composition, texts, kube_version))


def _prepare(
    composition: Path, texts: Sequence[tuple[str, str]], kube_version: str | None
) -> tuple[Callable[[str], Selection], Options]:
    """Return a function from a file to the composition of `render --adopt`, and the pipeline options."""
    from sidecarctl.cli.build_request import prepare_selection, with_rules
    from sidecarctl.composition.model import load_composition
    from sidecarctl.composition.namespaces import NamespaceSelections

    written = load_composition(composition)
    chosen, options = prepare_selection(written, (), kube_version, EditFlags().validate, adopt=True)
    return NamespaceSelections(chosen, texts).select, with_rules(options, written, hooks=False)


def _find_target(paths: Sequence[str], output: str | None) -> Path:
    """Return the directory for the composition: the named one, else that of a present one, so that it is extended.

    Raises UsageError if no directory is named and the composition or library in it belongs to another user.
    """
    if output:
        return Path(output)
    from sidecarctl.authoring.migrate import LIBRARY
    from sidecarctl.composition.find import FILE_NAME, foreign_owner

    target = _nearest_target(paths)
    for path in (target / FILE_NAME, target / LIBRARY):
        owner = foreign_owner(path) if path.exists() else None
        if owner is not None:
            raise UsageError(
                f"{path} belongs to another user (uid {owner})",
                hint=f"write to another directory with -o DIR, or use it anyway with -o {shlex.quote(str(target))}",
            )
    return target


def _nearest_target(paths: Sequence[str]) -> Path:
    """Return the directory of the composition in one of the paths, else of the nearest one, else the current one."""
    from sidecarctl.cli import console
    from sidecarctl.composition.find import FILE_NAME, find_composition_file, foreign_owner

    for path in paths:
        file = Path(path) / FILE_NAME
        if not file.is_file():
            continue
        owner = foreign_owner(file)
        if owner is None:
            return Path(path)
        console.report_foreign(file, owner)
    found = find_composition_file(Path(), console.report_foreign)
    return Path() if found is None or found.parent.resolve() == Path().resolve() else found.parent


def read_texts(paths: Sequence[str], target: Path, flags: o.InputFlags = _INPUTS) -> list[tuple[str, str]]:
    """Return name and text of the manifests, without the composition and its own files.

    Reports what is left out, and inputs that cannot be read.
    """
    from sidecarctl.cli import console
    from sidecarctl.cli.build_request import own_files
    from sidecarctl.cli.inputs import input_options, read_inputs, with_leave_out
    from sidecarctl.composition.find import FILE_NAME
    from sidecarctl.composition.model import load_composition

    composition = target / FILE_NAME
    is_own = own_files(load_composition(composition), paths, None) if composition.is_file() else lambda source: ""
    options = with_leave_out(input_options(list(paths), replace(flags, file=[])), is_own)
    found = read_inputs(options)
    if found.errors and not found.sources:
        raise found.errors[0]
    for error in found.errors:
        console.report_error(error)
    console.report_skipped(found.skipped)
    return [(source.name, read.text) for source, read in found.sources]


def search(texts: Sequence[tuple[str, str]], paths: Sequence[str], target: Path, adopted: Adopted) -> Discovery:
    """Return the pasted sidecars, with names that no library of the composition has. Raise UsageError if there is no workload."""
    from sidecarctl.authoring import discover, migrate
    from sidecarctl.catalog.catalog import open_catalog
    from sidecarctl.composition.find import FILE_NAME
    from sidecarctl.composition.model import load_composition

    composition = target / FILE_NAME
    present = load_composition(composition).libraries if composition.is_file() else ()
    libraries = [library for library in (target / migrate.LIBRARY, *present) if library.is_dir()]
    found = discover.discover(texts, open_catalog(libraries).names(), adopted)
    if not found.workloads and not found.errors:
        raise UsageError(f"no workload found in {', '.join(paths)}", hint="name files or directories of manifests")
    return found
