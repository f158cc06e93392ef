"""`sidecarctl render`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from sidecarctl.cli import options as o


def render(
    composition: o.Composition = None,
    env: o.Environment = None,
    file: o.File = [],  # noqa: B006
    library: o.Library = [],  # noqa: B006
    adopt: o.Adopt = False,
    output: o.Output = None,
    in_place: o.InPlace = False,
    diff: o.Diff = False,
    check: o.Check = False,
    prune: Annotated[
        bool,
        o.Option(("--prune",), "Delete from the output folder what an earlier run wrote and this one does not."),
    ] = False,
    stdin_filename: o.StdinFilename = None,
    keep_going: o.KeepGoing = False,
    jobs: o.Jobs = 0,
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    fail_on: o.FailOn = "error",
    format: o.Format = "text",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Bring the input to what a composition wants: sidecars are added, upgraded and removed."""
    from sidecarctl.cli import build_request, run
    from sidecarctl.cli import prune as prune_module
    from sidecarctl.cli.delivery import Delivery, Mirror
    from sidecarctl.inject import pipeline

    chosen, settings = build_request.selected(composition, env, library, kube_version, validate)
    chosen = replace(chosen, adopt=adopt, _requests={}, _choices={})
    left_out = build_request.not_an_input(chosen.composition, file, output)
    mirror = Mirror(left_out, build_request.unused_rules(chosen), prune)
    delivery = Delivery(
        file,
        output,
        in_place,
        diff,
        check,
        keep_going,
        fail_on,
        format,
        quiet,
        verbose,
        stdin_filename,
        idle=f"the composition {chosen.composition.name} has nothing to do with any workload here",
        mirror=mirror,
        jobs=jobs,
    )
    prune_module.check_options(delivery)
    return run.run(delivery, lambda text, name: pipeline.render(text, chosen, settings, name))
