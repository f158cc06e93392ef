"""GitHub workflows and issue forms: valid YAML, pinned actions, least privilege, and all supported Python versions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
TAG = re.compile(r"[\w.-]+/[\w./-]+@v\d+(\.\d+){0,2}")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_version(path: Path) -> None:
    used = [step["uses"] for job in read(path)["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert [action for action in used if not TAG.fullmatch(action)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_workflow_can_write_by_default(path: Path) -> None:
    assert read(path)["permissions"] in ({}, {"contents": "read"})


def test_only_the_last_steps_of_a_release_can_write() -> None:
    jobs = read(GITHUB / "workflows" / "release.yml")["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "publish": {"id-token": "write"},
        "image": {"contents": "read", "packages": "write"},
        "release": {"contents": "write"},
    }


def test_the_oldest_supported_python_is_tested() -> None:
    versions = read(GITHUB / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    minors = [int(version.removeprefix("3.")) for version in versions]
    oldest = re.search(r'^requires-python = ">=3\.(\d+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert oldest and minors == list(range(int(oldest[1]), max(minors) + 1))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_every_form_has_a_required_field(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    assert any(field.get("validations", {}).get("required") for field in form["body"])
