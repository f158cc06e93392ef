"""`sidecarctl show`: parameters, what is added, an example that works."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from sidecarctl.authoring.test_cases import MANIFEST
from sidecarctl.catalog.catalog import open_catalog
from tests.authoring.library_kit import TEMPLATE, command, entry
from tests.command import run

NAMES = open_catalog([], {}).names()


def test_parameters_stand_with_type_default_and_description_the_nested_ones_below(tmp_path: Path) -> None:
    shown = command("show metrics", tmp_path).stdout
    assert "  exporter  nginx | redis | postgres | statsd, required\n      Exporter to run.\n" in shown
    assert "  tls  map\n" in shown
    assert "    caKey  string, default ca.crt\n" in shown
    assert "imagePullPolicy" in shown


def test_what_it_adds_is_drawn(tmp_path: Path) -> None:
    shown = command("show logger", tmp_path).stdout
    for part in ("├─ logger  native sidecar", "mount", "├─ volumes", "└─ ConfigMap web-logger", "your app"):
        assert part in shown


def test_a_terminal_without_unicode_gets_ascii(tmp_path: Path) -> None:
    shown = command("show logger", tmp_path, PYTHONIOENCODING="ascii").stdout
    assert "|- logger  native sidecar" in shown
    assert "├" not in shown


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_the_terminal(name: str, tmp_path: Path) -> None:
    done = command(f"show {name}", tmp_path)
    assert done.code == 0
    assert "can't be shown" not in done.stdout
    words = [line for line in done.stdout.splitlines() if len(line) > 80 and " " in line.strip()]
    # A word that is wider than the line stays whole.
    assert not [line for line in words if max(map(len, line.split())) < 50]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_command_works(name: str, tmp_path: Path) -> None:
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


def test_a_template_that_fails_is_told_in_its_place(tmp_path: Path) -> None:
    entry(tmp_path / "lib", template="containers: {{ nothing }}\n")
    done = command("show agent --library lib", tmp_path)
    assert done.code == 0
    assert "can't be shown" in done.stdout
    assert "lib/agent/template.yaml.j2:1" in done.stdout


def test_pod_security_is_told_with_its_reason(tmp_path: Path) -> None:
    spec = "  podSecurity: {level: baseline, reason: It runs as root.}\n"
    entry(tmp_path / "lib", spec=spec, template=TEMPLATE)
    assert "baseline: It runs as root." in command("show agent --library lib", tmp_path).stdout


def test_an_unknown_sidecar_gets_a_suggestion(tmp_path: Path) -> None:
    done = command("show loger", tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert 'did you mean "logger"?' in done.stderr
