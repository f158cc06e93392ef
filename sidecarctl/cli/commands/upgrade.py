"""`sidecarctl upgrade`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def upgrade(
    sidecars: Annotated[
        list[str],
        o.Argument(
            "[SIDECAR[@VERSION]...]",
            "Instances or sidecars to upgrade. Default: all.",
            required=False,
            complete="sidecars",
        ),
    ] = [],  # noqa: B006
    file: o.File = [],  # noqa: B006
    set: o.Set = [],  # noqa: B006
    set_file: o.SetFile = [],  # noqa: B006
    values: o.Values = [],  # noqa: B006
    unset: o.Unset = [],  # noqa: B006
    reset_values: o.ResetValues = False,
    on_conflict: o.OnConflict = None,
    enforce: o.Enforce = False,
    library: o.Library = [],  # noqa: B006
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
    """Upgrade the sidecars that the input has, and keep what people changed."""
    from sidecarctl.cli import build_request, run
    from sidecarctl.cli.delivery import Delivery
    from sidecarctl.inject import pipeline

    wanted = build_request.upgrade_request(
        sidecars,
        libraries=library,
        sets=set,
        values=values,
        set_files=set_file,
        unset=unset,
        reset=reset_values,
        on_conflict=on_conflict,
        enforce=enforce,
    )
    names = f"instance of {' or '.join(sidecars)}" if sidecars else "instances"
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
        idle=f"nothing to upgrade: no {names} found",
        jobs=jobs,
    )
    settings = build_request.pipeline_options(kube_version, validate, facts=verbose or format != "text")
    step = pipeline.make_upgrade_step(wanted, settings)
    return run.run(
        delivery,
        lambda text, name: pipeline.run(text, step, settings, name),
        lambda documents: pipeline.process_documents(documents, step, settings),
    )
