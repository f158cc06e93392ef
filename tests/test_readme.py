"""The README shows what really happens: every command in it is run, and its output compared.

Run with UPDATE_GALLERY=1 to write the outputs, and read the diff before you commit.
"""

from __future__ import annotations

import filecmp
import os
import re
import shlex
import shutil
from pathlib import Path

from tests.command import ROOT, run
from tests.pages import needed

README = ROOT / "README.md"
_BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
_SHELL = re.compile(r"```sh\n(.*?)```\n", re.DOTALL)
# Commands that set something up; CI runs them, or they stand for what a user does once.
_ELSEWHERE = ("make demo", "make test", "pip install")


def test_every_command_does_what_the_readme_shows(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "nginx-git" / "input.yaml", tmp_path / "web.yaml")
    shutil.copy(ROOT / "examples" / "broken" / "input.yaml", tmp_path / "broken.yaml")
    (tmp_path / "k8s").mkdir()
    for name in ("java-logs", "cronjob-logger"):
        shutil.copy(ROOT / "examples" / name / "input.yaml", tmp_path / "k8s" / f"{name}.yaml")
    text = README.read_text()

    def answered(block: re.Match[str]) -> str:
        commands = [line[2:] for line in block.group(1).splitlines() if line.startswith("$ ")]
        assert commands, block.group(0)
        if needed(block.group(0)):
            # tests/e2e/test_pages.py runs these, with the real programs.
            return block.group(0)
        return "```console\n" + "".join(f"$ {command}\n{_output(command, tmp_path)}" for command in commands) + "```\n"

    real = _BLOCK.sub(answered, text)
    if os.environ.get("UPDATE_GALLERY"):
        README.write_text(real)
    assert real == README.read_text()


def _output(command: str, folder: Path) -> str:
    words = shlex.split(command)
    if words[0] == "cmp":
        return "" if filecmp.cmp(folder / words[1], folder / words[2], shallow=False) else "differ\n"
    outcome = run(command, folder, env={"COLUMNS": "88"})
    assert "Traceback" not in outcome.stderr
    return outcome.stdout + outcome.stderr


def test_every_other_command_is_run_by_ci() -> None:
    for block in _SHELL.findall(README.read_text()):
        for line in block.splitlines():
            assert line.startswith(_ELSEWHERE), line


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target
