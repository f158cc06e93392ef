"""Git repositories with libraries, made in a temporary directory, and manifests of a repository that uses them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sidecarctl.files.tree import flatten_tree
from tests.command import Outcome, run

SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {{name: {name}, version: {version}, summary: Runs an agent.}}
spec:
  parameters: {{additionalProperties: false, properties: {{}}}}
"""
TEMPLATE = "containers:\n- {name: {{ instance }}, image: registry.example/agent:1.0.0}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: web:1}\n"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "test@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(directory: Path, *words: str, data: bytes = b"") -> str:
    """Run Git in a repository. Return its output."""
    done = subprocess.run(
        ["git", *words], cwd=directory, env=ENVIRONMENT, input=data, capture_output=True, check=True, timeout=60
    )
    return done.stdout.decode().strip()


def write_sidecar(
    library: Path, name: str = "agent", version: str = "1.0.0", changelog: str = "- First version."
) -> None:
    """Write a sidecar of a library, with a changelog entry for its version above the earlier ones."""
    folder = library / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sidecar.yaml").write_text(SIDECAR.format(name=name, version=version))
    (folder / "template.yaml.j2").write_text(TEMPLATE)
    log = folder / "CHANGELOG.md"
    earlier = log.read_text().partition("\n")[2] if log.exists() else ""
    log.write_text(f"# Changelog\n\n## {version} - 2026-11-01\n\n{changelog}\n{earlier}")


def commit(repository: Path, message: str = "change") -> str:
    """Commit all files. Return the commit."""
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", message)
    return git(repository, "rev-parse", "HEAD")


def make_library(directory: Path, below: str = "") -> Path:
    """Make a repository `acme` with a library at a tag v1.0.0. Return its directory."""
    repository = directory / "acme"
    repository.mkdir()
    git(repository, "init", "--quiet", "--initial-branch=main")
    write_sidecar(repository / below)
    (repository / below / "LICENSE").write_text("license\n")
    (repository / "notes.txt").write_text("not part of the library\n")
    commit(repository)
    git(repository, "tag", "v1.0.0")
    return repository


def make_user(directory: Path) -> Path:
    """Make a repository that uses libraries, with a manifest. Return its directory."""
    repository = directory / "shop"
    repository.mkdir()
    git(repository, "init", "--quiet", "--initial-branch=main")
    (repository / "web.yaml").write_text(POD)
    return repository


def sidecarctl(command: str, cwd: Path, **env: str) -> Outcome:
    """Run a command without the Git configuration of this machine."""
    return run(f"sidecarctl {command}", cwd, env={"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **env})


def snapshot(directory: Path) -> dict[str, bytes]:
    """Return the files of a repository by path, except those of Git."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(directory).parts
    }


@contextmanager
def deep_directory(directory: Path, levels: int) -> Iterator[None]:
    """Make a directory with `levels` directories in each other. In the end, move them up: pytest recurses to delete them."""
    at = str(directory)
    os.mkdir(at)  # noqa: PTH102
    for _ in range(levels):
        at += "/a"
        os.mkdir(at)  # noqa: PTH102
    try:
        yield
    finally:
        flatten_tree(str(directory))
