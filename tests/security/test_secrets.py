"""Secret parameters: a `writeOnly` value appears only where the template writes it in the manifest."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from pathlib import Path

import pytest

from sidecarctl.catalog.masking import mask
from sidecarctl.findings import Finding
from sidecarctl.inject.secret_findings import mask_findings
from tests.calls import count_calls
from tests.command import Outcome, run
from tests.security.kit import ADD, CONTAINER, library

SECRET = "hunter2xyz"
WITH = f"{ADD} --set token={SECRET}"
# A value that the schema rejects.
WRONG = "hunter2xyz-and-longer"


def test_secret_is_not_in_the_record(tmp_path: Path) -> None:
    library(tmp_path)
    text = run(f"{WITH} -q", tmp_path).stdout
    record = next(line for line in text.splitlines() if "sidecarctl.dev/sidecars" in line)
    assert SECRET not in record
    assert f"value: {SECRET}" in text  # where the template writes it


@pytest.mark.parametrize("format_name", ["text", "json", "sarif", "github", "gitlab", "junit", "markdown"])
def test_secret_is_not_in_any_report(format_name: str, tmp_path: Path) -> None:
    library(tmp_path)
    outcome = run(f"{WITH} -v -o out.yaml --format {format_name}", tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert SECRET not in outcome.stdout + outcome.stderr
    for words in (
        "status",
        "status --format json",
        "graph",
        "graph --format markdown",
        "graph --format svg",
        "validate -v",
    ):
        outcome = run(f"sidecarctl {words} -f out.yaml", tmp_path, env={"SIDECARCTL_LIBRARY": "lib"})
        assert SECRET not in outcome.stdout + outcome.stderr


def write_case(entry: Path, secret: str) -> None:
    """Write a test case for an entry of the library `lib`, with the workload beside the library and a secret."""
    case = entry / "tests" / "a"
    case.mkdir(parents=True)
    (case / "input.yaml").write_text((entry.parents[1] / "web.yaml").read_text())
    (case / "parameters.yaml").write_text(json.dumps({"token": secret}))


@pytest.mark.parametrize(
    "secret", [SECRET, "it's hunter2xyz: #x", 'hunter2xyz\nand"more\\', "hunter2xyz\tö\x85 hunter2xyz"]
)
def test_secret_of_a_test_case_is_not_on_the_page_of_the_sidecar(secret: str, tmp_path: Path) -> None:
    template = "containers: [{name: mine, image: 'x:1'}]\napp: {env: [{name: T, value: {{ params.token | quote }}}]}\n"
    write_case(library(tmp_path, template, "{token: {type: string, writeOnly: true}}\n    required: [token]"), secret)
    shown = run("sidecarctl show mine --library lib", tmp_path).stdout
    assert "with token=...:" in shown
    assert "variable  T=..." in shown
    assert "--set token=..." in shown
    assert SECRET not in shown
    shown = run("sidecarctl show mine --library lib --format json", tmp_path).stdout
    assert json.loads(shown)["example"]["parameters"] == {"token": "..."}
    assert "value: " in json.loads(shown)["example"]["result"]
    assert SECRET not in shown


LONG = "hunter2" + "abcdefghij" * 8


@pytest.mark.parametrize("secret", [LONG, LONG.replace("c", "\n"), 'hunter"two\\x\ny9'])
@pytest.mark.parametrize(
    "field",
    [
        "resources: {limits: {memory: %s}}",
        "livenessProbe: {httpGet: {port: %s, path: /}}",
        "securityContext: {runAsUser: %s}",
    ],
)
def test_start_or_end_of_a_long_secret_is_not_in_a_finding(field: str, secret: str, tmp_path: Path) -> None:
    written = f"image: x:1\n  {field}" % "{{ params.token | to_json }}"
    schema = "{token: {type: string, writeOnly: true}}"
    library(tmp_path, f"containers:\n- name: mine\n  {written}\n", schema)
    (tmp_path / "values.yaml").write_text(json.dumps({"mine": {"token": secret}}))
    for words in ("", "--format json", "--format sarif", "--format github"):
        outcome = run(f"{ADD} --values values.yaml {words}", tmp_path)
        assert outcome.code == 1, outcome.stderr
        assert "hunt" not in outcome.stdout + outcome.stderr
        assert "y9" not in outcome.stdout + outcome.stderr


FIELDS = (
    "env: [{name: T, value: {{ params.token | quote }}}]",
    "image: {{ params.token | quote }}",
    "securityContext: {seLinuxOptions: {level: {{ params.token | quote }}}}",
)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("format_name", ["text", "json"])
def test_old_and_new_secret_are_not_in_the_report_of_a_change(field: str, format_name: str, tmp_path: Path) -> None:
    image = "" if field.startswith("image") else "image: x:1\n  "
    library(tmp_path, f"containers:\n- name: mine\n  {image}{field}\n")
    assert run(f"{WITH} -o out.yaml", tmp_path).code == 0
    add = ADD.replace("web.yaml", "out.yaml")
    words = (
        f"{add} --set token=hunter3abc -v -o new.yaml",
        "sidecarctl status -f edited.yaml",
        f"{add.replace('out.yaml', 'edited.yaml')} --set token=hunter3abc -v -o last.yaml",
        f"{add.replace('out.yaml', 'edited.yaml')} --set token=hunter3abc --enforce -v -o last.yaml",
    )
    (tmp_path / "edited.yaml").write_text((tmp_path / "out.yaml").read_text().replace(SECRET, "hunter4def"))
    for word in words:
        outcome = run(f"{word} --format {format_name}", tmp_path, env={"SIDECARCTL_LIBRARY": "lib"})
        assert "hunter" not in outcome.stdout + outcome.stderr, word
        assert outcome.stdout + outcome.stderr, word
    assert "hunter3abc" in (tmp_path / "new.yaml").read_text()


def render_two_rules(parameters: str, cwd: Path, more: str = "") -> Outcome:
    """Render with two rules whose parameters differ in a secret, at `%s`. `more` is what else the composition has."""
    one, two = (
        f"{{select: {{all: true}}, sidecars: [{{name: mine, parameters: {parameters % each}}}]}}"
        for each in (SECRET, "hunter3abc")
    )
    (cwd / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        f"spec: {{libraries: [lib], {more}rules: [{one}, {two}]}}\n"
    )
    return run("sidecarctl render -f web.yaml", cwd)


def test_secret_is_not_in_the_error_of_two_rules(tmp_path: Path) -> None:
    library(tmp_path)
    outcome = render_two_rules("{token: %s}", tmp_path)
    assert outcome.code == 2
    assert "parameters differ: token" in " ".join(outcome.stderr.split())
    assert "hunter" not in outcome.stderr


@pytest.mark.parametrize("place", ["propertyNames", "additionalProperties", "whole mapping"])
def test_key_of_a_secret_mapping_is_not_in_the_error_of_two_rules(place: str, tmp_path: Path) -> None:
    _library_of(place, tmp_path)
    outcome = render_two_rules("{token: {%s: x}}", tmp_path)
    assert outcome.code == 2
    assert "parameters differ: token\n" in " ".join(outcome.stderr.split(" "))
    assert "hunter" not in outcome.stderr


def test_default_version_says_what_is_secret_in_the_error_of_two_rules(tmp_path: Path) -> None:
    entry = library(tmp_path, properties="{token: {type: object, writeOnly: true}}")
    shutil.copytree(entry, entry.with_name("mine@1.0.0"))
    library(tmp_path, properties="{token: {type: object}}")
    (entry / "sidecar.yaml").write_text((entry / "sidecar.yaml").read_text().replace("1.0.0", "2.0.0"))
    outcome = render_two_rules("{token: {%s: x}}", tmp_path, "defaults: {mine: {version: 1.0.0}}, ")
    assert (outcome.code, "parameters differ: token" in outcome.stderr, "hunter" in outcome.stderr) == (2, True, False)


def test_rules_can_differ_in_parameters_that_are_all_secret(tmp_path: Path) -> None:
    entry = library(tmp_path)
    text = (entry / "sidecar.yaml").read_text()
    (entry / "sidecar.yaml").write_text(
        text[: text.index("  parameters:")] + "  parameters: {writeOnly: true, additionalProperties: true}\n"
    )
    outcome = render_two_rules("{'.': %s}", tmp_path)
    assert (outcome.code, "parameters differ" in outcome.stderr, "hunter" in outcome.stderr) == (2, True, False)


def test_invalid_secret_is_not_shown(tmp_path: Path) -> None:
    library(tmp_path)
    outcome = run(f"{ADD} --set token={WRONG}", tmp_path)
    assert outcome.code == 2
    assert '"token"' in outcome.stderr
    assert WRONG not in outcome.stderr
    (tmp_path / "values.yaml").write_text(f"token: {WRONG}\n")
    outcome = run(f"{ADD} --values values.yaml", tmp_path)
    assert outcome.code == 2
    assert WRONG not in outcome.stderr


PLACES = {
    "plain": ("{type: string, writeOnly: true}", '"VALUE"'),
    "allOf": ("{allOf: [{type: string}, {writeOnly: true}]}", '"VALUE"'),
    "branch of a branch": ("{allOf: [{anyOf: [{writeOnly: true}, {type: integer}]}]}", '"VALUE"'),
    "if": ("{if: {type: string, writeOnly: true}}", '"VALUE"'),
    "then": ("{if: {type: string}, then: {writeOnly: true}}", '"VALUE"'),
    "else": ("{if: {type: integer}, else: {writeOnly: true}}", '"VALUE"'),
    "$ref": ('{$ref: "#/$defs/secret"}', '"VALUE"'),
    "properties": ("{properties: {a: {properties: {b: {writeOnly: true}}}}}", '{"a": {"b": "VALUE"}}'),
    "properties of then": ("{if: {}, then: {properties: {a: {writeOnly: true}}}}", '{"a": "VALUE"}'),
    "properties of two branches": (
        "{allOf: [{properties: {a: {type: string}}}, {properties: {a: {writeOnly: true}}}]}",
        '{"a": "VALUE"}',
    ),
    "patternProperties": (
        "{properties: {ab: {type: string}}, patternProperties: {^a: {writeOnly: true}}}",
        '{"ab": "VALUE"}',
    ),
    "additionalProperties": ("{additionalProperties: {writeOnly: true}}", '{"a": "VALUE"}'),
    "dependentSchemas": ("{dependentSchemas: {a: {properties: {a: {writeOnly: true}}}}}", '{"a": "VALUE"}'),
    "propertyNames": ("{propertyNames: {writeOnly: true}}", '{"VALUE": 1}'),
    "items": ("{type: array, items: {writeOnly: true}}", '["VALUE"]'),
    "prefixItems": ("{type: array, prefixItems: [{type: string, writeOnly: true}]}", '["VALUE"]'),
    "contains": ("{type: array, contains: {type: string, writeOnly: true}}", '["VALUE"]'),
    "$ref in properties": ('{properties: {a: {$ref: "#/$defs/secret"}}}', '{"a": "VALUE"}'),
    "$ref in additionalProperties": (
        '{type: object, additionalProperties: {$ref: "#/$defs/secret"}}',
        '{"a": "VALUE"}',
    ),
    "$ref in items of a $ref": ('{$ref: "#/$defs/secrets"}', '["VALUE"]'),
    "whole mapping": ("{type: object, writeOnly: true}", '{"VALUE": ["VALUE"]}'),
}


def _library_of(place: str, cwd: Path) -> str:
    """Write a library whose parameter has a secret at a place of its schema. Return the parameter's value."""
    schema, value = PLACES[place]
    shared = "$defs: {secret: {type: string, writeOnly: true}, secrets: {type: array, items: {$ref: '#/$defs/secret'}}}"
    other = "other: {type: string, writeOnly: true}"
    library(
        cwd,
        CONTAINER.replace("params.token", "params.token | to_json"),
        f"{{token: {schema}, count: {{}}, {other}}}\n    {shared}",
    )
    return value


