"""Build the playground: its page, Pyodide, the package with its dependencies as bytecode, and the data of its form."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.assignments import parse_set
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.kube import versions

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "site" / "playground"
PYODIDE = ROOT / "site" / "node_modules" / "pyodide"
PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
# What sidecarctl imports in the playground. typer and rich are for help pages and terminals.
DEPENDENCIES = (
    *("jinja2", "markupsafe", "ruamel.yaml", "pathspec"),
    *("jsonschema", "jsonschema-specifications", "referencing", "attrs"),
)
# Texts of several lines. A parameter whose pattern accepts one of them gets a field for several lines.
LINES = ("a: b\nc: d\n", "/a\n/b\n", "#!/bin/sh\ndate\n")
FIRST_EXAMPLE = "nginx-git"
_TIME = (1980, 1, 1, 0, 0, 0)  # of every file of the archive, so that equal content has equal bytes


def build(out: Path) -> None:
    """Write the playground to a directory. Raises FileNotFoundError if the npm packages are not installed."""
    if not PYODIDE.is_dir():
        raise FileNotFoundError(f"{PYODIDE.relative_to(ROOT)} not found: run `npm ci` in site/")
    pyodide = out / "pyodide"
    pyodide.mkdir(parents=True, exist_ok=True)
    for name in PYODIDE_FILES:
        shutil.copyfile(PYODIDE / name, pyodide / name)
    (pyodide / "pyodide-lock.json").write_text(json.dumps(lock()), encoding="utf-8")
    for file in sorted(SOURCES.iterdir()):
        if file.is_file() and file.name != "rpds.py":
            shutil.copyfile(file, out / file.name)
    (out / "catalog.json").write_text(json.dumps(catalog(), ensure_ascii=False), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "package.zip"
        write_archive(archive)
        command = ["node", str(Path(__file__).with_name("compile.mjs")), str(PYODIDE), str(archive)]
        subprocess.run([*command, str(out / "package.zip")], check=True)


def lock() -> dict[str, Any]:
    """Return Pyodide's list of packages without packages, so that it loads none."""
    content: dict[str, Any] = json.loads((PYODIDE / "pyodide-lock.json").read_text(encoding="utf-8"))
    return content | {"packages": {}}


def write_archive(file: Path) -> None:
    """Write the files that Python imports: the wheel of sidecarctl, and the Python files of its dependencies."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as opened:
            content = {name: opened.read(name) for name in opened.namelist() if ".dist-info/" not in name}
    for name in DEPENDENCIES:
        content |= python_files(name)
    content["rpds.py"] = (SOURCES / "rpds.py").read_bytes()
    with zipfile.ZipFile(file, "w") as archive:
        for path, data in sorted(content.items()):
            entry = zipfile.ZipInfo(path, _TIME)
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)


def python_files(name: str) -> dict[str, bytes]:
    """Return the Python files and data of an installed distribution, without its tests and compiled modules."""
    found = {}
    for path in distribution(name).files or ():
        skipped = path.parts[0].endswith(".dist-info") or {"tests", "__pycache__", ".."} & set(path.parts)
        if not skipped and path.suffix in (".py", ".json", ""):
            found[path.as_posix()] = Path(str(path.locate())).read_bytes()
    assert found, name
    return found


def catalog() -> dict[str, Any]:
    """Return what the form needs: sidecars with their parameters, examples, and versions of Kubernetes."""
    sidecars = [entry.sidecar for entry in open_catalog([], {}).entries() if entry.sidecar and entry.is_default]
    return {
        "sidecars": {
            one.name: {
                "summary": one.summary,
                "required": one.parameters.get("required", []),
                "properties": {
                    name: shown(schema, one.parameters) for name, schema in one.parameters.get("properties", {}).items()
                },
            }
            for one in sidecars
        },
        "common": {name: shown(schema, {}) for name, schema in common_parameters.SCHEMA["properties"].items()},
        "examples": sorted(examples(), key=lambda one: one["name"] != FIRST_EXAMPLE),
        "kubeVersions": list(reversed(versions.SUPPORTED)),
    }


def shown(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return what the form shows of the schema of a parameter; `lines` is true for text that can have several lines."""
    if reference := schema.get("$ref"):
        for step in reference.removeprefix("#/").split("/"):
            root = root[step]
        schema = {**root, **schema}
    found = {key: schema[key] for key in ("type", "enum", "default", "description") if key in schema}
    if schema.get("type") == "string" and "enum" not in schema:
        found["lines"] = any(re.search(schema.get("pattern", ""), text) for text in LINES)
    return found


def examples() -> list[dict[str, Any]]:
    """Return the examples that add sidecars to one file: manifest, first sidecar, and its parameters as texts."""
    found = []
    for file in sorted((ROOT / "examples").glob("*/cmd")):
        words = shlex.split(file.read_text(encoding="utf-8"))
        if words[1] != "add":
            continue
        sidecars = words[2 : words.index("-f")]
        sets = [value for flag, value in zip(words, words[1:]) if flag == "--set"]
        given = parse_set(sets, sidecars).get(sidecars[0], {})
        found.append(
            {
                "name": file.parent.name,
                "title": f"{file.parent.name} ({sidecars[0]})",
                "manifest": (file.parent / "input.yaml").read_bytes().decode("utf-8"),
                "sidecar": sidecars[0],
                "retarget": "--retarget" in words,
                "parameters": {
                    name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()
                },
            }
        )
    return found
