"""`sidecarctl upgrade`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.shared_parameters import SharedFlags

_INPUTS, _WORKLOADS, _SHARED = o.InputFlags(), o.WorkloadFlags(), SharedFlags()


def upgrade(
    sidecars: Annotated[
        list[str],
        o.Argument(
            "[SIDECAR...] [PATH...]",
            "Instances or sidecars, such as logger or logger@1.1.0 (default: all), then manifests, directories, or globs.",
            required=False,
            complete="instances_and_paths",
        ),
    ] = [],  # noqa: B006
    inputs: o.InputFlags = _INPUTS,
    workloads: o.WorkloadFlags = _WORKLOADS,
    set: o.Set = [],  # noqa: B006
    set_file: o.SetFile = [],  # noqa: B006
    values: o.Values = [],  # noqa: B006
    unset: o.Unset = [],  # noqa: B006
    reset_values: o.ResetValues = False,
    on_conflict: o.OnConflict = None,
    enforce: o.Enforce = False,
    retarget: o.Retarget = False,
    shared: SharedFlags = _SHARED,
    library: o.Library = [],  # noqa: B006
    output: o.Output = None,
    in_place: o.InPlace = False,
    diff: o.Diff = False,
    check: o.Check = False,
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
    from sidecarctl.cli import build_request, rule_config, run
    from sidecarctl.cli.delivery import Delivery
    from sidecarctl.cli.inputs import input_options, split_paths
    from sidecarctl.inject import pipeline
    from sidecarctl.inject.process import process_documents

    sidecars, paths = split_paths(sidecars)
    settings = build_request.pipeline_options(
        kube_version,
        validate,
        rule_config.nearest_kinds(),
        facts=verbose or format != "text",
        fail_on=fail_on,
        jobs=jobs,
        workloads=build_request.workload_filter(workloads),
    )
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
        shared=shared,
    )
    delivery = Delivery(
        input_options(paths, inputs, exclude=rule_config.nearest_exclude()),
        settings,
        output,
        in_place=in_place,
        diff=diff,
        check=check,
        keep_going=keep_going,
        fail_on=fail_on,
        format=format,
        quiet=quiet,
        verbose=verbose,
        idle="nothing to upgrade: no instances found",
        removes=tuple(name.partition("@")[0] for name in sidecars),
        jobs=jobs,
        retarget=retarget,
    )
    step = pipeline.make_upgrade_step(wanted, settings)
    return run.run(
        delivery,
        lambda _: lambda text, name, beside: pipeline.run(text, step, settings, name, beside=beside),
        lambda documents: process_documents(documents, step, settings),
    )