@pytest.mark.parametrize("place", PLACES)
def test_secret_at_any_place_of_a_schema_is_not_in_record_and_reports(place: str, tmp_path: Path) -> None:
    value = _library_of(place, tmp_path)
    for name, secret in (("out", SECRET), ("new", "hunter3abc")):
        (tmp_path / f"{name}.values").write_text(f"mine:\n  token: {value.replace('VALUE', secret)}\n  count: 5\n")
    outcome = run(f"{ADD} --values out.values -v -o out.yaml", tmp_path)
    assert outcome.code == 0, outcome.stderr
    record = next(
        line for line in (tmp_path / "out.yaml").read_text().splitlines() if "sidecarctl.dev/sidecars" in line
    )
    assert SECRET not in record + outcome.stderr
    assert '"count":5' in record
    for format_name in ("text", "json"):
        add = f"{ADD.replace('web.yaml', 'out.yaml')} --values new.values --format {format_name}"
        outcome = run(f"{add} -v -o new.yaml", tmp_path)
        assert outcome.code == 0, outcome.stderr
        assert "hunter" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("place", PLACES)
def test_secret_at_any_place_of_a_schema_cannot_be_in_next_steps(place: str, tmp_path: Path) -> None:
    _library_of(place, tmp_path)
    file = next(tmp_path.glob("*/*/sidecar.yaml"))
    file.write_text(file.read_text().replace("summary:", "nextSteps: 'Use {token}.', summary:"))
    outcome = run(f"{ADD} --set mine.token={SECRET}", tmp_path)
    assert outcome.code == 2
    assert 'invalid placeholder "{token}" in nextSteps: the parameter is secret (writeOnly)' in outcome.stderr


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", ["VALUE", "[VALUE]", "[[VALUE]]", "{VALUE: 1}", "{a: [VALUE]}", "{a: {b: [VALUE]}}"])
def test_secret_in_the_wrong_form_is_not_shown(form: str, place: str, tmp_path: Path) -> None:
    _library_of(place, tmp_path)
    value = form.replace("VALUE", SECRET)
    (tmp_path / "values.yaml").write_text(f"mine:\n  token: {value}\n  count: 5\n  other: [1]\n")
    outcome = run(f"{ADD} --values values.yaml", tmp_path)
    assert outcome.code == 2
    assert "other" in outcome.stderr
    assert SECRET not in outcome.stderr


