"""The fork server runs a command exactly as a new interpreter does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.command import run
from tests.security.kit import POD

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the fork server runs only on Linux")

COMMANDS = {
    "--version": "",
    "--help": "",
    "add --help": "",
    "add logger": POD,
    "add logger --mode fast": POD,
    "add logger -q": "a: [\n",
    "add loger -f web.yaml": "",
    "add logger -f web.yaml -i": "",
    "validate -f . --format json": "",
    "graph -f web.yaml": "",
    "show logger": "",
    "rules port-conflict": "",
}


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("command", COMMANDS)
def test_fork_and_new_interpreter_have_the_same_result(command: str, tmp_path: Path) -> None:
    results = []
    for fresh in (False, True):
        (tmp_path / "web.yaml").write_text(POD)
        outcome = run(f"sidecarctl {command}", tmp_path, stdin=COMMANDS[command], fresh=fresh)
        results.append((outcome, files(tmp_path)))
    assert results[0] == results[1]


def test_commands_have_their_own_environment_and_directory(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.yaml").write_text(POD)
    quiet = run("sidecarctl add logger -f .", tmp_path / "one", env={"SIDECARCTL_QUIET": "1"})
    assert (quiet.code, quiet.stderr) == (0, "")
    assert "added logger" in run("sidecarctl add logger -f two.yaml", tmp_path / "two").stderr


@pytest.mark.parametrize("fresh", [False, True])
def test_command_that_does_not_read_its_input_exits(fresh: bool, tmp_path: Path) -> None:
    assert run("sidecarctl --version", tmp_path, stdin="x" * 1_000_000, fresh=fresh).code == 0
