"""`sidecarctl status`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, UsageError

if TYPE_CHECKING:
    from sidecarctl.catalog.catalog import Catalog
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.pipeline import Options


def status(
    composition: o.Composition = None,
    env: o.Environment = None,
    file: o.File = [],  # noqa: B006
    library: o.Library = [],  # noqa: B006
    check: Annotated[
        bool,
        o.Option(("--check",), "Exit with status 1 if an instance is missing or edited.", panel=o.VALIDATION),
    ] = False,
    stdin_filename: o.StdinFilename = None,
    kube_version: o.KubeVersion = None,
    format: o.Format = "text",
) -> int:
    """Show the sidecars of each workload: version, state, edits, and what an upgrade would change."""
    from sidecarctl.cli import build_request

    chosen, catalog, settings = build_request.load_optional_selection(composition, env, library, kube_version)
    from sidecarctl.files.sources import input_paths

    sources = input_paths(file)
    return print_status(sources, stdin_filename or "-", catalog, settings, chosen, format, check)


def print_status(
    paths: Sequence[str],
    stdin_name: str,
    catalog: Catalog,
    settings: Options,
    chosen: Selection | None,
    format: str,
    check: bool,
) -> int:
    """Print the status of every source; with `check`, return 1 if an instance is missing or edited."""
    from sidecarctl import __version__
    from sidecarctl.cli.console import write_stdout
    from sidecarctl.files import sources
    from sidecarctl.inject.status import collect_status as status_of
    from sidecarctl.report import status as report
    from sidecarctl.report import terminal

    if format not in ("text", "json", "markdown"):
        raise UsageError(f'unsupported format "{format}" for status', hint="use --format text, json, or markdown")
    found = [
        one
        for source in sources.find_sources(paths, stdin_name)
        for one in status_of(sources.read_source(source).text, catalog, settings, source.name, chosen)
    ]
    if format == "json":
        text = report.render_json(found, __version__)
    elif format == "markdown":
        text = report.render_markdown(found)
    else:
        text = report.render_text(
            found,
            color=terminal.use_color(sys.stdout, os.environ),
            width=terminal.columns(sys.stdout, os.environ) if sys.stdout.isatty() or os.environ.get("COLUMNS") else 80,
        )
    write_stdout([text])
    in_sync = all(one.in_sync for workload in found for one in workload.instances)
    return EXIT_FINDINGS if check and not in_sync else EXIT_OK
