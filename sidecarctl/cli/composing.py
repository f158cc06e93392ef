"""From options to a composition made ready: the file named or found, the environment, libraries and version by precedence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sidecarctl.cli.checking import composing_options
from sidecarctl.compose.composition import FILE_NAME, Composition, discover, load
from sidecarctl.compose.pipeline import Options, Result
from sidecarctl.compose.selection import Selection, selection
from sidecarctl.errors import UsageError
from sidecarctl.files.sources import Source
from sidecarctl.findings import Finding
from sidecarctl.library.catalog import Catalog, open_catalog


def found(file: str | None, environment: str | None) -> Composition | None:
    """Return the composition named, else the nearest sidecarctl.yaml; None where there is none."""
    path = Path(file) if file else discover(Path())
    return load(path, environment or "") if path else None


def selected(
    file: str | None, environment: str | None, libraries: Sequence[str], kube_version: str | None, validate: str
) -> tuple[Selection, Options]:
    """Return the composition made ready, and the options of composing: flags and variables win over the composition.

    Raises UsageError where there is no composition.
    """
    composition = found(file, environment)
    if composition is None:
        raise UsageError(
            f"there is no composition: no {FILE_NAME} here or in a folder above",
            hint="name one with -c FILE; `sidecarctl schema composition` prints what stands in it",
        )
    return made_ready(composition, libraries, kube_version, validate)


def made_ready(
    composition: Composition, libraries: Sequence[str], kube_version: str | None, validate: str
) -> tuple[Selection, Options]:
    """Return a composition made ready, and the options of composing."""
    settings = composing_options(kube_version or composition.kube_version, validate, composition.kinds)
    catalog = open_catalog([*(Path(folder) for folder in libraries), *composition.libraries])
    return selection(composition, catalog, settings.kube_version), settings


def not_an_input(composition: Composition, named: Sequence[str], output: str | None) -> Callable[[Source], bool]:
    """Return what tells the composition's own files, its libraries and the output folder from manifests."""
    files = {Path(file).resolve() for file in composition.files}
    folders = [folder.resolve() for folder in composition.libraries]
    if output and Path(output).is_dir():
        folders.append(Path(output).resolve())

    def left_out(source: Source) -> bool:
        # A file named by itself is meant; only what a walk finds is left out.
        if source.path is None or source.name in named:
            return False
        path = source.path.resolve()
        return path in files or any(path.is_relative_to(folder) for folder in folders)

    return left_out


def unused_rules(chosen: Selection) -> Callable[[Sequence[Result]], list[Finding]]:
    """Return what warns of rules that selected nothing in a run."""
    return lambda results: chosen.unused(number for result in results for number in result.rules)


def looking(
    file: str | None, environment: str | None, libraries: Sequence[str], kube_version: str | None
) -> tuple[Selection | None, Catalog, Options]:
    """Return what a command that only looks needs: a composition where one is named or found, libraries, options."""
    if found(file, environment) is not None:
        chosen, settings = selected(file, environment, libraries, kube_version, "strict")
        return chosen, chosen.catalog, settings
    if environment:
        raise UsageError("--env needs a composition, and there is none here", hint="name one with -c FILE")
    return None, open_catalog([Path(folder) for folder in libraries]), composing_options(kube_version, "strict")
