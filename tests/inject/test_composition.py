"""Compositions: invalid ones are rejected with file and line; files and environments are merged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.composition.find import find_composition_file
from sidecarctl.composition.model import Composition, load_composition, version_matches
from sidecarctl.composition.select import _SET, resolve_selection
from sidecarctl.errors import InputError, SidecarctlError, UsageError

HEAD = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: platform}\nspec:\n"


def write(folder: Path, spec: str, name: str = "sidecarctl.yaml") -> Path:
    """Write a composition whose spec starts on line 5, indented by two columns."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(f"  {line}\n" if line else "\n" for line in spec.strip("\n").split("\n")))
    return path


def read(folder: Path, spec: str, environment: str = "") -> Composition:
    return load_composition(write(folder, spec), environment)


def ready(folder: Path, spec: str) -> None:
    composition = read(folder, spec)
    resolve_selection(composition, open_catalog(composition.libraries, {}), composition.kube_version or "1.37")


def refused(folder: Path, spec: str, environment: str = "") -> SidecarctlError:
    with pytest.raises(SidecarctlError) as caught:
        composition = read(folder, spec, environment)
        resolve_selection(composition, open_catalog(composition.libraries, {}), composition.kube_version or "1.37")
    return caught.value


CASES = {
    "an unknown key": ("ruls: []", 'did you mean "rules"?', 5),
    "an unknown sidecar": ("rules:\n- select: {all: true}\n  sidecars: [loger]", 'did you mean "logger"?', 7),
    "an unknown parameter": (
        "rules:\n- select: {all: true}\n  sidecars:\n  - name: logger\n    parameters:\n      logDri: /x",
        'did you mean "logDir"?',
        10,
    ),
    "an invalid parameter": (
        "rules:\n- select: {all: true}\n  sidecars:\n  - name: logger\n    parameters: {output: lokki}",
        'did you mean "loki"?',
        9,
    ),
    "a version of many digits": (
        f'rules:\n- when: {{kubeVersion: ">=1.{"9" * 5000}"}}\n  select: {{all: true}}\n  sidecars: [logger]',
        "kubeVersion: must match the pattern",
        6,
    ),
    "an unknown version": ("rules:\n- select: {all: true}\n  sidecars: [logger@9.9.9]", "available versions: 1.0.0", 7),
    "an unknown kind": (
        "rules:\n- select: {kinds: [Deploymnt]}\n  sidecars: [logger]",
        'did you mean "Deployment"?',
        6,
    ),
    "too many template paths of a kind": (
        f"kinds:\n  example.com/W: [{', '.join(f'a{number}' for number in range(101))}]",
        "must have at most 100 items",
        6,
    ),
    "an unknown group": ("rules:\n- select: {groups: [app]}\n  sidecars: [logger]", 'did you mean "apps"?', 6),
    "an empty selector": ("rules:\n- select: {}\n  sidecars: [logger]", "write `all: true`", 6),
    "a selector with empty conditions only": (
        "rules:\n- select: {names: []}\n  sidecars: [logger]",
        "write `all: true`",
        6,
    ),
    "all and another condition": (
        "rules:\n- select: {all: true, names: [a]}\n  sidecars: [logger]",
        "remove `all: true`",
        6,
    ),
    "a rule without sidecars": ("rules:\n- name: a\n  select: {all: true}", "`select` and `sidecars`", 6),
    "a duplicate instance in a rule": (
        "rules:\n- select: {all: true}\n  sidecars:\n  - logger\n  - name: logger",
        "give one of them another name",
        9,
    ),
    "an unknown Kubernetes version": ('kubeVersion: "1.3"', 'did you mean "1.30"?', 5),
    "a version that YAML reads as a number": ("kubeVersion: 1.30", "composition", 5),
    "a missing library": ("libraries: [./nowhere]", "relative to the composition's file", 5),
    "a missing include": ("include: [base.yml]", "includes are relative to the file", 5),
    "a default for an unknown sidecar": ("defaults:\n  loger: {}", 'did you mean "logger"?', 6),
    "an unknown operator": (
        "rules:\n- select: {matchExpressions: [{key: a, operator: IsIn}]}\n  sidecars: [logger]",
        "In",
        6,
    ),
    "an invalid sidecar name": ("rules:\n- select: {all: true}\n  sidecars: [{name: Logger}]", "composition", 7),
}


@pytest.mark.parametrize("name", CASES)
def test_reports_line_and_help_of_invalid_compositions(name: str, tmp_path: Path) -> None:
    spec, hint, line = CASES[name]
    error = refused(tmp_path, spec)
    assert error.exit_code == 2
    assert error.where.startswith(f"{tmp_path / 'sidecarctl.yaml'}:{line}:"), (error.where, error.message)
    assert hint in f"{error.message} {error.hint}"


