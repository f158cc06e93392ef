"""`sidecarctl export`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError

if TYPE_CHECKING:
    from sidecarctl.cli.inputs import InputOptions, Inputs
    from sidecarctl.files.sources import Source, Stamp
    from sidecarctl.integrations.exports.injection import ExportFile

ENGINES = ("mutatingadmissionpolicy", "kyverno", "sidecarset", "kustomize-component", "json-patch")

# More than the first sentence of a header, which has the name of a composition.
_HEADER_BYTES = 4096

_INPUTS = o.InputFlags()


def export(
    paths: o.Paths = [],  # noqa: B006
    to: Annotated[
        str | None, o.Option(("--to",), "Format to export to.", "ENGINE", choices=ENGINES, panel=o.OUTPUT)
    ] = None,
    composition: o.Composition = None,
    env: o.Environment = None,
    inputs: o.InputFlags = _INPUTS,
    library: o.Library = [],  # noqa: B006
    output: o.Output = None,
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    quiet: o.Quiet = False,
) -> int:
    """Export a composition as an in-cluster policy or as patches."""
    from sidecarctl.cli import build_request, console
    from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, UsageError
    from sidecarctl.findings import Severity
    from sidecarctl.integrations import exports
    from sidecarctl.integrations.exports import patches

    if to is None:
        raise UsageError("missing option --to", hint=f"use one of {', '.join(exports.ENGINES)}")
    chosen, settings = build_request.load_selection(composition, env, library, kube_version, validate)
    engine = exports.ENGINES[to]
    if isinstance(engine, exports.PolicyEngine):
        if paths or inputs.file:
            raise UsageError(
                f"--to {to} does not take manifests",
                hint="remove the paths: the policy applies to workloads of the cluster",
            )
        _deliver(engine.export(chosen), output, quiet=quiet)
        return EXIT_OK
    given = build_request.composition_inputs(chosen.composition, paths, inputs)
    left_out = build_request.own_files(chosen.composition, given.paths, output)
    manifests = read_manifests(given, left_out)
    found = patches.build_patches(
        [(read.text, source.name) for source, read in manifests.sources],
        build_request.with_namespaces(chosen, manifests),
        build_request.with_rules(settings, chosen.composition, hooks=False),
    )
    wrong = [finding for finding in found.findings if finding.severity is Severity.ERROR]
    console.report_findings(wrong if quiet else found.findings)
    if wrong:
        return EXIT_FINDINGS
    _deliver(engine.export(found, chosen.composition.name), output, quiet=quiet)
    return EXIT_OK


def read_manifests(given: InputOptions, left_out: Callable[[Source], str]) -> Inputs:
    """Return the manifests. Raises the first error of an input that cannot be read."""
    from sidecarctl.cli.inputs import read_inputs, with_leave_out

    inputs = read_inputs(with_leave_out(given, left_out))
    for error in inputs.errors:
        raise error
    return inputs


def _deliver(files: Sequence[ExportFile], output: str | None, *, quiet: bool) -> None:
    """Write the exported files, and warn about companions of an earlier export that the new one does not have."""
    from sidecarctl.cli.console import report_line

    write(files, output)
    stale = _find_stale_companions(files, output)
    if stale is not None and not quiet:
        report_line(f"warning: {stale} is from an earlier export: this one has no such file")
        report_line("help: delete it if no other export needs it")


def _find_stale_companions(files: Sequence[ExportFile], output: str | None) -> Path | None:
    """Return the file with companions in the output directory that an earlier export wrote, if this one has none."""
    from sidecarctl.integrations.exports.injection import COMPANIONS

    if output is None or not Path(output).is_dir() or any(each.name == COMPANIONS for each in files):
        return None
    path = Path(output) / COMPANIONS
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            return path if _is_from_export(stream.read(_HEADER_BYTES)) else None
    except OSError:  # the export itself is written
        return None


def _is_from_export(start: bytes) -> bool:
    """Return whether a file that starts so is from an export."""
    from sidecarctl.integrations.exports.injection import is_export

    return is_export(start.decode("utf-8", "replace"))


def write(files: Sequence[ExportFile], output: str | None) -> None:
    """Write the exported files: one stream to stdout or a file, or each file into a directory.

    Raises UsageError if several files need a directory and none is given, OutputError for a file that no export wrote.
    """
    from sidecarctl.cli.console import write_stdout
    from sidecarctl.files.write import Write, is_directory, write_all

    into_directory = output is not None and is_directory(output)
    if len(files) > 1 and not into_directory and not all(each.stream for each in files):
        raise UsageError(
            f"the export has {len(files)} files: {', '.join(each.name for each in files)}",
            hint="write them to a directory with -o DIR/",
        )
    whole = "".join(each.text for each in files)
    if output is None:
        write_stdout([whole])
    elif into_directory:
        root = Path(output)
        write_all([Write(path := root / each.name, each.text, check_replaceable(path), root) for each in files])
    else:
        write_all([Write(Path(output), whole, check_replaceable(Path(output)))])


def check_replaceable(path: Path) -> Stamp | None:
    """Return the stamp of a file that an earlier export wrote, of an empty or a new file; None for a device or directory.

    Raises OutputError for any other file: its text would be lost.
    """
    from sidecarctl.files.directory import OutputError
    from sidecarctl.files.sources import NO_FILE, stamp_of

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as stream:
            stamp, start = stamp_of(os.fstat(stream.fileno())), stream.read(_HEADER_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return NO_FILE
    except OSError as problem:
        raise OutputError(
            f"cannot read {path}: {problem.strerror or problem}; no files written",
            hint="check its path and permissions",
        ) from None
    if start and not _is_from_export(start):
        raise OutputError(
            f"{path} already exists, and no export wrote it; no files written",
            hint="delete it, or choose another output",
        )
    return stamp
