"""The text of a new composition: the directories that have workloads, and an example of a rule for one of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sidecarctl.catalog.schema_comment import format_schema_comment
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.style import FlowStyle


@dataclass(frozen=True)
class Example:
    """A rule that is written as a comment: a workload, and a sidecar that fits it."""

    kind: str = "Deployment"
    name: str = "web"
    sidecar: str = "logger"
    parameters: Mapping[str, Any] | None = None


def build_composition(name: str, libraries: Sequence[str], manifests: Sequence[str], example: Example) -> str:
    """Return the text of a composition without rules. Paths are relative to its directory."""
    lines = ["apiVersion: sidecarctl.dev/v1alpha1", "kind: Composition", "metadata:", f"  name: {_flow(name)}", "spec:"]
    lines += [f"  libraries: {_flow(list(libraries))}"] if libraries else []
    lines += [f"  manifests: {_flow(list(manifests))}"] if manifests else ["  # manifests: [k8s/]"]
    select = {"kinds": [example.kind], "names": [example.name]}
    lines += [
        "  # Which workloads get which sidecars:",
        f"  # - select: {_flow(select)}",
        "  #   sidecars:",
        f"  #   - name: {_flow(example.sidecar)}",
        *([f"  #     parameters: {_flow(example.parameters)}"] if example.parameters else []),
        "  rules: []",
    ]
    return format_schema_comment("composition") + "".join(f"{line}\n" for line in lines)


def _flow(value: object) -> str:
    return emit.flow(value, FlowStyle())


def summarize_directories(files: Sequence[Path], home: Path) -> list[str]:
    """Return the directories to read for files of manifests, relative to `home`.

    It is `.` if a file is in `home` itself; else for each directory of `home` the deepest one that has all of its files.
    """
    groups: dict[str, list[str]] = {}
    for file in files:
        top, _, below = os.path.relpath(file, home).replace(os.sep, "/").partition("/")
        if not below:
            return ["."]
        groups.setdefault(top, []).append(f"{top}/{below}")
    return sorted(f"{os.path.commonpath([os.path.dirname(name) for name in names])}/" for names in groups.values())  # noqa: PTH120