def test_suggests_quotes_for_a_version_number(tmp_path: Path) -> None:
    assert "quotes" in refused(tmp_path, "kubeVersion: 1.30").message


def test_reports_line_of_invalid_yaml(tmp_path: Path) -> None:
    path = tmp_path / "sidecarctl.yaml"
    path.write_text("kind: Composition\nspec: [\n")
    with pytest.raises(InputError) as caught:
        load_composition(path)
    assert caught.value.exit_code == 3
    assert f"{path}:" in caught.value.where


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a: 1\n---\nb: 2\n", "got 2 documents"),
        ("kind: Deployment\n", "the file is not a composition"),
        ("apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n", 'invalid kind "Sidecar"'),
    ],
)
def test_rejects_other_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_composition(path)


# ---- includes and environments -----------------------------------------------------------------------------------


def test_rejects_include_cycles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "include: [b.yaml]", "a.yaml")
    write(tmp_path, "include: [sub/c.yaml]", "b.yaml")
    write(tmp_path, "include: [../a.yaml]", "sub/c.yaml")
    with pytest.raises(UsageError) as caught:
        load_composition(Path("a.yaml"))
    assert f"a.yaml -> b.yaml -> sub{os.sep}c.yaml -> a.yaml" in caught.value.message
    assert caught.value.where.startswith(f"sub{os.sep}c.yaml") or caught.value.where.startswith("sub/../sub/c.yaml")


def test_rejects_a_file_that_includes_itself(tmp_path: Path) -> None:
    assert "include cycle" in refused(tmp_path, "include: [sidecarctl.yaml]").message


def test_long_chain_of_includes_is_read(tmp_path: Path) -> None:
    for number in range(1, 1200):
        write(tmp_path, f"include: [c{number + 1}.yaml]", f"c{number}.yaml")
    write(tmp_path, 'kubeVersion: "1.30"', "c1200.yaml")
    composition = load_composition(tmp_path / "c1.yaml")
    assert (composition.kube_version, len(composition.files)) == ("1.30", 1200)


def test_merges_a_shared_include_once(tmp_path: Path) -> None:
    write(tmp_path, "rules:\n- select: {all: true}\n  sidecars: [logger]", "base.yaml")
    write(tmp_path, "include: [base.yaml]", "left.yaml")
    write(tmp_path, "include: [base.yaml]", "right.yaml")
    assert len(read(tmp_path, "include: [left.yaml, right.yaml]").rules) == 1


def test_later_files_take_precedence_key_by_key(tmp_path: Path) -> None:
    defaults = "defaults:\n  logger:\n    parameters: {{logDir: {}, parser: {}}}"
    write(tmp_path, 'kubeVersion: "1.30"\n' + defaults.format("/one", "json"), "one.yaml")
    write(tmp_path, "defaults:\n  logger:\n    parameters: {logDir: /two}", "two.yaml")
    composition = read(tmp_path, 'include: [one.yaml, two.yaml]\nkubeVersion: "1.33"')
    assert composition.kube_version == "1.33"
    assert composition.defaults["logger"].data["parameters"] == {"logDir": "/two", "parser": "json"}


def test_merges_rules_by_name(tmp_path: Path) -> None:
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
    assert [wish.instance for wish in web.sidecars] == ["logger", "proxy"]
    assert web.sidecars[0].data["parameters"] == {"logDir": "/b", "parser": "json"}
    assert web.selector.names == ("web",)
    assert other.label == "rule 2"


def test_environments_take_precedence_over_includes(tmp_path: Path) -> None:
    write(tmp_path, 'environments:\n  prod: {kubeVersion: "1.31", excludeNamespaces: [a]}', "base.yaml")
    spec = 'include: [base.yaml]\nkubeVersion: "1.34"\nexcludeNamespaces: [b]\nenvironments:\n  dev: {}'
    assert read(tmp_path, spec).kube_version == "1.34"
    prod = read(tmp_path, spec, "prod")
    assert prod.kube_version == "1.31"
    assert set(prod.exclude_namespaces) == {"a", "b"}


def test_rejects_unknown_environments(tmp_path: Path) -> None:
    error = refused(tmp_path, "environments:\n  prod: {}\n  staging: {}", "stagin")
    assert error.hint == 'did you mean "staging"?'
    assert (
        "known environments: prod, staging" in refused(tmp_path, "environments:\n  prod: {}\n  staging: {}", "x").hint
    )


def test_environments_can_disable_rules(tmp_path: Path) -> None:
    spec = (
        "rules:\n- name: a\n  select: {all: true}\n  sidecars: [logger]\n"
        "environments:\n  dev:\n    rules:\n    - {name: a, enabled: false}"
    )
    assert len(read(tmp_path, spec).rules) == 1
    assert not read(tmp_path, spec, "dev").rules


