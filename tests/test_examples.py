"""Every example has the result that it shows, the result is valid, and removing the sidecars restores the input."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.command import ROOT, run

EXAMPLES = ROOT / "examples"
GOOD = sorted(p.parent.name for p in EXAMPLES.glob("*/cmd") if p.parent.name != "broken")
VERSIONS = ("1.29", "1.34", "1.37")


def outcome_of(name: str, folder: Path, extra: str = "") -> tuple[int, str, str]:
    shutil.copy(EXAMPLES / name / "input.yaml", folder / "input.yaml")
    outcome = run((EXAMPLES / name / "cmd").read_text().strip() + extra, folder)
    return outcome.code, outcome.stdout, outcome.stderr


@pytest.mark.parametrize("name", GOOD)
def test_result_equals_the_example(name: str, tmp_path: Path) -> None:
    code, stdout, stderr = outcome_of(name, tmp_path)
    expected = EXAMPLES / name / "expected.yaml"
    if os.environ.get("UPDATE_GALLERY"):
        expected.write_text(stdout)
    assert code == 0, stderr
    assert stdout == expected.read_text()


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("version", VERSIONS)
def test_result_is_valid(name: str, version: str, tmp_path: Path) -> None:
    code, stdout, stderr = outcome_of(name, tmp_path, f" --kube-version {version}")
    assert code == 0, stderr
    for document in yaml.safe_load_all(stdout):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", GOOD)
def test_remove_restores_the_input(name: str, tmp_path: Path) -> None:
    given = (EXAMPLES / name / "input.yaml").read_bytes()
    removed = run("sidecarctl remove --all -f expected.yaml", EXAMPLES / name)
    assert (removed.code, removed.raw) == (0, given)


def test_broken_example_reports_every_error(tmp_path: Path) -> None:
    code, stdout, stderr = outcome_of("broken", tmp_path)
    assert (code, stdout) == (1, "")
    assert "volumeMounts" in stderr
    assert "input.yaml:9:19" in stderr
    assert "Sidecar-container" in stderr
    assert "input.yaml:7:11" in stderr
