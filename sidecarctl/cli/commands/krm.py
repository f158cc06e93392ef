"""`sidecarctl krm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o

if TYPE_CHECKING:
    from sidecarctl.composition.model import Composition
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.pipeline import Options


def krm(
    composition: o.Composition = None,
    env: o.Environment = None,
    check: Annotated[
        bool, o.Option(("--check",), "Be a validator: change nothing, exit 1 where something is missing or wrong.")
    ] = False,
    library: o.Library = [],  # noqa: B006
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    fail_on: Annotated[
        str,
        o.Option(
            ("--fail-on",),
            "The mildest finding that makes the build fail.",
            "SEVERITY",
            choices=("error", "warning", "info"),
            panel="Checking",
        ),
    ] = "error",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Read a ResourceList, apply the functionConfig to its items, write a ResourceList."""
    from sidecarctl.cli import build_request, console
    from sidecarctl.errors import UsageError
    from sidecarctl.files.sources import read_stdin
    from sidecarctl.findings import Severity
    from sidecarctl.integrations import krm as plugin

    def ready(given: Composition | None) -> tuple[Selection, Options]:
        if given is None:
            return build_request.selected(composition, env, library, kube_version, validate)
        if composition:
            raise UsageError(
                f"the functionConfig is a composition ({given.name}), and -c names another: {composition}",
                hint="drop -c, or name its file in the functionConfig under spec.include",
            )
        return build_request.made_ready(given, library, kube_version, validate)

    outcome = plugin.run(read_stdin(), ready, env or "", check=check, fail_on=Severity(fail_on))
    console.write_stdout([outcome.text])
    if outcome.error is not None:
        console.say_error(outcome.error)
    console.say_findings([f for f in outcome.findings if not quiet or f.severity is Severity.ERROR])
    if verbose:
        console.say_changes(outcome.changes, verbose=True, held_back=False)
    return outcome.code
