"""Tests of docs/writing-sidecars.md: write its files, run its commands in order, and compare the output.

UPDATE_GALLERY=1 writes the outputs into the guide; read the diff before you commit.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.command import ROOT, Outcome, run
from tests.programs import environment, execute

GUIDE = ROOT / "docs" / "writing-sidecars.md"
_BLOCK = re.compile(r"^```(\w+)(?: (file|exit)=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_guide_shows_actual_output(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    shown, code = _followed(text, tmp_path)
    if os.environ.get("UPDATE_GALLERY"):
        GUIDE.write_text(shown, encoding="utf-8")
        text = shown
    assert shown == text
    assert code == 0


def _followed(text: str, folder: Path) -> tuple[str, int]:
    """Return the guide with the actual output of its commands."""
    out, at, wrong = [], 0, 0
    for block in _BLOCK.finditer(text):
        out.append(text[at : block.start(4)])
        kind, key, value, body = block.groups()
        if key == "file":
            file = folder / value
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body, encoding="utf-8")
        if kind == "console":
            body, codes = _run(body, folder)
            wrong |= codes != {int(value) if key == "exit" else 0}
        out.append(body)
        at = block.end(4)
    return "".join([*out, text[at:]]), wrong


def _run(body: str, folder: Path) -> tuple[str, set[int]]:
    shown, codes = "", set()
    for line in body.splitlines():
        if line.startswith("$ "):
            outcome = _outcome(line[2:], folder)
            codes.add(outcome.code)
            shown += f"{line}\n{outcome.stdout}{outcome.stderr}"
    return shown, codes


def _outcome(command: str, folder: Path) -> Outcome:
    if command.startswith("sidecarctl "):
        return run(command, folder, env={"COLUMNS": "88"})
    return execute(["sh", "-c", command], folder, environment(folder / ".home"))
