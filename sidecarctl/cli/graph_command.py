"""`sidecarctl graph`."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o


def graph(
    file: o.File = [],  # noqa: B006
    format: Annotated[
        str,
        o.Option(
            ("--format",), "What the picture is.", "FORMAT", ("text", "mermaid", "svg", "markdown"), panel="Talking"
        ),
    ] = "text",
    output: Annotated[
        str | None, o.Option(("--output", "-o"), "Write the picture to this file.", "PATH", panel="Input and output")
    ] = None,
    stdin_filename: o.StdinFilename = None,
    kube_version: o.KubeVersion = None,
) -> int:
    """Draw the pods of the input: containers in the order they start and stop, volumes, ports, what was added."""
    from sidecarctl.cli import drawing, inputs
    from sidecarctl.cli.checking import composing_options

    settings = composing_options(kube_version, "ignore")
    return drawing.graph(inputs.named(file), stdin_filename or "-", settings, format, output)