VALUE = "{{ params.token }}"
# Templates that write the secret where an error or a finding quotes it, and what the error still says.
MISPLACED = {
    f"- name: a\n  image: x:1\n  env: [{{name: T, value: a: {VALUE}}}]\n": "invalid YAML (line 4)",
    f"- name: a\n  image: x:1\n  env: *{VALUE}\n": "invalid YAML (line 4)",
    f"- name: a\n  image: x:1\n  {VALUE}: 1\n  {VALUE}: 2\n": "invalid YAML (line 5)",
    f"- name: {VALUE}=!\n  image: x:1\n": "invalid fragment: containers[0].name: invalid value",
    f"- name: a\n  image: x:1\n  {VALUE}: 1\n": "invalid fragment: containers[0]: invalid value",
    f"- name: a\n  image: x:1\ndocuments:\n- apiVersion: v1\n  kind: {VALUE}\n  metadata: {{name: x}}\n": (
        "invalid fragment: documents[0].kind: invalid value"
    ),
    f"- name: a\n  image: x:1\npod: {{imagePullSecrets: [{{name: '{VALUE}!'}}]}}\n": (
        "invalid fragment: pod.imagePullSecrets[0].name: invalid value"
    ),
    f"- name: a\n  image: x:1\napp: {{env: [{{name: '{VALUE}=', value: x}}]}}\n": (
        "invalid fragment: app.env[0].name: invalid value"
    ),
    f"- name: a\n  image: x:1\npod: {{labels: {{'{VALUE} !': x}}}}\n": "invalid fragment: pod.labels: invalid value",
    f"- name: a\n  image: x:1\n  restartPolicy: {VALUE}\n": "containers[0].restartPolicy: invalid value",
    "- name: a\n  image: x:1\n  env: {{ params[params.token] }}\n": "template error",
    "- name: a\n  image: {{ params.token | quantity }}\n": "template error",
    "- name: a\n  image: {{ params.token | upper | quantity }}\n": "template error",
    "- name: a\n{% include params.token %}\n": "template error",
    "- {{ fail('unknown token ' ~ params.token ~ ', set another') }}\n": "unknown token ..., set another",
    f"- name: a\n  image: x:1\n  resources: {{limits: {{memory: {VALUE}}}}}\n": '"..."',
    f"- name: a\n  image: x:1\npod: {{labels: {{x: '{VALUE} !'}}}}\n": '"... !"',
    f"- name: a\n  image: x:1\n  livenessProbe: {{httpGet: {{path: /, port: {VALUE}}}}}\n": '"..."',
}


@pytest.mark.parametrize("template", MISPLACED)
def test_secret_that_a_template_misplaces_is_not_in_its_error(template: str, tmp_path: Path) -> None:
    library(tmp_path, f"containers:\n{template}")
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        f"spec: {{libraries: [lib], rules: [{{select: {{kinds: [Pod]}}, sidecars: [{{name: mine, parameters: {{token: {SECRET}}}}}]}}]}}\n"
    )
    stdin = (tmp_path / "web.yaml").read_text()
    commands = (
        (f"{WITH} -v", ""),
        (f"{WITH} -v --format json -o out.yaml", ""),
        ("sidecarctl post-render -v --log-file log.txt", stdin),
    )
    for command, given in commands:
        outcome = run(command, tmp_path, stdin=given)
        assert outcome.code in (1, 2), outcome.stderr
        shown = outcome.stdout + outcome.stderr
        assert SECRET not in shown.lower(), command
        assert MISPLACED[template] in " ".join(shown.replace('\\"', '"').split())
    assert SECRET not in (tmp_path / "log.txt").read_text().lower()


