"""`sidecarctl remove`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError


def remove(
    sidecars: Annotated[
        list[str], o.Argument("[SIDECAR...]", "Instances or sidecars to remove.", required=False, complete="sidecars")
    ] = [],  # noqa: B006
    all: Annotated[bool, o.Option(("--all",), "Remove every instance that sidecarctl added.")] = False,
    file: o.File = [],  # noqa: B006
    output: o.Output = None,
    in_place: o.InPlace = False,
    diff: o.Diff = False,
    check: o.Check = False,
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
    """Remove instances from every workload of the input."""
    from sidecarctl.cli import run
    from sidecarctl.cli.build_request import pipeline_options
    from sidecarctl.cli.delivery import Delivery
    from sidecarctl.inject import pipeline

    if bool(sidecars) == all:
        raise UsageError(
            "--all cannot be combined with names" if all else "no sidecar specified",
            hint="use `sidecarctl remove logger` or `sidecarctl remove --all`",
        )
    names = "instances" if all else f"instance of {' or '.join(sidecars)}"
    delivery = Delivery(
        file,
        output,
        in_place=in_place,
        diff=diff,
        check=check,
        keep_going=keep_going,
        fail_on=fail_on,
        format=format,
        quiet=quiet,
        verbose=verbose,
        stdin_filename=stdin_filename,
        idle=f"nothing to remove: no {names} found",
        jobs=jobs,
    )
    settings = pipeline_options(kube_version, validate, facts=verbose or format != "text")
    step = pipeline.make_remove_step(None if all else sidecars, settings)
    return run.run(
        delivery,
        lambda text, name: pipeline.run(text, step, settings, name),
        lambda documents: pipeline.process_documents(documents, step, settings),
    )
