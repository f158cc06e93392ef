"""Fixtures: a library for one test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from library_kit import entry, inputs

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.render import Inputs, render
from sidecarctl.catalog.sidecar import Sidecar

Run = Callable[..., Fragment]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return an empty library directory."""
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


@pytest.fixture
def find(library: Path) -> Callable[[str], Sidecar]:
    """Return a function that finds a sidecar in the library of the test."""
    return lambda request: open_catalog([library], {}).find(request)


@pytest.fixture
def run(library: Path, find: Callable[[str], Sidecar]) -> Run:
    """Return a function that writes a sidecar and renders it for a Deployment."""

    def go(given: dict[str, Any] | None = None, facts: Inputs | None = None, **files: str) -> Fragment:
        entry(library, **files)
        sidecar = find("agent")
        return render(sidecar, resolve(sidecar, given or {}), facts or inputs())

    return go
