"""Helm charts: which of their files are not manifests, also those that a symbolic link in a chart leads to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sidecarctl.lazy_pattern import lazy_pattern

FILE_NAMES = ("Chart.yaml", "Chart.yml")
_VALUES = lazy_pattern(r"(?:values|.*[-_.]values|values[-_.].*)\.(?:ya?ml|json)|.*\.schema\.json|requirements\.ya?ml")


def find_chart(directories: Iterable[Path]) -> Path | None:
    """Return the first of some directories that is a chart."""
    return next((each for each in directories if any((each / name).is_file() for name in FILE_NAMES)), None)


def is_chart_file(path: Path, chart: Path | None) -> bool:
    """Return True for the files of a chart that are not manifests: templates, values, and descriptions."""
    if chart is None:
        return False
    parts = Path(os.path.relpath(path, chart)).parts
    if path.name in FILE_NAMES or _VALUES.fullmatch(path.name) or parts[0] in ("templates", "ci"):
        return True
    return len(parts) > 2 and parts[0] == "charts"


def is_template_directory(directory: Path, chart: Path | None) -> bool:
    """Return True for a directory of the templates of a chart."""
    return chart is not None and Path(os.path.relpath(directory, chart)).parts[:1] == ("templates",)


def find_linked(directory: Path, names: Iterable[str], chart: Path) -> Iterator[str]:
    """Yield the real paths of the symbolic links in a directory of a chart that are not manifests."""
    for name in names:
        path = directory / name
        if path.is_symlink() and is_chart_file(path, chart):
            yield os.path.realpath(path)
