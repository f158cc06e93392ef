"""Packages work without the source: the wheel, as pip and pre-commit install it, and the krew archive."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from sidecarctl import __version__
from tests.command import ROOT, Outcome
from tests.programs import execute

pytestmark = pytest.mark.e2e

MANIFEST = ROOT / "examples" / "integrations" / "manifests" / "web.yaml"


def built(words: list[str]) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    built([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)])
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` directory of an environment with only the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("env")
    built([sys.executable, "-m", "venv", str(folder)])
    built([str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)])
    return folder / "bin"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("krew")
    built([sys.executable, "tools/krew.py", str(folder), "--url", "https://example.com/releases"])
    return folder / "kubectl-sidecar-linux-amd64.tar.gz"


def clean(folder: Path, first: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SIDECARCTL_", "PYTHON"))}
    return {**kept, "PATH": f"{first}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder), "NO_COLOR": "1"}


def added(command: str, folder: Path, first: Path) -> Outcome:
    return execute([command, "add", "logger"], folder, clean(folder, first), MANIFEST.read_text())


def test_wheel_contains_library_and_schemas(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {path.relative_to(ROOT).as_posix() for path in (ROOT / "library").glob("*/sidecar.yaml")}
    assert {f"sidecarctl/_data/{name}" for name in shipped} <= names
    assert any(name.startswith("sidecarctl/_data/schemas/") for name in names)
    assert not any(name.startswith(("tests/", "examples/", "docs/")) for name in names)


@pytest.mark.parametrize("command", ["sidecarctl", "kubectl-sidecar"])
def test_installed_wheel_adds_and_validates(command: str, installed: Path, tmp_path: Path) -> None:
    program = str(installed / command)
    done = added(program, tmp_path, installed)
    assert done.code == 0, done.stderr
    valid = execute([program, "validate"], tmp_path, clean(tmp_path, installed), done.stdout)
    assert valid.code == 0, valid.stdout + valid.stderr


def test_package_declares_all_dependencies(installed: Path, tmp_path: Path) -> None:
    done = execute([str(installed / "pip"), "check"], tmp_path, clean(tmp_path, installed))
    assert done.code == 0, done.stdout


def test_krew_plugin_runs_through_a_link_and_matches_its_manifest(archive: Path, tmp_path: Path) -> None:
    manifest = yaml.safe_load((archive.parent / "sidecar.yaml").read_text())
    (platform,) = manifest["spec"]["platforms"]
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert platform["uri"] == f"https://example.com/releases/v{__version__}/{archive.name}"
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "store")
    # krew creates a link in a directory on PATH, named after the plugin.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl-sidecar").symlink_to(tmp_path / "store" / platform["bin"])
    done = added(str(tmp_path / "bin" / "kubectl-sidecar"), tmp_path, Path(sys.executable).parent)
    assert done.code == 0, done.stderr
    assert "fluent-bit" in done.stdout


def test_krew_plugin_names_the_required_python_version(archive: Path, tmp_path: Path) -> None:
    assert "Requires Python 3.10 or newer as python3 on the PATH" in (archive.parent / "sidecar.yaml").read_text()
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "store")
    # An unsuitable Python version, first on PATH.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "python3").chmod(0o755)
    done = added(str(tmp_path / "store" / "kubectl-sidecar"), tmp_path, tmp_path / "bin")
    assert (done.code, done.stdout) == (2, "")
    assert "needs Python 3.10 or newer" in done.stderr
