"""The public Python functions return the same results as the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sidecarctl
from tests.command import run

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}   # ours
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  rules:
  - select: {kinds: [Deployment]}
    sidecars: [{name: log-tail}]
"""


def test_add_equals_the_command_and_remove_restores_the_text(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    result = sidecarctl.add(DEPLOYMENT, ["log-tail"], {"log-tail": {"logDir": "/srv/log"}})
    assert result.text == run("sidecarctl add log-tail -f web.yaml --set logDir=/srv/log", tmp_path).stdout
    assert result.changed and not result.failed
    assert sidecarctl.remove(result.text).text == DEPLOYMENT


def test_render_applies_a_composition_and_is_idempotent(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    result = sidecarctl.render(DEPLOYMENT, tmp_path / "sidecarctl.yaml")
    assert [change.label for change in result.changes] == ["Deployment/web"]
    assert sidecarctl.render(result.text, tmp_path / "sidecarctl.yaml").text == result.text


def test_check_returns_the_findings_of_validate() -> None:
    verdict = sidecarctl.check(DEPLOYMENT.replace("name: web\n        image", "name: Web\n        image"))
    assert [finding.rule for finding in verdict.findings if finding.severity == "error"] == ["invalid-container-name"]


def test_usage_error_is_an_exception_with_a_hint() -> None:
    with pytest.raises(sidecarctl.SidecarctlError) as caught:
        sidecarctl.add(DEPLOYMENT, ["loger"])
    assert caught.value.hint == 'did you mean "logger"?'


def test_importing_the_package_imports_no_submodules() -> None:
    code = "import sys, sidecarctl; print([m for m in sys.modules if m.startswith('sidecarctl.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
