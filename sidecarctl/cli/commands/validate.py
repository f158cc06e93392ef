"""`sidecarctl validate`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o

_INPUTS = o.InputFlags()


def validate(
    paths: o.Paths = [],  # noqa: B006
    inputs: o.InputFlags = _INPUTS,
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    pod_security: Annotated[
        str | None,
        o.Option(
            ("--pod-security",),
            "Pod Security level: privileged, baseline, or restricted; optionally with a version (restricted:v1.30).",
            "LEVEL[:VERSION]",
            panel=o.VALIDATION,
        ),
    ] = None,
    select: Annotated[
        list[str],
        o.Option(("--select",), "Run only these rules. Repeatable.", "RULE", panel=o.VALIDATION, complete="rules"),
    ] = [],  # noqa: B006
    ignore: Annotated[
        list[str],
        o.Option(("--ignore",), "Skip a rule. Repeatable.", "RULE", panel=o.VALIDATION, complete="rules"),
    ] = [],  # noqa: B006
    no_ignores: Annotated[
        bool,
        o.Option(
            ("--no-ignores",),
            "Report all findings, even those that a comment or annotation ignores.",
            panel=o.VALIDATION,
        ),
    ] = False,
    fail_on: Annotated[
        str | None,
        o.Option(
            ("--fail-on",),
            "Minimum severity that makes the command fail. Default: error, or never with --format sarif.",
            "SEVERITY",
            choices=("error", "warning", "info", "never"),
            panel=o.VALIDATION,
        ),
    ] = None,
    fix: Annotated[
        bool,
        o.Option(
            ("--fix",),
            "Fix findings that have exactly one correct fix, in place. Fixed stdin goes to stdout, the report to stderr.",
            panel=o.OUTPUT,
        ),
    ] = False,
    diff: Annotated[
        bool,
        o.Option(
            ("--diff",),
            "Print the changes of --fix as a unified diff; exit with status 1 if there are any.",
            panel=o.OUTPUT,
        ),
    ] = False,
    size_limit: Annotated[
        str | None,
        o.Option(("--size-limit",), "With --fix: sizeLimit to set on an emptyDir without one.", "SIZE", panel=o.OUTPUT),
    ] = None,
    memory_limit: Annotated[
        str | None,
        o.Option(
            ("--memory-limit",), "With --fix: memory limit to set on a sidecar without one.", "SIZE", panel=o.OUTPUT
        ),
    ] = None,
    cpu_request: Annotated[
        str | None,
        o.Option(("--cpu-request",), "With --fix: CPU request to set on a sidecar without one.", "CPU", panel=o.OUTPUT),
    ] = None,
    memory_request: Annotated[
        str | None,
        o.Option(
            ("--memory-request",), "With --fix: memory request to set on a sidecar without one.", "SIZE", panel=o.OUTPUT
        ),
    ] = None,
    format: o.Format = "text",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Validate manifests: the schema, the API server's own rules, and advice."""
    from sidecarctl.cli import check, rule_config
    from sidecarctl.cli.inputs import input_options
    from sidecarctl.validate.fix.fixers import parse_fix_values
    from sidecarctl.validate.rule_selection import select_rules

    selection = select_rules(
        kube_version=kube_version,
        level=validate,
        pod_security=pod_security,
        select=select,
        ignore=ignore,
        ignores=not no_ignores,
        severities=rule_config.severities_for,
        kinds=rule_config.nearest_kinds(),
    )
    amounts = parse_fix_values(
        size_limit=size_limit, memory_limit=memory_limit, cpu_request=cpu_request, memory_request=memory_request
    )
    request = check.CheckRequest(
        input_options(paths, inputs, exclude=rule_config.nearest_exclude()),
        format,
        fail_on,
        quiet=quiet,
        verbose=verbose,
    )
    if fix or diff:
        return check.run_fixes(request, selection, amounts, diff=diff)
    return check.run_checks(request, selection, amounts)
