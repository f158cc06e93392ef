"""`sidecarctl krm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o

if TYPE_CHECKING:
    from sidecarctl.compose.composition import Composition
    from sidecarctl.compose.pipeline import Options
    from sidecarctl.compose.selection import Selection


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
    from sidecarctl.cli import composing, inputs, printing, talk
    from sidecarctl.errors import UsageError
    from sidecarctl.findings import Severity
    from sidecarctl.plugins import krm as plugin

    def ready(given: Composition | None) -> tuple[Selection, Options]:
        if given is None:
            return composing.selected(composition, env, library, kube_version, validate)
        if composition:
            raise UsageError(
                f"the functionConfig is a composition ({given.name}), and -c names another: {composition}",
                hint="drop -c, or name its file in the functionConfig under spec.include",
            )
        return composing.made_ready(given, library, kube_version, validate)

    outcome = plugin.run(inputs.stdin_bytes(), ready, env or "", check=check, fail_on=Severity(fail_on))
    printing.write_stdout([outcome.text])
    if outcome.error is not None:
        talk.say_error(outcome.error)
    talk.say_findings([f for f in outcome.findings if not quiet or f.severity is Severity.ERROR])
    if verbose:
        talk.say_changes(outcome.changes, verbose=True, held_back=False)
    return outcome.code
