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
    fix: Annotated[
        bool,
        o.Option(
            ("--fix",),
            "Put right what has one right answer, in the files themselves; standard input is written to standard "
            "output, and the report to standard error.",
            panel="Fixing",
        ),
    ] = False,
    diff: Annotated[
        bool,
        o.Option(
            ("--diff",),
            "Print what --fix would do as a unified diff; write nothing, and exit 1 if anything would change.",
            panel="Fixing",
        ),
    ] = False,
    size_limit: Annotated[
        str | None, o.Option(("--size-limit",), "The sizeLimit of an emptyDir without one.", "SIZE", panel="Fixing")
    ] = None,
    memory_limit: Annotated[
        str | None, o.Option(("--memory-limit",), "The memory limit of a sidecar without one.", "SIZE", panel="Fixing")
    ] = None,
    cpu_request: Annotated[
        str | None, o.Option(("--cpu-request",), "The cpu request of a sidecar without one.", "CPU", panel="Fixing")
    ] = None,
    memory_request: Annotated[
        str | None,
        o.Option(("--memory-request",), "The memory request of a sidecar without one.", "SIZE", panel="Fixing"),
    ] = None,
    stdin_filename: o.StdinFilename = None,
    format: o.Format = "text",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Check manifests: their shape, what the API server refuses beyond it, and what breaks or costs later."""
    from sidecarctl.cli import check, rule_config
    from sidecarctl.validate.fix.fixers import parse_fix_values
    from sidecarctl.validate.rule_selection import select_rules

    chosen = select_rules(
        kube_version=kube_version,
        level=validate,
        pod_security=pod_security,
        select=select,
        ignore=ignore,
        ignores=not no_ignores,
        severities=rule_config.beside,
    )
    amounts = parse_fix_values(
        size_limit=size_limit, memory_limit=memory_limit, cpu_request=cpu_request, memory_request=memory_request
    )
    asked = check.Judging(file, stdin_filename or "-", format, fail_on, quiet=quiet, verbose=verbose)
    if fix or diff:
        from sidecarctl.cli import fix as fix_module

        return fix_module.run_fixes(asked, chosen, amounts, diff=diff)
    return check.run_checks(asked, chosen, amounts)
