"""`rules` lists and shows every rule, and docs/rules.md holds the same pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sidecarctl.cli.commands.rules import all_pages
from sidecarctl.report.rule_pages import render_rule_list, render_rule_page
from sidecarctl.report.terminal import width_of
from sidecarctl.validate.registry import rules
from tests.command import ROOT, run


def test_the_page_of_all_rules_is_current() -> None:
    command = [sys.executable, "tools/gen_rules_docs.py", "--check"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_rule_is_listed_with_its_severity() -> None:
    lines = render_rule_list(all_pages(), color=False, width=0).splitlines()
    listed = {line.split()[0]: line.split()[1] for line in lines if line.startswith("  ")}
    assert listed == {name: one.severity.value for name, one in rules().items()}


@pytest.mark.parametrize("name", sorted(rules()))
def test_a_page_fits_a_terminal_of_80_columns(name: str) -> None:
    (one,) = (each for each in all_pages() if each.name == name)
    text = render_rule_page(one, color=False, width=80)
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert all(width_of(line) <= 80 for line in prose), text
    assert one.bad.splitlines()[0] in text


def test_the_list_fits_a_terminal_of_80_columns() -> None:
    assert all(width_of(line) <= 80 for line in render_rule_list(all_pages(), color=False, width=80).splitlines())


def test_a_rule_is_shown_by_name_and_a_misspelt_one_is_guessed(tmp_path: Path) -> None:
    shown = run("sidecarctl rules port-conflict", tmp_path)
    assert (shown.code, shown.stderr) == (0, "")
    assert "Bad:" in shown.stdout
    assert "Fix: " in shown.stdout
    wrong = run("sidecarctl rules port-conflct", tmp_path)
    assert wrong.code == 2
    assert 'did you mean "port-conflict"?' in wrong.stderr


def test_programs_get_the_pages_as_json(tmp_path: Path) -> None:
    found = json.loads(run("sidecarctl rules --format json", tmp_path).stdout)
    assert {one["name"] for one in found} == set(rules())
    assert json.loads(run("sidecarctl rules unknown-field --format json", tmp_path).stdout)["severity"] == "error"


def test_every_rule_that_stands_for_a_check_of_the_server_is_in_the_table() -> None:
    text = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    missing = [name for name, one in rules().items() if one.layer == "api" and f"(rules.md#{name})" not in text]
    assert missing == []
