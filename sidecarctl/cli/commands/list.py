"""`sidecarctl list`."""

from __future__ import annotations

from sidecarctl.cli import options as o


def list(
    library: o.Library = [],  # noqa: B006
    format: o.Data = "text",
) -> int:
    """List the sidecars of the libraries in their order of search."""
    from pathlib import Path

    from sidecarctl.authoring import sidecar_list
    from sidecarctl.catalog.catalog import open_catalog
    from sidecarctl.cli.console import looks, out

    entries = sidecar_list.judged(open_catalog([Path(folder) for folder in library]).entries())
    look = looks()
    out(
        sidecar_list.list_data(entries)
        if format == "json"
        else sidecar_list.render_list(entries, color=look.color, width=look.width)
    )
    return 0
