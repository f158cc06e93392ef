"""`sidecarctl schema`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def schema(
    name: Annotated[
        str,
        o.Argument(
            "NAME",
            "sidecar, fragment, composition, report; values, for values files; or a sidecar, for its parameters.",
            complete="schemas",
        ),
    ],
    library: o.Library = [],  # noqa: B006
) -> int:
    """Print a JSON Schema, for editors."""
    from pathlib import Path

    from sidecarctl.authoring import schemas
    from sidecarctl.cli.printing import out
    from sidecarctl.library.catalog import open_catalog

    out(schemas.text(name, open_catalog([Path(folder) for folder in library])))
    return 0
