"""The README and the pages beside it show what really happens: their commands are run in a copy of the clone.

UPDATE_GALLERY=1 writes the outputs; read the diff before you commit.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.pages import followed
from tests.programs import environment

README = ROOT / "README.md"
PAGES = [
    README,
    *(ROOT / "docs" / f"{name}.md" for name in ("getting-started", "commands", "adopting", "compositions")),
    ROOT / "examples" / "library-kcl" / "README.md",
]
LINKED = [
    *PAGES,
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs" / "integrations" / "README.md",
    *(ROOT / name for name in ("SECURITY.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("*/README.md")),
    *sorted(ROOT.glob("*/*/README.md")),
]
# Commands that set up a machine: CI runs them.
ELSEWHERE = ("make demo", "make test", "pip install", "git clone", "cd sidecarctl", "source ")
README_LINES = 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_does_what_its_page_shows(page: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "examples", clone / "examples")
    text = page.read_text(encoding="utf-8")
    real = followed(text, clone, environment(tmp_path / ".home"), ELSEWHERE)
    if os.environ.get("UPDATE_GALLERY"):
        page.write_text(real, encoding="utf-8")
        text = real
    assert real == text


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_readme_counts_the_sidecars_of_the_library() -> None:
    count = len([file for file in (ROOT / "library").glob("*/sidecar.yaml") if "@" not in file.parent.name])
    assert f"**{count} sidecars**" in README.read_text(encoding="utf-8")


def test_the_readme_shows_no_record() -> None:
    assert "sidecarctl.dev/sidecars" not in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted({*LINKED}), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
