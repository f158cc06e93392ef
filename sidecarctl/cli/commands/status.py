"""`sidecarctl status`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.inputs import InputOptions, read_inputs, with_leave_out
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, SidecarctlError
from sidecarctl.lazy_dataclass import replace

if TYPE_CHECKING:
    from sidecarctl.catalog.catalog import Catalog
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.pipeline import Options
    from sidecarctl.results import WorkloadStatus

_INPUTS, _WORKLOADS = o.InputFlags(), o.WorkloadFlags()


def status(
    paths: o.Paths = [],  # noqa: B006
    composition: o.Composition = None,
    env: o.Environment = None,
    inputs: o.InputFlags = _INPUTS,
    workloads: o.WorkloadFlags = _WORKLOADS,
    library: o.Library = [],  # noqa: B006
    check: Annotated[
        bool,
        o.Option(("--check",), "Exit with status 1 if an instance is missing or edited.", panel=o.VALIDATION),
    ] = False,
    kube_version: o.KubeVersion = None,
    format: o.Format = "text",
) -> int:
    """Show the sidecars of each workload: version, state, edits, and what an upgrade would change."""
    from sidecarctl.cli import build_request
    from sidecarctl.cli.inputs import input_options

    chosen, catalog, settings = build_request.load_optional_selection(composition, env, library, kube_version)
    settings = replace(settings, workloads=build_request.workload_filter(workloads))
    if chosen is not None:
        given = build_request.composition_inputs(chosen.composition, paths, inputs)
        given = with_leave_out(given, build_request.own_files(chosen.composition, given.paths, None))
    else:
        given = input_options(paths, inputs)
    return print_status(given, catalog, settings, chosen, format, check)


def print_status(
    given: InputOptions, catalog: Catalog, settings: Options, chosen: Selection | None, format: str, check: bool
) -> int:
    """Print the status of every source; with `check`, return 1 if an instance is missing or edited.

    An input or a document that cannot be read does not hide the others.
    """
    from sidecarctl import __version__, watchdog
    from sidecarctl.cli import build_request, console
    from sidecarctl.cli.companion_files import find_companion_files
    from sidecarctl.cli.selection import nothing_found_error
    from sidecarctl.inject.companion_search import ALONE
    from sidecarctl.inject.status import collect_status
    from sidecarctl.report import status as report
    from sidecarctl.report import terminal

    inputs = read_inputs(given)
    errors: list[SidecarctlError] = list(inputs.errors)
    groups = find_companion_files(inputs.sources, settings.kinds)
    texts = {source.name: read.text for source, read in inputs.sources}
    chosen_for = build_request.with_namespaces(chosen, inputs) if chosen else lambda file: None
    found = []
    for name, text in texts.items():
        watchdog.begin(name)
        beside = groups[name].read(texts) if name in groups else ALONE
        found += collect_status(text, catalog, settings, name, chosen_for(name), errors, beside)
    watchdog.begin()
    for error in errors:
        console.report_error(error)
    if not found and not errors:
        raise nothing_found_error(inputs, settings)
    if format == "json":
        text = report.render_json(found, __version__)
    elif format == "markdown":
        text = report.render_markdown(found)
    elif format != "text":
        text = _render_findings(found, list(texts), format)
    else:
        text = report.render_text(
            found,
            color=terminal.use_color(sys.stdout, os.environ),
            width=terminal.columns(sys.stdout, os.environ) if sys.stdout.isatty() or os.environ.get("COLUMNS") else 80,
        )
    console.write_stdout([text])
    console.report_skipped(inputs.skipped)
    if errors:
        return max(error.exit_code for error in errors)
    in_sync = all(one.in_sync for workload in found for one in workload.instances)
    in_sync = in_sync and not any(workload.unreadable for workload in found)
    return EXIT_FINDINGS if check and not in_sync else EXIT_OK


def _render_findings(found: Sequence[WorkloadStatus], files: Sequence[str], format: str) -> str:
    from pathlib import Path

    from sidecarctl import __version__
    from sidecarctl.report import machine
    from sidecarctl.report.status_findings import build_report

    return machine.render_report(build_report(found, files, __version__, str(Path.cwd())), format)
