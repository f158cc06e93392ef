"""A run of `library` that is interrupted, or that another run overtakes, leaves nothing behind and loses nothing."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecarctl.errors import InputError, SidecarctlError, UsageError
from sidecarctl.files.signals import end_on_signals, temporary_directory
from sidecarctl.vendoring.get import get_library
from sidecarctl.vendoring.install import install
from sidecarctl.vendoring.lock import read_lock
from sidecarctl.vendoring.uninstall import uninstall
from tests.crash.helpers import start, wait, wait_until
from tests.vendoring.repository_kit import commit, sidecarctl, snapshot, write_sidecar


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal_while_git_runs_leaves_no_temporary_directory(
    number: int, tmp_path: Path, acme: Path, shop: Path
) -> None:
    programs, temporary = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexec sleep 60\n")
    (programs / "git").chmod(0o755)
    before = snapshot(shop)
    process = start("library add acme ../acme", shop, PATH=f"{programs}:{os.environ['PATH']}", TMPDIR=str(temporary))
    wait_until((tmp_path / "started").exists, process)
    assert list(temporary.iterdir())
    process.send_signal(number)
    assert wait(process)[0] == (130 if number == signal.SIGINT else 128 + number)
    assert (list(temporary.iterdir()), snapshot(shop)) == ([], before)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("step", ["mkdtemp", "rmtree"])
def test_signal_while_a_temporary_directory_is_created_or_removed_leaves_none(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    module = {"mkdtemp": tempfile, "rmtree": shutil}[step]
    original = getattr(module, step)
    sent: list[int] = []

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        if step == "rmtree" and not sent:
            sent.append(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
        done = original(*args, **kwargs)
        if not sent:
            sent.append(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
        return done

    monkeypatch.setattr(module, step, interrupted)
    with pytest.raises(SystemExit), end_on_signals(), temporary_directory() as directory:
        (directory / "file").write_text("x")
    assert (sent, list(tmp_path.iterdir())) == ([signal.SIGTERM], [])


def test_temporary_directory_that_cannot_be_created_is_an_error(
    acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(shop)
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(InputError, match="cannot create a temporary directory: No space left on device") as raised:
        get_library("one", "../acme", "", Path())
    assert "TMPDIR" in raised.value.hint


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_signal_while_git_starts_leaves_no_process(
    acme: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = subprocess.Popen
    started: list[subprocess.Popen[bytes]] = []

    def interrupted(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        started.append(original(["sleep", "60"], start_new_session=True))
        signal.raise_signal(signal.SIGTERM)
        return started[0]

    monkeypatch.chdir(shop)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(SystemExit), end_on_signals():
        get_library("one", "../acme", "", Path())
    (process,) = started
    assert process.returncode == -signal.SIGKILL
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("first", [True, False], ids=["no lock file yet", "another library"])
def test_lock_file_that_another_run_changed_is_not_overwritten(
    first: bool, acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    if not first:
        assert sidecarctl("library add zero ../acme", shop).code == 0
    lock = read_lock(Path("sidecarctl.lock"))
    found = get_library("one", "../acme", "", Path())
    assert sidecarctl("library add two ../acme", shop).code == 0
    before = snapshot(shop)
    with pytest.raises(SidecarctlError, match="changed since it was read"):
        install([found], lock)
    assert snapshot(shop) == before
    libraries = yaml.safe_load(Path("sidecarctl.lock").read_text())["libraries"]
    assert [one["name"] for one in libraries if one["name"] != "zero"] == ["two"]


@pytest.mark.skipif(os.name != "posix", reason="needs a shell script")
@pytest.mark.parametrize("command", ["add new ../acme", "update"])
def test_file_that_is_changed_while_git_fetches_is_not_overwritten(
    command: str, acme: Path, shop: Path, tmp_path: Path
) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    write_sidecar(acme, version="2.0.0")
    commit(acme)
    name = command.split()[1] if "add" in command else "acme"
    edited = shop / "libraries" / name / "agent/template.yaml.j2"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").write_text(
        f'#!/bin/sh\ncase " $* " in *" fetch "*) mkdir -p {edited.parent}; echo "# mine" >> {edited};; esac\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    (programs / "git").chmod(0o755)
    before = snapshot(shop)
    failed = sidecarctl(f"library {command}", shop, PATH=f"{programs}:{os.environ['PATH']}")
    assert failed.code == 2, failed.stderr
    assert f"libraries/{name}" in failed.stderr
    assert ".sidecarctl" not in failed.stderr
    assert edited.read_text().endswith("# mine\n")
    path = edited.relative_to(shop).as_posix()
    assert snapshot(shop) == {**before, path: edited.read_bytes()}


def test_file_that_is_changed_while_uses_are_searched_is_not_deleted(
    acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    assert sidecarctl("library add acme ../acme", shop).code == 0
    lock = read_lock(Path("sidecarctl.lock"))
    Path("libraries/acme/LICENSE").write_text("mine\n")
    before = snapshot(shop)
    with pytest.raises(UsageError, match=r"were changed: libraries/acme/LICENSE: changed file"):
        uninstall(lock.libraries["acme"], lock, ())
    assert snapshot(shop) == before
    uninstall(lock.libraries["acme"], lock, (), force=True)
    assert not Path("libraries").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("action", ["add", "remove"])
def test_signal_during_a_change_takes_effect_when_the_change_is_complete(
    action: str, before: bool, acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    if action == "remove":
        assert sidecarctl("library add one ../acme", shop).code == 0
    module = importlib.import_module(f"sidecarctl.vendoring.{'install' if action == 'add' else 'uninstall'}")
    write_all = module.write_all

    def interrupted(writes: Any) -> Any:
        if before:
            signal.raise_signal(signal.SIGINT)
        done = write_all(writes)
        if not before:
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(module, "write_all", interrupted)
    lock = read_lock(Path("sidecarctl.lock"))
    with pytest.raises(KeyboardInterrupt):
        if action == "add":
            module.install([get_library("one", "../acme", "", Path())], lock)
        else:
            module.uninstall(lock.libraries["one"], lock, [])
    if action == "add":
        assert sidecarctl("library verify", shop).code == 0
        assert [path.name for path in (shop / "libraries").iterdir()] == ["one"]
    else:
        assert snapshot(shop).keys() == {"web.yaml"}


@pytest.mark.skipif(os.name != "posix", reason="needs locks of directories")
@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_run_that_fails_leaves_what_another_one_installed(
    action: str, acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    assert sidecarctl("library add one ../acme", shop).code == 0
    lock = read_lock(Path("sidecarctl.lock"))
    module = importlib.import_module(f"sidecarctl.vendoring.{action}")
    wait_for_lock = module.lock_directory

    def update_first(directory: Any) -> None:
        text = lock.path.read_text()
        lock.path.write_text(f"{text}# of another run\n")
        (shop / "libraries/one/new").write_text("of another run")
        wait_for_lock(directory)

    monkeypatch.setattr(module, "lock_directory", update_first)
    with pytest.raises(SidecarctlError, match="changed since it was read; nothing was changed"):
        if action == "install":
            module.install([get_library("one", "../acme", "", Path())], lock)
        else:
            module.uninstall(lock.libraries["one"], lock, [])
    assert (shop / "libraries/one/new").read_text() == "of another run"
    assert [path.name for path in (shop / "libraries").iterdir()] == ["one"]
