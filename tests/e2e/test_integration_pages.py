"""Documented commands that run other programs: kustomize, Helm 3 and 4, kpt, and kyverno.

Run with UPDATE_GALLERY=1 to write their output, and read the diff before you commit.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.pages import every, example_of, needed, replayed
from tests.programs import environment, execute, program

pytestmark = pytest.mark.e2e

INDEX = ROOT / "docs/integrations/README.md"
PAGES = [
    page
    for page in sorted((ROOT / "docs/integrations").glob("*.md"))
    if page.name != "README.md" and needed(page.read_text())
]


def prepared(page: Path, folder: Path) -> dict[str, str]:
    """Return an environment with the programs that a page runs, under the names that the page uses."""
    env = environment(folder / ".home")
    # On the page about Helm 3, `helm` is Helm 3.
    helm = "helm3" if page.stem == "helm-3" else "helm4"
    for name in needed(page.read_text()):
        (folder / ".home/bin" / name).symlink_to(program(helm if name == "helm" else name))
    if page.stem == "helm-4":
        (folder / "plugin").mkdir()
        shutil.copy(ROOT / "plugin.yaml", folder / "plugin")
        done = execute(["helm", "plugin", "install", str(folder / "plugin")], folder, env)
        assert done.code == 0, done.stderr
    return env


def compared(page: Path, real: str) -> None:
    if os.environ.get("UPDATE_GALLERY"):
        page.write_text(real)
    assert real == page.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_shows_the_real_output(page: Path, tmp_path: Path) -> None:
    env = prepared(page, tmp_path)
    compared(page, replayed(page.read_text(), example_of(page, tmp_path), env, every))


def test_index_shows_the_real_output(tmp_path: Path) -> None:
    env = prepared(INDEX, tmp_path)
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "examples/integrations", clone / "examples/integrations")
    shutil.copy(ROOT / "plugin.yaml", clone)
    compared(INDEX, replayed(INDEX.read_text(), clone, env, bool))
