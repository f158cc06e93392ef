"""`library add` copies a library into the repository and pins it, so that every other command finds it offline."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.vendoring.repository_kit import commit, git, make_library, sidecarctl, snapshot, write_sidecar


def test_added_library_works_at_once_and_is_pinned(acme: Path, shop: Path) -> None:
    done = sidecarctl("library add acme ../acme@v1.0.0", shop)
    assert done.code == 0, done.stderr
    (locked,) = yaml.safe_load((shop / "sidecarctl.lock").read_text())["libraries"]
    assert locked["commit"] == git(acme, "rev-parse", "v1.0.0") and locked["ref"] == "v1.0.0"
    assert {"libraries/acme/agent/sidecar.yaml", "libraries/acme/LICENSE"} <= snapshot(shop).keys()
    assert "libraries/acme/notes.txt" not in snapshot(shop)
    for command in ("show agent", "library verify", "add agent -f web.yaml", "list", "schema agent"):
        after = sidecarctl(command, shop)
        assert after.code == 0, after.stderr
    for line in done.stderr.partition("next:\n")[2].splitlines():
        if line.strip().startswith("sidecarctl"):
            assert sidecarctl(line.strip().removeprefix("sidecarctl ").partition("#")[0], shop).code == 0


def test_render_finds_the_library_of_the_lock_file_next_to_its_composition(acme: Path, shop: Path) -> None:
    (shop / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: shop}\nspec:\n"
        "  rules:\n  - {select: {all: true}, sidecars: [agent]}\n"
    )
    assert sidecarctl("library add acme ../acme", shop).code == 0
    done = sidecarctl("render -c shop/sidecarctl.yaml -f shop/web.yaml", shop.parent)
    assert (done.code, "registry.example/agent:1.0.0" in done.stdout) == (0, True), done.stderr


def test_lock_file_is_next_to_the_composition_and_the_same_from_every_directory(acme: Path, shop: Path) -> None:
    (shop / "deploy" / "web").mkdir(parents=True)
    (shop / "deploy" / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: shop}\nspec: {rules: []}\n"
    )
    done = sidecarctl("library add acme ../../../acme", shop / "deploy" / "web")
    assert done.code == 0, done.stderr
    lock = (shop / "deploy" / "sidecarctl.lock").read_text()
    assert "source: ../../acme\n" in lock
    assert sidecarctl("library verify", shop / "deploy").code == 0
    assert sidecarctl("show agent", shop / "deploy" / "web").code == 0
    assert sidecarctl("show agent", shop).code == 2


def test_same_library_gives_the_same_lock_file(acme: Path, shop: Path, tmp_path: Path) -> None:
    assert sidecarctl("library add acme ../acme@v1.0.0", shop).code == 0
    first = snapshot(shop)
    for name in ("libraries", "sidecarctl.lock"):
        (shop / name).rename(tmp_path / f"old-{name}")
    assert sidecarctl("library add acme ../acme@v1.0.0", shop).code == 0
    assert snapshot(shop) == first


def test_libraries_are_sorted_so_that_a_new_one_changes_only_its_lines(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add mid ../acme", shop).code == 0
    before = (shop / "sidecarctl.lock").read_text()
    assert sidecarctl("library add a ../acme", shop).code == 0
    assert sidecarctl("library add z ../acme", shop).code == 0
    after = (shop / "sidecarctl.lock").read_text()
    assert [one["name"] for one in yaml.safe_load(after)["libraries"]] == ["a", "mid", "z"]
    assert before.partition("libraries:\n")[2] in after


def test_path_names_the_directory_of_the_library(tmp_path: Path, shop: Path) -> None:
    make_library(tmp_path, "platform/sidecars")
    missing = sidecarctl("library add acme ../acme", shop)
    assert missing.code == 2 and "use --path platform/sidecars" in missing.stderr
    assert snapshot(shop).keys() == {"web.yaml"}
    assert sidecarctl("library add acme ../acme --path platform/sidecars/", shop).code == 0
    assert "path: platform/sidecars\n" in (shop / "sidecarctl.lock").read_text()


@pytest.mark.parametrize("form", ["branch", "commit", "annotated", "default", "file"])
def test_takes_what_the_ref_names(form: str, acme: Path, shop: Path) -> None:
    first = git(acme, "rev-parse", "HEAD")
    git(acme, "branch", "release/1.0")
    git(acme, "tag", "--annotate", "--message", "first", "first")
    write_sidecar(acme, version="2.0.0")
    second = commit(acme)
    refs = {"branch": "@release/1.0", "commit": f"@{first}", "annotated": "@first", "default": "", "file": "@v1.0.0"}
    source = acme.as_uri() if form == "file" else "../acme"
    done = sidecarctl(f"library add acme {source}{refs[form]}", shop)
    assert done.code == 0, done.stderr
    (locked,) = json.loads(sidecarctl("library list --format json", shop).stdout)["libraries"]
    assert locked["commit"] == (second if form == "default" else first)
    assert locked["sidecars"] == [{"name": "agent", "version": "2.0.0" if form == "default" else "1.0.0"}]


def test_check_writes_nothing_and_reports_a_change_by_its_exit_code(acme: Path, shop: Path) -> None:
    done = sidecarctl("library add acme ../acme --check", shop)
    assert (done.code, "would add library acme" in done.stderr) == (1, True)
    assert snapshot(shop).keys() == {"web.yaml"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("add acme ../acme@v9", 'has no branch or tag "v9"'),
        ("add acme ../acme@v1.0", 'did you mean "v1.0.0"?'),
        ("add acme ../nothing", "no repository or archive at ../nothing"),
        ("add Acme ../acme", "use lowercase letters, digits, and hyphens"),
        ("add acme", "usage: sidecarctl library add NAME URL[@REF]"),
        ("ad acme ../acme", 'did you mean "add"?'),
        ("list --check", "library list does not have --check"),
        ("verify", "no libraries to verify"),
        ("update", "no libraries to update"),
    ],
)
def test_usage_errors_name_the_fix_and_write_nothing(words: str, message: str, acme: Path, shop: Path) -> None:
    done = sidecarctl(f"library {words}", shop)
    assert (done.code, message in done.stderr) == (2, True), done.stderr
    assert snapshot(shop).keys() == {"web.yaml"}


def test_name_in_use_is_an_error(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    assert "run `sidecarctl library update acme`" in sidecarctl("library add acme ../acme", shop).stderr
    (shop / "libraries" / "own").mkdir()
    assert "libraries/own exists already" in sidecarctl("library add own ../acme", shop).stderr


def test_only_library_add_and_update_run_git(acme: Path, shop: Path, tmp_path: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop).code == 0
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    (bin_directory / "git").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    (bin_directory / "git").chmod(0o755)
    path = f"{bin_directory}{os.pathsep}{os.environ['PATH']}"
    for command in ("library list", "library verify", "add agent -f web.yaml", "show agent"):
        assert sidecarctl(command, shop, PATH=path).code == 0
    assert not (tmp_path / "ran").exists()
    assert sidecarctl("library update", shop, PATH=path).code == 3
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("library add Acme ../acme", 'invalid library name "Acme": use lowercase letters'),
        ("library add a/b ../acme", 'invalid library name "a/b"'),
        ("library add aux ../acme", 'invalid library name "aux": is not allowed on Windows'),
        ("library add acme ~nosuch-user/x", "no repository or archive at ~nosuch-user/x"),
        ("library add acme https://git.example.com", "the path of the repository is missing"),
    ],
)
def test_wrong_name_or_source_is_explained(command: str, message: str, acme: Path, shop: Path) -> None:
    done = sidecarctl(command, shop)
    assert (done.code, message in done.stderr) == (2, True), done.stderr
    assert snapshot(shop).keys() == {"web.yaml"}


def test_ref_that_is_not_a_commit_of_the_repository_is_explained(acme: Path, shop: Path) -> None:
    git(acme, "tag", "tree", "HEAD^{tree}")
    missing = "0123456789" * 4
    for ref, message in ((missing, f"has no commit {missing}"), ("tree", '"tree" of')):
        done = sidecarctl(f"library add acme ../acme@{ref}", shop)
        assert (done.code, message in done.stderr) == (2, True), done.stderr
        assert "access" not in done.stderr
