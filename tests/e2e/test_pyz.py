"""The one-file program runs with nothing but Python, and gives the same results as the installed package."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.command import ROOT, Outcome, run
from tests.programs import execute
from tests.test_gallery import CASES, EXPECTED, GALLERY

pytestmark = pytest.mark.e2e

COMMANDS = (
    "sidecarctl add ",
    "sidecarctl validate ",
    "sidecarctl render ",
    "sidecarctl remove ",
    "sidecarctl upgrade ",
)
SHARED = [name for name in CASES if (GALLERY / name / "cmd").read_text().startswith(COMMANDS)]


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = os.environ.get("SIDECARCTL_PYZ")
    if found:
        return Path(found)
    out = tmp_path_factory.mktemp("pyz") / "sidecarctl.pyz"
    tools = out.parent / "tools"
    pip = [str(tools / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(tools)],
        [*pip, "--require-hashes", "-r", "requirements/shiv.txt"],
        [sys.executable, "tools/pyz.py", "--out", str(out), "--shiv", str(tools / "bin" / "shiv")],
    ):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment without any package, not even pip."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unpacked")


def run_pyz(words: list[str], pyz: Path, python: Path, unpacked: Path, cwd: Path, stdin: str = "") -> Outcome:
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "SHIV_ROOT": str(unpacked), "NO_COLOR": "1", "COLUMNS": "100"}
    done = execute([str(python), "-I", str(pyz), *words], cwd, env, stdin)
    return Outcome(done.code, done.stdout.replace(str(cwd), "FOLDER"), done.stderr.replace(str(cwd), "FOLDER"))


@pytest.mark.parametrize("name", SHARED)
def test_same_result_as_the_package(name: str, pyz: Path, python: Path, unpacked: Path, tmp_path: Path) -> None:
    case = GALLERY / name
    for path in case.iterdir():
        if path.is_dir():
            shutil.copytree(path, tmp_path / path.name)
        elif path.name not in (*EXPECTED, "cmd"):
            shutil.copy(path, tmp_path / path.name)
    line, _, source = (case / "cmd").read_text().strip().partition("\n< ")
    stdin = (case / source).read_bytes().decode() if source else ""
    outcome = run_pyz(shlex.split(line)[1:], pyz, python, unpacked, tmp_path, stdin)
    assert outcome.stdout == (case / "stdout").read_bytes().decode()
    assert outcome.stderr == (case / "stderr").read_bytes().decode()
    assert f"{outcome.code}\n" == (case / "exit").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["rules"],
        ["list"],
        ["schema", "composition"],
        ["add", "--nope"],
        ["add", "logger", "--jobs", "many"],
        ["--show-completion"],
        ["render", "-c", "sidecarctl.yaml", "--env", "prod", "-f", "manifests"],
    ],
)
def test_same_rules_sidecars_and_messages(
    words: list[str], pyz: Path, python: Path, unpacked: Path, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "examples" / "platform", tmp_path, dirs_exist_ok=True)
    expected = run(["sidecarctl", *words], tmp_path)
    assert expected.code == (2 if words[0] == "add" else 0), expected.stderr
    found = run_pyz(words, pyz, python, unpacked, tmp_path)
    assert (found.code, found.stdout, found.stderr) == (expected.code, expected.stdout, expected.stderr)


def test_runs_without_compiled_modules(pyz: Path, python: Path, tmp_path: Path) -> None:
    """As on a Python version or a system that it was not built for."""
    with zipfile.ZipFile(pyz) as packed:
        names = [name for name in packed.namelist() if name.startswith("site-packages/") and not name.endswith(".so")]
        packed.extractall(tmp_path / "all", names)
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'all' / 'site-packages')!r})\n"
    program += "from sidecarctl.__main__ import main; main(sys.argv[1:])"
    env = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "XDG_CACHE_HOME": str(tmp_path)}
    manifest = ROOT / "examples" / "integrations" / "manifests" / "web.yaml"
    words = ["add", "logger", "-f", str(manifest)]
    done = execute([str(python), "-I", "-c", program, *words], tmp_path, env, "")
    assert (done.code, done.stdout) == (0, run(["sidecarctl", *words], tmp_path).stdout), done.stderr
    # jsonschema explains an invalid value, and needs the stand-in for rpds.
    words = ["add", "logger", "-f", str(manifest), "--set", "logDir=5", "--set", "resources=7"]
    done = execute([str(python), "-I", "-c", program, *words], tmp_path, env, "")
    assert (done.code, done.stderr) == (2, run(["sidecarctl", *words], tmp_path).stderr)
