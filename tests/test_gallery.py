"""The gallery: a folder per case with the command line, its input, and what the real command answered.

`cmd` holds the command (a second line may name what goes to standard input: `< input.yaml`). `stdout`, `stderr` and
`exit` are what is expected; run with UPDATE_GALLERY=1 to write them, and read the diff before you commit.
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
def test_the_command_answers_as_shown(name: str, tmp_path: Path) -> None:
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
