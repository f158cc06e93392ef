"""Tests of `sidecarctl show`: parameters, added objects, and a working example."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from sidecarctl.authoring.parameter_table import list_parameters
from sidecarctl.authoring.test_cases import MANIFEST
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.sidecar import read_sidecar
from sidecarctl.errors import LibraryError
from tests.authoring.library_kit import TEMPLATE, command, entry
from tests.command import run

NAMES = open_catalog([], {}).names()


def test_lists_parameters_with_nested_ones(tmp_path: Path) -> None:
    shown = command("show metrics", tmp_path).stdout
    assert (
        "  exporter  nginx | redis | postgres | mysql | mongodb | jmx | statsd |\n        blackbox, required\n" in shown
    )
    assert "  tls  map\n" in shown
    assert "    caKey  string, default ca.crt\n" in shown
    assert "imagePullPolicy" in shown


def test_draws_added_objects(tmp_path: Path) -> None:
    shown = command("show logger", tmp_path).stdout
    for part in ("├─ logger  native sidecar", "mount", "├─ volumes", "└─ ConfigMap web-logger", "app container"):
        assert part in shown


def test_draws_ascii_without_unicode(tmp_path: Path) -> None:
    shown = command("show logger", tmp_path, PYTHONIOENCODING="ascii").stdout
    assert "|- logger  native sidecar" in shown
    assert "├" not in shown


@pytest.mark.parametrize("name", NAMES)
def test_lines_fit_the_terminal(name: str, tmp_path: Path) -> None:
    done = command(f"show {name}", tmp_path)
    assert done.code == 0
    assert "no example available" not in done.stdout
    words = [line for line in done.stdout.splitlines() if len(line) > 80 and " " in line.strip()]
    # Long words are not broken.
    assert not [line for line in words if max(map(len, line.split())) < 50]


@pytest.mark.parametrize("name", NAMES)
def test_example_command_works(name: str, tmp_path: Path) -> None:
    shown = command(f"show {name}", tmp_path).stdout
    example = re.search(r"^Use$\n\n(.*?)\n\n", shown, re.MULTILINE | re.DOTALL)
    assert example
    line = example[1].replace("\\\n", " ")
    (tmp_path / "deployment.yaml").write_text(MANIFEST)
    if "--values" in line:
        given = json.loads(command(f"show {name} --format json", tmp_path).stdout)["example"]["parameters"]
        (tmp_path / "values.yaml").write_text(json.dumps({name: given}))
    done = run(shlex.split(line), tmp_path)
    assert done.code == 0, done.stderr


def test_reports_failing_template_at_its_location(tmp_path: Path) -> None:
    entry(tmp_path / "lib", template="containers: {{ nothing }}\n")
    done = command("show agent --library lib", tmp_path)
    assert done.code == 0
    assert "no example available" in done.stdout
    assert "lib/agent/template.yaml.j2:1" in done.stdout


def test_shows_pod_security_level_and_reason(tmp_path: Path) -> None:
    spec = "  podSecurity: {level: baseline, reason: It runs as root.}\n"
    entry(tmp_path / "lib", spec=spec, template=TEMPLATE)
    assert "baseline: It runs as root." in command("show agent --library lib", tmp_path).stdout


def test_unknown_sidecar_gets_a_suggestion(tmp_path: Path) -> None:
    done = command("show loger", tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert 'did you mean "logger"?' in done.stderr


_BRANCHES: dict[str, tuple[str, str]] = {
    "anyOf: [{$ref: NEXT}, {$ref: NEXT}]": ("show", "  a  integer"),
    "anyOf: [{type: array, items: {$ref: NEXT}}, {type: object, additionalProperties: {$ref: NEXT}}]": (
        "show",
        "  a  list of ",
    ),
    "anyOf: [{type: string}, {type: array, items: {$ref: FIRST}}]": ("show", "  a  string or list of "),
    "properties: {l: {$ref: NEXT}, r: {$ref: NEXT}}": ("", "the schema has more than 2,000 parameters"),
}


@pytest.mark.parametrize("branch", _BRANCHES)
def test_schema_with_references_that_branch_is_described_or_refused(branch: str, tmp_path: Path) -> None:
    command, text = _BRANCHES[branch]
    defs = {f"x{number}": branch.replace("NEXT", f"'#/$defs/x{number + 1}'") for number in range(30)}
    schema = "".join(f"      {name}: {{{part.replace('FIRST', repr('#/$defs/x0'))}}}\n" for name, part in defs.items())
    folder = tmp_path / "library" / "mine"
    folder.mkdir(parents=True)
    (folder / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\nmetadata: {name: mine, version: 1.0.0, summary: Mine.}\n"
        "spec:\n  engine: jinja\n  parameters:\n    properties: {a: {$ref: '#/$defs/x0'}}\n    $defs:\n"
        f"{schema}      x30: {{type: integer}}\n"
    )
    (folder / "template.yaml.j2").write_text("containers: [{name: mine, image: 'x:1.0.0'}]\n")
    if command:
        outcome = run(f"sidecarctl {command} mine --library library", tmp_path)
        assert outcome.code == 0, outcome.stderr
        assert text in outcome.stdout
    else:
        with pytest.raises(LibraryError, match=text):
            list_parameters(read_sidecar(folder, "library").parameters)


_CHAIN = "".join(f"      b{number}: {{$ref: '#/$defs/b{number + 1}'}}\n" for number in range(1, 18))
_LONG = {
    "required parameters": (
        "{required: [p], properties: {p: {$ref: '#/$defs/a'}}, $defs: {a: {required: [b, c, d, e], properties: "
        "{b: {$ref: '#/$defs/a'}, c: {$ref: '#/$defs/a'}, d: {$ref: '#/$defs/a'}, e: {$ref: '#/$defs/a'}}}}}\n",
        "has more than 2,000 parameters",
    ),
    "lists without parameters": (
        "\n    properties: {p: {$ref: '#/$defs/a'}}\n    $defs:\n      a:\n        additionalProperties: {$ref: '#/$defs/b1'}\n"
        f"        items: {{$ref: '#/$defs/b1', {', '.join(f'x-{number}: 0' for number in range(2000))}}}\n"
        f"{_CHAIN}      b18: {{$ref: '#/$defs/a'}}\n",
        "listing the parameters of the schema takes more than 1 s",
    ),
}


@pytest.mark.parametrize("what", _LONG)
def test_schema_that_takes_long_to_describe_is_stopped(what: str, tmp_path: Path) -> None:
    schema, text = _LONG[what]
    folder = tmp_path / "library" / "mine"
    folder.mkdir(parents=True)
    (folder / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\nmetadata: {name: mine, version: 1.0.0, summary: Mine.}\n"
        f"spec:\n  engine: jinja\n  parameters: {schema}"
    )
    (folder / "template.yaml.j2").write_text("containers: [{name: mine, image: 'x:1.0.0'}]\n")
    limits = {"SIDECARCTL_MAX_SECONDS": "1", "SIDECARCTL_MAX_STEP_SECONDS": "8"}
    outcome = run("sidecarctl show mine --library library", tmp_path, env=limits)
    assert outcome.code == 2, outcome.stderr
    assert text in " ".join(outcome.stderr.split())
