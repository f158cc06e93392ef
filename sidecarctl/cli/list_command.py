"""`sidecarctl list`."""

from __future__ import annotations

from sidecarctl.cli import options as o


def list(
    library: o.Library = [],  # noqa: B006
    format: o.Data = "text",
) -> int:
    """List the sidecars of the libraries in their order of search."""
    from pathlib import Path

    from sidecarctl.authoring import listing
    from sidecarctl.cli.printing import looks, out
    from sidecarctl.library.catalog import open_catalog

    entries = listing.judged(open_catalog([Path(folder) for folder in library]).entries())
    look = looks()
    out(listing.data(entries) if format == "json" else listing.render(entries, color=look.color, width=look.width))
    return 0
