"""`sidecarctl show`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def show(
    sidecar: Annotated[
        str, o.Argument("SIDECAR", "A sidecar of the library: logger, logger@1.0.0.", complete="sidecars")
    ],
    library: o.Library = [],  # noqa: B006
    format: o.Data = "text",
) -> int:
    """Show a sidecar: its parameters and what it adds."""
    from pathlib import Path

    from sidecarctl.authoring import sidecar_page
    from sidecarctl.catalog.catalog import open_catalog
    from sidecarctl.cli.console import looks, out

    found = open_catalog([Path(folder) for folder in library]).find(sidecar)
    look = looks()
    out(
        sidecar_page.page_data(found)
        if format == "json"
        else sidecar_page.render_page(found, color=look.color, width=look.width, lines=look.lines)
    )
    return 0
