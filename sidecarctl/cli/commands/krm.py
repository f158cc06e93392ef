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
        bool,
        o.Option(("--check",), "Change nothing; exit with status 1 if an item would change.", panel=o.OUTPUT),
    ] = False,
    library: o.Library = [],  # noqa: B006
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    fail_on: o.FailOnError = "error",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Read a ResourceList from stdin, apply the functionConfig to its items, and write a ResourceList."""
    from sidecarctl.cli import build_request, console
    from sidecarctl.errors import UsageError
    from sidecarctl.files.sources import read_stdin
    from sidecarctl.findings import Severity
    from sidecarctl.integrations import krm as function

    def ready(given: Composition | None) -> tuple[Selection, Options]:
        if given is None:
            found, settings = build_request.load_selection(composition, env, library, kube_version, validate)
            return found, build_request.with_rules(settings, found.composition)
        if composition:
            raise UsageError(
                f"two compositions: the functionConfig ({given.name}) and -c {composition}",
                hint="remove -c, or name its file in the functionConfig under spec.include",
            )
        found, settings = build_request.prepare_selection(given, library, kube_version, validate)
        return found, build_request.with_rules(settings, found.composition)

    outcome = function.run(read_stdin(), ready, env or "", check=check, fail_on=Severity(fail_on))
    console.write_stdout([outcome.text])
    if outcome.error is not None:
        console.report_error(outcome.error)
    console.report_findings([f for f in outcome.findings if not quiet or f.severity is Severity.ERROR])
    if verbose:
        console.report(console.render_changes(outcome.changes, verbose=True, dry_run=check))
    return outcome.code
