"""The playground adds sidecars in Chromium exactly as the command line does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.authoring.test_cases import find_cases, read_case
from sidecarctl.authoring.trial import Trial
from sidecarctl.catalog.catalog import open_catalog
from tests.command import ROOT, run
from tests.site.playground import Playground

pytestmark = pytest.mark.browser

SIDECARS = sorted(path.parent.name for path in (ROOT / "library").glob("*/sidecar.yaml") if "@" not in path.parent.name)


@pytest.fixture(scope="module")
def opened(browser: Any, origin: str) -> Iterator[Playground]:
    """Return a playground that is ready, for all tests of this module."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    playground = Playground(page)
    playground.open(f"{origin}/playground/app/")
    yield playground
    page.close()


def plain_trials(name: str) -> list[Trial]:
    """Return the test cases of a shipped sidecar that need nothing but a manifest, parameters, and a version."""
    sidecar = open_catalog([], {}).find(name)
    trials = [read_case(sidecar, case) for case in find_cases(sidecar) if not case.refused]
    return [one for one in trials if not one.mode and not one.instance and not one.containers]


def as_text(value: object) -> str:
    """Return the value of a parameter as a person types it."""
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("name", SIDECARS)
def test_every_sidecar_has_the_bytes_of_the_command_line(opened: Playground, name: str, tmp_path: Path) -> None:
    trials = plain_trials(name)
    assert trials
    for trial in trials:
        parameters = {key: as_text(value) for key, value in trial.given.items()}
        (tmp_path / "manifest.yaml").write_text(trial.text, encoding="utf-8", newline="")
        command = ["sidecarctl", "add", name, "-f", "manifest.yaml", "--kube-version", trial.kube_version]
        for key, value in parameters.items():
            command += ["--set", f"{key}={value}"]
        expected = run(command, tmp_path, env={"COLUMNS": "80"})
        assert expected.code == 0, expected.stderr
        opened.choose(trial.text, name, parameters, trial.kube_version)
        assert opened.text("#exit") == "exit code 0", opened.text("#report")
        assert opened.result == expected.stdout
        assert opened.text("#report") == expected.stderr
