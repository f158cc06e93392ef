"""`sidecarctl new`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError


def new(
    name: Annotated[str, o.Argument("NAME", "Name of the sidecar and of its folder.")],
    image: Annotated[str | None, o.Option(("--from",), "Image that it runs.", "IMAGE")] = None,
    manifest: Annotated[
        str | None, o.Option(("--from-manifest",), "Manifest to take a container out of.", "FILE")
    ] = None,
    container: Annotated[str | None, o.Option(("--container", "-c"), "That container.", "NAME")] = None,
    engine: Annotated[
        str | None, o.Option(("--engine",), "Language of its template.", "ENGINE", choices=("jinja", "kcl", "plain"))
    ] = None,
    library: o.Library = [],  # noqa: B006
    quiet: o.Quiet = False,
) -> int:
    """Start a sidecar of one's own, with a case that passes."""
    from pathlib import Path

    from sidecarctl.authoring import scaffold
    from sidecarctl.cli import console

    if manifest and (image or engine not in (None, "jinja")):
        raise UsageError(
            "--from-manifest takes image and all from the manifest, and writes Jinja",
            hint="drop --from and --engine",
        )
    if bool(manifest) != bool(container):
        raise UsageError(
            "--from-manifest and --container go together",
            hint=f"sidecarctl new {name} --from-manifest deployment.yaml --container NAME",
        )
    home = Path(library[0]) if library else scaffold.default_library()
    if manifest and container:
        made = scaffold.from_manifest(home, name, manifest, container)
    else:
        made = scaffold.from_image(home, name, image or "", engine or "jinja")
    scaffold.write(made)
    if not quiet:
        console.say(scaffold.report(made, color=console.color(), width=console.width()))
    return 0
