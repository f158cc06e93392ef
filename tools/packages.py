"""Collect sidecarctl and its dependencies in one directory that any Python from 3.10 on can import.

The versions and hashes are those of requirements/pyz.txt. Compiled modules have the Python version in their file names, so
those of several versions fit in one directory. For a version that is not in `COMPILED_FOR`, the dependencies fall back to
Python code. Used by `pyz.py` and `krew.py`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "requirements" / "pyz.txt"
COMPILED_FOR = ("3.10", "3.11", "3.12", "3.13", "3.14")
STAND_IN = """\
try:
    from .rpds import *
except ImportError:
    from ._stand_in import *
"""


def environment(minor: str) -> dict[str, str]:
    """Return the marker environment of a Python version."""
    return {"python_version": minor, "python_full_version": f"{minor}.0", "extra": ""}


def pinned(minor: str) -> Iterator[str]:
    """Yield the entries of requirements/pyz.txt for a Python version, with hashes and without markers."""
    text = re.sub(r"^#.*\n", "", PINNED.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", text):
        head, _, hashes = entry.partition("\\\n")
        one = Requirement(head.strip())
        if one.marker is None or one.marker.evaluate(environment(minor)):
            yield f"{one.name}{one.specifier} \\\n{hashes.rstrip()}\n"


def collect(target: Path, platforms: Iterable[str] = ()) -> None:
    """Fill a directory with sidecarctl, its dependencies, and the compiled modules for a platform.

    `platforms` are tags such as `manylinux2014_x86_64`; none means this machine.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for minor in COMPILED_FOR:
            wheels = download(Path(scratch) / minor, minor, platforms)
            for wheel in wheels:
                pure = wheel.name.endswith("-none-any.whl")
                if minor == COMPILED_FOR[0] or not pure:
                    unpack(wheel, target)
        out = Path(scratch) / "own"
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        unpack(next(out.glob("*.whl")), target)
    shutil.copy(ROOT / "tools" / "rpds_stand_in.py", target / "rpds" / "_stand_in.py")
    (target / "rpds" / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    for stub in target.rglob("*.pyi"):
        stub.unlink()


def download(directory: Path, minor: str, platforms: Iterable[str]) -> list[Path]:
    """Return the wheels of the dependencies for a Python version."""
    directory.mkdir()
    listed = directory / "requirements.txt"
    listed.write_text("".join(pinned(minor)), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--implementation", "cp", "--python-version", minor]
    command += [word for platform in platforms for word in ("--platform", platform)]
    subprocess.run([*command, "--dest", str(directory), "-r", str(listed)], check=True)
    return sorted(directory.glob("*.whl"))


def unpack(wheel: Path, target: Path) -> None:
    """Unpack the modules and metadata of a wheel. Metadata of a second version of a distribution is left out."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith("/") or ".data/" in name:
                continue
            path = target / name
            if not path.resolve().is_relative_to(target.resolve()):
                raise ValueError(f"{wheel.name}: {name} leads out of the directory")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))
            path.chmod(0o644)
