"""Oversized inputs and templates result in an error that names the limit and the variable that raises it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import sidecarctl
from sidecarctl import limits
from sidecarctl.errors import SidecarctlError
from sidecarctl.yamltext.edits import Insert, apply
from sidecarctl.yamltext.nodes import is_deeper
from tests.command import ROOT, run
from tests.security.kit import ADD, CONTAINER, POD, library

ALIASES = "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
# name: (text after a valid document, the limit)
INPUTS: dict[str, tuple[str, limits.Limit]] = {
    "aliases": (ALIASES, limits.ALIASED),
    "aliases of a container with many ports": (
        f"x: &x {{name: a, ports: [{'{containerPort: 1},' * 1000}]}}\ny:\n" + "- *x\n" * 400,
        limits.ALIASED,
    ),
    "many aliases of a list": (
        f"x: &x [{'a,' * 3000}]\n" + "".join(f"k{i}: [*x]\n" for i in range(700)),
        limits.ALIASED,
    ),
    "merge keys that grow": (
        "x0: &x0 {a: 1}\n" + "".join(f"x{i}: &x{i} {{<<: *x{i - 1}, k{i}: 1}}\n" for i in range(1, 3000)),
        limits.ALIASED,
    ),
    "a million keys": ("".join(f"k{number}: v\n" for number in range(1_000_000)), limits.VALUES),
    "a list of two million items": (f"x: [{'a,' * 2_000_000}]\n", limits.VALUES),
    "nesting": (f"x: {'[' * 1000}{']' * 1000}\n", limits.DEPTH),
    "nesting in lines": ("x:\n" + "".join(" " * (i + 1) + "a:\n" for i in range(1000)), limits.DEPTH),
    "a scalar of 200 MB": (f"x: {'a' * 200_000_000}\n", limits.DOCUMENT),
    "aliases of a long text": (f"x: &x {'a' * 700_000}\ny: [{'*x, ' * 100}]\n", limits.DOCUMENT),
    "a block scalar of 70 MB": ("x: |\n" + f"  {'a' * 997}\n" * 70_000, limits.DOCUMENT),
}


@pytest.mark.parametrize("what", INPUTS)
def test_bomb_is_rejected_with_the_limit_and_its_variable(what: str, tmp_path: Path) -> None:
    more, limit = INPUTS[what]
    outcome = run("sidecarctl add logger", tmp_path, stdin=POD + more)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert f"{limit.value:,}" in outcome.stderr
    assert limit.variable in outcome.stderr


RAISED = {
    "nesting": ("x: " + "[" * 1000 + "]" * 1000 + "\n", "SIDECARCTL_MAX_DEPTH", "400", "1100"),
    "aliases": ("".join(ALIASES.splitlines(keepends=True)[:5]), "SIDECARCTL_MAX_ALIASED", "10000", "1000000"),
}


@pytest.mark.parametrize("what", RAISED)
def test_raised_limit_allows_add_and_remove(what: str, tmp_path: Path) -> None:
    more, variable, low, high = RAISED[what]
    given = POD + more
    assert run("sidecarctl add logger --validate ignore", tmp_path, stdin=given, env={variable: low}).code == 3
    raised = {variable: high}
    added = run("sidecarctl add logger --validate ignore --fail-on never -q", tmp_path, stdin=given, env=raised)
    assert added.code == 0, added.stderr
    assert (
        run("sidecarctl remove logger --validate ignore -q", tmp_path, stdin=added.stdout, env=raised).stdout == given
    )


@pytest.mark.parametrize("value", ["many", "0", "-1", "1e3", "99999999999999999999"])
def test_invalid_limit_is_a_usage_error(value: str, tmp_path: Path) -> None:
    outcome = run("sidecarctl add logger", tmp_path, stdin=POD, env={"SIDECARCTL_MAX_DEPTH": value})
    assert (outcome.code, outcome.stdout) == (2, "")
    assert f'invalid SIDECARCTL_MAX_DEPTH "{value}"' in outcome.stderr


@pytest.mark.parametrize("limit", limits.ALL, ids=lambda limit: str(limit.variable))
@pytest.mark.parametrize("engine", ["jinja", "kcl"])
def test_invalid_limit_is_no_internal_error_with_a_template_of_an_own_library(
    limit: limits.Limit, engine: str, tmp_path: Path
) -> None:
    kcl = '_input = option("input")\ncontainers = [{name = _input.instance, image = "x:1"}]\n'
    library(tmp_path, kcl if engine == "kcl" else CONTAINER, engine=engine)
    outcome = run(ADD, tmp_path, env={limit.variable: "0"})
    assert outcome.code in (0, 1, 2), outcome.stderr
    assert outcome.code != 2 or f"invalid {limit.variable}" in outcome.stderr


# name: (template, limit)
TEMPLATES: dict[str, tuple[str, limits.Limit]] = {
    "nested loops": ("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", limits.STEPS),
    "a recursive macro": ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", limits.STEPS),
    "a text that doubles": (
        "{% set n = namespace(t='xxxxxxxx') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}",
        limits.RENDERED,
    ),
    "a repeated text": ("{{ 'x' * 1000000000 }}", limits.RENDERED),
    "a growing replacement": ("{{ ('a' * 100000) | replace('a', 'b' * 1000) }}", limits.RENDERED),
    "aliases of a long text": (f"containers: [{{x: &s {'x' * 200_000}}}, {'*s, ' * 20}]\n", limits.RENDERED),
    "a long template": ("# " + "x" * 300_000, limits.TEMPLATE),
}


@pytest.mark.parametrize("what", TEMPLATES)
def test_growing_or_looping_template_is_stopped(what: str, tmp_path: Path) -> None:
    template, limit = TEMPLATES[what]
    library(tmp_path, template)
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "template.yaml.j2" in outcome.stderr
    assert limit.variable in "".join(outcome.stderr.split()) or what == "a recursive macro"


# Each takes for ever, or all memory, in one step of the template.
UNCOUNTED = {
    "a rounded number": "{{ 0.1 | round(100000000, 'ceil') }}",
    "a floor": "{{ 3 | round(300000000, 'floor') }}",
    "a sum of ranges": "{{ ([range(100000)] * 50000) | map('sum') | list | length }}",
    "a list of ranges": "{% set q = ([range(100000)] * 50000) | map('list') | list %}",
    "sums of lists": "{% set l = [[1] * 100] * 900 %}{% for i in range(100000) %}{% set q = l | sum(start=[]) %}{% endfor %}",
    "a search": "{% set l = range(90000) | list %}{% for i in range(99999) %}{% if 'z' in l %}{% endif %}{% endfor %}",
    "a comparison": "{% set l = range(90000) | list %}{% set k = range(90000) | list %}"
    "{% for i in range(99999) %}{% if l == k %}{% endif %}{% endfor %}",
    "a slice": "{% set l = range(90000) | list %}{% for i in range(99999) %}{% set q = l[1:] %}{% endfor %}",
    "an encoding": "{% set n = namespace(s='%' * 130000) %}{% for i in range(99) %}{% set n.s = n.s | urlencode %}{% endfor %}",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("what", UNCOUNTED)
def test_template_is_stopped_after_a_time_or_with_much_memory(what: str, tmp_path: Path) -> None:
    library(tmp_path, UNCOUNTED[what] + CONTAINER)
    limits_ = {"SIDECARCTL_MAX_SECONDS": "1", "SIDECARCTL_MAX_MEMORY": "100"}
    outcome = run(ADD, tmp_path, env=limits_)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "template.yaml.j2" in outcome.stderr
    stopped = ("SIDECARCTL_MAX_SECONDS", "SIDECARCTL_MAX_MEMORY", "SIDECARCTL_MAX_RENDERED", "out of memory")
    assert any(each in outcome.stderr for each in stopped)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_template_after_a_stopped_one_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    monkeypatch.setenv("SIDECARCTL_NO_CACHE", "1")
    library(tmp_path, UNCOUNTED["a floor"] + CONTAINER)
    with pytest.raises(SidecarctlError, match="exceeds 1 s"):
        sidecarctl.add(POD, ["mine"], libraries=[tmp_path / "lib"])
    library(tmp_path, properties="{token: {type: string, default: x}}")
    assert "name: mine" in sidecarctl.add(POD, ["mine"], libraries=[tmp_path / "lib"]).text


def test_step_that_ends_with_a_stopped_template_is_one_error(tmp_path: Path) -> None:
    library(tmp_path, UNCOUNTED["a floor"] + CONTAINER)
    env = {"SIDECARCTL_MAX_SECONDS": "1", "SIDECARCTL_MAX_STEP_SECONDS": "1", "SIDECARCTL_NO_CACHE": "1"}
    outcome = run(ADD, tmp_path, env=env, fresh=True)
    assert outcome.code in (2, 3)
    assert [line for line in outcome.stderr.splitlines() if line.startswith(("error", "Traceback"))] == [
        "error: template error: run time exceeds 1 s"
    ]


@pytest.mark.parametrize(
    "field",
    [
        'rules: [{select: {names: ["GLOB"]}, sidecars: [logger]}]',
        'rules: [{select: {annotations: {a: "GLOB"}}, sidecars: [logger]}]',
        'rules: [{select: {all: true, containers: ["GLOB"]}, sidecars: [logger]}]',
        'rules: [{select: {all: true}, sidecars: [{name: logger, containers: ["GLOB"]}]}]',
        'excludeNamespaces: ["GLOB"]',
        'exclude: ["GLOB"]',
        'manifests: ["GLOB"]',
    ],
)
def test_long_glob_whose_translation_takes_quadratic_time_is_rejected(field: str, tmp_path: Path) -> None:
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: c}\nspec:\n"
    (tmp_path / "c.yaml").write_text(head + f"  {field.replace('GLOB', '[' * 5000)}\n")
    done = run("sidecarctl render -c c.yaml -f web.yaml", tmp_path)
    assert (done.code, "must have a length of at most" in done.stderr) == (2, True), done.stderr


def test_oversized_sidecar_or_composition_file_is_rejected(tmp_path: Path) -> None:
    entry = library(tmp_path)
    long = f"# {'x' * (1 << 20)}\n"
    (entry / "sidecar.yaml").write_text(long)
    (tmp_path / "sidecarctl.yaml").write_text(long)
    for command in (ADD, "sidecarctl render -f web.yaml"):
        outcome = run(command, tmp_path)
        assert outcome.code in (2, 3)
        assert "is larger than 1024 KiB" in outcome.stderr
        assert "SIDECARCTL_MAX_FILE" in outcome.stderr


READING = [ADD, "sidecarctl list --library lib", "sidecarctl show mine --library lib"]


@pytest.mark.parametrize("words", READING)
def test_library_file_with_many_values_is_rejected(words: str, tmp_path: Path) -> None:
    library(tmp_path, properties=f"{{a: {{enum: [{'1,' * 199_900}]}}}}")
    outcome = run(words, tmp_path)
    assert (outcome.code, "SIDECARCTL_MAX_FILE_VALUES" in outcome.stderr) == (0, False), outcome.stderr
    library(tmp_path, properties=f"{{a: {{enum: [{'1,' * 200_000}]}}}}")
    outcome = run(words, tmp_path)
    shown = " ".join((outcome.stdout + outcome.stderr).split())
    assert "has more than 200,000 values" in shown
    assert "SIDECARCTL_MAX_FILE_VALUES" in shown
    assert outcome.code == (0 if "list" in words else 2)
    raised = run(words, tmp_path, env={"SIDECARCTL_MAX_FILE_VALUES": "210000"})
    assert raised.code == 0, raised.stderr


LONG = f"'a': {{type: string, default: q, x-s: &s {'y' * 100_000}, x-l: [{'*s, ' * 100}]}}"


@pytest.mark.parametrize("words", READING)
def test_metadata_with_aliases_of_a_long_text_is_rejected(words: str, tmp_path: Path) -> None:
    library(tmp_path, properties=f"{{{LONG}}}")
    outcome = run(words, tmp_path)
    shown = "".join((outcome.stdout + outcome.stderr).split())
    assert "sidecar.yamlislargerthan1024KiBwithaliasesexpanded" in shown
    assert "SIDECARCTL_MAX_FILE" in shown
    assert outcome.code == (0 if "list" in words else 2)


@pytest.mark.parametrize("word", ["aliases", "substitutions"])
def test_output_of_a_plain_template_is_limited(word: str, tmp_path: Path) -> None:
    args = ", ".join(["&s " + "y" * 100_000, *["*s"] * 30]) if word == "aliases" else ", ".join(["x"] * 30)
    template = f"containers:\n- name: mine\n  image: x:1\n  args: [{args}]\n"
    entry = library(tmp_path, template, f"{{a: {{type: string, default: {'z' * 100_000}}}}}", engine="plain")
    if word == "substitutions":
        paths = "".join(f"  - {{path: 'containers[0].args[{i}]', parameter: a}}\n" for i in range(30))
        with (entry / "sidecar.yaml").open("a") as stream:
            stream.write(f"  substitutions:\n{paths}")
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "template.yaml" in outcome.stderr
    assert ("SIDECARCTL_MAX_FILE" if word == "aliases" else "SIDECARCTL_MAX_RENDERED") in outcome.stderr


@pytest.mark.parametrize("default", ["{}", "''"])
def test_substitutions_of_a_plain_template_end_at_the_limit(default: str, tmp_path: Path) -> None:
    """Empty values count as one character each."""
    values = ",".join([default] * 20_000)
    template = "containers:\n- name: mine\n  image: x:1\npod: {}\n"
    entry = library(tmp_path, template, f"{{a: {{default: [{values}]}}}}", engine="plain")
    with (entry / "sidecar.yaml").open("a") as stream:
        stream.write("  substitutions:\n")
        stream.writelines(f"  - {{path: pod.k{number}, parameter: a}}\n" for number in range(200))
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "template output has more than 2,097,152 characters" in outcome.stderr
    assert "SIDECARCTL_MAX_RENDERED" in outcome.stderr


def test_search_for_named_items_in_a_plain_template_is_limited(tmp_path: Path) -> None:
    items = "".join(f"  - {{name: E{number}, value: v}}\n" for number in range(2_000))
    template = f"containers:\n- name: mine\n  image: x:1\n  env:\n{items}"
    entry = library(tmp_path, template, "{a: {default: x}}", engine="plain")
    substitution = "  - {path: 'containers[0].env[E1999].value', parameter: a}\n"
    with (entry / "sidecar.yaml").open("a") as stream:
        stream.write("  substitutions:\n" + substitution * 300)
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "the substitutions search more than 500,000 items" in outcome.stderr
    assert "SIDECARCTL_MAX_STEPS" in outcome.stderr


DEEP = f"{'{a: ' * 101}1{'}' * 101}"


def test_deep_output_of_kcl_is_an_error_of_the_template(tmp_path: Path) -> None:
    pytest.importorskip("kcl_lib")
    deep = f"{'{a = ' * 101}1{'}' * 101}"
    library(tmp_path, f'containers = [{{name = "mine", image = "x:1", resources = {deep}}}]\n', engine="kcl")
    error = run(ADD, tmp_path).stderr
    assert "template output is nested deeper than 100 levels" in error
    assert "template.k" in error


def test_deep_patch_is_an_error_of_the_parameter(tmp_path: Path) -> None:
    library(tmp_path, "containers:\n- name: mine\n  image: x:1\n")
    outcome = run([*ADD.split(), "--set", f"patch={{resources: {DEEP}}}"], tmp_path)
    assert outcome.code == 2
    assert "invalid patch for mine: nested deeper than 100 levels" in outcome.stderr
    assert "--set patch" in outcome.stderr


def test_depth_counts_what_aliases_stand_for() -> None:
    shared: list[object] = [[]]
    assert not is_deeper([shared, shared], 3)
    assert is_deeper([shared, shared], 2)
    for _ in range(60):
        shared = [shared, shared]
    assert is_deeper(shared, 61)
    assert not is_deeper(shared, 62)


def test_every_limit_is_documented() -> None:
    page = (ROOT / "SECURITY.md").read_text()
    for limit in limits.ALL:
        assert f"| `{limit.variable}` | {limit.default:,} | {limit.what} |" in page


@pytest.mark.parametrize("name", ["SIDECARCTL_MAX_DOCUMENT", "SIDECARCTL_MAX_STEPS", "SIDECARCTL_MAX_TEMPLATE"])
def test_invalid_limit_does_not_break_imports(name: str) -> None:
    code = "import sidecarctl, sidecarctl.cli.parser, sidecarctl.catalog.render, sidecarctl.catalog.engines.jinja"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, name: "abc"}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no endless device")
@pytest.mark.parametrize(
    "name", [".gitignore", "kustomization.yaml", "sidecar.yaml", "chainsaw-test.yaml", "sidecarctl.yaml", "app.yaml"]
)
def test_link_to_an_endless_device_is_not_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    (tmp_path / name).symlink_to("/dev/zero")
    done = run("sidecarctl add log-tail --set logDir=/var/log/app .", tmp_path)
    assert done.code in (0, 2, 3), done.stderr
    assert "bug" not in done.stderr


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no endless device")
def test_endless_values_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    done = run("sidecarctl add log-tail --values /dev/zero -f web.yaml", tmp_path)
    assert done.code == 3
    assert "larger than 1,048,576 bytes" in done.stderr
    assert "SIDECARCTL_MAX_FILE" in done.stderr


@pytest.mark.parametrize("start", ["[", "- ", "- {", "[{"])
def test_long_run_of_blanks_in_a_directory_takes_linear_time(start: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(start + " " * 400_000 + "x]")
    (tmp_path / "pod.yaml").write_text(POD)
    assert run("sidecarctl status .", tmp_path).code == 0


VARIABLES = ", ".join(f"{{name: A{number}, value: b}}" for number in range(100))
BIG_POD = POD.replace("name: web", "name: web\n  annotations:\n    a: b", 1) + f"      env: [{VARIABLES}]" + "\n"
RESULTS = {
    "characters": ("SIDECARCTL_MAX_DOCUMENT", len(BIG_POD) + 10, "mine"),
    "values": ("SIDECARCTL_MAX_VALUES", 526, "mine"),
    "values with two sidecars": ("SIDECARCTL_MAX_VALUES", 526, "mine other --mode classic"),
}


@pytest.mark.parametrize("what", RESULTS)
def test_result_beyond_a_limit_is_refused(what: str, tmp_path: Path) -> None:
    variable, most, names = RESULTS[what]
    template = "containers:\n- name: {{ instance }}\n  image: x:1\n"
    shutil.copytree(library(tmp_path, template, "{}"), tmp_path / "lib/other")
    metadata = tmp_path / "lib/other/sidecar.yaml"
    metadata.write_text(metadata.read_text().replace("name: mine", "name: other"))
    (tmp_path / "web.yaml").write_text(BIG_POD)
    outcome = run(f"sidecarctl add {names} --library lib -f web.yaml", tmp_path, env={variable: str(most)})
    assert (outcome.code, outcome.stdout) == (1, ""), outcome.stderr
    assert "error[edit-refused]: " in outcome.stderr
    assert "the result exceeds a limit: the document has more than" in outcome.stderr
    assert variable in outcome.stderr


def test_common_parameters_in_many_containers_are_limited(tmp_path: Path) -> None:
    library(tmp_path, "containers:\n{% for i in range(400) %}\n- {name: a{{ i }}, image: 'x:1'}\n{% endfor %}\n", "{}")
    (tmp_path / "values.yaml").write_text(f"mine: {{env: {{{', '.join(f'E{number}: v' for number in range(600))}}}}}\n")
    outcome = run(f"{ADD} --values values.yaml", tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "in 400 containers of mine, have more than 2,097,152 characters" in outcome.stderr
    assert "SIDECARCTL_MAX_RENDERED" in outcome.stderr


def test_additions_to_many_app_containers_are_limited(tmp_path: Path) -> None:
    variables = "{% for i in range(4000) %}\n  - {name: a{{ i }}, value: b}\n{% endfor %}\n"
    entry = library(tmp_path, f"containers:\n- {{name: mine, image: 'x:1'}}\napp:\n  env:\n{variables}", "{}")
    with (entry / "sidecar.yaml").open("a") as stream:
        stream.write("  targets: all\n")
    apps = "".join(f"    - {{name: web-{number}, image: 'nginx:1.27'}}\n" for number in range(50))
    (tmp_path / "web.yaml").write_text(POD + apps)
    outcome = run(ADD, tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "what mine adds to 51 app containers has more than 2,097,152 characters" in outcome.stderr
    assert "SIDECARCTL_MAX_RENDERED" in outcome.stderr


def test_edits_inside_nested_lists_share_their_path() -> None:
    """Each level of a List had its own copy of all paths, so that memory grew with the square of the depth."""
    value: object = {"a": 1}
    for _ in range(300):
        value = {"items": [value]}
    path = ("items", 0) * 300
    edits = [Insert((*path, f"k{number}"), 1) for number in range(300)]
    tracemalloc.start()
    try:
        apply(value, edits)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000
