"""Runs the real command for tests: in a folder of its own, with a scrubbed environment."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str
    raw: bytes = b""


def run(
    command: str | list[str], cwd: Path, *, stdin: str | bytes | None = None, env: dict[str, str] | None = None
) -> Outcome:
    """Run `sidecarctl ...` in a folder. The path of the folder reads FOLDER in what comes back."""
    words = shlex.split(command) if isinstance(command, str) else command
    assert words[0] == "sidecarctl"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SIDECARCTL_", "FORCE_COLOR", "COLUMNS"))}
    clean |= {"NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "sidecarctl", *words[1:]],
        cwd=cwd,
        env=clean,
        input=data if data is not None else b"",
        capture_output=True,
        timeout=120,
        check=False,
    )
    shown = [out.decode("utf-8", "replace").replace(str(cwd), "FOLDER") for out in (done.stdout, done.stderr)]
    return Outcome(done.returncode, *shown, done.stdout)