def test_environment_changes_every_rule_of_a_name(tmp_path: Path) -> None:
    rules = "".join(f"- {{name: front, select: {{all: true}}, sidecars: [{one}]}}\n" for one in ("log-tail", "logger"))
    spec = f"rules:\n{rules}environments:\n  prod: {{rules: [{{name: front, enabled: false}}]}}"
    assert len(read(tmp_path, spec).rules) == 2
    assert read(tmp_path, spec, "prod").rules == ()


def test_rules_of_one_name_are_merged_in_order(tmp_path: Path) -> None:
    def rules(*resources: str) -> str:
        entries = (f"{{name: logger, parameters: {{resources: {each}}}}}" for each in resources)
        return "rules:\n" + "".join(f"- {{name: w, select: {{all: true}}, sidecars: [{one}]}}\n" for one in entries)

    write(tmp_path, rules("{limits: {memory: 64Mi}}"), "base.yaml")
    (rule,) = read(tmp_path, "include: [base.yaml]\n" + rules("null", "{limits: {cpu: 500m}}")).rules
    assert rule.sidecars[0].data["parameters"]["resources"] == {"limits": {"cpu": "500m"}}


def test_many_rules_of_one_name_in_two_layers_are_an_error() -> None:
    from sidecarctl.composition.layers import Layer, RawRule
    from sidecarctl.findings import Place

    many = Layer(rules=tuple(RawRule("front", Place("sidecarctl.yaml", line, 1, line, 2), {}) for line in range(101)))
    few = Layer(rules=many.rules[:99])
    assert len(few.overlay(many).rules) == 99
    different = Layer(rules=tuple(RawRule(f"r{i}", many.rules[0].place, {}) for i in range(10_001)))
    assert len(different.overlay(different).rules) == 10_001
    with pytest.raises(UsageError, match='"front" is used by too many rules') as caught:
        many.overlay(many)
    assert caught.value.where == "sidecarctl.yaml:0:1"


def test_library_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    (tmp_path / "base" / "sidecars").mkdir(parents=True)
    (tmp_path / "own").mkdir()
    write(tmp_path, "libraries: [./sidecars]", "base/base.yaml")
    composition = read(tmp_path, "include: [base/base.yaml]\nlibraries: [own]")
    assert [path.resolve() for path in composition.libraries] == [tmp_path / "own", tmp_path / "base" / "sidecars"]


def test_selectors_accept_custom_kinds(tmp_path: Path) -> None:
    composition = read(
        tmp_path,
        "kinds:\n  example.com/Widget: spec.pods.*.template\nrules:\n- select: {kinds: [Widget]}\n  sidecars: [logger]",
    )
    assert composition.kinds.template_paths("example.com/v1", "Widget") == (("spec", "pods", "*", "template"),)


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
    assert version_matches(when, version) is expected


def test_finds_the_nearest_composition_in_parent_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "rules: []")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    found = find_composition_file(Path())
    assert found is not None
    assert found.resolve() == path
    assert not found.is_absolute()


def test_include_that_is_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    message = refused(tmp_path, "include: [loop.yaml]").message
    assert "cannot follow the links" in message or "file not found" in message


def test_rules_of_one_file_do_not_merge_with_each_other() -> None:
    from sidecarctl.composition.layers import Layer, RawRule
    from sidecarctl.findings import Place

    rules = tuple(RawRule("front", Place("sidecarctl.yaml", line, 1, line, 2), {}) for line in (1, 2))
    assert Layer().overlay(Layer(rules=rules)).rules == rules


@pytest.mark.parametrize(
    ("base", "over", "policy", "manifests"),
    [
        ("enforce: true, manifests: [a]", "enforce: false, manifests: []", "fail", ()),
        ("enforce: true, manifests: [a]", "retarget: true", "enforce", ("a",)),
        ("enforce: true", "onConflict: keep", "keep", ()),
        ("onConflict: keep", "enforce: false", "keep", ()),
        ("onConflict: keep", "enforce: true", "enforce", ()),
    ],
)
def test_a_later_layer_can_set_false_and_an_empty_list(
    base: str, over: str, policy: str, manifests: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "sidecarctl.yaml"
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
    rules = "rules: [{select: {all: true}, sidecars: [logger]}]"
    file.write_text(f"{head}spec: {{{base}, {rules}, environments: {{later: {{{over}}}}}}}\n")
    found = load_composition(file, "later")
    assert (found.on_conflict, tuple(Path(each).name for each in found.manifests)) == (policy, manifests)


def test_hint_for_a_missing_parameter_names_the_file_syntax() -> None:
    hint = _SET.sub(r"set \1 under `parameters`", "set it with --set metrics.exporter=<value>: Exporter to run")
    assert hint == "set exporter under `parameters`: Exporter to run"
