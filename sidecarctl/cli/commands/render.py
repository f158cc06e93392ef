"""`sidecarctl render`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.edit_flags import EditFlags
from sidecarctl.cli.shared_parameters import SharedFlags

if TYPE_CHECKING:
    from sidecarctl.cli.inputs import Inputs
    from sidecarctl.cli.run import Transform

_INPUTS, _SHARED, _EDIT = o.InputFlags(), SharedFlags(), EditFlags()


def render(
    paths: o.Paths = [],  # noqa: B006
    composition: o.Composition = None,
    env: o.Environment = None,
    inputs: o.InputFlags = _INPUTS,
    hooks: o.Hooks = False,
    shared: SharedFlags = _SHARED,
    library: o.Library = [],  # noqa: B006
    adopt: o.Adopt = False,
    on_conflict: o.OnConflict = None,
    enforce: o.Enforce = False,
    retarget: o.Retarget = False,
    prune: Annotated[
        bool,
        o.Option(
            ("--prune",),
            "Delete files that an earlier run wrote to the output directory and this run does not.",
            panel=o.OUTPUT,
        ),
    ] = False,
    edit: EditFlags = _EDIT,
) -> int:
    """Apply a composition to every workload of the input."""
    from sidecarctl.cli import build_request, run
    from sidecarctl.cli import prune as prune_module
    from sidecarctl.cli.delivery import Delivery, Mirror
    from sidecarctl.cli.inputs import with_leave_out
    from sidecarctl.inject import pipeline

    selection, settings = build_request.load_selection(
        composition,
        env,
        library,
        edit.kube_version,
        edit.validate,
        adopt=adopt,
        on_conflict=build_request.conflict_policy(on_conflict, enforce),
        shared=shared,
    )
    settings = build_request.with_rules(settings, selection.composition, fail_on=edit.fail_on, hooks=hooks)
    found = build_request.composition_inputs(selection.composition, paths, inputs)
    leave_out = build_request.own_files(selection.composition, found.paths, edit.output)
    delivery = Delivery(
        with_leave_out(found, leave_out),
        settings,
        edit,
        idle=f"nothing to do: composition {selection.composition.name} selects no workload of the input",
        mirror=Mirror(
            build_request.unused_rules(selection),
            prune,
            f"composition {selection.composition.name}",
            keeps_edits=not enforce and selection.composition.on_conflict != "enforce",
            files=selection.composition.files,
        ),
        retarget=retarget or selection.composition.retarget,
    )
    prune_module.check_options(delivery)

    def prepare(inputs: Inputs) -> Transform:
        chosen_for = build_request.with_namespaces(selection, inputs)
        return lambda text, name, beside: pipeline.render(text, chosen_for(name), settings, name, beside)

    return run.run(delivery, prepare)
