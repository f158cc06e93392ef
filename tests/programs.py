"""Finds the programs that end-to-end tests run, and runs them with this version of sidecarctl on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT, Outcome

INSTALL = "tools/e2e_tools.sh"
INSTALL_FOR_SIDECARS = "tools/sidecar_programs.sh"


def tools() -> Path:
    """Return the directory that the scripts in tools/ fill, or that SIDECARCTL_E2E_TOOLS names."""
    return Path(os.environ.get("SIDECARCTL_E2E_TOOLS", ROOT / ".tools"))


def program(name: str, install: str = INSTALL) -> str:
    """Return the path of a program. If it is not installed, skip the test and print the command that installs it."""
    found = tools() / name
    if not found.is_file():
        found = tools() / name / "bin" / name
    path = str(found) if found.is_file() else shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: run {install}")
    return path


def tree(name: str, install: str = INSTALL) -> Path:
    """Return a directory in .tools. If it is not there, skip the test and print the command that installs it."""
    found = tools() / name
    if not found.is_dir():
        pytest.skip(f"{name} is not installed: run {install}")
    return found


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment with this version of sidecarctl on PATH, and without settings of the user."""
    bin_folder = folder / "bin"
    if not bin_folder.exists():
        bin_folder.mkdir(parents=True)
        for name in ("sidecarctl", "kubectl-sidecar"):
            script = bin_folder / name
            script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m sidecarctl "$@"\n')
            script.chmod(0o755)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SIDECARCTL_", "HELM_", "KUSTOMIZE_", "XDG_"))}
    return {
        **clean,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
        "COLUMNS": "120",
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "HELM_DATA_HOME": str(folder / "helm"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


def execute(words: list[str], cwd: Path, env: dict[str, str], stdin: str | None = None, timeout: int = 300) -> Outcome:
    """Run a program. Return its exit code and output."""
    done = subprocess.run(
        words, cwd=cwd, env=env, input=(stdin or "").encode(), capture_output=True, timeout=timeout, check=False
    )
    out, err = (part.decode("utf-8", "replace") for part in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, err, done.stdout)
