"""`sidecarctl graph`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from sidecarctl.inject.pipeline import Options
    from sidecarctl.report.graph.model import Pod


def graph(
    file: o.File = [],  # noqa: B006
    format: Annotated[
        str,
        o.Option(("--format",), "Output format.", "FORMAT", ("text", "mermaid", "svg", "markdown"), panel=o.OUTPUT),
    ] = "text",
    output: Annotated[
        str | None, o.Option(("--output", "-o"), "File to write the graph to.", "PATH", panel=o.OUTPUT)
    ] = None,
    stdin_filename: o.StdinFilename = None,
    kube_version: o.KubeVersion = None,
) -> int:
    """Draw the pods of the input: containers in start order, volumes, ports, and what sidecarctl added."""
    from sidecarctl.cli.build_request import pipeline_options

    settings = pipeline_options(kube_version, "ignore")
    from sidecarctl.files.sources import input_paths

    return draw(input_paths(file), stdin_filename or "-", settings, format, output)


# Format: module of report.graph, function.
_RENDERERS = {
    "mermaid": ("tree", "render_mermaid"),
    "svg": ("svg", "render_svg"),
    "markdown": ("tree", "render_pod_sections"),
}
_TREE_WIDTH = 80


def draw(paths: Sequence[str], stdin_name: str, settings: Options, format: str, output: str | None) -> int:
    """Draw the pods of every source. Raises UsageError for an unknown format, and if there is no pod."""
    from pathlib import Path

    from sidecarctl.cli import console
    from sidecarctl.files import sources
    from sidecarctl.files.write import Write, write_all
    from sidecarctl.inject.pod_graph import read_pods

    if format != "text" and format not in _RENDERERS:
        raise UsageError(f'unsupported format "{format}" for graph', hint=f"use --format text, {', '.join(_RENDERERS)}")
    found = [
        pod
        for source in sources.find_sources(paths, stdin_name)
        for pod in read_pods(sources.read_source(source).text, settings, source.name)
    ]
    if not found:
        raise UsageError(
            f"no workload found in {', '.join(paths[:3])}",
            hint="a workload is a Pod, Deployment, StatefulSet, CronJob, or another kind with a pod template",
        )
    text = _tree(found, output) if format == "text" else _drawing(format)(found)
    if output:
        write_all([Write(Path(output), text)])
    else:
        console.write_text(text)
    return EXIT_OK


def _drawing(format: str) -> Callable[[Sequence[Pod]], str]:
    module, function = _RENDERERS[format]
    render: Callable[[Sequence[Pod]], str] = getattr(import_module(f"sidecarctl.report.graph.{module}"), function)
    return render


def _tree(found: Sequence[Pod], output: str | None) -> str:
    from sidecarctl.report.graph import tree

    if output:
        return tree.render_tree(found, color=False, width=_TREE_WIDTH)
    from sidecarctl.cli import console

    style = console.stream_style()
    wide = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return tree.render_tree(found, color=style.color, width=style.width if wide else _TREE_WIDTH, lines=style.lines)
