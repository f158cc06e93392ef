"""`sidecarctl init`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o

if TYPE_CHECKING:
    from sidecarctl.authoring.new_composition import Example
    from sidecarctl.cli.inputs import Inputs

_INPUTS = o.InputFlags()
# Files in which a suggestion for the example is searched: each takes a few milliseconds.
_SEARCHED = 20


def init(
    folder: Annotated[
        list[str],
        o.Argument(
            "[DIR]",
            "Directory for the composition, and for its manifests if -f names none. Default: the current directory.",
            required=False,
        ),
    ] = [],  # noqa: B006
    inputs: o.InputFlags = _INPUTS,
    quiet: o.Quiet = False,
) -> int:
    """Write a composition for the workloads of a directory, and find sidecars that were pasted by hand."""
    from sidecarctl.authoring.new_composition import build_composition, summarize_directories
    from sidecarctl.catalog.catalog import DEFAULT_LIBRARY
    from sidecarctl.cli import console
    from sidecarctl.composition.find import FILE_NAME
    from sidecarctl.errors import InputError, UsageError
    from sidecarctl.files.patterns import output_root
    from sidecarctl.files.sources import NO_FILE
    from sidecarctl.files.write import Write, write_all
    from sidecarctl.kube.names import to_dns_label

    if len(folder) > 1:
        raise UsageError("expected one directory", hint="sidecarctl init k8s/, or name manifests with -f")
    home = Path(folder[0] if folder else ".")
    if not home.is_dir():
        raise UsageError(
            f"not a directory: {home}", hint="name the directory for the composition, and manifests with -f"
        )
    file = home / FILE_NAME
    if file.exists():
        raise UsageError(f"{file} already exists", hint="edit it, or choose another directory")
    found, named = _read(home, inputs)
    manifests = _relative(inputs.file, home) if inputs.file else summarize_directories(named, home)
    if unnamed := [path for path in manifests if not _is_text(path)]:
        raise InputError(
            f"the path {unnamed[0]} is not UTF-8, so a composition cannot name it",
            hint="rename it, or name others with -f",
        )
    libraries = [f"./{DEFAULT_LIBRARY}"] if (home / DEFAULT_LIBRARY).is_dir() else []
    name = to_dns_label(home.resolve().name) or "workloads"
    text = build_composition(name, libraries, manifests, _find_example(found, home))
    write_all([Write(file, text, NO_FILE, output_root(home))])
    if not quiet:
        console.report_line(f"created {file}")
        for line in _describe(found, home, file, manifests):
            console.report_line(line)
        console.report_skipped(found.skipped)
    return 0


def _is_text(path: str) -> bool:
    try:
        return bool(path.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _read(home: Path, flags: o.InputFlags) -> tuple[Inputs, list[Path]]:
    """Return the inputs that have a workload or cannot be read, and the files with a workload.

    Raises UsageError if -f names a path without a workload.
    """
    from sidecarctl.cli.inputs import STDIN, input_options, read_inputs
    from sidecarctl.cli.selection import count_workloads, no_workload_error
    from sidecarctl.errors import InputError, UsageError
    from sidecarctl.kube.kinds import DEFAULT_KINDS

    if STDIN in flags.file:
        raise UsageError("init reads files: stdin has no path to write", hint="name manifests or directories with -f")
    inputs = read_inputs(input_options([] if flags.file else [str(home)], flags))
    counts = [count_workloads(source, read, DEFAULT_KINDS) for source, read in inputs.sources]
    if flags.file and not any(counts):
        raise inputs.errors[0] if inputs.errors else no_workload_error(flags.file)
    broken = tuple(error for error in inputs.errors if isinstance(error, InputError))
    files = [source.path for (source, _), count in zip(inputs.sources, counts) if count and source.path]
    return replace(inputs, errors=broken), files


def _relative(paths: Sequence[str], home: Path) -> list[str]:
    """Return paths as the composition names them; a directory ends in a slash."""
    import os

    found = [os.path.relpath(path, home).replace(os.sep, "/") for path in paths]
    return [name if name == "." or not Path(path).is_dir() else f"{name}/" for name, path in zip(found, paths)]


def _find_example(inputs: Inputs, home: Path) -> Example:
    """Return a rule for the first workload that a sidecar fits, else for the first workload."""
    from sidecarctl.authoring.new_composition import Example
    from sidecarctl.cli import suggestions
    from sidecarctl.cli.build_request import pipeline_options
    from sidecarctl.cli.libraries import open_libraries
    from sidecarctl.cli.selection import find_workloads
    from sidecarctl.kube.kinds import DEFAULT_KINDS

    catalog, settings = open_libraries((), home), pipeline_options(None, "warn", facts=False)
    offer = suggestions.find_first_offer(replace(inputs, sources=inputs.sources[:_SEARCHED]), catalog, settings)
    if offer:
        return suggestions.as_example(offer, catalog)
    first = next(find_workloads(inputs, DEFAULT_KINDS), None)
    return Example(first.kind, first.name) if first else Example()


def _describe(inputs: Inputs, home: Path, file: Path, manifests: Sequence[str]) -> list[str]:
    """Return what was found, and the next commands."""
    import shlex

    from sidecarctl.authoring.discover import discover
    from sidecarctl.cli.selection import describe_unknown_kinds, find_workloads
    from sidecarctl.kube.kinds import DEFAULT_KINDS
    from sidecarctl.results import plural

    place = shlex.quote(str(home))
    count = sum(1 for _ in find_workloads(inputs, DEFAULT_KINDS))
    lines = list(describe_unknown_kinds(inputs, DEFAULT_KINDS))
    found = discover((source.name, read.text) for source, read in inputs.sources)
    for error in (*inputs.errors, *found.errors):
        lines.append(f"note: {error.where or place}: {error.message}: `render` fails until it is fixed or excluded")
    option = "" if home == Path() else f" -c {shlex.quote(str(file))}"
    if not count:
        lines.append(f"no workloads found in {place}: set spec.manifests, or pipe manifests to `render`")
        return [*lines, "next:", f"  edit {file}", f"  helm template <chart> | sidecarctl render{option} --diff"]
    lines.append(f"found {plural(count, 'workload')} in {', '.join(str(home / path) for path in manifests)}")
    if found.groups:
        adopted = " ".join(shlex.quote(str(home / path)) for path in manifests) if home != Path() else "."
        lines.append(f"found {plural(len(found.groups), 'pasted sidecar')}: run `sidecarctl adopt {adopted}`")
    paths = " ".join(f"--for {shlex.quote(str(home / path))}" for path in manifests)
    return [
        *lines,
        "next:",
        f"  sidecarctl list {paths}",
        f"  edit {file}: add rules",
        f"  sidecarctl render{option} --diff",
    ]
