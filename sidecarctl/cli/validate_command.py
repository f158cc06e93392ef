"""`sidecarctl validate`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def validate(
    file: o.File = [],  # noqa: B006
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    pod_security: Annotated[
        str | None,
        o.Option(
            ("--pod-security",),
            "The level of Pod Security to hold pods to: privileged, baseline or restricted; with the standard's "
            "version, restricted:v1.30.",
            "LEVEL[:VERSION]",
            panel="Checking",
        ),
    ] = None,
    select: Annotated[
        list[str],
        o.Option(("--select",), "Run these rules alone; may be repeated.", "RULE", panel="Checking", complete="rules"),
    ] = [],  # noqa: B006
    ignore: Annotated[
        list[str],
        o.Option(("--ignore",), "Leave a rule out; may be repeated.", "RULE", panel="Checking", complete="rules"),
    ] = [],  # noqa: B006
    no_ignores: Annotated[
        bool, o.Option(("--no-ignores",), "Report what manifests ask to ignore, too.", panel="Checking")
    ] = False,
    fail_on: Annotated[
        str | None,
        o.Option(
            ("--fail-on",),
            "The mildest finding that makes the run fail. Default: error; never with --format sarif.",
            "SEVERITY",
            choices=("error", "warning", "info", "never"),
            panel="Checking",
        ),
    ] = None,
    stdin_filename: o.StdinFilename = None,
    format: o.Format = "text",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Check manifests: their shape, what the API server refuses beyond it, and what breaks or costs later."""
    from sidecarctl.cli import judging, severities
    from sidecarctl.validate.choice import choice

    chosen = choice(
        kube_version=kube_version,
        level=validate,
        pod_security=pod_security,
        select=select,
        ignore=ignore,
        ignores=not no_ignores,
        severities=severities.beside,
    )
    return judging.run(
        judging.Judging(file, stdin_filename or "-", format, fail_on, quiet=quiet, verbose=verbose), chosen
    )
