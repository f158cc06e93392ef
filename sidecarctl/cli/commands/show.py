"""`sidecarctl show`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def show(
    sidecar: Annotated[
        str, o.Argument("SIDECAR", "Sidecar of the library, such as logger or logger@1.0.0.", complete="sidecars")
    ],
    library: o.Library = [],  # noqa: B006
    format: o.Data = "text",
) -> int:
    """Show what a sidecar adds, and its parameters."""
    from sidecarctl.authoring import sidecar_page
    from sidecarctl.cli.console import stream_style, write_text
    from sidecarctl.cli.libraries import open_libraries

    found = open_libraries(library).find(sidecar)
    style = stream_style()
    write_text(
        sidecar_page.page_data(found)
        if format == "json"
        else sidecar_page.render_page(found, library, color=style.color, width=style.width, lines=style.lines)
    )
    return 0
