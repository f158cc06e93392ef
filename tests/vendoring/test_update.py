"""`library update` moves a library to the current commit of its ref, and reports what that means for manifests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.catalog.entry_files import checksum, read_yaml
from sidecarctl.cli.library_report import get_update
from sidecarctl.vendoring import git as module
from sidecarctl.vendoring.changes import compare_libraries
from sidecarctl.vendoring.lock import read_lock
from tests.calls import count_calls
from tests.vendoring.repository_kit import commit, git, sidecarctl, snapshot, write_sidecar


def test_update_lists_versions_changelog_and_the_next_command(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme@main", shop).code == 0
    write_sidecar(acme, version="1.1.0", changelog="- Adds a probe.")
    write_sidecar(acme, name="other")
    commit(acme)
    check = sidecarctl("library update --check", shop)
    assert (check.code, "would update library acme" in check.stderr) == (1, True), check.stderr
    done = sidecarctl("library update", shop)
    assert done.code == 0, done.stderr
    for text in ("agent 1.0.0 -> 1.1.0", "changes in 1.1.0:", "- Adds a probe.", "other 1.0.0 (new)"):
        assert text in done.stderr
    assert "sidecarctl upgrade --diff" in done.stderr
    assert "no longer has version 1.0.0" in done.stderr
    assert sidecarctl("library verify", shop).code == 0
    again = sidecarctl("library update --check", shop)
    assert (again.code, "is up to date" in again.stderr) == (0, True)


def test_update_of_one_library_leaves_the_others(acme: Path, shop: Path) -> None:
    for name in ("one", "two"):
        assert sidecarctl(f"library add {name} ../acme", shop).code == 0
    write_sidecar(acme, version="2.0.0")
    commit(acme)
    assert sidecarctl("library update two", shop).code == 0
    files = snapshot(shop)
    assert b"version: 1.0.0" in files["libraries/one/agent/sidecar.yaml"]
    assert b"version: 2.0.0" in files["libraries/two/agent/sidecar.yaml"]
    unknown = sidecarctl("library update tow", shop)
    assert (unknown.code, 'did you mean "two"?' in unknown.stderr) == (2, True)


def test_another_ref_is_given_after_the_name(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme@v1.0.0", shop).code == 0
    write_sidecar(acme, version="1.1.0")
    commit(acme)
    git(acme, "tag", "v1.1.0")
    done = sidecarctl("library update acme@v1.1.0", shop)
    assert done.code == 0, done.stderr
    assert "warning" not in done.stderr
    assert "ref: v1.1.0\n" in (shop / "sidecarctl.lock").read_text()


def test_moved_tag_and_rewritten_branch_are_reported(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add tagged ../acme@v1.0.0", shop).code == 0
    assert sidecarctl("library add branch ../acme@main", shop).code == 0
    write_sidecar(acme, version="6.6.6")
    git(acme, "add", "--all")
    git(acme, "commit", "--quiet", "--amend", "--message", "rewritten")
    git(acme, "tag", "--force", "v1.0.0")
    done = sidecarctl("library update -q", shop)
    assert done.code == 0, done.stderr
    assert "warning: library tagged: the tag v1.0.0 moved from commit" in done.stderr
    assert "warning: library branch: the branch main was rewritten" in done.stderr


@pytest.mark.parametrize("new_commit", [True, False])
@pytest.mark.parametrize(("before", "after"), [("tag", "branch"), ("branch", "tag")])
def test_ref_of_another_kind_is_reported(before: str, after: str, new_commit: bool, acme: Path, shop: Path) -> None:
    git(acme, before, "stable")
    assert sidecarctl("library add acme ../acme@stable", shop).code == 0
    assert f"  ref: stable\n  kind: {before}\n" in (shop / "sidecarctl.lock").read_text()
    if new_commit:
        write_sidecar(acme, version="6.6.6")
        commit(acme)
    git(acme, before, "-d" if before == "tag" else "-D", "stable")
    git(acme, after, "stable")
    for words in ("--check", "--quiet"):
        done = sidecarctl(f"library update {words}", shop)
        assert f"warning: library acme: stable was a {before} at commit" in done.stderr
        assert f" and is now a {after} at commit" in done.stderr
    assert f"  ref: stable\n  kind: {after}\n" in (shop / "sidecarctl.lock").read_text()
    assert "warning" not in sidecarctl("library update", shop).stderr


def test_kind_is_recorded_only_for_a_branch_or_tag(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add default ../acme", shop).code == 0
    assert sidecarctl(f"library add commit ../acme@{git(acme, 'rev-parse', 'HEAD')}", shop).code == 0
    assert {line for line in (shop / "sidecarctl.lock").read_text().splitlines() if "kind:" in line} == {
        "kind: LibraryLock"
    }


def test_lock_file_without_kinds_is_read_and_gets_them(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme@v1.0.0", shop).code == 0
    lock = shop / "sidecarctl.lock"
    text = lock.read_text()
    lock.write_text(text.replace("  kind: tag\n", ""))
    assert lock.read_text() != text
    assert sidecarctl("library verify", shop).code == 0
    done = sidecarctl("library update", shop)
    assert (done.code, "warning" in done.stderr) == (0, False), done.stderr
    assert lock.read_text() == text


@pytest.mark.skipif(os.name == "nt", reason="needs a shell script as SSH")
@pytest.mark.parametrize("hidden", [True, False])
def test_server_cannot_hide_that_a_branch_was_rewritten(hidden: bool, acme: Path, shop: Path, tmp_path: Path) -> None:
    """The server gives the rewritten branch to the first two connections, or to all of an update."""
    shutil.copytree(acme, tmp_path / "rewritten")
    write_sidecar(tmp_path / "rewritten", version="6.6.6")
    git(tmp_path / "rewritten", "commit", "--quiet", "--all", "--amend", "--message", "rewritten")
    ssh, connections = tmp_path / "ssh.sh", tmp_path / "connections"
    ssh.write_text(
        f"#!/bin/sh\necho >> {connections}\n[ $(wc -l < {connections}) -le $REWRITTEN ] && served=rewritten || served=acme\n"
        f'exec git-upload-pack "{tmp_path}/$served"\n'
    )
    ssh.chmod(0o755)
    given = {"GIT_SSH_COMMAND": str(ssh), "GIT_SSH_VARIANT": "ssh"}
    assert sidecarctl("library add acme ssh://git.example/acme@main", shop, **given, REWRITTEN="0").code == 0
    connections.unlink()
    done = sidecarctl("library update", shop, **given, REWRITTEN="2" if hidden else "9")
    assert (done.code, "1.0.0 -> 6.6.6" in done.stderr) == (0, True), done.stderr
    expected = "cannot determine whether the branch main still contains" if hidden else "the branch main was rewritten"
    assert f"warning: library acme: {expected}" in done.stderr


def test_git_has_one_deadline_for_a_library(acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sidecarctl("library add acme ../acme@main", shop).code == 0
    write_sidecar(acme, version="1.0.1")
    commit(acme)
    monkeypatch.chdir(shop)
    deadlines: list[float] = []
    run_git = module._Git.run

    def run_and_note(self: module._Git, *words: str, **more: Any) -> bytes:
        deadlines.append(self.deadline)
        return run_git(self, *words, **more)

    monkeypatch.setattr(module._Git, "run", run_and_note)
    update = get_update(read_lock(Path("sidecarctl.lock")).libraries["acme"], None, Path())
    assert update.sidecars and not update.warnings
    assert len(deadlines) > 5 and len(set(deadlines)) == 1


def test_new_commit_on_a_branch_is_no_warning(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add branch ../acme@main", shop).code == 0
    write_sidecar(acme, version="1.0.1")
    commit(acme)
    done = sidecarctl("library update", shop)
    assert (done.code, "warning" in done.stderr) == (0, False), done.stderr


def test_changed_files_without_a_new_version_are_reported(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    (acme / "agent" / "template.yaml.j2").write_text("containers: [{name: {{ instance }}, image: x:2}]\n")
    commit(acme)
    assert "its files changed, and its version did not" in sidecarctl("library update", shop).stderr


def test_forged_checksum_does_not_hide_a_change(tmp_path: Path) -> None:
    old, new = (tmp_path / name for name in ("old", "new"))
    for library, comment in ((old, b"plumless"), (new, b"buckeroo")):  # both have the CRC-32 4ddb0c25
        write_sidecar(library)
        (library / "agent/notes.txt").write_bytes(comment)
    assert checksum(old / "agent") == checksum(new / "agent")
    assert [one.rewritten for one in compare_libraries(old, new)] == [True]


def test_metadata_of_a_library_is_read_once(tmp_path: Path) -> None:
    old, new = (tmp_path / name for name in ("old", "new"))
    for library in (old, new):
        for name in ("one", "two"):
            write_sidecar(library, name)
    calls = count_calls(lambda: compare_libraries(old, new), read_yaml.__code__)
    assert calls["read_yaml"] == 4


def test_files_changed_by_hand_are_overwritten_only_with_force(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    before = snapshot(shop)
    (shop / "libraries" / "acme" / "LICENSE").write_text("mine\n")
    refused = sidecarctl("library update", shop)
    assert (refused.code, "libraries/acme/LICENSE: changed file" in refused.stderr) == (2, True)
    assert (shop / "libraries" / "acme" / "LICENSE").read_text() == "mine\n"
    done = sidecarctl("library update --force", shop)
    assert (done.code, "changed files overwritten" in done.stderr) == (0, True), done.stderr
    assert snapshot(shop) == before


def test_missing_directory_is_restored(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    before = snapshot(shop)
    shutil.rmtree(shop / "libraries")
    missing = sidecarctl("show agent", shop)
    assert (missing.code, "sidecarctl library update acme" in missing.stderr) == (2, True)
    assert sidecarctl("library update acme", shop).code == 0
    assert snapshot(shop) == before


@pytest.mark.parametrize("break_it", ["repository", "ref", "sidecars"])
def test_failed_update_changes_nothing(break_it: str, acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme@v1.0.0", shop).code == 0
    assert sidecarctl("library add fine ../acme@main", shop).code == 0
    write_sidecar(acme, version="2.0.0")
    commit(acme)
    if break_it == "ref":
        git(acme, "tag", "--delete", "v1.0.0")
    elif break_it == "sidecars":
        git(acme, "rm", "-r", "--quiet", "agent")
        commit(acme)
    else:
        acme.rename(acme.with_name("gone"))
    before = snapshot(shop)
    assert sidecarctl("library update", shop).code in (2, 3)
    assert snapshot(shop) == before


def test_file_in_the_place_of_a_library_is_replaced(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    before = snapshot(shop)
    shutil.rmtree(shop / "libraries/acme")
    (shop / "libraries/acme").write_text("no directory")
    done = sidecarctl("library update --force", shop)
    assert done.code == 0, done.stderr
    assert snapshot(shop) == before
    assert [path.name for path in (shop / "libraries").iterdir()] == ["acme"]
