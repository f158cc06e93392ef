"""Tests of `init`: it writes a composition, and offers to adopt what it finds."""

from __future__ import annotations

import os
import sys
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


@pytest.mark.parametrize("directory", ["2026", "true", "null", "y", "1e3", "0x1f"])
def test_directory_named_like_a_number_or_a_word_of_yaml_gets_a_valid_composition(
    directory: str, tmp_path: Path
) -> None:
    home = tmp_path / directory
    write_manifests(home, "web")
    assert run("sidecarctl init", home).code == 0
    done = run("sidecarctl render --diff", home)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize("directory", ["", "k8s"])
def test_offers_to_adopt_pasted_sidecars(directory: str, tmp_path: Path) -> None:
    write_manifests(tmp_path / directory if directory else tmp_path, "web", "shop")
    outcome = run(f"sidecarctl init {directory}", tmp_path)
    line = next(line for line in outcome.stderr.splitlines() if "pasted" in line)
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


def test_manifests_are_the_directories_with_workloads(tmp_path: Path) -> None:
    for folder in ("k8s/base/web", "k8s/base/shop", "deploy", "node_modules/x"):
        (tmp_path / folder).mkdir(parents=True)
        write_manifests(tmp_path / folder, "app")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/config.yaml").write_text("title: site\n")
    outcome = run("sidecarctl init", tmp_path)
    assert "found 3 workloads in deploy, k8s/base\n" in outcome.stderr
    text = (tmp_path / "sidecarctl.yaml").read_text()
    assert "  manifests: [deploy/, k8s/base/]\n" in text
    assert "names: [app]" in text
    assert run("sidecarctl render --check", tmp_path).code == 0


def test_named_manifests_are_written_relative_to_the_composition(tmp_path: Path) -> None:
    for folder in ("k8s", "more", "team"):
        (tmp_path / folder).mkdir()
        write_manifests(tmp_path / folder, folder)
    assert run("sidecarctl init team -f k8s -f more/more.yaml", tmp_path).code == 0
    assert "manifests: [../k8s/, ../more/more.yaml]" in (tmp_path / "team/sidecarctl.yaml").read_text()
    assert run("sidecarctl status -c team/sidecarctl.yaml", tmp_path).stdout == "2 workloads, 0 with sidecars\n"


def test_example_is_a_rule_that_render_accepts(tmp_path: Path) -> None:
    write_manifests(tmp_path / "k8s", "web")
    file = tmp_path / "k8s/web.yaml"
    file.write_text(file.read_text().replace("image: registry.example/web:1.0.0", "image: nginx:1.30.4"))
    run("sidecarctl init", tmp_path)
    composition = tmp_path / "sidecarctl.yaml"
    lines = composition.read_text().splitlines()
    rule = [line.replace("  # ", "  ", 1) for line in lines if line.startswith(("  # -", "  #  "))]
    composition.write_text(
        "\n".join([*(line for line in lines if "#" not in line[2:]), *rule]).replace("[]", "") + "\n"
    )
    done = run("sidecarctl render --diff", tmp_path)
    assert done.code == 0, done.stderr
    assert "Deployment/web: would add" in done.stderr


def test_directory_without_workloads_gets_a_composition_and_the_reason(tmp_path: Path) -> None:
    (tmp_path / "chart/templates").mkdir(parents=True)
    (tmp_path / "chart/Chart.yaml").write_text("name: shop\n")
    outcome = run("sidecarctl init", tmp_path)
    assert outcome.code == 0
    assert "no workloads found in .: set spec.manifests, or pipe manifests to `render`" in outcome.stderr
    assert "1 Helm chart" in outcome.stderr
    assert "# manifests: [k8s/]" in (tmp_path / "sidecarctl.yaml").read_text()


@pytest.mark.parametrize("path", ["missing", "notes.yaml", "-"])
def test_named_paths_without_workloads_write_nothing(path: str, tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    outcome = run(f"sidecarctl init -f {path}", tmp_path)
    assert outcome.code in (2, 3)
    assert not (tmp_path / "sidecarctl.yaml").exists()


def test_document_that_render_rejects_is_reported(tmp_path: Path) -> None:
    write_manifests(tmp_path / "k8s", "web")
    (tmp_path / "k8s/broken.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: [}\n")
    outcome = run("sidecarctl init", tmp_path)
    assert outcome.code == 0
    assert "note: k8s/broken.yaml:3" in outcome.stderr
    assert "`render` fails until it is fixed or excluded" in outcome.stderr
    assert run("sidecarctl render --check", tmp_path).code == 3


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_directory_whose_name_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"k8s\xff")
    folder.mkdir()
    write_manifests(folder, "web")
    done = run("sidecarctl init", tmp_path)
    assert (done.code, "is not UTF-8" in done.stderr) == (3, True), done.stderr
    assert not (tmp_path / "sidecarctl.yaml").exists()