@pytest.mark.parametrize(
    "secret", ["^hunter2secret", "|hunter2secret", "hunter2secret\nand a second line", "hunter2secret" * 400, "^" * 9]
)
def test_secret_in_a_failed_assertion_of_kcl_is_not_shown(secret: str, tmp_path: Path) -> None:
    pytest.importorskip("kcl_lib")
    template = (
        '_params = option("input").params\n'
        'assert len(_params.token) < 3, "${_params.token} is no token"\n'
        'containers = [{name = "mine", image = "x:1"}]\n'
    )
    library(tmp_path, template, "{token: {type: string, writeOnly: true}}", engine="kcl")
    (tmp_path / "values.yaml").write_text(json.dumps({"mine": {"token": secret}}))
    outcome = run(f"{ADD} --values values.yaml", tmp_path)
    assert outcome.code == 2
    assert "error: ... is no token\n" in outcome.stderr
    assert not any(part in outcome.stderr for part in ("hunter2", "second line", "^^"))


def test_message_of_a_template_that_is_too_long_to_mask_is_not_shown(tmp_path: Path) -> None:
    library(tmp_path, f"{CONTAINER}  command: [{{{{ fail(params.token ~ 'é' * 100000) }}}}]\n")
    outcome = run(WITH, tmp_path)
    assert outcome.code == 2
    assert "error: a message of more than 100,000 characters\n" in outcome.stderr
    assert SECRET not in outcome.stderr


@pytest.mark.parametrize("secret", ["1", "a", "12345", "true", "*x", "[x", "a: b"])
def test_short_secret_does_not_garble_the_error_of_a_template(secret: str, tmp_path: Path) -> None:
    library(tmp_path, f"containers:\n- name: app\n  image: x:1\n  env: [{{name: T, value: {VALUE}}}]\n")
    (tmp_path / "values.yaml").write_text(f"mine: {{token: '{secret}'}}\n")
    outcome = run(f"{ADD} --values values.yaml -q", tmp_path)
    if outcome.code:
        assert re.search(r"invalid YAML \(line 4\)|containers\[0\]\.env\[0\]\.value: invalid value", outcome.stderr)
        assert f'"{secret}"' not in outcome.stderr and f"number {secret}" not in outcome.stderr
    else:
        assert secret == "a"


def test_secret_is_not_in_the_log(tmp_path: Path) -> None:
    library(tmp_path)
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        f"spec: {{libraries: [lib], rules: [{{select: {{kinds: [Pod]}}, sidecars: [{{name: mine, parameters: {{token: {SECRET}}}}}]}}]}}\n"
    )
    stdin = (tmp_path / "web.yaml").read_text()
    outcome = run("sidecarctl post-render -v --log-file log.txt", tmp_path, stdin=stdin)
    assert outcome.code == 0, outcome.stderr
    assert "mine" in (tmp_path / "log.txt").read_text()
    assert SECRET not in (tmp_path / "log.txt").read_text() + outcome.stderr


def test_secret_is_not_in_a_crash_report(tmp_path: Path) -> None:
    library(tmp_path)
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nclass Broken:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'sidecarctl.inject.pipeline': raise RuntimeError('broken on purpose \\udcff')\n"
        "sys.meta_path.insert(0, Broken())\n"
    )
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).resolve().parents[2])))
    outcome = run(WITH, tmp_path, env={"PYTHONPATH": path, "TMPDIR": str(tmp_path)})
    assert outcome.code == 4, outcome.stderr
    log = re.search(r"FOLDER/(sidecarctl-\w+\.log)", outcome.stderr)
    assert log
    left = tmp_path / log[1]
    assert "broken on purpose" in left.read_text()
    assert SECRET not in left.read_text() + outcome.stderr
    assert os.name != "posix" or stat.S_IMODE(left.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="renderings are cached only on POSIX systems")
def test_secret_is_not_cached(tmp_path: Path) -> None:
    cache = {"SIDECARCTL_NO_CACHE": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    library(tmp_path)
    assert run(WITH, tmp_path, env=cache).code == 0
    library(tmp_path, CONTAINER, "{token: {type: object, additionalProperties: {type: string, writeOnly: true}}}")
    run(f"{ADD} --set token.a={SECRET}", tmp_path, env=cache)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    library(tmp_path, CONTAINER, "{token: {type: string}}")
    assert run(WITH, tmp_path, env=cache).code == 0
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept  # a value that is not secret is cached, readable only by the user
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert stat.S_IMODE((tmp_path / "cache" / "sidecarctl").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text", [f"*{SECRET}", f"&{SECRET} [*{SECRET}]", f"!!int {SECRET}", f"[${{{SECRET.upper()}}}]"]
)
def test_values_file_that_cannot_be_parsed_is_not_shown(text: str, tmp_path: Path) -> None:
    library(tmp_path)
    (tmp_path / "values.yaml").write_text(f"mine:\n  token: {text}\n")
    outcome = run(f"{ADD} --values values.yaml", tmp_path)
    assert outcome.code == 3, outcome.stderr
    assert "values.yaml:2:" in outcome.stderr
    assert SECRET not in outcome.stderr.lower()


@pytest.mark.parametrize("format_name", ["text", "json"])
def test_recorded_value_of_a_parameter_that_becomes_secret_is_not_shown(format_name: str, tmp_path: Path) -> None:
    library(tmp_path)
    file = tmp_path / "lib" / "mine" / "sidecar.yaml"
    secret = file.read_text()
    assert "writeOnly: true" in secret
    file.write_text(secret.replace("writeOnly: true", "writeOnly: false"))
    assert run(f"{WITH} -o out.yaml", tmp_path).code == 0
    assert f'"token":"{SECRET}"' in (tmp_path / "out.yaml").read_text()
    file.write_text(secret.replace("version: 1.0.0", "version: 1.1.0"))
    outcome = run(f"{ADD.replace('web.yaml', 'out.yaml')} -v -o new.yaml --format {format_name}", tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert "1.1.0" in outcome.stdout + outcome.stderr
    assert SECRET not in outcome.stdout + outcome.stderr
    assert f'"token":"{SECRET}"' not in (tmp_path / "new.yaml").read_text()


def test_line_of_an_annotation_is_not_shown_if_the_sidecar_has_secrets(tmp_path: Path) -> None:
    home = tmp_path / "sidecars" / "sec"
    home.mkdir(parents=True)
    (home / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\nmetadata: {name: sec, version: 1.0.0, summary: One.}\n"
        "spec: {parameters: {properties: {token: {type: string, writeOnly: true}, pin: {type: integer, writeOnly: true}}}}\n"
    )
    (home / "template.yaml.j2").write_text("containers:\n- {name: {{ instance }}, image: 'a:1.0.0'}\n")
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: c}\nspec: {rules: []}\n"
    )
    own = "sidecarctl.dev/inject: sec, sidecarctl.dev/sec.token: Hidden1, sidecarctl.dev/sec.pin: Hidden2"
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p, annotations: {{{own}}}}}\nspec: {{containers: [{{name: a, image: 'a:1'}}]}}\n"
    for format_name in ("text", "json", "sarif", "github"):
        outcome = run(f"sidecarctl render --check --format {format_name}", tmp_path, stdin=pod)
        assert "invalid-inject-parameter" in outcome.stdout + outcome.stderr
        assert "Hidden" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("secret", ["hunter2xyzabc" * 10, 'pass"wörd12', "hünter2\nxyz" * 9])
