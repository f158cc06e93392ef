"""`add` reports what the user or the app must do, once per sidecar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import Outcome, run

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  containers:
  - name: NAME
    image: registry.example/web:1.0.0
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata:
  name: helper
  version: 1.0.0
  summary: For a test.
  nextSteps: NEXT
spec:
  engine: plain
  parameters:
    required: [target]
    properties:
      target: {type: string}
      files: {type: array, items: {type: string}, default: [a.log, b.log]}
      verbose: {type: boolean, default: false}
      size: {type: string}
      token: {type: string, default: x, writeOnly: true}
"""
TEMPLATE = """\
pod: {labels: {helper: "yes"}}
"""
NEXT = "'{container} must write {files} to {target} ({verbose}) for {instance}.'"


def write_library(directory: Path, text: str) -> None:
    (directory / "lib" / "helper").mkdir(parents=True, exist_ok=True)
    (directory / "lib" / "helper" / "sidecar.yaml").write_text(SIDECAR.replace("NEXT", text))
    (directory / "lib" / "helper" / "template.yaml").write_text(TEMPLATE)


def add(directory: Path, more: str = "", *names: str) -> Outcome:
    (directory / "in.yaml").write_text("---\n".join(POD.replace("NAME", name) for name in names or ("web",)))
    return run(f"sidecarctl add helper --library lib --set target=/srv -f in.yaml{more}", directory)


def next_lines(outcome: Outcome) -> list[str]:
    return [line for line in outcome.stderr.splitlines() if line.startswith("next: ")]


def test_replaces_placeholders(tmp_path: Path) -> None:
    write_library(tmp_path, NEXT)
    assert next_lines(add(tmp_path)) == ["next: web must write a.log, b.log to /srv (false) for helper."]


def test_does_not_replace_placeholders_in_values(tmp_path: Path) -> None:
    write_library(tmp_path, NEXT)
    outcome = add(tmp_path, " --set target={instance}")
    assert next_lines(outcome) == ["next: web must write a.log, b.log to {instance} (false) for helper."]


def test_reports_once_per_sidecar(tmp_path: Path) -> None:
    write_library(tmp_path, "'{container} must write.'")
    assert next_lines(add(tmp_path, "", "one", "two", "three")) == [
        "next: one must write. (also for 2 other instances)"
    ]


def test_indents_the_second_line(tmp_path: Path) -> None:
    write_library(tmp_path, '"first\\nsecond"')
    assert add(tmp_path).stderr.endswith("next: first\n      second\n")


@pytest.mark.parametrize("more", [" --quiet", " --check", " --diff", " --format json"])
def test_reports_only_on_real_runs_for_people(more: str, tmp_path: Path) -> None:
    write_library(tmp_path, NEXT)
    assert not next_lines(add(tmp_path, more))


def test_reports_only_added_instances(tmp_path: Path) -> None:
    write_library(tmp_path, NEXT)
    (tmp_path / "out.yaml").write_text(add(tmp_path).stdout)
    for parameters in ("target=/srv", "target=/data"):
        again = run(f"sidecarctl add helper --library lib --set {parameters} -f out.yaml", tmp_path)
        assert again.code == 0
        assert not next_lines(again)


def test_json_report_has_next_steps(tmp_path: Path) -> None:
    write_library(tmp_path, "'{container} must write.'")
    report = json.loads(add(tmp_path, " -o out.yaml --format json").stdout)
    assert report["changes"][0]["instances"][0]["nextSteps"] == "web must write."


def test_long_streams_report_once(tmp_path: Path) -> None:
    write_library(tmp_path, "'{container} must write.'")
    (tmp_path / "in.yaml").write_text(
        "---\n".join(POD.replace("NAME", f"web-{i}") + "#" * 1000 + "\n" for i in range(2500))
    )
    outcome = run("sidecarctl add helper --library lib --set target=/srv -f in.yaml", tmp_path)
    assert next_lines(outcome) == ["next: web-0 must write. (also for 2499 other instances)"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'{sise}'", 'invalid placeholder "{sise}" in nextSteps: unknown parameter'),
        ("'{size}'", 'invalid placeholder "{size}" in nextSteps: the parameter may have no value'),
        ("'{token}'", 'invalid placeholder "{token}" in nextSteps: the parameter is secret (writeOnly)'),
        ("'{target.x}'", "nextSteps"),
        ("'{0}'", "nextSteps"),
        ("'{{x}}'", "nextSteps"),
        ("''", "nextSteps"),
    ],
)
def test_rejects_invalid_texts(text: str, message: str, tmp_path: Path) -> None:
    write_library(tmp_path, text)
    outcome = add(tmp_path)
    assert outcome.code == 2
    assert message in " ".join(outcome.stderr.split())
    assert "sidecar.yaml:7:" in outcome.stderr


def test_parameter_with_a_boolean_schema_has_the_given_value(tmp_path: Path) -> None:
    write_library(tmp_path, "'Set it to {any}.'")
    file = tmp_path / "lib/helper/sidecar.yaml"
    file.write_text(file.read_text().replace("[target]", "[target, any]") + "      any: true\n")
    assert next_lines(add(tmp_path, " --set any=1")) == ["next: Set it to 1."]


def test_default_can_be_behind_a_reference(tmp_path: Path) -> None:
    write_library(tmp_path, "'Set it to {any}.'")
    file = tmp_path / "lib/helper/sidecar.yaml"
    file.write_text(
        file.read_text() + "      any: {$ref: '#/$defs/any'}\n    $defs: {any: {type: boolean, default: false}}\n"
    )
    assert next_lines(add(tmp_path)) == ["next: Set it to false."]


def test_boolean_schema_of_an_optional_parameter_has_no_value(tmp_path: Path) -> None:
    write_library(tmp_path, "'Set it to {any}.'")
    file = tmp_path / "lib/helper/sidecar.yaml"
    file.write_text(file.read_text() + "      any: true\n")
    outcome = run("sidecarctl list log-tail --library lib", tmp_path)
    assert outcome.code == 0, outcome.stderr
    outcome = add(tmp_path)
    assert outcome.code == 2
    assert 'invalid placeholder "{any}" in nextSteps: the parameter may have no value' in " ".join(
        outcome.stderr.split()
    )
