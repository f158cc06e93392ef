"""What a composition may say, what is refused with file and line, and how files and environments are merged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.composition.model import Composition, discover, holds, load
from sidecarctl.composition.select import selection
from sidecarctl.errors import InputError, SidecarctlError, UsageError

HEAD = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: platform}\nspec:\n"


def write(folder: Path, spec: str, name: str = "sidecarctl.yaml") -> Path:
    """A composition whose spec, two columns in, begins in line 5."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(f"  {line}\n" if line else "\n" for line in spec.strip("\n").split("\n")))
    return path


def read(folder: Path, spec: str, environment: str = "") -> Composition:
    return load(write(folder, spec), environment)


def ready(folder: Path, spec: str) -> None:
    composition = read(folder, spec)
    selection(composition, open_catalog(composition.libraries, {}), composition.kube_version or "1.37")


def refused(folder: Path, spec: str, environment: str = "") -> SidecarctlError:
    with pytest.raises(SidecarctlError) as caught:
        composition = read(folder, spec, environment)
        selection(composition, open_catalog(composition.libraries, {}), composition.kube_version or "1.37")
    return caught.value


CASES = {
    "an unknown key": ("ruls: []", 'did you mean "rules"?', 5),
    "an unknown sidecar": ("rules:\n- select: {all: true}\n  sidecars: [loger]", 'did you mean "logger"?', 7),
    "an unknown parameter": (
        "rules:\n- select: {all: true}\n  sidecars:\n  - name: logger\n    parameters:\n      logDri: /x",
        'did you mean "logDir"?',
        10,
    ),
    "a wrong parameter": (
        "rules:\n- select: {all: true}\n  sidecars:\n  - name: logger\n    parameters: {output: lokki}",
        'did you mean "loki"?',
        9,
    ),
    "an unknown version": ("rules:\n- select: {all: true}\n  sidecars: [logger@9.9.9]", "available versions: 1.0.0", 7),
    "an unknown kind": (
        "rules:\n- select: {kinds: [Deploymnt]}\n  sidecars: [logger]",
        'did you mean "Deployment"?',
        6,
    ),
    "an unknown group": ("rules:\n- select: {groups: [app]}\n  sidecars: [logger]", 'did you mean "apps"?', 6),
    "an empty selector": ("rules:\n- select: {}\n  sidecars: [logger]", "say `all: true`", 6),
    "a selector of nothing but empty conditions": (
        "rules:\n- select: {names: []}\n  sidecars: [logger]",
        "say `all: true`",
        6,
    ),
    "all and some": ("rules:\n- select: {all: true, names: [a]}\n  sidecars: [logger]", "drop `all: true`", 6),
    "a rule without sidecars": ("rules:\n- name: a\n  select: {all: true}", "`select` and `sidecars`", 6),
    "one instance twice in a rule": (
        "rules:\n- select: {all: true}\n  sidecars:\n  - logger\n  - name: logger",
        "give one of them another name",
        9,
    ),
    "an unknown Kubernetes version": ('kubeVersion: "1.3"', 'did you mean "1.30"?', 5),
    "a version that YAML reads as a number": ("kubeVersion: 1.30", "composition", 5),
    "a library that is not there": ("libraries: [./nowhere]", "runs from the composition's file", 5),
    "an include that is not there": ("include: [base.yml]", "includes run from the file", 5),
    "a default for an unknown sidecar": ("defaults:\n  loger: {}", 'did you mean "logger"?', 6),
    "a condition that is none": (
        "rules:\n- select: {matchExpressions: [{key: a, operator: IsIn}]}\n  sidecars: [logger]",
        "In",
        6,
    ),
    "two files of one name": ("rules:\n- select: {all: true}\n  sidecars: [{name: Logger}]", "composition", 7),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_named_with_its_line_and_a_way_out(name: str, tmp_path: Path) -> None:
    spec, hint, line = CASES[name]
    error = refused(tmp_path, spec)
    assert error.exit_code == 2
    assert error.where.startswith(f"{tmp_path / 'sidecarctl.yaml'}:{line}:"), (error.where, error.message)
    assert hint in f"{error.message} {error.hint}"


def test_a_number_for_a_version_is_told_to_be_quoted(tmp_path: Path) -> None:
    assert "quotes" in refused(tmp_path, "kubeVersion: 1.30").message


def test_a_broken_file_is_an_input_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "sidecarctl.yaml"
    path.write_text("kind: Composition\nspec: [\n")
    with pytest.raises(InputError) as caught:
        load(path)
    assert caught.value.exit_code == 3
    assert f"{path}:" in caught.value.where


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ("a: 1\n---\nb: 2\n", "holds 2 documents"), ("kind: Deployment\n", "its kind is Deployment")],
)
def test_a_file_that_is_no_composition_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load(path)


# ---- includes and environments -----------------------------------------------------------------------------------


def test_a_circle_of_includes_is_told_as_a_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "include: [b.yaml]", "a.yaml")
    write(tmp_path, "include: [sub/c.yaml]", "b.yaml")
    write(tmp_path, "include: [../a.yaml]", "sub/c.yaml")
    with pytest.raises(UsageError) as caught:
        load(Path("a.yaml"))
    assert f"a.yaml -> b.yaml -> sub{os.sep}c.yaml -> a.yaml" in caught.value.message
    assert caught.value.where.startswith(f"sub{os.sep}c.yaml") or caught.value.where.startswith("sub/../sub/c.yaml")


