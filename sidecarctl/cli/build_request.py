"""From options to requests: sidecars with their parameters, or a composition prepared for a run."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecarctl import limits
from sidecarctl.catalog.catalog import Catalog, split_requests
from sidecarctl.cli import console
from sidecarctl.cli.edit_flags import EditFlags
from sidecarctl.cli.inputs import InputOptions, Inputs, input_options
from sidecarctl.cli.libraries import open_libraries
from sidecarctl.cli.options import InputFlags, WorkloadFlags
from sidecarctl.cli.rule_config import severities_for
from sidecarctl.cli.shared_parameters import SharedFlags, shared_parameters, with_position
from sidecarctl.composition.find import FILE_NAME, find_composition_file, report_nothing
from sidecarctl.composition.request import ParameterChanges, Request, build_requests
from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter, make_filter
from sidecarctl.errors import InputError, UsageError
from sidecarctl.files.sources import Source, decode, read_small
from sidecarctl.findings import Finding
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.lazy_dataclass import replace
from sidecarctl.skipped import COMPOSITION, OUTPUT

if TYPE_CHECKING:
    from sidecarctl.catalog.assignments import ShowKey
    from sidecarctl.composition.model import Composition
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.upgrade_instances import UpgradeRequest

_NOTHING_SHARED = SharedFlags()


def requests(
    names: Sequence[str],
    *,
    libraries: Sequence[str],
    sets: Sequence[str],
    values: Sequence[str],
    set_files: Sequence[str] = (),
    containers: Sequence[str],
    as_name: str | None,
    mode: str | None,
    adopt: bool = False,
    keep_qos: bool = False,
    unset: Sequence[str] = (),
    reset: bool = False,
    on_conflict: str | None = None,
    enforce: bool = False,
    shared: SharedFlags = _NOTHING_SHARED,
    position: str | None = None,
) -> list[Request]:
    """Return one request for each named sidecar. Raises UsageError."""
    catalog = open_libraries(libraries)
    own_names = [catalog.find(name).name for name in names]
    show = _show_keys(catalog, dict(zip(own_names, names)), (*sets, *set_files, *unset))
    changes = _parameter_changes(own_names, sets, values, set_files, unset, reset, shared, show)
    if position is not None:
        changes = {name: with_position(each, position) for name, each in changes.items()}
    return build_requests(
        catalog,
        names,
        changes,
        instance=as_name or "",
        mode=mode or "",
        containers=containers,
        adopt=adopt,
        keep_qos=keep_qos,
        on_conflict=conflict_policy(on_conflict, enforce) or "fail",
    )


def upgrade_request(
    names: Sequence[str],
    *,
    libraries: Sequence[str],
    sets: Sequence[str],
    values: Sequence[str],
    set_files: Sequence[str],
    unset: Sequence[str],
    reset: bool,
    on_conflict: str | None,
    enforce: bool,
    shared: SharedFlags = _NOTHING_SHARED,
) -> UpgradeRequest:
    """Return the request to upgrade instances or sidecars (`logger` or `logger@1.1.0`); no names select all.

    Raises UsageError for an invalid name, version, or parameter, and for two versions of one name.
    """
    from sidecarctl.inject.upgrade_instances import UpgradeRequest

    catalog = open_libraries(libraries)
    versions = split_requests(names)
    given = [name for name in versions if name in catalog.names()] or catalog.names()
    requests = {name: f"{name}@{versions[name]}" if versions.get(name) else name for name in given}
    show = _show_keys(catalog, requests, (*sets, *set_files, *unset))
    changes = _parameter_changes(given, sets, values, set_files, unset, reset, shared, show)
    return UpgradeRequest(catalog, versions, changes, conflict_policy(on_conflict, enforce) or "fail")


def _show_keys(catalog: Catalog, requests: Mapping[str, str], given: Sequence[str]) -> ShowKey:
    if not given:
        return str
    from sidecarctl.catalog.shown_keys import show_keys

    return show_keys(catalog, requests)


def conflict_policy(on_conflict: str | None, enforce: bool) -> str:
    """Return fail, keep, overwrite, or enforce; "" if neither option is given. Raises UsageError for both."""
    if enforce and on_conflict:
        raise UsageError("--enforce cannot be combined with --on-conflict", hint="remove one of them")
    return "enforce" if enforce else on_conflict or ""


def _parameter_changes(
    names: Sequence[str],
    sets: Sequence[str],
    values: Sequence[str],
    set_files: Sequence[str],
    unset: Sequence[str],
    reset: bool,
    shared: SharedFlags,
    show: ShowKey,
) -> dict[str, ParameterChanges]:
    """Return the changes of parameters by sidecar."""
    from sidecarctl.catalog.assignments import hide_value, split_sidecar

    given, origins = _parameters(names, sets, values, set_files, show)
    for_all = shared_parameters(shared)
    keys: dict[str, list[str]] = {}
    for text in unset:
        name, key = split_sidecar(text, names, f"--unset {show(hide_value(text))}", show)
        keys.setdefault(name, []).append(key)
    return {
        name: ParameterChanges(given.get(name, {}), origins.get(name, {}), tuple(keys.get(name, ())), reset, for_all)
        for name in names
    }


def _parameters(
    names: Sequence[str], sets: Sequence[str], values: Sequence[str], set_files: Sequence[str], show: ShowKey
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    """Return the parameters by sidecar, and where each was given: values files in order, then --set, then --set-file."""
    from sidecarctl.catalog import assignments
    from sidecarctl.catalog.assignments import merge

    given: dict[str, dict[str, Any]] = {}
    origins: dict[str, dict[str, str]] = {}
    for file in values:
        try:
            text = decode(read_small(Path(file), regular=False), file)
        except OSError as error:
            hint = limits.FILE.way_out if error.errno == errno.EFBIG else "check --values"
            raise InputError(f"cannot read {file}: {error.strerror or error}", hint=hint) from None
        for name, parameters in assignments.read_values(text, file, names).items():
            given[name] = merge(given.get(name, {}), parameters)
        origins = merge(origins, assignments.origins_of_values(text, file))
    own, of_files = assignments.parse_set(sets, names, show), assignments.parse_set_files(set_files, names, show)
    for parameters_of in (own, of_files):
        for name, parameters in parameters_of.items():
            given[name] = merge(given.get(name, {}), parameters)
    origins = merge(origins, assignments.origins_of_sets(sets, names, show=show))
    return given, merge(origins, assignments.origins_of_sets(set_files, names, "--set-file", show))


def pipeline_options(
    kube_version: str | None,
    validate: str,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    facts: bool = True,
    workloads: WorkloadFilter = EVERY_WORKLOAD,
) -> Options:
    """Return the options of the pipeline. Raises UsageError for an unknown version."""
    version = versions.parse_version(kube_version) if kube_version else versions.NEWEST
    return Options(version, kinds, validate, facts, workloads, severities_for)


def edit_options(edit: EditFlags, kinds: Kinds, workloads: WorkloadFilter) -> Options:
    """Return the options of the pipeline for a command that edits manifests. Raises UsageError for an unknown version."""
    facts = edit.verbose or edit.format != "text"
    options = pipeline_options(edit.kube_version, edit.validate, kinds, facts=facts, workloads=workloads)
    return replace(options, fails=edit.fail_on != "never", jobs=edit.jobs)


def with_rules(settings: Options, composition: Composition, *, fail_on: str = "error", hooks: bool = True) -> Options:
    """Return the options of a run of a composition: with its severities, --fail-on, and whether hooks are included."""
    from sidecarctl.composition.severities import severities_of

    severities = severities_of(composition)
    return replace(
        settings,
        workloads=replace(settings.workloads, hooks=hooks),
        severities=lambda file: severities or severities_for(file, report_nothing),
        fails=fail_on != "never",
    )


def workload_filter(flags: WorkloadFlags, *, hooks: bool = True, opt_out: bool = False) -> WorkloadFilter:
    """Return the filter that the options of a command describe. Raises UsageError for an invalid selector."""
    return make_filter(flags.kind, flags.name, flags.namespace, flags.selector, hooks=hooks, opt_out=opt_out)


def composition_inputs(composition: Composition, paths: Sequence[str], flags: InputFlags) -> InputOptions:
    """Return the inputs of a command that uses a composition: the paths given, else its `spec.manifests`."""
    return input_options(paths, flags, composition.manifests, composition.exclude)


def find_composition(file: str | None, environment: str | None) -> Composition | None:
    """Return the named composition, else the nearest sidecarctl.yaml, else None."""
    path = Path(file) if file else find_composition_file(Path(), console.report_foreign)
    if path is None:
        return None
    from sidecarctl.composition.model import load_composition

    return load_composition(path, environment or "")


def load_selection(
    file: str | None,
    environment: str | None,
    libraries: Sequence[str],
    kube_version: str | None,
    validate: str,
    *,
    adopt: bool = False,
    on_conflict: str = "",
    shared: SharedFlags = _NOTHING_SHARED,
) -> tuple[Selection, Options]:
    """Return a composition prepared for a run, and the pipeline options. Options rank above the composition.

    Raises UsageError if there is no composition.
    """
    composition = find_composition(file, environment)
    if composition is None:
        raise UsageError(
            f"no composition found: no {FILE_NAME} in this directory or above",
            hint="name one with -c FILE; `sidecarctl schema composition` prints its schema",
        )
    return prepare_selection(
        composition, libraries, kube_version, validate, adopt=adopt, on_conflict=on_conflict, shared=shared
    )


def prepare_selection(
    composition: Composition,
    libraries: Sequence[str],
    kube_version: str | None,
    validate: str,
    *,
    adopt: bool = False,
    on_conflict: str = "",
    shared: SharedFlags = _NOTHING_SHARED,
) -> tuple[Selection, Options]:
    """Return a loaded composition prepared for a run, and the pipeline options."""
    from sidecarctl.composition.select import resolve_selection

    options = pipeline_options(kube_version or composition.kube_version, validate, composition.kinds)
    catalog = open_libraries([*libraries, *composition.libraries], Path(composition.file).parent)
    selection = resolve_selection(
        composition,
        catalog,
        options.kube_version,
        adopt=adopt,
        on_conflict=on_conflict,
        shared=shared_parameters(shared),
    )
    return selection, options


def load_optional_selection(
    file: str | None, environment: str | None, libraries: Sequence[str], kube_version: str | None
) -> tuple[Selection | None, Catalog, Options]:
    """Return a prepared composition if one is named or found, the catalog, and the pipeline options."""
    if find_composition(file, environment) is not None:
        chosen, options = load_selection(file, environment, libraries, kube_version, "strict")
        return chosen, chosen.catalog, options
    if environment:
        raise UsageError("--env requires a composition", hint="name one with -c FILE")
    return None, open_libraries(libraries), pipeline_options(kube_version, "strict")


def own_files(composition: Composition, named: Sequence[str], output: str | None) -> Callable[[Source], str]:
    """Return why a source is not an input, "" if it is one: files of the composition, its libraries, and the output."""
    files = {Path(file).resolve() for file in composition.files}
    directories = [directory.resolve() for directory in composition.libraries]
    outputs = Path(output).resolve() if output and Path(output).is_dir() else None

    def leave_out(source: Source) -> str:
        # A file that the command line names is always an input.
        if source.path is None or source.name in named:
            return ""
        path = source.path.resolve()
        if path in files or any(path.is_relative_to(directory) for directory in directories):
            return COMPOSITION
        return OUTPUT if outputs and path.is_relative_to(outputs) else ""

    return leave_out


def with_namespaces(chosen: Selection, inputs: Inputs) -> Callable[[str], Selection]:
    """Return a function from a file of a run to the composition that knows the inject annotations of its Namespaces."""
    from sidecarctl.composition.namespaces import NamespaceSelections

    return NamespaceSelections(chosen, [(source.name, read.text) for source, read in inputs.sources]).select


def unused_rules(chosen: Selection) -> Callable[[Sequence[Result]], list[Finding]]:
    """Return a function from the results of a run to warnings about rules that selected no workload."""
    return lambda results: chosen.find_unused(number for result in results for number in result.rules)
