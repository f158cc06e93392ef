"""`sidecarctl remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.edit_flags import EditFlags
from sidecarctl.errors import UsageError

if TYPE_CHECKING:
    from sidecarctl.catalog.catalog import Catalog

_INPUTS, _WORKLOADS, _EDIT = o.InputFlags(), o.WorkloadFlags(), EditFlags()


def remove(
    sidecars: Annotated[
        list[str],
        o.Argument(
            "[SIDECAR...] [PATH...]",
            "Instances or sidecars to remove, then manifests, directories, or globs.",
            required=False,
            complete="instances_and_paths",
        ),
    ] = [],  # noqa: B006
    all: Annotated[bool, o.Option(("--all",), "Remove every instance that sidecarctl added.")] = False,
    inputs: o.InputFlags = _INPUTS,
    workloads: o.WorkloadFlags = _WORKLOADS,
    library: o.Library = [],  # noqa: B006
    edit: EditFlags = _EDIT,
) -> int:
    """Remove instances from every workload of the input."""
    from sidecarctl.cli import build_request, rule_config, run
    from sidecarctl.cli.delivery import Delivery
    from sidecarctl.cli.inputs import input_options, split_paths
    from sidecarctl.inject import pipeline

    sidecars, paths = split_paths(sidecars, only_paths=all)
    if bool(sidecars) == all:
        raise UsageError(
            "--all cannot be combined with names" if all else "no sidecar specified",
            hint="use `sidecarctl remove logger` or `sidecarctl remove --all`",
        )
    settings = build_request.edit_options(
        edit,
        rule_config.nearest_kinds(required=False),
        workloads=build_request.workload_filter(workloads),
    )
    delivery = Delivery(
        input_options(paths, inputs, exclude=rule_config.nearest_exclude(required=False), sidecars=sidecars),
        settings,
        edit,
        idle=f"nothing to remove: no {'instances' if all else 'instance of ' + ' or '.join(sidecars)} found",
        removes=tuple(sidecars),
    )
    names_given = None if all else sidecars

    def find_catalog() -> Catalog:
        from sidecarctl.cli.libraries import open_libraries  # rarely needed

        return open_libraries(library)

    return run.run(
        delivery,
        lambda _: lambda text, name, beside: pipeline.remove(text, names_given, settings, name, beside, find_catalog),
        lambda documents: pipeline.remove_from_documents(documents, names_given, settings, find_catalog),
    )
