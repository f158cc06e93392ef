"""`sidecarctl post-render`."""

from __future__ import annotations

import os
from typing import Annotated

from sidecarctl.cli import options as o


def post_render(
    composition: o.Composition = None,
    env: o.Environment = None,
    hooks: Annotated[bool, o.Option(("--hooks",), "Give sidecars to hooks too.")] = False,
    allow_empty: Annotated[bool, o.Option(("--allow-empty",), "Take a chart that renders nothing for good.")] = False,
    log_file: Annotated[
        str | None,
        o.Option(
            ("--log-file",),
            "Append the report to this file: Helm 4 drops what a plugin says. Also SIDECARCTL_LOG.",
            "FILE",
            panel="Talking",
        ),
    ] = None,
    library: o.Library = [],  # noqa: B006
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    fail_on: Annotated[
        str,
        o.Option(
            ("--fail-on",),
            "The mildest finding that makes Helm fail.",
            "SEVERITY",
            choices=("error", "warning", "info"),
            panel="Checking",
        ),
    ] = "error",
    quiet: o.Quiet = False,
    verbose: o.Verbose = False,
) -> int:
    """Read a chart's manifests from Helm, apply a composition, write them."""
    from sidecarctl.cli import build_request, console
    from sidecarctl.files.sources import read_stdin
    from sidecarctl.findings import Severity
    from sidecarctl.integrations import helm as plugin
    from sidecarctl.integrations.helm import log_path

    log = log_path(log_file, os.environ)
    with console.logged(log, "post-render", asked_for=bool(log_file)):
        data = read_stdin()
        chosen, settings = build_request.selected(composition, env, library, kube_version, validate)
        outcome = plugin.run(data, chosen, settings, hooks=hooks, allow_empty=allow_empty, fail_on=Severity(fail_on))
        console.say_findings([f for f in outcome.findings if not quiet or f.severity is Severity.ERROR])
        if outcome.code:
            console.say(
                "nothing was rendered, because of the errors above" + (f"; they are also in {log}" if log else "")
            )
        elif not quiet:
            console.say_changes(outcome.changes, verbose=verbose, held_back=False)
            if outcome.hooks:
                console.say(f"{outcome.hooks} hook{'s' if outcome.hooks > 1 else ''} left alone; --hooks includes them")
    if not outcome.code:
        console.write_stdout([outcome.text])
    return outcome.code