def test_a_file_that_includes_itself_is_a_circle(tmp_path: Path) -> None:
    assert "include each other" in refused(tmp_path, "include: [sidecarctl.yaml]").message


def test_what_two_files_include_counts_once(tmp_path: Path) -> None:
    write(tmp_path, "rules:\n- select: {all: true}\n  sidecars: [logger]", "base.yaml")
    write(tmp_path, "include: [base.yaml]", "left.yaml")
    write(tmp_path, "include: [base.yaml]", "right.yaml")
    assert len(read(tmp_path, "include: [left.yaml, right.yaml]").rules) == 1


def test_later_files_win_key_by_key(tmp_path: Path) -> None:
    defaults = "defaults:\n  logger:\n    parameters: {{logDir: {}, parser: {}}}"
    write(tmp_path, 'kubeVersion: "1.30"\n' + defaults.format("/one", "json"), "one.yaml")
    write(tmp_path, "defaults:\n  logger:\n    parameters: {logDir: /two}", "two.yaml")
    composition = read(tmp_path, 'include: [one.yaml, two.yaml]\nkubeVersion: "1.33"')
    assert composition.kube_version == "1.33"
    assert composition.defaults["logger"].data["parameters"] == {"logDir": "/two", "parser": "json"}


def test_a_rule_of_the_same_name_is_merged_and_others_are_added(tmp_path: Path) -> None:
    write(
        tmp_path,
        "rules:\n- name: web\n  select: {names: [web]}\n  sidecars: [{name: logger, parameters: {logDir: /a, parser: json}}]",
        "base.yaml",
    )
    composition = read(
        tmp_path,
        "include: [base.yaml]\nrules:\n- name: web\n  sidecars: [{name: logger, parameters: {logDir: /b}}, proxy]\n"
        "- select: {all: true}\n  sidecars: [metrics]",
    )
    web, other = composition.rules
    assert [wish.instance for wish in web.wishes] == ["logger", "proxy"]
    assert web.wishes[0].data["parameters"] == {"logDir": "/b", "parser": "json"}
    assert web.selector.names == ("web",)
    assert other.label == "rule 2"


def test_an_environment_is_the_last_word_also_over_included_files(tmp_path: Path) -> None:
    write(tmp_path, 'environments:\n  prod: {kubeVersion: "1.31", excludeNamespaces: [a]}', "base.yaml")
    spec = 'include: [base.yaml]\nkubeVersion: "1.34"\nexcludeNamespaces: [b]\nenvironments:\n  dev: {}'
    assert read(tmp_path, spec).kube_version == "1.34"
    prod = read(tmp_path, spec, "prod")
    assert prod.kube_version == "1.31"
    assert set(prod.exclude_namespaces) == {"a", "b"}


def test_an_unknown_environment_is_refused(tmp_path: Path) -> None:
    error = refused(tmp_path, "environments:\n  prod: {}\n  staging: {}", "stagin")
    assert error.hint == 'did you mean "staging"?'
    assert (
        "environments there are: prod, staging"
        in refused(tmp_path, "environments:\n  prod: {}\n  staging: {}", "x").hint
    )


def test_an_environment_can_switch_a_rule_off(tmp_path: Path) -> None:
    spec = (
        "rules:\n- name: a\n  select: {all: true}\n  sidecars: [logger]\n"
        "environments:\n  dev:\n    rules:\n    - {name: a, enabled: false}"
    )
    assert len(read(tmp_path, spec).rules) == 1
    assert not read(tmp_path, spec, "dev").rules


def test_libraries_run_from_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "base" / "sidecars").mkdir(parents=True)
    (tmp_path / "own").mkdir()
    write(tmp_path, "libraries: [./sidecars]", "base/base.yaml")
    composition = read(tmp_path, "include: [base/base.yaml]\nlibraries: [own]")
    assert [path.resolve() for path in composition.libraries] == [tmp_path / "own", tmp_path / "base" / "sidecars"]


def test_custom_kinds_are_known_to_selectors(tmp_path: Path) -> None:
    composition = read(
        tmp_path,
        "kinds:\n  example.com/Widget: spec.pods.*.template\nrules:\n- select: {kinds: [Widget]}\n  sidecars: [logger]",
    )
    assert composition.kinds.template_path("example.com/v1", "Widget") == ("spec", "pods", "*", "template")


@pytest.mark.parametrize(
    ("when", "version", "expected"),
    [
        ("", "1.30", True),
        (">=1.29", "1.29", True),
        (">=1.29", "1.28", False),
        (">=1.25 <1.29", "1.28", True),
        (">=1.25, <1.29", "1.29", False),
        ("1.30", "1.30", True),
        ("!=1.30", "1.30", False),
        (">1.30.4", "1.31", True),
    ],
)
def test_when_compares_minor_versions(when: str, version: str, expected: bool) -> None:
    assert holds(when, version) is expected


def test_the_nearest_composition_above_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "rules: []")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    found = discover(Path())
    assert found is not None
    assert found.resolve() == path
    assert not found.is_absolute()
