"""`sidecarctl new`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError


def new(
    name: Annotated[str, o.Argument("NAME", "Name of the sidecar and of its directory.")],
    image: Annotated[str | None, o.Option(("--from",), "Container image of the sidecar.", "IMAGE")] = None,
    manifest: Annotated[
        str | None, o.Option(("--from-manifest",), "Manifest that contains the sidecar.", "FILE", panel=o.INPUT)
    ] = None,
    container: Annotated[
        str | None,
        o.Option(("--container",), "Container of --from-manifest to turn into a sidecar.", "NAME", panel=o.INPUT),
    ] = None,
    engine: Annotated[
        str | None, o.Option(("--engine",), "Template language.", "ENGINE", choices=("jinja", "kcl", "plain"))
    ] = None,
    library: o.Library = [],  # noqa: B006
    quiet: o.Quiet = False,
) -> int:
    """Create a sidecar with a passing test case."""
    from pathlib import Path

    from sidecarctl.authoring import scaffold
    from sidecarctl.cli import console

    if manifest and (image or engine not in (None, "jinja")):
        raise UsageError(
            "--from-manifest cannot be combined with --from or --engine",
            hint="the image comes from the manifest, and the template is Jinja2",
        )
    if bool(manifest) != bool(container):
        raise UsageError(
            "--from-manifest and --container require each other",
            hint=f"sidecarctl new {name} --from-manifest deployment.yaml --container NAME",
        )
    home = Path(library[0]) if library else scaffold.default_library()
    if manifest and container:
        made = scaffold.from_manifest(home, name, manifest, container)
    else:
        made = scaffold.from_image(home, name, image or "", engine or "jinja")
    scaffold.write_files(made)
    if not quiet:
        console.report(scaffold.render_report(made, color=console.color(), width=console.width()))
    return 0
