"""`sidecarctl graph`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.cli.inputs import InputOptions, read_inputs
from sidecarctl.errors import EXIT_OK, SidecarctlError, UsageError
from sidecarctl.files.sources import SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

    from sidecarctl.inject.pipeline import Options
    from sidecarctl.report.graph.model import Pod


_INPUTS, _WORKLOADS = o.InputFlags(), o.WorkloadFlags()


def graph(
    paths: o.Paths = [],  # noqa: B006
    inputs: o.InputFlags = _INPUTS,
    workloads: o.WorkloadFlags = _WORKLOADS,
    format: Annotated[
        str,
        o.Option(("--format",), "Output format.", "FORMAT", ("text", "mermaid", "svg", "markdown"), panel=o.OUTPUT),
    ] = "text",
    output: Annotated[
        str | None, o.Option(("--output", "-o"), "File to write the graph to.", "PATH", panel=o.OUTPUT)
    ] = None,
    kube_version: o.KubeVersion = None,
) -> int:
    """Draw the pods of the input: containers in start order, volumes, ports, Services, and what sidecarctl added."""
    from sidecarctl.cli import build_request, rule_config
    from sidecarctl.cli.inputs import input_options

    settings = build_request.pipeline_options(
        kube_version,
        "ignore",
        rule_config.nearest_kinds(),
        workloads=build_request.workload_filter(workloads),
    )
    given = input_options(paths, inputs, exclude=rule_config.nearest_exclude())
    return draw(given, settings, format, output)


# Format: module of report.graph, function.
_RENDERERS = {
    "mermaid": ("tree", "render_mermaid"),
    "svg": ("svg", "render_svg"),
    "markdown": ("tree", "render_pod_sections"),
}
_TREE_WIDTH = 80


def draw(given: InputOptions, settings: Options, format: str, output: str | None) -> int:
    """Draw the pods of every source. Raises UsageError for an unknown format, and if there is no pod.

    An input or a document that cannot be read does not hide the others.
    """
    from pathlib import Path

    from sidecarctl.cli import console
    from sidecarctl.cli.selection import nothing_found_error
    from sidecarctl.files.write import Write, write_all
    from sidecarctl.inject.pod_graph import read_pods
    from sidecarctl.inject.pod_routes import read_services

    if format != "text" and format not in _RENDERERS:
        raise UsageError(f'unsupported format "{format}" for graph', hint=f"use --format text, {', '.join(_RENDERERS)}")
    inputs = read_inputs(given)
    if output and _may_be_input(os.path.realpath(output), [*given.paths, *(one.path for one, _ in inputs.sources)]):
        raise UsageError(
            f"{output} is an input, or a YAML or JSON file: the graph would replace it",
            hint="choose another file for -o",
        )
    errors: list[SidecarctlError] = list(inputs.errors)
    services = [one for source, read in inputs.sources for one in read_services(read.text, source.name)]
    found = [
        pod for source, read in inputs.sources for pod in read_pods(read.text, settings, source.name, errors, services)
    ]
    for error in errors:
        console.report_error(error)
    if not found and not errors:
        raise nothing_found_error(inputs, settings)
    if not found:
        return max(error.exit_code for error in errors)
    for pod in found if format != "text" else ():
        if pod.more_services:
            console.report_line(f"note: the graph leaves out {pod.more_services:,} Services that lead to {pod.label}")
    text = _tree(found, output) if format == "text" else _drawing(format)(found)
    if output:
        write_all([Write(Path(output), text)])
    else:
        console.write_text(text)
    console.report_skipped(inputs.skipped)
    return max((error.exit_code for error in errors), default=EXIT_OK)


def _may_be_input(output: str, inputs: Iterable[str | Path | None]) -> bool:
    """Return whether a file can be an input, also one that cannot be read or that comes from stdin. A device can be both."""
    if not os.path.isfile(output):  # noqa: PTH113
        return False
    return output.endswith(SUFFIXES) or any(path and os.path.realpath(path) == output for path in inputs)


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
