"""The gallery: each directory has a command line, its input, and the expected result.

`cmd` contains the command. An optional second line names the file for stdin: `< input.yaml`. `stdout`, `stderr`, and `exit`
contain the expected result. Run with UPDATE_GALLERY=1 to write them, and read the diff before you commit.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.command import run

GALLERY = Path(__file__).parent / "gallery"
CASES = sorted(path.parent.relative_to(GALLERY).as_posix() for path in GALLERY.rglob("cmd"))
EXPECTED = ("stdout", "stderr", "exit")


@pytest.mark.parametrize("name", CASES)
def test_command_has_the_expected_result(name: str, tmp_path: Path) -> None:
    case = GALLERY / name
    for path in case.iterdir():
        if path.name not in (*EXPECTED, "cmd") and path.is_file():
            shutil.copy(path, tmp_path / path.name)
        elif path.is_dir() and not (path / "cmd").exists():
            shutil.copytree(path, tmp_path / path.name)
    command, _, source = (case / "cmd").read_text().strip().partition("\n< ")
    outcome = run(command, tmp_path, stdin=(case / source).read_bytes() if source else None)
    found = {"stdout": outcome.stdout, "stderr": outcome.stderr, "exit": f"{outcome.code}\n"}
    if os.environ.get("UPDATE_GALLERY"):
        for file, text in found.items():
            (case / file).write_bytes(text.encode())
    for file in EXPECTED:
        assert found[file] == (case / file).read_bytes().decode(), file
    assert "Traceback" not in outcome.stderr
