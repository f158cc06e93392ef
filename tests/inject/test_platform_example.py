"""The platform example: its README shows the output of its commands, and its rendered directories are in sync."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.command import ROOT, run

EXAMPLE = ROOT / "examples" / "platform"
README = EXAMPLE / "README.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def answered(block: str, folder: Path) -> str:
    """Return the block with the current output of its commands."""
    out = []
    for command in (line[2:] for line in block.splitlines() if line.startswith("$ ")):
        out.append(f"$ {command}\n")
        if command.startswith("sidecarctl "):
            done = run(command, folder, env={"COLUMNS": "80"})
            out.append(done.stdout + done.stderr)
            if done.code:
                out.append(f"(exit {done.code})\n")
        else:
            subprocess.run(command, shell=True, cwd=folder, check=True)
    return "".join(out)


def test_readme_shows_the_output_of_its_commands(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    shutil.copytree(EXAMPLE, folder)
    text = README.read_text(encoding="utf-8")
    found = _BLOCK.sub(lambda block: f"```console\n{answered(block[1], folder)}```", text)
    if os.environ.get("UPDATE_GALLERY"):
        README.write_text(found, encoding="utf-8")
    assert found == text


def test_rendered_directories_are_in_sync(tmp_path: Path) -> None:
    for environment in ("dev", "staging", "prod"):
        target = tmp_path / environment
        done = run(["sidecarctl", "render", "--env", environment, "-f", "manifests", "-o", str(target), "-q"], EXAMPLE)
        assert (done.code, done.stdout) == (0, "")
        shown = EXAMPLE / "rendered" / environment
        if os.environ.get("UPDATE_GALLERY"):
            shutil.rmtree(shown, ignore_errors=True)
            shutil.copytree(target, shown)
        files = sorted(path.relative_to(shown) for path in shown.rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())
        assert all((shown / file).read_bytes() == (target / file).read_bytes() for file in files)


def test_remove_all_restores_the_manifests() -> None:
    for path in sorted((EXAMPLE / "manifests").rglob("*.yaml")):
        rendered = EXAMPLE / "rendered" / "prod" / path.relative_to(EXAMPLE / "manifests")
        done = run(["sidecarctl", "remove", "--all", "-q", "-f", str(rendered)], EXAMPLE)
        assert done.raw == path.read_bytes()
