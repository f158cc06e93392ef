"""`sidecarctl post-render`."""

from __future__ import annotations

import os
from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.shared_parameters import SharedFlags

_SHARED = SharedFlags()


def post_render(
    composition: o.Composition = None,
    env: o.Environment = None,
    hooks: Annotated[bool, o.Option(("--hooks",), "Add sidecars to Helm hooks and tests too.", panel=o.INPUT)] = False,
    allow_empty: Annotated[
        bool, o.Option(("--allow-empty",), "Accept a chart that renders no manifests.", panel=o.INPUT)
    ] = False,
    log_file: Annotated[
        str | None,
        o.Option(
            ("--log-file",),
            "Append the report to this file (Helm 4 discards it). Environment variable: SIDECARCTL_LOG.",
            "FILE",
            panel=o.VERBOSITY,
        ),
    ] = None,
    shared: SharedFlags = _SHARED,
    library: o.Library = [],  # noqa: B006
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    fail_on: o.FailOnError = "error",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Read the manifests of a chart from stdin, apply a composition, and write them."""
    from sidecarctl.cli import build_request, console
    from sidecarctl.files.sources import read_stdin
    from sidecarctl.findings import Severity
    from sidecarctl.integrations import helm
    from sidecarctl.report.retargeted import render_retargeted
    from sidecarctl.results import plural

    log = helm.log_path(log_file, os.environ)
    named = bool(log_file or os.environ.get(helm.VARIABLE))
    with console.log_to(log, "post-render", always=bool(log_file), named=named):
        data = read_stdin()
        selection, settings = build_request.load_selection(
            composition, env, library, kube_version, validate, shared=shared
        )
        settings = build_request.with_rules(settings, selection.composition)
        outcome = helm.run(data, selection, settings, hooks=hooks, allow_empty=allow_empty, fail_on=Severity(fail_on))
        console.report_findings([f for f in outcome.findings if not quiet or f.severity is Severity.ERROR])
        if outcome.code:
            console.report(console.nothing_written(outcome.findings) + (f"; see also {log}" if log else ""))
        elif not quiet:
            console.report(console.render_changes(outcome.changes, verbose=verbose))
            console.report(render_retargeted(outcome.retargeted))
            if outcome.skipped_hooks:
                console.report(f"skipped {plural(outcome.skipped_hooks, 'Helm hook')}; --hooks includes them")
    if not outcome.code:
        console.write_stdout([outcome.text])
    return outcome.code
