"""`sidecarctl upgrade`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.edit_flags import EditFlags
from sidecarctl.cli.shared_parameters import SharedFlags

_INPUTS, _WORKLOADS, _SHARED, _EDIT = o.InputFlags(), o.WorkloadFlags(), SharedFlags(), EditFlags()


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
    edit: EditFlags = _EDIT,
) -> int:
    """Upgrade the sidecars that the input has, and keep what people changed."""
    from sidecarctl.cli import build_request, rule_config, run
    from sidecarctl.cli.delivery import Delivery
    from sidecarctl.cli.inputs import input_options, split_paths
    from sidecarctl.cli.libraries import open_libraries
    from sidecarctl.inject import pipeline
    from sidecarctl.inject.process import process_documents

    sidecars, paths = split_paths(
        sidecars,
        is_sidecar=lambda word: bool(inputs.file) or word.partition("@")[0] in open_libraries(library).names(),
    )
    settings = build_request.edit_options(
        edit,
        rule_config.nearest_kinds(),
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
        input_options(paths, inputs, exclude=rule_config.nearest_exclude(), sidecars=sidecars),
        settings,
        edit,
        idle="nothing to upgrade: no instances found",
        removes=tuple(name.partition("@")[0] for name in sidecars),
        retarget=retarget,
    )
    step = pipeline.make_upgrade_step(wanted, settings)
    return run.run(
        delivery,
        lambda _: lambda text, name, beside: pipeline.run(text, step, settings, name, beside=beside),
        lambda documents: process_documents(documents, step, settings),
    )
