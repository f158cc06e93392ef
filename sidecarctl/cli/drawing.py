"""Pictures on their way out: every source's pods through one drawing, to standard output or a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from sidecarctl.cli import printing
from sidecarctl.compose.picture import pods
from sidecarctl.compose.pipeline import Options
from sidecarctl.errors import EXIT_OK, UsageError
from sidecarctl.files import sources
from sidecarctl.files.write import Write, write_all
from sidecarctl.report.graph.model import Pod

_MODULES = {"mermaid": "mermaid", "svg": "svg", "markdown": "summary"}
_TREE_WIDTH = 80


def graph(paths: Sequence[str], stdin_name: str, settings: Options, format: str, output: str | None) -> int:
    """Draw the pods of every source. Raises UsageError for a format that is none, and where there is no pod."""
    if format != "text" and format not in _MODULES:
        raise UsageError(f"graph can't be drawn as {format}", hint=f"use --format text, {', '.join(_MODULES)}")
    found = [
        pod
        for source in sources.find(paths, stdin_name)
        for pod in pods(sources.read(source).text, settings, source.name)
    ]
    if not found:
        raise UsageError(
            f"no pod to draw in {', '.join(paths[:3])}",
            hint="name a Pod, Deployment, StatefulSet, CronJob or another kind with a pod template",
        )
    text = _tree(found, output) if format == "text" else _drawing(format)(found)
    if output:
        write_all([Write(Path(output), text)])
    else:
        printing.out(text)
    return EXIT_OK


def _drawing(format: str) -> Callable[[Sequence[Pod]], str]:
    render: Callable[[Sequence[Pod]], str] = import_module(f"sidecarctl.report.graph.{_MODULES[format]}").render
    return render


def _tree(found: Sequence[Pod], output: str | None) -> str:
    from sidecarctl.report.graph import tree

    if output:
        return tree.render(found, color=False, width=_TREE_WIDTH)
    looks = printing.looks()
    wide = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return tree.render(found, color=looks.color, width=looks.width if wide else _TREE_WIDTH, lines=looks.lines)
