"""Directories, files, and patterns cost the same each: calls are counted, not time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecarctl.cli.inputs import InputOptions, read_inputs
from sidecarctl.errors import InputError
from sidecarctl.files import depth, patterns
from sidecarctl.files.patterns import Exclude, GitIgnore, is_excluded
from sidecarctl.files.walk import WalkOptions, find_sources
from tests.calls import count_calls

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a:1.0.0}]}\n"


def nest(folder: Path, levels: int) -> Path:
    """Make directories inside each other, and return the innermost one."""
    inner = folder.joinpath(*"d" * levels)
    inner.mkdir(parents=True)
    return inner


def test_gitignore_looks_at_each_directory_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (nest(tmp_path, 30) / "a.yaml").write_text(POD)
    looked: list[Path] = []
    steps = Path.is_relative_to
    monkeypatch.setattr(Path, "is_relative_to", lambda one, other: looked.append(one) or steps(one, other))  # type: ignore[func-returns-value]
    ignore, inner = GitIgnore(tmp_path), tmp_path
    looked.clear()
    while (inner := inner / "d").exists():
        assert not ignore.ignores(inner, directory=True)
        assert not ignore.ignores(inner / "a.yaml")
    assert len(looked) <= 2 * 31


def test_files_of_a_directory_resolve_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        (tmp_path / f"{number}.yaml").write_text(POD)
    resolved: list[Path] = []
    resolve = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path, *strict: resolved.append(path) or resolve(path, *strict))  # type: ignore[func-returns-value]
    assert len(read_inputs(InputOptions((str(tmp_path),))).sources) == 10
    assert resolved.count(tmp_path) == 1


def test_files_of_a_directory_that_a_glob_finds_look_above_it_once(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.yaml").write_text(POD)
    counted = count_calls(lambda: list(find_sources([f"{tmp_path}/*.yaml"])), patterns.GitIgnore.__init__.__code__)
    assert counted.total() == 1


def test_many_exclude_patterns_resolve_a_path_once() -> None:
    excluded = [Exclude(f"pattern-{number}/a", Path("/base")) for number in range(50)]
    counted = count_calls(
        lambda: is_excluded(Path("/base/web.yaml"), excluded), patterns.absolute.__code__, os.path.relpath.__code__
    )
    assert counted == {"absolute": 1, "relpath": 1}


def test_too_many_exclude_patterns_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    options = WalkOptions(exclude=tuple(Exclude(f"{number}") for number in range(5001)))
    with pytest.raises(InputError, match="more than 5,000 exclude patterns"):
        list(find_sources([str(tmp_path)], options=options))


@pytest.mark.parametrize("path", ["deep", "deep/**/*.yaml"])
def test_directories_that_are_nested_too_deeply_are_an_error(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth, "MOST_LEVELS", 5)
    monkeypatch.chdir(tmp_path)
    inner = nest(tmp_path / "deep", 5)
    (inner / "a.yaml").write_text(POD)
    assert len(list(find_sources([path]))) == 1
    (inner / "d").mkdir()
    with pytest.raises(InputError, match=r"directories below deep.d are nested too deeply: more than 5 levels"):
        list(find_sources([path]))
    assert len(list(find_sources([path.replace("deep", "deep/d")]))) == 1
    assert len(list(find_sources(["."], options=WalkOptions(exclude=(Exclude("deep"),))))) == 1


def test_files_that_are_no_links_are_not_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    for number in range(10):
        (tmp_path / "a" / f"{number}.yaml").write_text(POD)
    (tmp_path / "a" / "link.yaml").symlink_to("0.yaml")
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [" + ", ".join(f"a/{each}.yaml" for each in range(10)) + "]\n"
    )
    start = os.path.realpath(tmp_path)
    looked: list[str] = []
    islink = os.path.islink
    monkeypatch.setattr(os.path, "islink", lambda path: looked.append(str(path)) or islink(path))  # type: ignore[func-returns-value]
    counted = count_calls(lambda: list(find_sources([start])), os.path.realpath.__code__)
    assert counted.total() == 1
    assert max(map(looked.count, (f"{start}/a/{number}.yaml" for number in range(10)))) == 1
