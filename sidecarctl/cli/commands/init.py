"""`sidecarctl init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from sidecarctl.cli import options as o

_RULES = """\
  # Which workloads get which sidecars:
  # - select: {kinds: [Deployment], names: [web]}
  #   sidecars:
  #   - name: logger
  #     parameters: {logDir: /var/log/web}
  rules: []
"""


def init(
    folder: Annotated[
        list[str],
        o.Argument("[DIR]", "Directory for the composition. Default: the current directory.", required=False),
    ] = [],  # noqa: B006
    quiet: o.Quiet = False,
) -> int:
    """Write a composition, and find sidecars that were pasted by hand."""
    import shlex

    from sidecarctl.catalog.catalog import DEFAULT_LIBRARY
    from sidecarctl.catalog.schema_comment import format_schema_comment
    from sidecarctl.cli import console
    from sidecarctl.composition.find import FILE_NAME
    from sidecarctl.errors import UsageError
    from sidecarctl.files.write import Write, write_all
    from sidecarctl.kube.names import to_dns_label

    if len(folder) > 1:
        raise UsageError("expected one directory", hint="sidecarctl init k8s/")
    home = Path(folder[0] if folder else ".")
    if not home.is_dir():
        raise UsageError(f"not a directory: {home}", hint="name a directory of manifests")
    file = home / FILE_NAME
    if file.exists():
        raise UsageError(f"{file} already exists", hint="edit it, or choose another directory")
    name = to_dns_label(home.resolve().name) or "workloads"
    libraries = f"  libraries: [./{DEFAULT_LIBRARY}]\n" if (home / DEFAULT_LIBRARY).is_dir() else ""
    head = f"apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata:\n  name: {name}\nspec:\n"
    write_all([Write(file, format_schema_comment("composition") + head + libraries + _RULES)])
    if quiet:
        return 0
    composition = "" if home == Path() else f" -c {shlex.quote(str(file))}"
    console.report(f"created {file}")
    console.report(_offer_adoption(home))
    console.report(f"next:\n  edit {file}\n  sidecarctl render{composition} -f {shlex.quote(str(home))} --diff")
    return 0


def _offer_adoption(home: Path) -> str:
    """Return the number of pasted sidecars with the command that adopts them, "" if there are none."""
    import shlex

    from sidecarctl.authoring.discover import discover
    from sidecarctl.cli.commands.adopt import read_texts
    from sidecarctl.errors import InputError
    from sidecarctl.results import plural

    try:
        found = discover(read_texts([str(home)], home)).groups
    except InputError:
        return ""
    return (
        f"found {plural(len(found), 'pasted sidecar')}: run `sidecarctl adopt {shlex.quote(str(home))}`"
        if found
        else ""
    )
