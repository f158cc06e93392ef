"""`sidecarctl add`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.edit_flags import EditFlags
from sidecarctl.cli.shared_parameters import SharedFlags
from sidecarctl.errors import UsageError

_INPUTS, _WORKLOADS, _SHARED, _EDIT = o.InputFlags(), o.WorkloadFlags(), SharedFlags(), EditFlags()


def add(
    sidecars: Annotated[
        list[str],
        o.Argument(
            "SIDECAR... [PATH...]",
            "Sidecars of the library, such as logger or logger@1.0.0, then manifests, directories, or globs.",
            complete="sidecars_and_paths",
        ),
    ],
    inputs: o.InputFlags = _INPUTS,
    workloads: o.WorkloadFlags = _WORKLOADS,
    hooks: o.Hooks = False,
    set: o.Set = [],  # noqa: B006
    set_file: o.SetFile = [],  # noqa: B006
    values: o.Values = [],  # noqa: B006
    unset: o.Unset = [],  # noqa: B006
    reset_values: o.ResetValues = False,
    on_conflict: o.OnConflict = None,
    enforce: o.Enforce = False,
    retarget: o.Retarget = False,
    container: o.Container = [],  # noqa: B006
    as_: o.As = None,
    mode: o.Mode = None,
    position: Annotated[
        str | None,
        o.Option(
            ("--position",),
            "Place among the containers: first, last, before=NAME, or after=NAME. Default: as the sidecar says.",
            "POSITION",
        ),
    ] = None,
    keep_qos: o.KeepQos = False,
    adopt: o.Adopt = False,
    shared: SharedFlags = _SHARED,
    library: o.Library = [],  # noqa: B006
    edit: EditFlags = _EDIT,
) -> int:
    """Add sidecars to every workload of the input."""
    from sidecarctl.cli import build_request, rule_config, run
    from sidecarctl.cli.delivery import Delivery
    from sidecarctl.cli.inputs import input_options, split_paths
    from sidecarctl.inject import pipeline
    from sidecarctl.inject.process import process_documents

    sidecars, paths = split_paths(sidecars)
    if not sidecars:
        raise UsageError(
            f"no sidecar specified: {', '.join(paths)} {'is a path' if len(paths) == 1 else 'are paths'}",
            hint="use `sidecarctl add logger k8s/`; `sidecarctl list` lists the sidecars",
        )
    settings = build_request.edit_options(
        edit,
        rule_config.nearest_kinds(),
        workloads=build_request.workload_filter(workloads, hooks=hooks, opt_out=True),
    )
    requests = build_request.requests(
        sidecars,
        libraries=library,
        sets=set,
        set_files=set_file,
        values=values,
        containers=container,
        as_name=as_,
        mode=mode,
        adopt=adopt,
        keep_qos=keep_qos,
        unset=unset,
        reset=reset_values,
        on_conflict=on_conflict,
        enforce=enforce,
        shared=shared,
        position=position,
    )
    delivery = Delivery(
        input_options(paths, inputs, exclude=rule_config.nearest_exclude(), sidecars=sidecars),
        settings,
        edit,
        needs_workload=True,
        fronts=any(request.sidecar.mentions_fronts for request in requests),
        retarget=retarget,
        next_steps=True,
    )
    step = pipeline.make_add_step(requests, settings)
    return run.run(
        delivery,
        lambda _: lambda text, name, beside: pipeline.run(text, step, settings, name, beside=beside),
        lambda documents: process_documents(documents, step, settings),
    )
