"""Tests of the `rules` command and of docs/rules.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sidecarctl.cli.commands.rules import all_pages
from sidecarctl.report.rule_pages import render_rule_list, render_rule_page
from sidecarctl.report.terminal import width_of
from sidecarctl.validate.registry import rules
from tests.command import ROOT, run


@pytest.mark.parametrize("generator", ["gen_rules_docs.py", "gen_rules_index.py"])
def test_docs_and_index_are_current(generator: str) -> None:
    command = [sys.executable, f"tools/{generator}", "--check"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_lists_every_rule_with_severity() -> None:
    lines = render_rule_list(all_pages(), color=False, width=0).splitlines()
    listed = {line.split()[0]: line.split()[1] for line in lines if line.startswith("  ")}
    assert listed == {name: one.severity.value for name, one in rules().items()}


@pytest.mark.parametrize("name", sorted(rules()))
def test_page_fits_80_columns(name: str) -> None:
    (one,) = (each for each in all_pages() if each.name == name)
    text = render_rule_page(one, color=False, width=80)
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert all(width_of(line) <= 80 for line in prose), text
    assert one.bad.splitlines()[0] in text


def test_list_fits_80_columns() -> None:
    assert all(width_of(line) <= 80 for line in render_rule_list(all_pages(), color=False, width=80).splitlines())


def test_prints_page_of_rule_and_suggests_name(tmp_path: Path) -> None:
    shown = run("sidecarctl rules port-conflict", tmp_path)
    assert (shown.code, shown.stderr) == (0, "")
    assert "Bad:" in shown.stdout
    assert "Fix: " in shown.stdout
    wrong = run("sidecarctl rules port-conflct", tmp_path)
    assert wrong.code == 2
    assert 'did you mean "port-conflict"?' in wrong.stderr


def test_prints_page_of_renamed_rule(tmp_path: Path) -> None:
    old, new = (run(f"sidecarctl rules {name}", tmp_path) for name in ("config-size", "config-too-large"))
    assert (old.code, old.stdout) == (0, new.stdout)


def test_prints_pages_as_json(tmp_path: Path) -> None:
    found = json.loads(run("sidecarctl rules --format json", tmp_path).stdout)
    assert {one["name"] for one in found} == set(rules())
    assert json.loads(run("sidecarctl rules unknown-field --format json", tmp_path).stdout)["severity"] == "error"


def test_docs_table_contains_all_api_rules() -> None:
    text = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    missing = [name for name, one in rules().items() if one.layer == "api" and f"(rules.md#{name})" not in text]
    assert missing == []


def test_advice_on_by_default_is_rare_in_valid_manifests() -> None:
    advice = [one for one in rules().values() if one.layer == "advice"]
    shares = {one.name: float(re.search(r"\((.*) %\)", one.rate)[1]) for one in advice if one.on}  # type: ignore[index]
    assert {name: share for name, share in shares.items() if share > 5} == {}
    assert all("valid files" in one.facts for one in all_pages() if one.layer == "advice")
    assert not any(one.rate for one in rules().values() if one.layer == "api")
