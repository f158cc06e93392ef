"""From options to requests: sidecars by name, their parameters from --values and --set, instance names, modes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.composition.model import FILE_NAME, Composition, discover, load
from sidecarctl.composition.request import Request, asked_for
from sidecarctl.composition.select import Selection, selection
from sidecarctl.errors import InputError, UsageError
from sidecarctl.files.sources import Source, decode
from sidecarctl.findings import Finding
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds


def catalog(libraries: Sequence[str]) -> Catalog:
    """Return the libraries in their order of search."""
    return open_catalog([Path(folder) for folder in libraries])


def requests(
    names: Sequence[str],
    libraries: Sequence[str],
    sets: Sequence[str],
    values: Sequence[str],
    containers: Sequence[str],
    as_name: str | None,
    mode: str | None,
    adopt: bool = False,
    keep_qos: bool = False,
) -> list[Request]:
    """Return one request per sidecar named. Raises UsageError."""
    found = catalog(libraries)
    own_names = [found.find(name).name for name in names]
    return asked_for(
        found,
        names,
        *_given(own_names, sets, values),
        instance=as_name or "",
        mode=mode or "",
        containers=containers,
        adopt=adopt,
        keep_qos=keep_qos,
    )


def _given(
    names: Sequence[str], sets: Sequence[str], values: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    """Parameters by sidecar: files in their order, then --set; and where each of them was given."""
    from sidecarctl.catalog.assignments import merge, of_sets, of_values, parse_set, read_values

    given: dict[str, dict[str, Any]] = {}
    origins: dict[str, dict[str, str]] = {}
    for file in values:
        try:
            text = decode(Path(file).read_bytes(), file)
        except OSError as problem:
            raise InputError(f"{file} can't be read: {problem.strerror or problem}", hint="check --values") from None
        for name, parameters in read_values(text, file, names).items():
            given[name] = merge(given.get(name, {}), parameters)
        origins = merge(origins, of_values(text, file))
    for name, parameters in parse_set(sets, names).items():
        given[name] = merge(given.get(name, {}), parameters)
    return given, merge(origins, of_sets(sets, names))


def composing_options(
    kube_version: str | None, validate: str, kinds: Kinds = DEFAULT_KINDS, *, facts: bool = True
) -> Options:
    """Return the options of composing. Raises UsageError for an unknown version."""
    return Options(versions.parse_version(kube_version) if kube_version else versions.NEWEST, kinds, validate, facts)


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
