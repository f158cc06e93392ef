"""The house's floors: a room imports only from floors below its own, and modules of one room import each other in no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sidecarctl

HOUSE = Path(sidecarctl.__file__).parent
FLOORS = {
    "lazily": 0,
    "digest": 0,
    "errors": 0,
    "limits": 1,
    "findings": 1,
    "yamltext": 2,
    "files": 2,
    "kube": 3,
    "library": 4,
    "validate": 4,
    "report": 4,
    "compose": 5,
    "authoring": 6,
    "plugins": 6,
    "api": 6,
    "cli": 7,
    "__main__": 8,
    "__init__": 8,
}
MODULES = sorted(HOUSE.rglob("*.py"))


def name_of(module: Path) -> str:
    parts = module.relative_to(HOUSE).with_suffix("").parts
    return ".".join(("sidecarctl", *parts)).removesuffix(".__init__") if len(parts) > 1 else f"sidecarctl.{parts[0]}"


NAMES = {name_of(module) for module in MODULES}


def imported(module: Path) -> Iterator[str]:
    """Yield the modules of the house that a module imports, wherever in it."""
    tree = ast.parse(module.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sidecarctl":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in NAMES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("sidecarctl."))


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_room_imports_only_from_floors_below(module: Path) -> None:
    own = room(name_of(module))
    upward = [
        name for name in imported(module) if room(name) not in (own, "__init__") and FLOORS[room(name)] >= FLOORS[own]
    ]
    assert not upward


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name_of(module): set(imported(module)) - {name_of(module)} for module in MODULES}
    assert list(TopologicalSorter(graph).static_order())