@pytest.mark.parametrize(
    "inner", ["type: object, properties: {a: {type: string, writeOnly: true}}", "items: {writeOnly: true}, type: array"]
)
def test_long_or_quoted_secret_in_the_wrong_form_is_not_shown(inner: str, secret: str, tmp_path: Path) -> None:
    library(tmp_path, CONTAINER, f"{{token: {{{inner}}}}}")
    (tmp_path / "values.yaml").write_text(json.dumps({"mine": {"token": secret}}))
    done = run(f"{ADD} --values values.yaml", tmp_path)
    assert (done.code, 'parameter "token"' in done.stderr) == (2, True), done.stderr
    assert not any(part in done.stderr for part in ("hunt", "hünt", "pass", "wörd", "xyz"))


def test_secret_of_the_new_version_is_not_in_the_status_of_an_edit(tmp_path: Path) -> None:
    entry = library(tmp_path, properties="{token: {type: string}}")
    shutil.copytree(entry, entry.with_name("mine@1.0.0"))
    library(tmp_path, properties="{token: {type: string, writeOnly: true}}")
    (entry / "sidecar.yaml").write_text((entry / "sidecar.yaml").read_text().replace("1.0.0", "2.0.0"))
    assert run(f"{ADD} --set mine.token={SECRET} -o out.yaml".replace(" mine ", " mine@1.0.0 "), tmp_path).code == 0
    text = (tmp_path / "out.yaml").read_text()
    changed = text.replace(f"value: {SECRET}", "value: hunter4def")
    assert changed != text
    (tmp_path / "out.yaml").write_text(changed)
    for form in ("text", "json"):
        done = run(f"sidecarctl status --library lib out.yaml --format {form}", tmp_path)
        assert ("edited" in done.stdout, "hunter" in done.stdout + done.stderr) == (True, False)


def test_secret_of_the_new_version_is_not_in_what_an_upgrade_would_change(tmp_path: Path) -> None:
    write = 'containers:\n- name: mine\n  image: x:1\n  args: [{{ (params.token ~ (targets | app_port("port"))) | quote }}]\n'
    entry = library(tmp_path, write, "{token: {type: string}}")
    shutil.copytree(entry, entry.with_name("mine@1.0.0"))
    library(tmp_path, write, "{token: {type: string, writeOnly: true}}")
    (entry / "sidecar.yaml").write_text((entry / "sidecar.yaml").read_text().replace("1.0.0", "2.0.0"))
    (tmp_path / "web.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n"
        "  - {name: web, image: 'web:1', ports: [{name: http, containerPort: 8080}]}\n"
    )
    assert run(f"{ADD} --set mine.token={SECRET} -o out.yaml".replace(" mine ", " mine@1.0.0 "), tmp_path).code == 0
    out = (tmp_path / "out.yaml").read_text()
    (tmp_path / "out.yaml").write_text(out.replace("containerPort: 8080", "containerPort: 9090"))
    for form in ("text", "json"):
        done = run(f"sidecarctl status --library lib out.yaml --format {form}", tmp_path)
        assert ("args" in done.stdout, SECRET in done.stdout + done.stderr) == (True, False)


def test_recorded_value_in_place_of_a_new_mapping_with_secrets_is_not_in_the_report(tmp_path: Path) -> None:
    entry = library(tmp_path, properties="{token: {type: string}}")
    shutil.copytree(entry, entry.with_name("mine@1.0.0"))
    write = "containers:\n- name: mine\n  image: x:1\n"
    library(tmp_path, write, "{token: {type: object, properties: {a: {type: string, writeOnly: true}}}}")
    (entry / "sidecar.yaml").write_text((entry / "sidecar.yaml").read_text().replace("1.0.0", "2.0.0"))
    assert run(f"{ADD} --set mine.token={SECRET} -o out.yaml".replace(" mine ", " mine@1.0.0 "), tmp_path).code == 0
    (tmp_path / "values.json").write_text('{"mine": {"token": {"a": "x"}}}')
    done = run("sidecarctl upgrade --library lib out.yaml --values values.json --check -v", tmp_path)
    assert ("parameter token" in done.stdout + done.stderr, SECRET in done.stdout + done.stderr) == (True, False)


@pytest.mark.parametrize("command", ["upgrade", "status"])
def test_recorded_value_that_the_new_version_makes_secret_is_not_in_findings(command: str, tmp_path: Path) -> None:
    entry = library(tmp_path, properties="{token: {type: string}}")
    shutil.copytree(entry, entry.with_name("mine@1.0.0"))
    library(
        tmp_path, CONTAINER + "pod: {labels: {tok: {{ params.token }}}}\n", "{token: {type: string, writeOnly: true}}"
    )
    (entry / "sidecar.yaml").write_text((entry / "sidecar.yaml").read_text().replace("1.0.0", "2.0.0"))
    assert run(f"{ADD} --set mine.token={SECRET} -o out.yaml".replace(" mine ", " mine@1.0.0 "), tmp_path).code == 0
    text = (tmp_path / "out.yaml").read_text().replace("  name: web\n", "  name: web\n  labels: {tok: other}\n", 1)
    (tmp_path / "out.yaml").write_text(text)
    done = run(f"sidecarctl {command} --library lib out.yaml", tmp_path)
    told = " ".join((done.stdout + done.stderr).split())
    assert ('label tok is already "other", but the sidecar needs' in told, "hunter" in told) == (True, False), told


