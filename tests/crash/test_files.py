"""Unusual files and disks: full or read-only disks, links, pipes, loops, and names that are not valid text."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecarctl.files import write
from tests.command import run
from tests.crash.helpers import POD, start, temporary_files, wait, write_pods

ADD = "sidecarctl add logger -q -i -f ."
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A separate file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_leaves_every_file_unchanged(disk: Path) -> None:
    texts = write_pods(disk, 50)  # 200 KiB, so that a second copy does not fit
    outcome = run(ADD, disk)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "No space left on device; no files written" in outcome.stderr
    assert all(path.read_text() == old for path, old in texts.items())
    assert set(disk.iterdir()) == set(texts)


def test_read_only_disk_leaves_every_file_unchanged(disk: Path) -> None:
    texts = write_pods(disk, 3)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    outcome = run(ADD, disk)
    assert outcome.code == 3
    assert "no files written" in outcome.stderr
    assert all(path.read_text() == old for path, old in texts.items())


@posix
def test_read_only_directory_leaves_every_file_unchanged(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can write to read-only directories")
    texts = write_pods(tmp_path / "closed", 2)
    (tmp_path / "closed").chmod(0o555)
    outcome = run(ADD, tmp_path)
    (tmp_path / "closed").chmod(0o755)
    assert outcome.code == 3
    assert "no files written" in outcome.stderr
    assert all(path.read_text() == old for path, old in texts.items())


@posix
def test_full_stdout_is_an_error_not_a_bug(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full does not exist")
    write_pods(tmp_path, 1)
    for arguments in ("add logger -f .", "validate -f .", "--help", "list"):
        with open("/dev/full", "w") as full:
            command = [sys.executable, "-m", "sidecarctl", *arguments.split()]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 3, done.stderr
        assert "cannot write to stdout" in done.stderr


@posix
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("add logger -f web-000.yaml", 0),
        ("add logger -f web-000.yaml --diff", 0),
        ("add nothing -f web-000.yaml", 2),
        ("add logger -f missing.yaml", 3),
        ("validate -f web-000.yaml", 0),
        ("validate --fix -f -", 0),
        ("status -f web-000.yaml", 0),
        ("graph -f web-000.yaml", 0),
        ("", 2),
    ],
)
def test_full_stderr_does_not_change_the_result(arguments: str, code: int, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full does not exist")
    write_pods(tmp_path, 1)
    command = [sys.executable, "-m", "sidecarctl", *arguments.split()]
    text = (tmp_path / "web-000.yaml").read_bytes()
    whole = subprocess.run(command, capture_output=True, input=text, cwd=tmp_path, check=False)
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, input=text, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (code, whole.stdout)


@posix
@pytest.mark.parametrize("command", ["post-render", "krm", "add logger", "add logger --kind Pod -"])
def test_stdin_open_for_writing_only_is_an_error_about_stdin(command: str, tmp_path: Path) -> None:
    with (tmp_path / "written").open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "sidecarctl", *command.split()],
            stdin=stream, capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: cannot read stdin: Bad file descriptor\n")


@posix
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_closed_standard_stream_is_not_a_bug(closed: str, tmp_path: Path) -> None:
    write_pods(tmp_path, 1)
    command = f'"{sys.executable}" -m sidecarctl add logger -f web-000.yaml -i {closed}'
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "internal error" not in done.stderr
    assert "logger" in (tmp_path / "web-000.yaml").read_text()


@posix
@pytest.mark.parametrize("arguments", ["add logger -f web-000.yaml", "validate -f web-000.yaml", "list", "--help"])
def test_result_for_a_closed_stdout_is_an_error(arguments: str, tmp_path: Path) -> None:
    write_pods(tmp_path, 1)
    command = f'"{sys.executable}" -m sidecarctl {arguments} >&-'
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "cannot write to stdout: it is closed" in done.stderr


@posix
@pytest.mark.parametrize(
    "arguments", ["add logger -f -", "validate -f -", "krm", "post-render", "render", "status -f -"]
)
def test_closed_stdin_is_empty(arguments: str, tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m sidecarctl {arguments} <&-'
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in (2, 3)
    assert done.stderr.startswith("error: ")
    assert "bug" not in done.stderr


@posix
def test_keeps_mode_owner_and_link_and_replaces_the_target(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "target.txt", tmp_path / "web.yaml"
    real.write_text(POD.format(1))
    real.chmod(0o640)
    link.symlink_to(real)
    assert run(ADD, tmp_path).code == 0
    assert link.is_symlink()
    assert "logger" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    if os.geteuid() == 0:
        real.write_text(POD.format(1))
        os.chown(real, 1234, 1234)
        assert run(ADD, tmp_path).code == 0
        assert (real.stat().st_uid, real.stat().st_gid) == (1234, 1234)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_keeps_extended_attributes(tmp_path: Path) -> None:
    (file,) = [tmp_path / name for name in write_pods(tmp_path, 1)]
    try:
        os.setxattr(file, "user.team", b"shop")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    assert run(ADD, tmp_path).code == 0
    assert os.getxattr(file, "user.team") == b"shop"


def test_access_list_of_the_directory_does_not_reach_a_replaced_file(tmp_path: Path) -> None:
    """A file can be older than the default access control list of its directory."""
    (file,) = [tmp_path / name for name in write_pods(tmp_path, 1)]
    entries = [
        (1, 6, -1),
        (2, 6, 65534),
        (4, 4, -1),
        (16, 6, -1),
        (32, 0, -1),
    ]  # u::rw-, u:65534:rw-, g::r--, m::rw-, o::---
    try:
        os.setxattr(
            tmp_path,
            "system.posix_acl_default",
            struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *each) for each in entries),
        )
    except OSError:
        pytest.skip("the file system has no access control lists")
    assert run(ADD, tmp_path).code == 0
    assert os.listxattr(file) == []
    assert run(f"{ADD.replace(' -i', '')} -o new/", tmp_path).code == 0
    assert (tmp_path / "new" / file.name).stat().st_mode & 0o007 == 0


def test_says_which_owner_and_attributes_are_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    file = tmp_path / "web.yaml"
    file.write_text("old\n")
    foreign = os.stat_result((0o644, 0, 0, 1, 1234, 1234, 4, 0, 0, 0))
    monkeypatch.setattr(os, "chown", refuse, raising=False)
    monkeypatch.setattr(os, "setxattr", refuse, raising=False)
    monkeypatch.setattr(os, "getxattr", lambda *_: b"shop", raising=False)
    monkeypatch.setattr(os, "listxattr", lambda *_: ["user.team", "security.selinux"], raising=False)
    keep = write._copy_owner
    monkeypatch.setattr(write, "_copy_owner", lambda path, _, new: keep(path, foreign, new))
    lost = write.write_all([write.Write(file, "new\n")])
    assert file.read_text() == "new\n"
    assert len(lost) == 2
    assert "only root can give a new file to user 1234 and group 1234" in lost[0]
    assert "has lost its extended attribute user.team" in lost[1]


@posix
def test_link_next_to_its_target_is_processed_once(tmp_path: Path) -> None:
    write_pods(tmp_path, 1)
    (tmp_path / "a-link.yaml").symlink_to("web-000.yaml")
    outcome = run(ADD, tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert (tmp_path / "a-link.yaml").is_symlink()
    assert (tmp_path / "web-000.yaml").read_text().count("- name: logger\n") == 1


@posix
def test_other_name_of_a_hard_link_keeps_the_old_text(tmp_path: Path) -> None:
    write_pods(tmp_path, 1)
    os.link(tmp_path / "web-000.yaml", tmp_path / "kept.txt")
    assert run(ADD, tmp_path).code == 0
    assert "logger" in (tmp_path / "web-000.yaml").read_text()
    assert (tmp_path / "kept.txt").read_text() == POD.format(0)


@posix
def test_circular_or_broken_link_is_an_error(tmp_path: Path) -> None:
    texts = write_pods(tmp_path, 1)
    for target, why in (("loop.yaml", "symbolic links"), ("nowhere.yaml", "No such file")):
        link = tmp_path / "loop.yaml"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        outcome = run(ADD, tmp_path)
        assert outcome.code == 3
        assert "cannot read loop.yaml" in outcome.stderr
        assert why in outcome.stderr
    assert all(path.read_text() == old for path, old in texts.items())


@posix
def test_directory_that_contains_itself_is_walked_once(tmp_path: Path) -> None:
    write_pods(tmp_path / "deep", 1)
    (tmp_path / "deep" / "again").symlink_to(tmp_path, target_is_directory=True)
    outcome = run("sidecarctl validate -f .", tmp_path)
    assert (outcome.code, outcome.stdout) == (0, "no findings in 1 file\n")


@posix
def test_pipe_is_skipped_in_a_directory_and_read_if_named(tmp_path: Path) -> None:
    write_pods(tmp_path, 1)
    os.mkfifo(tmp_path / "pipe.yaml")
    assert run("sidecarctl validate -f .", tmp_path).stdout == "no findings in 1 file\n"
    process = start("add logger -q -f pipe.yaml", tmp_path)
    (tmp_path / "pipe.yaml").write_text(POD.format(1))
    assert wait(process)[0] == 0
    process = start("add logger -q -i -f pipe.yaml", tmp_path)
    (tmp_path / "pipe.yaml").write_text(POD.format(1))
    code, stderr = wait(process)
    assert code == 3
    assert "pipe.yaml is not a regular file" in stderr


@posix
def test_device_or_pipe_is_written_to_not_replaced(tmp_path: Path) -> None:
    write_pods(tmp_path, 1)
    os.mkfifo(tmp_path / "out")
    process = start("add logger -q -f web-000.yaml -o out", tmp_path)
    assert "- name: logger\n" in (tmp_path / "out").read_text()
    assert wait(process)[0] == 0
    assert stat.S_ISFIFO((tmp_path / "out").stat().st_mode)
    assert "- name: logger\n" in run("sidecarctl add logger -q -f web-000.yaml -o /dev/stdout", tmp_path).stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux allows such names")
def test_file_name_can_contain_invalid_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"w\xff\xe9b.yaml")
    path.write_text(POD.format(1).replace("web-1", "Web"))
    for words in ("validate -f .", "graph -f .", "status -f .", "add logger -f . --diff"):
        outcome = run(f"sidecarctl {words}", tmp_path)
        assert outcome.code in (0, 1), outcome.stderr
        assert "internal error" not in outcome.stderr
    for format_name in ("json", "sarif", "github", "gitlab", "junit", "markdown"):
        outcome = run(f"sidecarctl validate -f . --format {format_name}", tmp_path)
        assert "internal error" not in outcome.stderr
        assert "invalid-object-name" in outcome.stdout
        outcome.raw.decode("utf-8")
    path.write_text(POD.format(1))
    assert run(ADD, tmp_path).code == 0
    (tmp_path / "out").mkdir()
    assert run("sidecarctl add logger -q -f . -o out", tmp_path).code == 0
    assert [one.name for one in (tmp_path / "out").iterdir()] == [path.name]
    assert "logger" in path.read_text()


def test_file_name_of_maximum_length_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 120 + ".yaml")
    path.write_text(POD.format(1))
    assert run(ADD, tmp_path).code == 0
    assert "logger" in path.read_text()
    assert temporary_files(tmp_path) == []
