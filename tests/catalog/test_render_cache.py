"""Tests of the rendering cache: used only if it is private and up to date."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sidecarctl.catalog import render_cache

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: nginx:1.29
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: noter, version: 1.0.0, summary: Notes.}
spec:
  parameters:
    properties:
      word: {type: string, default: hello%s}
"""
TEMPLATE = """\
containers:
  - name: {{ instance }}
    image: busybox:1.37
    args: [{{ params.word | tojson }}, first]
"""
pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="the cache requires a POSIX system")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "lib" / "noter"
    folder.mkdir(parents=True)
    (folder / "sidecar.yaml").write_text(SIDECAR % "")
    (folder / "template.yaml.j2").write_text(TEMPLATE)
    return tmp_path / "lib"


def run(library: Path, *more: str, environment: dict[str, str] | None = None) -> str:
    inherited = {k: v for k, v in os.environ.items() if k != "SIDECARCTL_NO_CACHE"}
    cache = {"XDG_CACHE_HOME": str(library.parent / "cache")}
    command = [sys.executable, "-m", "sidecarctl", "add", "noter", "-q", "--library", str(library), *more]
    done = subprocess.run(
        command, input=MANIFEST, capture_output=True, text=True, env={**inherited, **cache, **(environment or {})}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(library: Path) -> list[Path]:
    folder = library.parent / "cache" / "sidecarctl"
    return sorted(folder.iterdir()) if folder.exists() else []


def spoil(library: Path) -> None:
    """Change the cached renderings to detect their use."""
    for file in files(library):
        text = file.read_text().partition("\n")[2].replace("first", "kept")
        file.write_text(f"{hashlib.sha256(f'{file.name} {text}'.encode()).hexdigest()}\n{text}")


def test_uses_cached_rendering(library: Path) -> None:
    assert "first" in run(library)
    spoil(library)
    assert "kept" in run(library)


def test_cache_is_private(library: Path) -> None:
    run(library)
    assert files(library)
    assert {file.stat().st_mode & 0o777 for file in files(library)} == {0o600}
    assert files(library)[0].parent.stat().st_mode & 0o777 == 0o700


def test_renders_again_after_changes(library: Path) -> None:
    run(library)
    spoil(library)
    assert "first" in run(library, "--set", "word=other")
    (library / "noter" / "template.yaml.j2").write_text(TEMPLATE.replace("1.37", "1.36"))
    assert "first" in run(library)


@pytest.mark.parametrize("mode", [0o750, 0o702])
def test_ignores_accessible_directory(library: Path, mode: int) -> None:
    run(library)
    spoil(library)
    files(library)[0].parent.chmod(mode)
    assert "first" in run(library)


def test_ignores_symbolic_links(library: Path, tmp_path: Path) -> None:
    run(library)
    spoil(library)
    for file in files(library):
        file.rename(tmp_path / file.name)
        file.symlink_to(tmp_path / file.name)
    assert "first" in run(library)
    folder = library.parent / "cache" / "sidecarctl"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert "first" in run(library)


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", "5", '{"containers": 5}', "[" * 100_000, "\xff"])
def test_ignores_damaged_files(text: str, library: Path) -> None:
    run(library)
    for file in files(library):
        file.write_text(text)
    assert "first" in run(library)


def test_ignores_files_of_another_rendering(library: Path) -> None:
    run(library)
    contents = [file.read_bytes() for file in files(library)]
    assert len(contents) > 1
    for file, content in zip(files(library), contents[1:] + contents[:1]):
        file.write_bytes(content)
    assert "first" in run(library)


@pytest.mark.parametrize("special", ["pipe", "large file", "directory"])
def test_ignores_special_files(special: str, library: Path) -> None:
    run(library)
    for file in files(library):
        file.unlink()
        if special == "pipe":
            os.mkfifo(file, 0o600)
        elif special == "directory":
            file.mkdir()
        else:
            file.touch(0o600)
            os.truncate(file, 20 << 30)
    before = len(files(library))
    assert "first" in run(library)
    assert len(files(library)) == before, "no temporary file remains"


def test_ignores_unwritable_directory(library: Path) -> None:
    (library.parent / "cache").write_text("")
    assert "first" in run(library)


def test_environment_variable_disables_the_cache(library: Path) -> None:
    assert "first" in run(library, environment={"SIDECARCTL_NO_CACHE": "1"})
    assert files(library) == []


def test_does_not_cache_secrets(library: Path) -> None:
    (library / "noter" / "sidecar.yaml").write_text(SIDECAR % ", writeOnly: true")
    assert "first" in run(library, "--set", "word=geheim")
    assert files(library) == []


def test_full_cache_keeps_files_that_are_no_renderings(library: Path) -> None:
    run(library)
    folder = files(library)[0].parent
    for number in range(300):
        (folder / f"{number:064x}").write_text("old")
    (folder / "post-render.log").write_text("runs\n")
    (folder / ".rendering.x.sidecarctl").write_text("of a killed run")
    run(library, "--set", "word=other")
    assert (folder / "post-render.log").read_text() == "runs\n"
    assert not (folder / f"{0:064x}").exists()
    assert not (folder / ".rendering.x.sidecarctl").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_a_rendering_is_stored_leaves_no_temporary_file(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", lambda *_: signal.raise_signal(number))
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        render_cache._write(tmp_path, "0" * 64, "text")
    assert not list(tmp_path.iterdir())
