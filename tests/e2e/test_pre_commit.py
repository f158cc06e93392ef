"""The hooks with pre-commit, installed from this repository into a temporary one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import ROOT, Outcome
from tests.programs import environment, execute, program

pytestmark = pytest.mark.e2e

EXAMPLES = ROOT / "examples" / "integrations"
# The files that pre-commit needs to install the hooks from a repository.
SHIPPED = (
    ".pre-commit-hooks.yaml",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "sidecarctl",
    "library",
    "schemas",
)
IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "test"), ("EMAIL", "test@example.com"))
}


def git(folder: Path, env: dict[str, str], *words: str) -> None:
    done = execute(["git", *words], folder, env)
    assert done.code == 0, done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the repository `sidecarctl` and the cache of pre-commit, shared by all tests."""
    folder = tmp_path_factory.mktemp("home")
    source = folder / "sidecarctl"
    source.mkdir()
    for name in SHIPPED:
        kept = shutil.ignore_patterns("__pycache__")
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=kept)
        else:
            shutil.copy(ROOT / name, source)
    env = environment(folder, **IDENTITY)
    git(source, env, "init", "--quiet")
    git(source, env, "add", "--all")
    git(source, env, "commit", "--quiet", "--message", "everything")
    git(source, env, "tag", "v0.1.0")
    return folder


@pytest.fixture
def repository(home: Path, tmp_path: Path) -> Path:
    """A repository with the manifests and configuration of the example, all staged."""
    shutil.copytree(EXAMPLES / "manifests", tmp_path / "r" / "manifests")
    config = yaml.safe_load((EXAMPLES / "pre-commit" / ".pre-commit-config.yaml").read_text())
    write(tmp_path / "r", home, config)
    env = environment(home, **IDENTITY)
    git(tmp_path / "r", env, "init", "--quiet")
    git(tmp_path / "r", env, "add", "--all")
    return tmp_path / "r"


def write(repository: Path, home: Path, config: Any) -> None:
    config["repos"][0]["repo"] = str(home / "sidecarctl")
    (repository / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))


def hooks(repository: Path, home: Path) -> Outcome:
    env = environment(home, PRE_COMMIT_HOME=str(home / "cache"), **IDENTITY)
    # Use the sidecarctl that pre-commit installs, not the one on PATH.
    env["PATH"] = env["PATH"].partition(":")[2]
    env.pop("PYTHONPATH", None)
    return execute([program("pre-commit"), "run", "--all-files"], repository, env, timeout=600)


def test_check_hook_fails_until_manifests_are_rendered(repository: Path, home: Path) -> None:
    before = (repository / "manifests" / "web.yaml").read_text()
    failed = hooks(repository, home)
    assert failed.code == 1, failed.stdout + failed.stderr
    assert "Deployment/web: would add logger" in failed.stdout
    assert (repository / "manifests" / "web.yaml").read_text() == before
    env = environment(home)
    words = ["sidecarctl", "render", "-c", "manifests/sidecarctl.yaml", "-f", "manifests", "-i"]
    assert execute(words, repository, env).code == 0
    git(repository, env, "add", "--all")
    passed = hooks(repository, home)
    assert passed.code == 0, passed.stdout + passed.stderr


def test_render_hook_fails_once_and_validate_hook_passes(repository: Path, home: Path) -> None:
    args = ["-c", "manifests/sidecarctl.yaml", "-f", "manifests"]
    wanted = [{"id": "sidecarctl-render", "args": args}, {"id": "sidecarctl-validate", "args": ["-f", "manifests"]}]
    write(repository, home, {"repos": [{"rev": "v0.1.0", "hooks": wanted}]})
    env = environment(home)
    git(repository, env, "add", "--all")
    first = hooks(repository, home)
    assert first.code == 1
    assert "files were modified by this hook" in first.stdout
    git(repository, env, "add", "--all")
    second = hooks(repository, home)
    assert second.code == 0, second.stdout + second.stderr
