"""`sidecarctl test`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def test(
    sidecars: Annotated[
        list[str], o.Argument("[SIDECAR...]", "Which sidecars; all unless named.", required=False, complete="sidecars")
    ] = [],  # noqa: B006
    library: o.Library = [],  # noqa: B006
    update: Annotated[bool, o.Option(("--update",), "Write what came of a case as what is expected of it.")] = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Run the cases of a library and lint it."""
    from pathlib import Path

    from sidecarctl.authoring import test_runner
    from sidecarctl.catalog.catalog import open_catalog
    from sidecarctl.cli.console import looks, out
    from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK

    look, done = looks(), []
    catalog = open_catalog([Path(folder) for folder in library])
    for one in test_runner.run(catalog, sidecars, update=update):
        done.append(one)
        out(test_runner.render_results(one, color=look.color, width=look.width, quiet=quiet, verbose=verbose))
    out(test_runner.closing(done, color=look.color))
    return EXIT_FINDINGS if any(one.failed for one in done) else EXIT_OK
