"""`sidecarctl test`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def test(
    sidecars: Annotated[
        list[str],
        o.Argument(
            "[SIDECAR...]", "Sidecars to test. Default: all of the library.", required=False, complete="sidecars"
        ),
    ] = [],  # noqa: B006
    library: Annotated[
        list[str],
        o.Option(
            ("--library",),
            "Library to test. Repeatable. Default: the libraries of the nearest composition, ./sidecars, and those of "
            "SIDECARCTL_LIBRARY; else the current directory.",
            "DIR",
            from_env=False,
        ),
    ] = [],  # noqa: B006
    update: Annotated[
        bool, o.Option(("--update",), "Write the current results as the expected ones.", panel=o.OUTPUT)
    ] = False,
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Run the test cases of a library, and lint it."""
    from sidecarctl.authoring import test_runner
    from sidecarctl.cli.console import stream_style, write_text
    from sidecarctl.cli.libraries import open_own_libraries
    from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK

    style, done = stream_style(), []
    catalog = open_own_libraries(library)
    for one in test_runner.run_tests(catalog, sidecars, update=update):
        done.append(one)
        write_text(test_runner.render_results(one, color=style.color, width=style.width, quiet=quiet, verbose=verbose))
    write_text(test_runner.render_summary(done, color=style.color))
    return EXIT_FINDINGS if any(one.failed for one in done) else EXIT_OK
