"""Tests of errors in companions: `add` reports what the API server rejects in a companion that it would create."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command import run
from tests.security.kit import ADD, library

TEMPLATE = """\
containers:
- name: mine
  image: x:1
documents:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: {{ companion }}, labels: {a: {{ params.label | quote }}}}
  data: {{ params.data | to_json }}
- apiVersion: monitoring.coreos.com/v1
  kind: PodMonitor
  metadata: {name: {{ companion }}, labels: {b: {{ params.other | quote }}}}
  spec: {selector: {}}
"""
PROPERTIES = "{label: {type: string, default: ok}, other: {type: string, default: ok}, data: {default: {}}}"
CASES = {
    "label: /x": 'invalid label value "/x"',
    "other: z z": 'invalid label value "z z"',
    "data: {a: 5}": "expected a string, got the number 5",
    "data: {a/b: c}": 'invalid key "a/b"',
}


@pytest.mark.parametrize("values", CASES)
def test_error_in_a_new_companion_prevents_the_edit(values: str, tmp_path: Path) -> None:
    library(tmp_path, TEMPLATE, PROPERTIES)
    (tmp_path / "values.yaml").write_text(f"mine: {{{values}}}\n")
    outcome = run(f"{ADD} --values values.yaml -o out.yaml", tmp_path)
    assert outcome.code == 1
    assert CASES[values] in outcome.stderr
    assert "--> sidecar mine@1.0.0: " in outcome.stderr
    assert not (tmp_path / "out.yaml").exists()


def test_error_in_an_upgraded_companion_prevents_the_edit_and_an_old_one_does_not(tmp_path: Path) -> None:
    library(tmp_path, TEMPLATE, PROPERTIES)
    assert run(f"{ADD} -o out.yaml -q", tmp_path).code == 0
    again = f"{ADD.replace('web.yaml', 'out.yaml')} -i"
    outcome = run([*again.split(), "--set", "label=z z"], tmp_path)
    assert outcome.code == 1
    assert 'invalid label value "z z"' in outcome.stderr
    text = (tmp_path / "out.yaml").read_text()
    (tmp_path / "out.yaml").write_text(text.replace("a: ok", 'a: "z z"', 1))
    outcome = run(f"{again} --set data.c=d", tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert run("sidecarctl remove mine -f out.yaml -i", tmp_path).code == 0


def test_valid_companions_are_written(tmp_path: Path) -> None:
    library(tmp_path, TEMPLATE, PROPERTIES)
    assert run(f"{ADD} -o out.yaml", tmp_path).code == 0
    assert "error" not in run("sidecarctl validate -f out.yaml", tmp_path).stdout


@pytest.mark.parametrize("field", ["name", "kind", "apiVersion", "namespace", "labels"])
@pytest.mark.parametrize("value", ["[]", "{a: b}", "null", "1.5"])
def test_companion_with_a_field_of_another_type_is_no_internal_error(field: str, value: str, tmp_path: Path) -> None:
    library(tmp_path, TEMPLATE, PROPERTIES)
    assert run(f"{ADD} -o out.yaml -q", tmp_path).code == 0
    text = (tmp_path / "out.yaml").read_text()
    head, separator, companion = text.partition("---\n")
    changed = re.sub(rf"(?m)^( *{field}:).*(\n +.*(?=\n +))*", rf"\1 {value}", companion, count=1)
    assert changed != companion or field == "namespace"
    (tmp_path / "out.yaml").write_text(head + separator + changed)
    again = ADD.replace("web.yaml", "out.yaml")
    for words in (f"{again} --set label=b", again, "sidecarctl status out.yaml", "sidecarctl remove mine out.yaml"):
        assert run(words, tmp_path).code in (0, 1, 2, 3), words


@pytest.mark.parametrize("port", ["{}", "{a: b}", "[]", "x", "null"])
def test_port_of_another_type_is_no_internal_error(port: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
        f"spec: {{containers: [{{name: web, image: 'x:1', ports: [{{containerPort: {port}}}]}}]}}\n"
    )
    for words in ("status", "add logger --fail-on never -i -q", "status", "upgrade --check", "remove logger"):
        assert run(f"sidecarctl {words} web.yaml", tmp_path).code in (0, 1, 2, 3), words


def test_companion_with_a_colon_in_its_name_is_recorded(tmp_path: Path) -> None:
    role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: 'shop:{{ companion }}'}, rules: []}"
    library(tmp_path, f"containers: [{{name: mine, image: 'x:1'}}]\ndocuments: [{role}]\n", "{}")
    text = (tmp_path / "web.yaml").read_text()
    assert run(f"{ADD} -i -q", tmp_path).code == 0
    assert run("sidecarctl remove mine web.yaml -i -q", tmp_path).code == 0
    assert (tmp_path / "web.yaml").read_text() == text


def test_two_instances_that_add_one_name_to_a_workload_are_an_error(tmp_path: Path) -> None:
    second = "- {apiVersion: v1, kind: ConfigMap, metadata: {name: {{ companion }}-2}, data: {of: {{ instance }}}}\n"
    own = TEMPLATE.replace("name: mine", "name: {{ instance }}")
    library(tmp_path, own + second, PROPERTIES)
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: c}\n"
        "spec: {libraries: [./lib], rules: [{select: {all: true}, sidecars: [mine, {name: mine, as: mine-2}]}]}\n"
    )
    before = (tmp_path / "web.yaml").read_text()
    outcome = run("sidecarctl render -f web.yaml -i", tmp_path)
    assert outcome.code == 1
    message = "error[duplicate-object]: mine and mine-2 add ConfigMap web-mine-2 to Deployment/web: one would replace"
    assert message.replace("Deployment/web", _label(before)) in outcome.stderr
    assert (tmp_path / "web.yaml").read_text() == before


def _label(manifest: str) -> str:
    kind = re.search(r"^kind: (\w+)", manifest, re.MULTILINE)
    assert kind is not None
    return f"{kind[1]}/web"


def test_name_of_a_companion_in_another_file_is_taken(tmp_path: Path) -> None:
    second = "- {apiVersion: v1, kind: ConfigMap, metadata: {name: {{ companion }}-2}, data: {of: {{ instance }}}}\n"
    library(tmp_path, TEMPLATE.replace("name: mine", "name: {{ instance }}") + second, PROPERTIES)
    web = tmp_path / "web.yaml"
    assert run(f"{ADD} --as mine-2 -i -q", tmp_path).code == 0
    head, *companions = web.read_text().split("---\n")
    taken = next(each for each in companions if "kind: ConfigMap" in each and "  name: web-mine-2\n" in each)
    web.write_text("---\n".join([head, *(each for each in companions if each != taken)]))
    (tmp_path / "config.yaml").write_text(taken)
    outcome = run(f"{ADD} -f config.yaml -i", tmp_path)
    assert outcome.code == 1
    assert "error[duplicate-object]: ConfigMap web-mine-2 exists already" in outcome.stderr
    assert (tmp_path / "config.yaml").read_text() == taken
