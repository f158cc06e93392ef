"""Tests of the words of `add`, `upgrade`, and `remove`: which are sidecars, which are paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import run
from tests.shipped_library.manifests import DEPLOYMENT

OTHER = "the path of this name"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with manifests in k8s/ and in logger/, a directory with the name of a sidecar."""
    for name in ("k8s", "logger"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "web.yaml").write_text(DEPLOYMENT)
    assert run("sidecarctl add logger k8s -i", tmp_path).code == 0
    return tmp_path


@pytest.mark.parametrize("words", ["k8s", "k8s k8s/web.yaml", "k8s/", "logger k8s", "logger -f k8s", "-f k8s"])
def test_upgrade_reads_a_directory_that_is_no_sidecar(words: str, home: Path) -> None:
    outcome = run(f"sidecarctl upgrade {words} --check", home)
    assert outcome.code == 0, outcome.stderr
    assert "unchanged logger" in outcome.stderr


@pytest.mark.parametrize(
    "command", ["upgrade logger --check", "remove logger", "remove k8s", "remove k8s -i", "add logger"]
)
def test_error_without_input_says_that_the_word_is_a_sidecar(command: str, home: Path) -> None:
    outcome = run(f"sidecarctl {command}", home)
    word = command.split()[1]
    assert outcome.code == 2
    assert f'"{word}" is read as the name of a sidecar here; for {OTHER}, use -f {word}' in " ".join(
        outcome.stderr.split()
    )


def test_error_without_input_names_no_path_that_is_not_there(home: Path) -> None:
    outcome = run("sidecarctl remove proxy", home)
    assert outcome.code == 2
    assert OTHER not in outcome.stderr
