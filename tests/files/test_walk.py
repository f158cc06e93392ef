"""Which files of a directory are manifests, and why the others are left out."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from functools import partial
from itertools import accumulate, product
from pathlib import Path

import pytest

from sidecarctl.cli.inputs import InputOptions, read_inputs
from sidecarctl.errors import InputError
from sidecarctl.files import kustomization, patterns
from sidecarctl.files.patterns import Exclude, is_excluded
from sidecarctl.files.sources import Source
from sidecarctl.files.walk import WalkOptions, find_sources
from sidecarctl.skipped import (
    ASSERTION,
    CHART,
    COMPOSITION,
    EXCLUDED,
    HIDDEN,
    IGNORED,
    KUSTOMIZATION,
    OTHER,
    PARTIAL,
    PATCH,
    TEMPLATE,
    VENDORED,
    Skipped,
)
from sidecarctl.yamltext.stream import split
from tests import repository
from tests.command import run

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a:1.0.0}]}\n"
REASONS = {
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": CHART,
    "chart/values.schema.json": CHART,
    "chart/templates/deployment.yaml": CHART,
    "chart/templates/plain.yaml": CHART,
    "base/kustomization.yaml": KUSTOMIZATION,
    "components/limits/kustomization.yaml": KUSTOMIZATION,
    "overlays/prod/kustomization.yaml": KUSTOMIZATION,
    "overlays/prod/settings.yaml": KUSTOMIZATION,
    "overlays/prod/names.yaml": KUSTOMIZATION,
    "overlays/prod/replicas.yaml": PATCH,
    "overlays/prod/ops.yaml": PATCH,
    "components/limits/limits.yaml": PATCH,
    "patches/delete.yaml": PATCH,
    "patches/scale.yaml": PARTIAL,
    "tests/e2e/01-assert.yaml": ASSERTION,
    "tests/chainsaw/ready.yaml": ASSERTION,
    "docker-compose.yaml": OTHER,
    "ci/workflow.yml": OTHER,
    "package.json": OTHER,
    "tsconfig.json": OTHER,
    "openapi.yaml": OTHER,
    "dashboards/shop.json": OTHER,
    "templates/job.yaml": TEMPLATE,
    "build/": IGNORED,
    "deploy/mine.local.yaml": IGNORED,
    "node_modules/": VENDORED,
    ".github/": HIDDEN,
    ".git/": HIDDEN,
}


def walked(path: Path, options: WalkOptions | None = None) -> tuple[list[str], dict[str, str]]:
    """Return the names of the manifests below a directory, and why the others are left out."""
    inputs = read_inputs(InputOptions((str(path),), options or WalkOptions()))
    names = [Path(source.name).relative_to(path).as_posix() for source, _ in inputs.sources]
    skipped = {
        Path(one.name).relative_to(path).as_posix() + "/" * one.name.endswith(os.sep): one.reason
        for one in inputs.skipped
    }
    return names, skipped


def test_manifests_of_a_repository_are_read(tmp_path: Path) -> None:
    assert tuple(walked(repository.build(tmp_path))[0]) == repository.MANIFESTS


@pytest.mark.parametrize("name", REASONS)
def test_other_files_are_left_out_with_a_reason(name: str, tmp_path: Path) -> None:
    assert walked(repository.build(tmp_path))[1].get(name) == REASONS[name]


def test_every_file_is_read_or_left_out(tmp_path: Path) -> None:
    names, skipped = walked(repository.build(tmp_path))
    left_out = {name for name in repository.FILES if not name.startswith((".github/", "node_modules/", "build/"))}
    assert left_out == {*names, *(name for name in skipped if not name.endswith("/")), ".gitignore"}


def test_named_file_is_read_whatever_it_contains(tmp_path: Path) -> None:
    root = repository.build(tmp_path)
    for name in ("overlays/prod/ops.yaml", "chart/templates/plain.yaml", "build/out.yaml", "docker-compose.yaml"):
        inputs = read_inputs(InputOptions((str(root / name),)))
        assert [source.name for source, _ in inputs.sources] == [str(root / name)]


def test_force_exclude_leaves_out_named_files_as_in_a_directory(tmp_path: Path) -> None:
    root = repository.build(tmp_path)
    paths = tuple(str(root / name) for name in repository.FILES if not name.startswith((".", "node_modules")))
    inputs = read_inputs(InputOptions(paths, WalkOptions(force_exclude=True)))
    read = {Path(source.name).relative_to(root).as_posix() for source, _ in inputs.sources}
    assert (read, inputs.errors) == (set(repository.MANIFESTS), ())


def test_directory_inside_a_chart_or_beside_a_kustomization_knows_what_is_above(tmp_path: Path) -> None:
    root = repository.build(tmp_path)
    assert walked(root / "chart" / "templates")[0] == []
    (root / "overlays" / "kustomization.yaml").write_text("patches: [{path: prod/more/limits.yaml}]\n")
    more = root / "overlays" / "prod" / "more"
    more.mkdir()
    (more / "limits.yaml").write_text(POD)
    assert walked(more)[1] == {"limits.yaml": PATCH}


def test_ignored_directory_that_is_named_is_read(tmp_path: Path) -> None:
    root = repository.build(tmp_path)
    assert walked(root / "build")[0] == ["out.yaml"]


def test_no_gitignore_reads_ignored_files(tmp_path: Path) -> None:
    names, _ = walked(repository.build(tmp_path), WalkOptions(gitignore=False))
    assert {"build/out.yaml", "deploy/mine.local.yaml"} <= set(names)


GITIGNORES = {
    "a name": ("a.yaml\n", "a.yaml", True),
    "a name below": ("a.yaml\n", "sub/a.yaml", True),
    "an anchored path": ("/a.yaml\n", "sub/a.yaml", False),
    "a directory": ("sub/\n", "sub/a.yaml", True),
    "a negation": ("*.yaml\n!a.yaml\n", "a.yaml", False),
    "stars": ("sub/**/a.yaml\n", "sub/x/y/a.yaml", True),
    "an escaped character": ("\\#a.yaml\n", "#a.yaml", True),
    "a comment": ("# a.yaml\n", "a.yaml", False),
    "an invalid pattern": ("!\na.yaml\n", "a.yaml", True),
    "empty ranges": ("[z-a]\n**/[z-a]/x\n[a-\\d]\n[!z-a]\na.yaml\n", "a.yaml", True),
    "a byte order mark": ("\ufeffa.yaml\n", "a.yaml", True),
    "Windows line ends": ("b.yaml\r\na.yaml\r\n", "a.yaml", True),
    **{
        f"a comment with {ord(separator):#x}": (f"# see{separator}a.yaml\n", "a.yaml", False)
        for separator in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
    },
    "a directory that is back": ("build/\n!/services\n", "services/a.yaml", False),
    "an ignored directory in one that is back": ("build/\n!/services\n", "services/build/a.yaml", True),
    "an ignored directory in one that is back by name": ("build\n!keep/\n", "keep/build/a.yaml", True),
    "directories in directories": ("**/\n!keep\n", "keep/x/a.yaml", True),
    "everything but a directory": ("/*\n!/keep\n", "keep/x/a.yaml", False),
    "nested brackets": ("[[a].yaml\n", "a.yaml", True),
}


@pytest.mark.parametrize("what", GITIGNORES)
def test_gitignore_is_read_as_git_reads_it(what: str, tmp_path: Path) -> None:
    patterns, name, ignored = GITIGNORES[what]
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text(patterns, "utf-8", newline="")
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(POD)
    (tmp_path / "other.yml").write_text(POD)
    assert (name not in walked(tmp_path)[0]) is ignored


def test_nearest_gitignore_takes_precedence(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.yaml\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".gitignore").write_text("!keep.yaml\n")
    for name in ("keep.yaml", "drop.yaml"):
        (tmp_path / "sub" / name).write_text(POD)
    assert walked(tmp_path / "sub")[0] == ["keep.yaml"]


EXCLUDES = {
    "a name at any depth": ("a.yaml", "x/a.yaml", True),
    "a glob at any depth": ("a*.yaml", "x/y/ab.yaml", True),
    "a directory at any depth": ("y", "x/y/a.yaml", True),
    "a path": ("x/a.yaml", "x/a.yaml", True),
    "a path from the base only": ("x/a.yaml", "w/x/a.yaml", False),
    "a directory as a path": ("x/y/", "x/y/a.yaml", True),
    "a glob in a path": ("x/*.yaml", "x/y/a.yaml", True),
    "any directories": ("**/a.yaml", "a.yaml", True),
    "another name": ("b.yaml", "x/a.yaml", False),
}


@pytest.mark.parametrize("what", EXCLUDES)
def test_exclude_has_the_two_pattern_forms_of_ruff(what: str, tmp_path: Path) -> None:
    pattern, name, excluded = EXCLUDES[what]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(POD)
    (tmp_path / "other.yml").write_text(POD)
    names, skipped = walked(tmp_path, WalkOptions((Exclude(pattern, tmp_path),)))
    assert (name not in names) is excluded
    assert (EXCLUDED in skipped.values()) is excluded


def plain_matches(pattern: str, path: str) -> bool:
    """Match an exclude pattern with a regular expression, which takes exponential time on some paths."""
    pieces = [fnmatch.translate(each).removesuffix(r"\Z").removesuffix(r"\z") for each in pattern.split("**/")]
    above = accumulate(path.split("/"), "{}/{}".format)
    return any(re.fullmatch("(?:.*/)?".join(pieces), each) for each in above)


def test_exclude_matches_what_a_regular_expression_matches() -> None:
    words = ("a", "b", "/", "a/", "*", "?", "**/", "[ab]", "[!a]", "[]a]", "[", "]", "[]", "[!]")
    paths = ("a", "ab/a", "b/a/b", "a/a/a/a/b", "a/[/b", "[]/a", "b[!]/a]/aa")
    patterns = [pattern for size in (2, 3, 4) for pattern in map("".join, product(words, repeat=size))]
    for number, pattern in enumerate(each for each in patterns if "/" in each.strip("/") and each[0] != "/"):
        path = paths[number % len(paths)]
        assert is_excluded(Path(path), [Exclude(pattern)]) == plain_matches(pattern.rstrip("/"), path), (pattern, path)


@pytest.mark.parametrize(
    "pattern", ["**/" * 20 + "x/y", "a/**/" * 20 + "x/y", "a**/" * 20 + "x/y", "***/" * 20 + "x/y"]
)
def test_exclude_with_many_stars_ends(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "/".join("a" * 60)).mkdir(parents=True)
    (tmp_path / "/".join("a" * 60) / "a.yaml").write_text(POD)
    assert run(["sidecarctl", "validate", ".", "--exclude", pattern], tmp_path).code in (0, 1)


@pytest.mark.parametrize("start", ["k8s", "{root}/k8s", "{root}/k8s/*.yaml"])
def test_exclude_does_not_match_directories_above_its_base(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "vendor" / "repo"
    (root / "k8s" / "vendor").mkdir(parents=True)
    for path in (root / "k8s" / "a.yaml", root / "k8s" / "vendor" / "b.yaml"):
        path.write_text(POD)
    options = WalkOptions((Exclude("vendor", root),))
    monkeypatch.chdir(root)
    found = [one for one in find_sources([start.format(root=root)], options=options) if not isinstance(one, Skipped)]
    assert [Path(one.name).name for one in found] == ["a.yaml"]
    monkeypatch.chdir(tmp_path)
    assert [Path(one.name).name for one in find_sources(["vendor/repo/k8s/*.yaml"], options=options)] == ["a.yaml"]


def test_glob_matches_files_and_directories(tmp_path: Path) -> None:
    root = repository.build(tmp_path)
    found = list(find_sources([f"{root}/de*/w*.yaml"]))
    assert [one.name for one in found] == [str(root / "deploy" / "web.yaml")]
    below = [one.name for one in find_sources([f"{root}/deplo?"]) if not isinstance(one, Skipped)]
    assert below == [str(root / "deploy" / name) for name in ("api.yaml", "web.yaml")]
    with pytest.raises(InputError, match="no file matches"):
        list(find_sources([f"{root}/x*.yaml"]))


def test_file_named_twice_is_read_once(tmp_path: Path) -> None:
    root = repository.build(tmp_path)
    inputs = read_inputs(
        InputOptions((str(root / "deploy" / "web.yaml"), str(root / "deploy"), str(root / "deploy/../deploy")))
    )
    assert sorted(Path(source.name).name for source, _ in inputs.sources) == ["api.yaml", "web.yaml"]


def test_sidecar_of_a_library_is_left_out_but_not_a_directory_with_such_a_file(tmp_path: Path) -> None:
    for name, text in (("mine", "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n"), ("app", POD)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sidecar.yaml").write_text(text)
        (tmp_path / name / "pod.yaml").write_text(POD)
    names, skipped = walked(tmp_path)
    assert (names, skipped) == (["app/pod.yaml", "app/sidecar.yaml"], {"mine/": COMPOSITION})


def test_path_without_a_manifest_is_an_error_that_says_what_is_there(tmp_path: Path) -> None:
    root = repository.build(tmp_path)
    inputs = read_inputs(InputOptions((str(root / "chart" / "templates"), str(root / "deploy"))))
    assert len(inputs.sources) == 2
    (error,) = inputs.errors
    assert "no manifests in" in error.message and "2 Helm chart" in error.message
    assert "helm template" in error.hint


@pytest.mark.parametrize(
    "labels",
    [
        "commonLabels: {app: a}",
        "labels: [{pairs: {app: a}, includeSelectors: true}]",
        "commonlabels: {app: a}",
        "Labels: [{pairs: {app: a}, includeselectors: true}]",
    ],
)
def test_resource_without_a_selector_is_partial_if_its_kustomization_adds_one(labels: str, tmp_path: Path) -> None:
    text = repository.WORKLOAD.format(name="web").replace("  selector:\n    matchLabels:\n      app: web\n", "")
    (tmp_path / "web.yaml").write_text(text)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [web.yaml]\n{labels}\n")
    assert walked(tmp_path)[1]["web.yaml"] == PARTIAL
    (tmp_path / "kustomization.yaml").write_text("resources: [web.yaml]\n")
    assert walked(tmp_path)[0] == ["web.yaml"]


def test_kustomization_adds_selectors_to_the_resources_of_directories_that_it_includes(tmp_path: Path) -> None:
    text = repository.WORKLOAD.format(name="web").replace("  selector:\n    matchLabels:\n      app: web\n", "")
    for name, resources in (("app", "[web.yaml]"), ("all", "[../app]"), ("prod", "[../all, ../missing]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(f"resources: {resources}\n")
    (tmp_path / "app" / "web.yaml").write_text(text)
    assert walked(tmp_path)[0] == ["app/web.yaml"]
    with (tmp_path / "prod" / "kustomization.yaml").open("a") as file:
        file.write("labels: [{pairs: {app: web}, includeSelectors: true}]\n")
    assert walked(tmp_path)[1]["app/web.yaml"] == PARTIAL


@pytest.mark.parametrize("name", ["a\\0b", "x" * 5000, "x/" * 5000, "kustomization.yaml/x"])
def test_resource_that_cannot_be_a_path_is_ignored(name: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(repository.WORKLOAD.format(name="web"))
    text = f'commonLabels: {{app: web}}\nresources: [web.yaml, "{name}"]\n'
    (tmp_path / "kustomization.yaml").write_text(text)
    assert walked(tmp_path)[0] == ["web.yaml"]


def test_manifest_of_the_name_of_a_library_entry_is_read_with_its_sidecars(tmp_path: Path) -> None:
    annotation = "metadata:\n  annotations:\n    sidecarctl.dev/inject: logger\n"
    (tmp_path / "sidecar.yaml").write_text(repository.WORKLOAD.format(name="web").replace("metadata:\n", annotation, 1))
    assert walked(tmp_path)[0] == ["sidecar.yaml"]


@pytest.mark.skipif(os.name != "posix", reason="needs a timer")
def test_gitignore_is_compiled_once_for_the_files_of_a_glob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("b.yaml\n")
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(POD)
    compiled: list[object] = []
    original = patterns._compile
    monkeypatch.setattr(patterns, "_compile", lambda lines: compiled.append(lines) or original(lines))  # type: ignore[func-returns-value]
    found = read_inputs(InputOptions((f"{tmp_path}/**/*.yaml",), WalkOptions()))
    assert [source.path.name for source, _ in found.sources if source.path] == ["a.yaml", "c.yaml"]
    assert len(compiled) == 1
    (tmp_path / ".gitignore").write_text("a.yaml\n")
    os.utime(tmp_path / ".gitignore", (1, 1))
    found = read_inputs(InputOptions((f"{tmp_path}/**/*.yaml",), WalkOptions()))
    assert [source.path.name for source, _ in found.sources if source.path] == ["b.yaml", "c.yaml"]


def test_gitignore_with_too_many_patterns_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / ".gitignore").write_text("# comment\n\n" * 5000 + "b\n" * 5_000)
    assert walked(tmp_path)[0] == ["a.yaml"]
    (tmp_path / ".gitignore").write_text("b\n" * 5_001)
    (error,) = read_inputs(InputOptions((str(tmp_path),))).errors
    assert "has more than 5,000 patterns" in str(error)


@pytest.mark.parametrize("name", [".gitignore", "sub/.gitignore", ".git/info/exclude"])
@pytest.mark.parametrize("pattern", ["{}", "{}/**/*.yaml"])
def test_gitignore_that_cannot_be_read_is_an_error(
    pattern: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (tmp_path / ".git/info/exclude", tmp_path / "sub/a.yaml", tmp_path / name):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(POD)
    read = patterns.read_setting

    def refuse(path: Path, way_out: str = "") -> bytes:
        if path == tmp_path / name:
            raise PermissionError(13, "Permission denied")
        return read(path, way_out)

    monkeypatch.setattr(patterns, "read_setting", refuse)
    (error,) = read_inputs(InputOptions((pattern.format(tmp_path),))).errors
    assert (error.message, "use --no-gitignore" in error.hint) == (
        f"cannot read {tmp_path / name}: Permission denied",
        True,
    )
    found = read_inputs(InputOptions((pattern.format(tmp_path),), WalkOptions(gitignore=False)))
    assert [source.path for source, _ in found.sources] == [tmp_path / "sub/a.yaml"]


def test_gitignore_that_is_no_file_has_no_patterns(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".gitignore").symlink_to("nowhere")
    (tmp_path / "sub" / "a.yaml").write_text(POD)
    assert walked(tmp_path)[0] == ["sub/a.yaml"]


def test_gitignore_that_is_a_link_has_no_patterns_as_in_git(tmp_path: Path) -> None:
    git = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True, text=True)
    git(["git", "init", "-q"])
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(POD)
    (tmp_path / "patterns").write_text("a.yaml\n")
    (tmp_path / ".gitignore").symlink_to("patterns")
    assert "a.yaml" in git(["git", "ls-files", "--others", "--exclude-standard"]).stdout.split()
    assert walked(tmp_path)[0] == ["a.yaml", "b.yaml"]
    exclude = tmp_path / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.unlink(missing_ok=True)
    exclude.symlink_to("../../patterns")
    assert "a.yaml" not in git(["git", "ls-files", "--others", "--exclude-standard"]).stdout.split()
    assert walked(tmp_path)[0] == ["b.yaml"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read all files")
def test_gitignore_without_permission_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / ".gitignore").write_text("!a.yaml\n")
    (tmp_path / ".gitignore").chmod(0)
    (error,) = read_inputs(InputOptions((str(tmp_path),))).errors
    assert error.message == f"cannot read {tmp_path}/.gitignore: Permission denied"


def test_gitignore_with_an_exponential_pattern_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitignore").write_text("*a" * 60 + "b\n")
    (tmp_path / f"{'a' * 100}.yaml").write_text(repository.WORKLOAD.format(name="web"))
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    (error,) = read_inputs(InputOptions((str(tmp_path),))).errors
    assert "gitignore takes more than 1 s" in error.message


def test_gitignore_pattern_that_is_slow_for_each_path_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitignore").write_text("*a*b\n")
    for number in range(3):
        (tmp_path / f"{number}.yaml").write_text(repository.WORKLOAD.format(name="web"))
    now = iter(range(0, 1000, 1))
    monkeypatch.setattr(patterns, "process_time", lambda: 0.6 * next(now))  # each comparison takes 0.6 s
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    assert any(
        "gitignore takes more than 1 s" in each.message for each in read_inputs(InputOptions((str(tmp_path),))).errors
    )


def test_glob_that_meets_links_in_circles_ends(tmp_path: Path) -> None:
    deep = tmp_path.joinpath("k8s", *(["d"] * 60))
    deep.mkdir(parents=True)
    (deep / "web.yaml").write_text(POD)
    for name in ("l0", "l1"):
        (tmp_path / "k8s" / name).symlink_to(".")
    (tmp_path / "k8s/db.yaml").write_text(POD)
    for pattern, name in (("k8s/" + "*/" * 30 + "*.yaml", "db.yaml"), ("**/d/**/d/**/d/**/d/**/d/*.yaml", "web.yaml")):
        found = [str(each.path) for each in find_sources([f"{tmp_path}/{pattern}"])]
        assert [Path(each).name for each in found] == [name], pattern


def test_glob_with_stars_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "k8s/base").mkdir(parents=True)
    (tmp_path / "k8s/base/.hidden").mkdir()
    for name in ("k8s/web.yaml", "k8s/base/db.yaml", "k8s/base/.hidden/x.yaml"):
        (tmp_path / name).write_text(POD)
    for name in ("l0", "l1"):
        (tmp_path / "k8s" / name).symlink_to(".")
    for pattern in ("k8s/**/*.yaml", "k8s/**", "**/*.yaml", "k8s/**/**/*.yaml"):
        found = find_sources([f"{tmp_path}/{pattern}"])
        names = [os.path.relpath(each.name, tmp_path) for each in found]
        assert names == ["k8s/base/db.yaml", "k8s/web.yaml"], pattern


def test_kustomizations_that_include_each_other_are_parsed_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = []
    monkeypatch.setattr(kustomization, "split", lambda text, *name: parsed.append(text) or split(text, *name))
    names = [f"app{number}" for number in range(8)]
    for name in names:
        (tmp_path / name).mkdir()
        resources = "".join(f"- ../{other}\n- ../{other}/again\n" for other in names)
        (tmp_path / name / "again").symlink_to(".")
        (tmp_path / name / "kustomization.yaml").write_text(
            f"commonLabels: {{a: b}}\nresources:\n{resources}- web.yaml\n"
        )
        (tmp_path / name / "web.yaml").write_text(POD)
    found = list(find_sources([str(tmp_path)]))
    assert len([each for each in found if isinstance(each, Source)]) == len(names)
    assert all(each.gets_selectors for each in found if isinstance(each, Source))
    assert len(parsed) <= 2 * len(names)  # by its own path, and by that of a link


def test_file_that_matches_a_part_before_stars_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "apps" / "a").mkdir(parents=True)
    for name in ("README.md", "web.yaml", "apps/README.md"):
        (tmp_path / name).write_text("read me")
    (tmp_path / "apps" / "a" / "web.yaml").write_text(POD)
    for pattern in ("*/**/*.yaml", "apps/*/**/*.yaml"):
        found = [one.name for one in find_sources([f"{tmp_path}/{pattern}"])]
        assert found == [str(tmp_path / "apps" / "a" / "web.yaml")]


def test_unreadable_directory_that_is_left_out_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ignored", "excluded", "venv"):
        (tmp_path / name).mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("ignored/\nvenv/\n")
    (tmp_path / "pod.yaml").write_text(POD)

    def is_file(path: Path) -> bool:
        """As for a directory without permission before Python 3.14."""
        if path.parent.name in ("ignored", "excluded"):
            raise PermissionError(path)
        return os.path.isfile(path)  # noqa: PTH113

    monkeypatch.setattr(Path, "is_file", is_file)
    _, left_out = walked(tmp_path, WalkOptions(exclude=(Exclude("excluded", tmp_path),)))
    assert left_out == {".git/": HIDDEN, "ignored/": IGNORED, "excluded/": EXCLUDED, "venv/": VENDORED}


@pytest.mark.parametrize("name", [".gitignore", "kustomization.yaml", "chainsaw-test.yaml"])
def test_file_that_says_what_to_skip_and_is_too_large_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / name).write_text("#" * (1 << 20) + "\n")
    (error,) = read_inputs(InputOptions((str(tmp_path),))).errors
    assert f"{name} is larger than 1,048,576 bytes" in error.message
    assert "SIDECARCTL_MAX_FILE" in error.hint


LINKS = {
    "a patch": ("patches: [{path: patch.yaml}]", {"patch.yaml": "patch-v2.yaml"}, {"patch-v2.yaml": PATCH}),
    "a directory of a patch": ("patches: [{path: current/p.yaml}]", {"current": "v2"}, {"v2/p.yaml": PATCH}),
    "links to links": (
        "patches: [{path: a/p.yaml}]",
        {"a": "b", "b": "v2", "v2/p.yaml": "q.yaml"},
        {"v2/q.yaml": PATCH},
    ),
    "a file of a generator": (
        "configMapGenerator: [{name: a, files: [job.yaml]}]",
        {"job.yaml": "v2/job.yaml"},
        {"v2/job.yaml": KUSTOMIZATION},
    ),
    "a directory of settings": ("crds: [current]", {"current": "v2"}, {"v2/a.yaml": KUSTOMIZATION}),
    "another name of a patch": ("patches: [{path: p.yaml}]", {"other.yaml": "p.yaml"}, {"p.yaml": PATCH}),
}


@pytest.mark.parametrize("what", LINKS)
def test_file_that_a_kustomization_names_through_a_link_is_left_out(what: str, tmp_path: Path) -> None:
    named, links, left_out = LINKS[what]
    (tmp_path / "kustomization.yaml").write_text(f"resources: [web.yaml]\n{named}\n")
    (tmp_path / "v2").mkdir()
    for name in ("web.yaml", *left_out):
        (tmp_path / name).write_text(repository.WORKLOAD.format(name="web"))
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    names, skipped = walked(tmp_path)
    assert names == ["web.yaml"]
    assert left_out.items() <= skipped.items()


def test_resource_that_a_kustomization_names_through_a_link_gets_its_selectors(tmp_path: Path) -> None:
    text = repository.WORKLOAD.format(name="web").replace("  selector:\n    matchLabels:\n      app: web\n", "")
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "web.yaml").write_text(text)
    (tmp_path / "current").symlink_to("v2")
    (tmp_path / "kustomization.yaml").write_text("resources: [current/web.yaml]\ncommonLabels: {app: web}\n")
    assert walked(tmp_path)[1] == {"kustomization.yaml": KUSTOMIZATION, "v2/web.yaml": PARTIAL}


def test_patch_is_left_out_of_a_directory_that_is_named_through_a_link(tmp_path: Path) -> None:
    release = tmp_path / "releases" / "v2"
    release.mkdir(parents=True)
    (release / "kustomization.yaml").write_text("resources: [web.yaml]\npatches: [{path: ../v2/p.yaml}]\n")
    for name in ("web.yaml", "p.yaml"):
        (release / name).write_text(repository.WORKLOAD.format(name="web"))
    (tmp_path / "current").symlink_to("releases/v2")
    assert walked(tmp_path / "current") == (["web.yaml"], {"kustomization.yaml": KUSTOMIZATION, "p.yaml": PATCH})
    found = find_sources([f"{tmp_path}/current/*.yaml"])
    assert [Path(each.name).name for each in found if isinstance(each, Source)] == ["web.yaml"]


@pytest.mark.parametrize(
    ("link", "target", "name"),
    [
        ("templates", "../tpl", "tpl/web.yaml"),
        ("templates", "../tpl", "tpl/more/web.yaml"),
        ("templates/web.yaml", "../../tpl/web.yaml", "tpl/web.yaml"),
        ("values.yaml", "../tpl/web.yaml", "tpl/web.yaml"),
    ],
)
def test_file_that_a_chart_has_through_a_link_is_left_out(link: str, target: str, name: str, tmp_path: Path) -> None:
    for path in (tmp_path / "chart" / link, tmp_path / name):
        path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: a\nversion: 1.0.0\n")
    for path in (tmp_path / name, tmp_path / "web.yaml"):
        path.write_text(repository.WORKLOAD.format(name="web"))
    (tmp_path / "chart" / link).symlink_to(target)
    names, skipped = walked(tmp_path)
    assert (names, skipped[name]) == (["web.yaml"], CHART)


UNREADABLE = {
    "invalid YAML": ("a: [\n", "while parsing a flow node", 3),
    "a directive": ("%YAML 1.2\n", "did not find expected <document start>", 3),
    "a separator with text": ("--- a\n", "invalid document separator", 3),
    "invalid UTF-8": ("# \udcff\n", "invalid UTF-8", 3),
    "deep nesting": ("a: " + "[" * 2000 + "]" * 2000 + "\n", "nested deeper than", 3),
    "template markup": ("a: {{ x }}\n", "this looks like a Helm template", 3),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_kustomization_that_cannot_be_parsed_is_an_error(what: str, tmp_path: Path) -> None:
    text, message, line = UNREADABLE[what]
    manifest = repository.WORKLOAD.format(name="web")
    for name in ("k/web.yaml", "k/patch.yaml", "other/web.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(manifest)
    path = tmp_path / "k" / "kustomization.yaml"
    path.write_text(f"resources: [web.yaml]\npatches: [{{path: patch.yaml}}]\n{text}", "utf-8", "surrogateescape")
    done = run("sidecarctl add log-tail --set logDir=/x . -i --keep-going", tmp_path)
    assert done.code == 3
    assert f"cannot read kustomization, so its patches are unknown: {message}" in done.stderr
    assert f"k/kustomization.yaml:{line}:" in done.stderr
    assert (tmp_path / "k" / "patch.yaml").read_text() == manifest
    assert walked(tmp_path, WalkOptions((Exclude("k", tmp_path),)))[0] == ["other/web.yaml"]


def test_kustomization_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    (tmp_path / "kustomization.yaml").write_text("resources: [web.yaml]\n")

    def read(path: Path, *_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(kustomization, "read_setting", read)
    (error,) = read_inputs(InputOptions((str(tmp_path),))).errors
    assert error.message == f"cannot read {tmp_path}/kustomization.yaml: Permission denied"


@pytest.mark.parametrize(
    ("start", "exclude"), [(".", ""), (".", "b/kustomization.yaml"), ("b/sub", "kustomization.yaml")]
)
def test_broken_kustomization_that_is_left_out_is_no_error(
    start: str, exclude: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b" / "sub").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "b" / "sub" / "web.yaml").write_text(POD)
    (tmp_path / "b" / "kustomization.yaml").write_text("resources: [\n")
    (tmp_path / ".gitignore").write_text("" if exclude else "kustomization.yaml\n")
    monkeypatch.chdir(tmp_path)
    found = read_inputs(InputOptions((start,), WalkOptions((Exclude(exclude),) if exclude else ())))
    assert (found.errors, [str(source.path) for source, _ in found.sources]) == ((), ["b/sub/web.yaml"])


@pytest.mark.parametrize("target", ["missing.yaml", "kustomization.yaml"])
def test_kustomization_that_is_a_link_to_nowhere_is_an_error(target: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    (tmp_path / "kustomization.yaml").symlink_to(target)
    (error,) = read_inputs(InputOptions((str(tmp_path),))).errors
    assert error.message.startswith(f"cannot read {tmp_path}/kustomization.yaml: ")


@pytest.mark.parametrize(
    "repeated", ["commonAnnotations: {a: b}\n" * 2, "patches: [{path: web.yaml, path: patch.yaml}]\n"]
)
def test_last_of_duplicate_keys_in_a_kustomization_counts(repeated: str, tmp_path: Path) -> None:
    for name in ("web.yaml", "patch.yaml"):
        (tmp_path / name).write_text(repository.WORKLOAD.format(name="web"))
    text = f"patches: [{{path: web.yaml}}]\npatches: [{{path: patch.yaml}}]\n{repeated}"
    for mark in ("", "\ufeff"):
        (tmp_path / "kustomization.yaml").write_text(mark + text, "utf-8")
        assert walked(tmp_path) == (["web.yaml"], {"kustomization.yaml": KUSTOMIZATION, "patch.yaml": PATCH})


@pytest.mark.parametrize(
    "text",
    [
        "Patches: [{path: patch.yaml}]",
        "patches: [{Path: patch.yaml}]",
        "patche\u017f: [{path: patch.yaml}]",
        "patches: [{path: patch.yaml}]\nPatches: [{path: web.yaml}]",
        "patchesStrategicmerge: [patch.yaml]",
        "PATCHESJSON6902: [{path: patch.yaml}]",
    ],
)
def test_keys_of_a_kustomization_count_in_any_case(text: str, tmp_path: Path) -> None:
    for name in ("web.yaml", "patch.yaml"):
        (tmp_path / name).write_text(repository.WORKLOAD.format(name="web"))
    (tmp_path / "kustomization.yaml").write_text(f"{text}\n", "utf-8")
    assert walked(tmp_path) == (["web.yaml"], {"kustomization.yaml": KUSTOMIZATION, "patch.yaml": PATCH})


@pytest.mark.parametrize(
    "text",
    [
        "configmapgenerator: [{name: a, Files: [data.yaml]}]",
        "helmcharts: [{name: a, ValuesFile: data.yaml}]",
        "openAPI: {Path: data.yaml}",
        "Configurations: [data.yaml]",
    ],
)
def test_keys_of_settings_in_a_kustomization_count_in_any_case(text: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(POD)
    (tmp_path / "kustomization.yaml").write_text(f"{text}\n")
    assert walked(tmp_path)[1] == {"kustomization.yaml": KUSTOMIZATION, "data.yaml": KUSTOMIZATION}


PATCHING = "{{apiVersion: builtin, kind: {}, metadata: {{name: a}}, {}}}\n"
PLUGINS = {
    "a patch": ("plugins/t.yaml", "PatchTransformer", "path: patch.yaml"),
    "a key in another case": ("plugins/t.yaml", "PatchTransformer", "Path: patch.yaml"),
    "a JSON patch": ("plugins/t.yaml", "PatchJson6902Transformer", "path: patch.yaml"),
    "several patches": ("plugins/t.yaml", "PatchStrategicMergeTransformer", "paths: [gone.yaml, patch.yaml]"),
    "a directory": ("plugins", "PatchTransformer", "path: patch.yaml"),
    "an inline document": ("inline", "PatchTransformer", "path: patch.yaml"),
}


@pytest.mark.parametrize("what", PLUGINS)
def test_patch_that_a_transformer_of_a_kustomization_names_is_left_out(what: str, tmp_path: Path) -> None:
    named, kind, fields = PLUGINS[what]
    (tmp_path / "plugins").mkdir()
    for name in ("web.yaml", "patch.yaml", "plugins/patch.yaml"):
        (tmp_path / name).write_text(repository.WORKLOAD.format(name="web"))
    plugin = PATCHING.format(kind, fields)
    (tmp_path / "plugins/t.yaml").write_text(f"# two documents\n---\n{plugin}")
    (tmp_path / "plugins/kustomization.yaml").write_text("resources: [t.yaml]\n")
    listed = f"|-\n  {plugin}" if named == "inline" else named
    (tmp_path / "kustomization.yaml").write_text(f"resources: [web.yaml]\ntransformers:\n- {listed}\n")
    names, skipped = walked(tmp_path)
    assert skipped["patch.yaml"] == PATCH
    assert names == (["web.yaml"] if named == "plugins" else ["web.yaml", "plugins/patch.yaml"])


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("ConfigMapGenerator", "files: [a=data.yaml]"),
        ("SecretGenerator", "envs: [data.yaml]"),
        ("HelmChartInflationGenerator", "valuesFile: data.yaml"),
        ("ReplacementTransformer", "replacements: [{path: data.yaml}]"),
    ],
)
def test_file_that_a_plugin_of_a_kustomization_names_is_left_out(kind: str, fields: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(POD)
    (tmp_path / "plugin.yaml").write_text(PATCHING.format(kind, fields))
    (tmp_path / "kustomization.yaml").write_text("generators: [plugin.yaml]\n")
    assert walked(tmp_path)[1]["data.yaml"] == KUSTOMIZATION


def test_plugin_of_a_kustomization_that_cannot_be_parsed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    (tmp_path / "t.yaml").write_text("kind: [\n")
    for text in ("[t.yaml]", "['{kind: [']"):
        (tmp_path / "kustomization.yaml").write_text(f"transformers: {text}\n")
        (error,) = read_inputs(InputOptions((str(tmp_path),))).errors
        assert error.message.startswith("cannot read kustomization, so its patches are unknown: ")
    (tmp_path / "kustomization.yaml").write_text("transformers: [t.yaml]\n")
    assert walked(tmp_path, WalkOptions((Exclude("t.yaml", tmp_path),)))[0] == ["web.yaml"]


@pytest.mark.parametrize("name", ["a\\0b", "x" * 5000, ".", "gone.yaml", "https://example.com/a?b=c", "pipe"])
def test_plugin_of_a_kustomization_that_is_no_file_names_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    (tmp_path / "kustomization.yaml").write_text(f'transformers: ["{name}"]\nresources: [web.yaml]\n')
    assert walked(tmp_path)[0] == ["web.yaml"]


def test_changed_plugin_of_a_kustomization_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("transformers: [t.yaml]\n")
    for name in ("web.yaml", "patch.yaml"):
        (tmp_path / name).write_text(repository.WORKLOAD.format(name="web"))
    for name, other in (("web", "patch"), ("patch", "web")):
        (tmp_path / "t.yaml").write_text(PATCHING.format("PatchTransformer", f"path: {name}.yaml"))
        assert walked(tmp_path)[0] == [f"{other}.yaml"]


def test_kustomization_among_the_templates_of_a_chart_is_not_read(tmp_path: Path) -> None:
    templates = tmp_path / "chart" / "templates"
    templates.mkdir(parents=True)
    (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: a\nversion: 1.0.0\n")
    (tmp_path / "chart" / "extra.yaml").write_text(POD)
    (templates / "kustomization.yaml").write_text("{{- if .Values.flux }}\nkind: Kustomization\n{{- end }}\n")
    assert walked(tmp_path)[0] == ["chart/extra.yaml"]
    assert walked(templates)[1] == {"kustomization.yaml": KUSTOMIZATION}