def test_list_in_place_of_a_mapping_with_secrets_is_not_shown(tmp_path: Path) -> None:
    whole = "{oneOf: [{}, {additionalProperties: {type: string, writeOnly: true}}]}"
    library(tmp_path, properties=f"{{token: {whole}, other: {{type: string}}}}")
    (tmp_path / "values.yaml").write_text(f"mine:\n  token: [{SECRET}]\n  other: [1]\n")
    outcome = run(f"{ADD} --values values.yaml", tmp_path)
    assert (outcome.code, "other" in outcome.stderr, SECRET in outcome.stderr) == (2, True, False)


OLD = "{token: {type: string, writeOnly: true}}"
NEW = "{secretName: {type: string, default: none}}"
FROM_SECRET = (
    "containers:\n- name: mine\n  image: x:1\n"
    "  env: [{name: T, valueFrom: {secretKeyRef: {name: {{ params.secretName }}, key: a}}}]\n"
)


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("words", ["-v", "--format json", "--on-conflict keep -v", "--enforce -v", "--format sarif"])
def test_secret_of_the_recorded_version_is_not_in_the_report_of_an_upgrade(
    words: str, edited: bool, tmp_path: Path
) -> None:
    entry = library(tmp_path, properties=OLD)
    assert run(f"{WITH} -o out.yaml", tmp_path).code == 0
    shutil.copytree(entry, entry.with_name("mine@1.0.0"))
    library(tmp_path, FROM_SECRET, NEW)
    (entry / "sidecar.yaml").write_text((entry / "sidecar.yaml").read_text().replace("1.0.0", "2.0.0"))
    if edited:
        out = tmp_path / "out.yaml"
        out.write_text(out.read_text().replace(SECRET, "hunter4def"))
    done = run(f"sidecarctl upgrade --library lib -f out.yaml -o new.yaml {words}", tmp_path)
    assert done.code == ("--on" not in words and "--enf" not in words and edited), done.stderr
    assert "hunter" not in done.stdout + done.stderr


SERVICE = """\
containers: [{name: mine, image: 'x:1'}]
documents:
- apiVersion: v1
  kind: Service
  metadata: {name: {{ companion }}}
  spec: {selector: {app: web}, ports: [{port: 80, targetPort: {{ params.token }}}]}
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: x}
spec: {libraries: [lib], rules: [{select: {all: true}, sidecars: [{name: mine, parameters: {token: hunter2xyz}}]}]}
"""


@pytest.mark.parametrize(
    "words",
    [
        f"add mine --library lib -f web.yaml -o out.yaml --set token={SECRET}",
        "render -f web.yaml -o out.yaml",
        "render -f web.yaml -o out.yaml --format sarif",
        "post-render --log-file log.txt",
        "export -f web.yaml --to kustomize-component -o out",
    ],
)
def test_secret_is_not_in_a_finding_that_compares_objects(words: str, tmp_path: Path) -> None:
    library(tmp_path, SERVICE)
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    web = (tmp_path / "web.yaml").read_text().replace("  name: web\n", "  name: web\n  labels: {app: web}\n", 1)
    (tmp_path / "web.yaml").write_text(web)
    done = run(f"sidecarctl {words}", tmp_path, stdin=web if words.startswith("post") else None)
    log = tmp_path / "log.txt"
    text = done.stderr + (log.read_text() if log.exists() else "") + (done.stdout if "sarif" in words else "")
    assert "unknown-target-port" in text
    assert SECRET not in text


@pytest.mark.parametrize(
    "words",
    [
        "--set mine.token:hunter2xyz",
        "--set 'token hunter2xyz'",
        r"--set 'token\=hunter2xyz'",
        r"--set 'token\:hunter2'",
        r"--unset 'token\:hunter2'",
        "--set mine.token:hunter2==",
        "--set 'token hunter2=='",
        "--unset token=hunter2xyz",
        "mine.token:hunter2==",
        "mine.token=hunter2xyz",
        "token=hunter2xyz",
    ],
)
def test_secret_in_a_word_that_is_no_assignment_is_not_shown(words: str, tmp_path: Path) -> None:
    library(tmp_path)
    done = run(f"sidecarctl add mine {words} --library lib -f web.yaml", tmp_path)
    assert (done.code, "token" in done.stderr) == (2, True), done.stderr
    assert "hunter" not in done.stderr


def test_keys_with_separators_are_allowed(tmp_path: Path) -> None:
    library(tmp_path, CONTAINER, "{headers: {type: object, additionalProperties: {type: string}, default: {}}}")
    keys = ["headers.a:b=c", "headers.a b=c", r"headers.a\=b=c"]
    given = [word for key in keys for word in ("--set", key)]
    added = run(["sidecarctl", *ADD.split()[1:], *given, "-o", "out.yaml"], tmp_path)
    assert added.code == 0, added.stderr
    text = (tmp_path / "out.yaml").read_text()
    assert all(key in text for key in ("a:b", "a b", "a=b"))
    unset = [word for key in keys for word in ("--unset", key.rpartition("=")[0])]
    done = run(["sidecarctl", "upgrade", "mine", "--library", "lib", "-f", "out.yaml", *unset], tmp_path)
    assert done.code == 0, done.stderr
    assert "a=b" not in done.stdout


