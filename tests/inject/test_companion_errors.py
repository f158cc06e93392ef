"""Tests of errors in companions: `add` reports what the API server rejects in a companion that it would create."""

from __future__ import annotations

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
