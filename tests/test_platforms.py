"""Portability: no dependency on POSIX, no Python warnings, and the same results with the pure Python parser."""

from __future__ import annotations

import ast
import compileall
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sidecarctl import limited_worker
from tests.command import ROOT, run
from tests.security.kit import POD

# Modules and names that some platforms lack. A module that uses one must be listed in GUARDED.
POSIX_ONLY = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty"}
POSIX_NAMES = {
    "fork",
    "setxattr",
    "listxattr",
    "getuid",
    "geteuid",
    "getgid",
    "chown",
    "fchmod",
    "fchown",
    "mkfifo",
    "O_NOFOLLOW",
    "SIGPIPE",
    "setitimer",
}
GUARDED = {
    "catalog/render_cache.py": {"geteuid", "O_NOFOLLOW"},  # used only if geteuid exists
    "cpu_time.py": {"setitimer"},  # guarded by hasattr
    "watchdog.py": {"setitimer"},  # guarded by hasattr
    "limited_worker.py": {"fork", "resource"},  # without fork, the work runs in this process
    "composition/find.py": {"getuid"},  # guarded by hasattr
    "integrations/helm.py": {"getuid"},  # guarded by hasattr
    "files/directory.py": {"fcntl", "O_NOFOLLOW"},  # guarded by the descriptor
    "files/write.py": {"chown", "setxattr", "listxattr"},  # guarded by hasattr
    "catalog/engines/kcl_confine.py": {"resource", "geteuid"},  # guarded by ImportError and the platform
}


@pytest.mark.parametrize(
    "module", sorted((ROOT / "sidecarctl").rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_posix_only_names_are_guarded(module: Path) -> None:
    used = set()
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names} & POSIX_ONLY
        elif isinstance(node, ast.ImportFrom):
            used |= {node.module} & POSIX_ONLY
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("os", "signal"):
            used |= {node.attr} & POSIX_NAMES
    assert used <= GUARDED.get(module.relative_to(ROOT / "sidecarctl").as_posix(), set())


COMMANDS = [
    "--version",
    "--help",
    "add logger -f web.yaml",
    "add logger -f web.yaml --diff",
    "add logger -f web.yaml -o out.yaml",
    "remove --all -f out.yaml",
    "status -f out.yaml",
    "validate -f web.yaml --format sarif",
    "validate -f web.yaml --pod-security restricted",
    "graph -f out.yaml --format svg",
    "list",
    "show logger",
    "rules port-conflict",
    "schema sidecar",
    f"test logger --library {ROOT}/library",
    "new my-agent",
]


def test_commands_cause_no_python_warnings(tmp_path: Path) -> None:
    """Python's development mode turns every warning, such as one about an unclosed file, into an error."""
    (tmp_path / "web.yaml").write_text(POD)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SIDECARCTL_")}
    environment |= {"PYTHONPATH": str(ROOT), "SIDECARCTL_NO_CACHE": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-m", "sidecarctl", *command.split()],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), f"{command}: {done.stderr}"
        for word in ("Warning", "Traceback", "Exception ignored", "internal error"):
            assert word not in done.stderr, f"{command}: {done.stderr}"


def test_results_are_the_same_without_the_c_extension(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "_ruamel_yaml.py").write_text("raise ImportError('hidden')\n")
    path = os.pathsep.join((str(hidden), str(ROOT)))
    files = sorted((ROOT / "examples").rglob("input.yaml"))
    assert len(files) > 4
    for file in files:
        for words in ("add logger -q", "validate", "graph"):
            command = ["sidecarctl", *words.split(), "-f", str(file)]
            fast, pure = run(command, tmp_path), run(command, tmp_path, env={"PYTHONPATH": path})
            assert (fast.code, fast.stdout) == (pure.code, pure.stdout), (file, words)
            assert fast.code != 4


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A copy of the package, with the data directories beside it."""
    shutil.copytree(ROOT / "sidecarctl", tmp_path / "sidecarctl", ignore=shutil.ignore_patterns("__pycache__"))
    for data in ("library", "schemas"):
        (tmp_path / data).symlink_to(ROOT / data)
    return tmp_path


def validate_in(installation: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "sidecarctl", "validate", "-"]
    environment = {**os.environ, "PYTHONPATH": str(installation), "PYTHONSAFEPATH": "1"}
    bad = POD.replace("image:", "colour: red\n      image:")
    return subprocess.run(
        words, input=bad, capture_output=True, text=True, env=environment, cwd=installation, check=False
    )


def test_installation_without_rules_is_an_error(installation: Path) -> None:
    for module in (installation / "sidecarctl" / "validate" / "rules" / "api").glob("*.py"):
        if module.stem != "__init__":
            module.unlink()
    done = validate_in(installation)
    assert done.returncode == 3 and "incomplete installation" in done.stderr


def test_installation_of_compiled_files_has_all_rules(installation: Path) -> None:
    whole = validate_in(installation)
    compileall.compile_dir(installation / "sidecarctl", quiet=2, legacy=True)
    for module in (installation / "sidecarctl").rglob("*.py"):
        module.unlink()
    done = validate_in(installation)
    assert done.returncode == 1 and "unknown field" in done.stdout
    assert done.stdout == whole.stdout


def test_limited_work_runs_in_webassembly_where_fork_always_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise OSError(52, "Function not implemented")

    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setattr(os, "fork", fail, raising=False)
    assert limited_worker.run_limited(len, "abc") == 3
