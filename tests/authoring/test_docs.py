"""Tests of docs/library: pages are generated from the current metadata."""

from __future__ import annotations

import subprocess
import sys

from tests.command import ROOT


def test_library_pages_are_current() -> None:
    script = ROOT / "tools" / "gen_library_docs.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
