"""Supply chain: CI installs exact versions with hashes, and wheels are reproducible."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

PINNED = (ROOT / "requirements" / "ci.txt").read_text()
FUZZ = (ROOT / "requirements" / "fuzz.txt").read_text()
SITE = (ROOT / "requirements" / "site.txt").read_text()


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[ ;<>=!~\[]", requirement)[0]).lower()


def _entries(pinned: str) -> list[str]:
    return re.split(r"\n(?=[a-z])", pinned.partition("\n#")[2].partition("\n")[2])


@pytest.mark.parametrize("pinned", [PINNED, SITE, FUZZ], ids=["ci", "site", "fuzz"])
def test_ci_dependencies_have_exact_versions_and_hashes(pinned: str) -> None:
    entries = _entries(pinned)
    assert len(entries) > 10
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert "://" not in pinned


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    asked += [one for name, group in groups.items() if name != "site" for one in group if isinstance(one, str)]
    assert {_name(one) for one in asked} <= set(map(_name, _entries(PINNED))), "run `make requirements`"
    assert set(map(_name, groups["site"])) <= set(map(_name, _entries(SITE))), "run `make requirements`"


def test_versions_of_the_site_agree_with_those_of_ci() -> None:
    ci, site = ({_name(entry): re.search(r"==(\S+)", entry)[1] for entry in _entries(text)} for text in (PINNED, SITE))
    assert [name for name in set(ci) & set(site) if ci[name] != site[name]] == []


def test_npm_packages_have_exact_versions_and_hashes() -> None:
    lock = json.loads((ROOT / "site" / "package-lock.json").read_text())
    asked = lock["packages"][""]
    assert all(
        re.fullmatch(r"[\d.]+", version) for version in (asked["dependencies"] | asked["devDependencies"]).values()
    )
    installed = [one for name, one in lock["packages"].items() if name]
    assert installed and all(one["integrity"].startswith("sha512-") for one in installed)
    assert "://" not in json.dumps(installed)


def _built(tmp_path: Path, name: str) -> bytes:
    """Build a wheel from a copy of the source. Each copy has different file times."""
    source, out = tmp_path / name, tmp_path / f"{name}-wheel"
    skipped = shutil.ignore_patterns("__pycache__", ".*")
    source.mkdir()
    for part in ("sidecarctl", "library", "schemas"):
        shutil.copytree(ROOT / part, source / part, ignore=skipped, copy_function=shutil.copyfile)
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / part, source / part)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "PYTHONHASHSEED": name[-1]}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
    (wheel,) = out.iterdir()
    return wheel.read_bytes()


def test_wheel_is_reproducible(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    first, second = _built(tmp_path, "copy1"), _built(tmp_path, "copy2")
    assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()