@pytest.mark.parametrize("value", ["{hunter2: 1, hunter2: 2}", "{9300000000000000000: 1}", "{a: *hunter2}"])
def test_key_in_a_secret_mapping_is_not_shown(value: str, tmp_path: Path) -> None:
    library(tmp_path, CONTAINER, "{token: {type: object, writeOnly: true}}")
    done = run(["sidecarctl", *ADD.split()[1:], "--set", f"token={value}"], tmp_path)
    assert (done.code, "(hidden)" in done.stderr) == (2, True), done.stderr
    assert "hunter2" not in done.stderr and "93000" not in done.stderr


@pytest.mark.parametrize(
    "key", ["hunter2\n", " hunter2 ", "-----BEGIN KEY-----\nhunter2\n-----END KEY-----\n", "\thunter2"]
)
@pytest.mark.parametrize(
    "schema",
    [
        "{type: object, writeOnly: true, additionalProperties: {type: integer}}",
        "{type: object, writeOnly: true, additionalProperties: false}",
        "{type: object, propertyNames: {writeOnly: true}, additionalProperties: {type: integer}}",
        "{type: object, additionalProperties: {type: integer, writeOnly: true}}",
        "{type: object, additionalProperties: {type: object, writeOnly: true, additionalProperties: {type: integer}}}",
        '{type: object, patternProperties: {"^k": {writeOnly: true}}, additionalProperties: false}',
    ],
)
def test_key_with_white_space_in_a_secret_mapping_is_not_shown(key: str, schema: str, tmp_path: Path) -> None:
    library(tmp_path, CONTAINER, f"{{token: {schema}}}")
    (tmp_path / "values.yaml").write_text(json.dumps({"mine": {"token": {key: {key: "x"}}}}))
    done = run(f"{ADD} --values values.yaml", tmp_path)
    assert (done.code, 'parameter "token": invalid value (hidden' in done.stderr) == (2, True), done.stderr
    assert "hunter2" not in done.stderr and "BEGIN" not in done.stderr


USERS = "{users: {type: object, maxProperties: 1, additionalProperties: {type: string, writeOnly: true}}, fail: {}}"
REFUSES = "{% if params.fail %}{{ fail('users is wrong') }}{% endif %}\n" + CONTAINER


@pytest.mark.parametrize("prefix", ["", "mine."])
@pytest.mark.parametrize(
    "words",
    [
        "--set users.hunter2=1 --set users.hunter2.x=2",
        "--set users=x --set users.hunter2=1",
        "--set users.hunter2=1 --set users.hunter3=2",
        "--set users.hunter2..x=1",
        "--set users[hunter2]=1",
        "--set users.hunter2",
        "--set user.hunter2=1",
        "--set users.hunter2=1 --set fail=1",
        "--set-file users.hunter2=web.yaml --set fail=1",
        "--set-file users.hunter2=web.yaml --set-file users.hunter3=web.yaml",
        "--set-file users.hunter2=missing",
        "--set-file users.hunter2",
        "--unset user.hunter2",
        "--unset users.hunter2..x",
    ],
)
def test_key_of_a_secret_mapping_is_not_shown_as_the_place_of_an_error(words: str, prefix: str, tmp_path: Path) -> None:
    library(tmp_path, REFUSES, USERS)
    given = re.sub(r"(--[a-z-]+ )", rf"\1{prefix}", words)
    done = run(["sidecarctl", *ADD.split()[1:], *given.split()], tmp_path)
    assert (done.code > 0, "user" in done.stderr, "hunter" in done.stderr) == (True, True, False), done.stderr
    shutil.copytree(tmp_path / "lib" / "mine", tmp_path / "lib" / "mine@0.9.0")
    done = run(["sidecarctl", "add", "log-tail", *ADD.split()[2:], *given.split()], tmp_path)
    assert (done.code > 0, "hunter" in done.stderr) == (True, False), done.stderr


def test_keys_of_other_parameters_are_shown(tmp_path: Path) -> None:
    entry = library(tmp_path, REFUSES, USERS)
    public = entry.with_name("open")
    shutil.copytree(entry, public)
    (public / "sidecar.yaml").write_text((entry / "sidecar.yaml").read_text().replace("name: mine", "name: open"))
    text = (public / "sidecar.yaml").read_text()
    (public / "sidecar.yaml").write_text(text.replace(", writeOnly: true", ""))
    words = "mine open --library lib -f web.yaml --set open.users.a=1 --set open.users.a.x=2"
    done = run(f"sidecarctl add {words}", tmp_path)
    assert 'cannot set "users.a.x" at "x"' in done.stderr and "--set open.users.a.x=..." in done.stderr
    done = run(f"{ADD} --set env.A=1 --set env.A.x=2", tmp_path)
    assert 'cannot set "env.A.x" at "x"' in done.stderr


@pytest.mark.parametrize(
    "given",
    ["hunter2: a, users.hunter3: b", "hunter2: a, users.hunter2.x: b", "hunter2..x: a", 'hunter2: a, fail: "1"'],
)
@pytest.mark.parametrize("prefix", ["", "mine."])
def test_key_of_a_secret_mapping_is_not_in_the_result_of_a_function(given: str, prefix: str, tmp_path: Path) -> None:
    library(tmp_path, REFUSES, USERS)
    data = f"users.{given}".replace("users.", f"{prefix}users.").replace("fail", f"{prefix}fail")
    config = (
        f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: x}}, data: {{sidecars: mine, libraries: lib, {data}}}}}"
    )
    head = f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {config}\nitems:\n"
    item = (
        "- {apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: nginx:1.27}]}}\n"
    )
    done = run("sidecarctl krm", tmp_path, stdin=head + item)
    results = done.stdout.partition("\nresults:")[2]
    assert (done.code, "users" in results, "hunter" in results + done.stderr) == (2, True, False), done.stdout


