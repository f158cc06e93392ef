"""The command line of a generator of one file: write the file, or check that it is current."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def write_or_check(file: Path, text: str, description: str | None) -> int:
    """Write the text, or with `--check` only compare it, and return the exit code: 1 if the file is out of date."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with code 1 if the file is out of date"
    )
    check = parser.parse_args().check
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return 0
    name = file.relative_to(ROOT)
    if check:
        print(f"{name} is out of date: run `make docs`", file=sys.stderr)
        return 1
    file.write_text(text, encoding="utf-8")
    print(name)
    return 0
