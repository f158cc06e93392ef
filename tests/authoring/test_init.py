"""Tests of `init`: it writes a composition, and offers to adopt what it finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authoring.test_adopt import APP, BLOCK, VOLUMES
from tests.command import run


def write_manifests(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.yaml").write_text((APP + BLOCK + VOLUMES).replace("APPNAME", name))


@pytest.mark.parametrize("directory", ["", "k8s", "my manifests"])
def test_written_composition_is_valid_and_found(directory: str, tmp_path: Path) -> None:
    home = tmp_path / directory if directory else tmp_path
    write_manifests(home, "web")
    outcome = run(["sidecarctl", "init", *([directory] if directory else [])], tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert (home / "sidecarctl.yaml").read_text().startswith("# yaml-language-server: $schema=https://")
    assert "pasted" not in outcome.stderr
    command = outcome.stderr.splitlines()[-1].strip()
    done = run(command, tmp_path)
    assert done.code == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize("directory", ["", "k8s"])
def test_offers_to_adopt_pasted_sidecars(directory: str, tmp_path: Path) -> None:
    write_manifests(tmp_path / directory if directory else tmp_path, "web", "shop")
    outcome = run(f"sidecarctl init {directory}", tmp_path)
    line = next(line for line in outcome.stderr.splitlines() if line.startswith("found "))
    assert line == f"found 1 pasted sidecar: run `sidecarctl adopt {directory or '.'}`"
    done = run(line.partition("`")[2].rstrip("`"), tmp_path)
    assert done.code == 0, done.stderr
    assert "verified: 2 files of 2" in done.stderr
    text = ((tmp_path / directory) / "sidecarctl.yaml").read_text()
    assert text.count("kind: Composition") == 1
    assert "# Which workloads get which sidecars:" in text


def test_does_not_overwrite(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text("# mine\n")
    outcome = run("sidecarctl init", tmp_path)
    assert outcome.code == 2
    assert "sidecarctl.yaml already exists" in outcome.stderr
    assert (tmp_path / "sidecarctl.yaml").read_text() == "# mine\n"


def test_own_library_is_listed(tmp_path: Path) -> None:
    run("sidecarctl new agent", tmp_path)
    run("sidecarctl init", tmp_path)
    assert "libraries: [./sidecars]" in (tmp_path / "sidecarctl.yaml").read_text()
    write_manifests(tmp_path, "web")
    assert run("sidecarctl render -f . --diff", tmp_path).code == 0
