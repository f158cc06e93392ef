"""`sidecarctl status`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def status(
    composition: o.Composition = None,
    env: o.Environment = None,
    file: o.File = [],  # noqa: B006
    library: o.Library = [],  # noqa: B006
    check: Annotated[
        bool, o.Option(("--check",), "Exit 1 where an instance is missing or was edited by hand.", panel="Checking")
    ] = False,
    stdin_filename: o.StdinFilename = None,
    kube_version: o.KubeVersion = None,
    format: o.Format = "text",
) -> int:
    """Show which sidecars stand in which workload: versions, hand edits, what an upgrade would change."""
    from sidecarctl.cli import composing, inputs, viewing

    chosen, catalog, settings = composing.looking(composition, env, library, kube_version)
    sources = inputs.named(file)
    return viewing.status(sources, stdin_filename or "-", catalog, settings, chosen, format, check)
