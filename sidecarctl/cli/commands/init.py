"""`sidecarctl init`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def init(
    folder: Annotated[
        list[str], o.Argument("[DIR]", "Directory of manifests. Default: the current directory.", required=False)
    ] = [],  # noqa: B006
    output: Annotated[
        str | None,
        o.Option(("--output", "-o"), "Directory for the composition and the library.", "DIR", panel=o.OUTPUT),
    ] = None,
    kube_version: o.KubeVersion = None,
    quiet: o.Quiet = False,
) -> int:
    """Find sidecars that were pasted by hand; write a composition and a library that reproduce them."""
    from pathlib import Path

    from sidecarctl.authoring import discover, migrate
    from sidecarctl.cli import console
    from sidecarctl.cli.build_request import pipeline_options
    from sidecarctl.cli.inputs import input_options, read_inputs
    from sidecarctl.errors import UsageError

    if len(folder) > 1:
        raise UsageError("expected one directory", hint="sidecarctl init k8s/")
    home = Path(folder[0] if folder else ".")
    if not home.is_dir():
        raise UsageError(f"not a directory: {home}", hint="name a directory of manifests")
    inputs = read_inputs(input_options([str(home)], o.InputFlags()))
    for error in inputs.errors:
        raise error
    texts = [(source.name, read.text) for source, read in inputs.sources]
    found = discover.discover(texts)
    target = Path(output) if output else home
    if not found.groups:
        console.report("no files written: no sidecar appears in two or more workloads")
        return 0
    files = migrate.build_files(found, home.resolve().name)
    migrate.write_files(target, files)
    cases = migrate.build_cases(target, found)
    migrate.write_files(target, cases)
    trials = migrate.check_files(target, texts, pipeline_options(kube_version, "warn"))
    if not quiet:
        console.write_text(migrate.render_report(found, trials, [*files, *cases], target))
    return 0
