"""`sidecarctl init`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def init(
    folder: Annotated[list[str], o.Argument("[DIR]", "Folder of manifests; by default this one.", required=False)] = [],  # noqa: B006
    output: Annotated[
        str | None,
        o.Option(("--output", "-o"), "Write composition and library here instead.", "DIR", panel="Input and output"),
    ] = None,
    kube_version: o.KubeVersion = None,
    quiet: o.Quiet = False,
) -> int:
    """Find sidecars that were pasted by hand; write a composition and a library that reproduce them."""
    from pathlib import Path

    from sidecarctl.authoring import discover, migrate
    from sidecarctl.cli import console
    from sidecarctl.cli.build_request import composing_options
    from sidecarctl.errors import UsageError
    from sidecarctl.files import sources

    if len(folder) > 1:
        raise UsageError("init looks at one folder", hint="name one, or none for this one")
    home = Path(folder[0] if folder else ".")
    if not home.is_dir():
        raise UsageError(f"{home} is no folder", hint="name a folder of manifests")
    texts = [(source.name, sources.read(source).text) for source in sources.find([str(home)], "-")]
    found = discover.discover(texts)
    target = Path(output) if output else home
    if not found.groups:
        console.say("no sidecar stands in two workloads or more: nothing was written")
        return 0
    files = migrate.files(found, home.resolve().name)
    migrate.write(target, files)
    cases = migrate.cases(target, found)
    migrate.write(target, cases)
    trials = migrate.tried(target, texts, composing_options(kube_version, "warn"))
    if not quiet:
        console.out(migrate.report(found, trials, [*files, *cases], target))
    return 0
