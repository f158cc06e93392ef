"""The layers of ARCHITECTURE.md: packages import only from lower layers, and there are no import cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sidecarctl

PACKAGE = Path(sidecarctl.__file__).parent
LAYERS = {
    "lazy_dataclass": 0,
    "errors": 0,
    "lazy_pattern": 0,
    "turn": 0,
    "sha256": 0,
    "limits": 1,
    "watchdog": 1.5,
    "findings": 1,
    "limited_worker": 2,
    "cpu_time": 2.5,
    "workers": 1,
    "results": 1,
    "skipped": 1,
    "yamltext": 2,
    "files": 3,
    "kube": 3,
    "report": 3,
    "record": 3.5,
    "catalog": 4,
    "validate": 4,
    "composition": 5,
    "inject": 5,
    "vendoring": 5,
    "authoring": 6,
    "integrations": 6,
    "api": 6,
    "api_arguments": 2,
    "api_lock": 0,
    "cli": 7,
    "__main__": 8,
    "__init__": 8,
}
# Packages in one layer whose modules import each other. test_no_import_cycles still checks their modules.
PEERS = ({"composition", "inject"}, {"findings", "results"})
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("sidecarctl", *parts)).removesuffix(".__init__") if len(parts) > 1 else f"sidecarctl.{parts[0]}"


NAMES = {name_of(module) for module in MODULES}


def imported(module: Path) -> Iterator[str]:
    """Yield the modules of the package that a module imports, at the top level or inside functions."""
    tree = ast.parse(module.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sidecarctl":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in NAMES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("sidecarctl."))


def layer_name(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_package_imports_only_from_lower_layers(module: Path) -> None:
    own = layer_name(name_of(module))
    others = [name for name in imported(module) if layer_name(name) not in (own, "__init__")]
    assert not [
        name for name in others if LAYERS[layer_name(name)] >= LAYERS[own] and {own, layer_name(name)} not in PEERS
    ]


def test_no_import_cycles() -> None:
    graph = {name_of(module): set(imported(module)) - {name_of(module)} for module in MODULES}
    assert list(TopologicalSorter(graph).static_order())