@pytest.mark.parametrize("format_name", ["text", "json", "sarif", "github"])
@pytest.mark.parametrize(
    "given",
    [
        "mine.users.hunter2: a, sidecarctl.dev/mine.users.hunter2.x: b",
        "mine.users.hunter2: a, sidecarctl.dev/mine.users.hunter3: b",
        "mine.users.hunter2..x: a",
        "mine.user.hunter2: a",
        "other.users.hunter2: a",
    ],
)
def test_key_of_a_secret_mapping_is_not_in_a_finding_about_an_annotation(
    given: str, format_name: str, tmp_path: Path
) -> None:
    entry = library(tmp_path, REFUSES, USERS)
    shutil.copytree(entry, entry.with_name("other"))
    text = (entry / "sidecar.yaml").read_text().replace("name: mine", "name: other")
    (entry.with_name("other") / "sidecar.yaml").write_text(text)
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace(", parameters: {token: hunter2xyz}", ""))
    web = (tmp_path / "web.yaml").read_text()
    (tmp_path / "web.yaml").write_text(
        web.replace("  name: web\n", f"  name: web\n  annotations: {{sidecarctl.dev/{given}}}\n", 1)
    )
    done = run(f"sidecarctl render -f web.yaml -o out.yaml --format {format_name}", tmp_path)
    shown = done.stdout + done.stderr
    assert ("parameter-annotation" in shown or "inject-parameter" in shown, "hunter" in shown) == (True, False), shown


@pytest.mark.parametrize("secret", ["hunter2$XYZ", "<hunter2>", "{{hunter2}}", "$(hunter2)"])
@pytest.mark.parametrize("format_name", ["text", "json", "sarif", "github", "gitlab", "junit", "markdown"])
def test_secret_that_looks_like_a_placeholder_is_not_in_any_report(
    format_name: str, secret: str, tmp_path: Path
) -> None:
    template = "containers:\n- {name: mine, image: x:1, resources: {limits: {cpu: {{ params.token | quote }}}}}\n"
    library(tmp_path, template, "{token: {type: string, writeOnly: true}}")
    (tmp_path / "values.yaml").write_text(f"mine: {{token: {json.dumps(secret)}}}\n")
    outcome = run(f"{ADD} --values values.yaml -v -o out.yaml --format {format_name}", tmp_path)
    assert "hunter2" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    "text", ["unknown field spec.containers[0].imaage", "field größe of 0007…", "field 0007-é", "0007 0007 x..."]
)
def test_masking_many_secrets_searches_only_for_what_a_text_can_have(text: str) -> None:
    secret = [f"{number:04d}-{'x' * 60}" for number in range(1_000)]
    mask("the forms of the secret are computed once", secret)
    calls = count_calls(lambda: mask(text, secret))
    assert calls["sub"] + calls["_quoted_forms"] == 0
    assert sum(calls.values()) < 2_000


PARTS = {
    "a command": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web-tool}\n"
        "spec: {containers: [{name: a, image: 'x:1', command: {{ params.token | quote }}}]}",
        "a horse batt",
        "expected a list of strings",
    ),
    "a list of addresses": (
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web-tool\n"
        "  annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: {{ params.token | quote }}}\n"
        "spec: {type: LoadBalancer, ports: [{port: 80}], selector: {app: web}}",
        "a1zz,batt",
        "invalid CIDR",
    ),
}


@pytest.mark.parametrize("what", PARTS)
def test_part_of_a_secret_is_not_in_a_finding(what: str, tmp_path: Path) -> None:
    companion, secret, expected = PARTS[what]
    library(
        tmp_path,
        f"containers:\n- name: mine\n  image: x:1\ndocuments:\n- {companion.replace(chr(10), chr(10) + '  ')}\n",
    )
    for words in ("", "--format json", "--format sarif"):
        outcome = run([*ADD.split(), "--set", f"token={secret}", *words.split()], tmp_path)
        said = outcome.stdout + outcome.stderr
        assert expected in said
        assert "batt" not in said


def test_secret_of_a_test_case_is_not_in_findings_about_the_library(tmp_path: Path) -> None:
    probe = "livenessProbe: {httpGet: {port: 80, path: /, host: {{ params.token | quote }}}}"
    write_case(library(tmp_path, f"containers:\n- name: mine\n  image: x:1\n  {probe}\n"), SECRET)
    said = run("sidecarctl test --update --library lib", tmp_path)
    assert "connects to host" in said.stdout + said.stderr
    assert SECRET not in said.stdout + said.stderr


def test_cost_of_masking_findings_does_not_grow_with_the_number_of_secrets() -> None:
    findings = [Finding("a", f"container a{number} has no limit", path=("spec", number)) for number in range(100)]

    def cost(count: int) -> int:
        known = [frozenset(f"tok{number:04d}-x" for number in range(count)) for _ in findings]  # one for each workload
        list(mask_findings(findings[:1], known[0]))  # the forms of the secrets are computed once
        calls = count_calls(lambda: [list(mask_findings([each], own)) for each, own in zip(findings, known)])
        return sum(calls.values())

    assert cost(5_000) < 1.1 * cost(10)


def test_masks_secrets_in_any_case_quoted_or_shortened() -> None:
    secret = [f"{number:04d}-{'x' * 60}" for number in range(1_000)]
    assert mask(f"a {secret[7].upper()} b", secret) == "a ... b"
    assert mask("a KIRMIZI77 b", ["kırmızı77"]) == "a ... b"
    assert mask(f"a {secret[7][:40]}... b", secret) == "a ... b"
    assert mask("a HUNTER2-AB… hunter2 b", ["hunter2", "hunter2-abcdef"]) == "a ... ... b"
    assert mask("a it''s 1 b", ["it's 1"]) == "a ... b"
    assert mask("ab abc", ["ab"]) == "... abc"
    assert mask("a hunter2...Horse b", ["hunter2...horse"]) == mask("a hunter2…Horse b", ["hunter2…horse"]) == "a ... b"
    assert mask("a hunter2...Ho... b", ["hunter2...horse"]) == "a ... b"
    assert mask("a b", ["", "b"]) == "a ..."


def test_folded_characters_are_equal_if_they_match_in_any_case() -> None:
    cased = [one for one in map(chr, range(sys.maxunicode)) if one.lower() != one or one.upper() != one]
    assert len(cased) > 2_000
    for one in cased:
        for other in {one.lower(), one.upper(), one.title(), one.casefold(), "i", "k", "s"}:
            if re.fullmatch(re.escape(one), other, re.IGNORECASE):
                assert mask(other * 4, [one * 4]) == "...", (one, other)
