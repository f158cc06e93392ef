"""Commands that only look: every source through a view, and the view printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sidecarctl import __version__
from sidecarctl.cli.printing import write_stdout
from sidecarctl.compose.pipeline import Options
from sidecarctl.compose.selection import Selection
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, UsageError
from sidecarctl.files import sources
from sidecarctl.library.catalog import Catalog


def status(
    paths: Sequence[str],
    stdin_name: str,
    catalog: Catalog,
    settings: Options,
    chosen: Selection | None,
    format: str,
    check: bool,
) -> int:
    """Print the status of every source; exit 1 with `check` where something is missing or edited by hand."""
    from sidecarctl.compose.status import status as status_of
    from sidecarctl.report import status as report
    from sidecarctl.report import terminal

    if format not in ("text", "json", "markdown"):
        raise UsageError(f"status can't be written as {format}", hint="use --format text, json or markdown")
    found = [
        one
        for source in sources.find(paths, stdin_name)
        for one in status_of(sources.read(source).text, catalog, settings, source.name, chosen)
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
    sound = all(one.sound for workload in found for one in workload.instances)
    return EXIT_FINDINGS if check and not sound else EXIT_OK
