"""`sidecarctl list`."""

from __future__ import annotations

from sidecarctl.cli import options as o


def list(
    library: o.Library = [],  # noqa: B006
    format: o.Data = "text",
) -> int:
    """List the sidecars of the libraries in the order in which they are searched."""
    from sidecarctl.authoring import sidecar_list
    from sidecarctl.cli.console import stream_style, write_text
    from sidecarctl.cli.libraries import open_libraries

    entries = sidecar_list.check_entries(open_libraries(library).entries())
    style = stream_style()
    write_text(
        sidecar_list.list_data(entries)
        if format == "json"
        else sidecar_list.render_list(entries, color=style.color, width=style.width)
    )
    return 0
