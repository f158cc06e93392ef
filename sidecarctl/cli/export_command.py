"""`sidecarctl export`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o

ENGINES = ("mutatingadmissionpolicy", "kyverno", "sidecarset", "kustomize-component", "json-patch")


def export(
    to: Annotated[str | None, o.Option(("--to",), "What to write it for.", "ENGINE", choices=ENGINES)] = None,
    composition: o.Composition = None,
    env: o.Environment = None,
    file: o.File = [],  # noqa: B006
    library: o.Library = [],  # noqa: B006
    output: o.Output = None,
    kube_version: o.KubeVersion = None,
    validate: o.Validate = "strict",
    quiet: o.Quiet = False,
) -> int:
    """Write a composition as what another engine carries out."""
    from sidecarctl.cli import composing, exporting, talk
    from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, UsageError
    from sidecarctl.findings import Severity
    from sidecarctl.plugins.exports import engines, patches

    if to is None:
        raise UsageError("there is no engine to export to", hint=f"say --to with one of {', '.join(engines.ENGINES)}")
    chosen, settings = composing.selected(composition, env, library, kube_version, validate)
    engine = engines.ENGINES[to]
    if isinstance(engine, engines.Policies):
        if file:
            raise UsageError(f"--to {to} reads no manifests: it is about any that come", hint="drop -f")
        exporting.write(engine.export(chosen), output)
        return EXIT_OK
    left_out = composing.not_an_input(chosen.composition, file, output)
    found = patches.rendered(exporting.texts(file, left_out), chosen, settings)
    wrong = [finding for finding in found.findings if finding.severity is Severity.ERROR]
    talk.say_findings(wrong if quiet else found.findings)
    if wrong:
        return EXIT_FINDINGS
    exporting.write(engine.export(found, chosen.composition.name), output)
    return EXIT_OK
