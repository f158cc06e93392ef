"""Build dist/sidecarctl.pyz: one file that runs with any Python from 3.10 on, without installing anything.

    make pyz

shiv packs the directory that `packages.py` collects. At its first run, the file unpacks itself below ~/.shiv, or below
SHIV_ROOT. The result is reproducible.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packages import ROOT, collect


def build(out: Path, shiv: str, platforms: list[str]) -> None:
    """Write the file. `shiv` is the command of shiv."""
    out.parent.mkdir(parents=True, exist_ok=True)
    date = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    fixed = {"SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or date.stdout.strip() or "1700000000"}
    with tempfile.TemporaryDirectory() as scratch:
        packages = Path(scratch) / "packages"
        collect(packages, platforms)
        command = [shiv, "--site-packages", str(packages), "--compressed", "--reproducible", "--no-modify"]
        command += ["--python", "/usr/bin/env python3", "--entry-point", "sidecarctl.__main__:main"]
        subprocess.run([*command, "--output-file", str(out)], check=True, env={**os.environ, **fixed})
    out.chmod(0o755)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "sidecarctl.pyz")
    parser.add_argument("--shiv", default=str(Path(sys.executable).with_name("shiv")))
    parser.add_argument("--platform", action="append", default=[], help="wheel tag; default: this machine")
    options = parser.parse_args()
    build(options.out, options.shiv, options.platform)
    print(f"{options.out} ({options.out.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
