"""Sidecars that went through the real kustomize and Helm are found again, upgraded in place, and in sync."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import Outcome, run
from tests.programs import environment, execute, program

pytestmark = pytest.mark.e2e

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:1.0.0"}
"""
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-weight: "5", helm.sh/hook-delete-policy: hook-succeeded}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: migrate, image: "registry.example/migrate:1.0.0"}
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  rules:
  - name: all
    select: {kinds: [Deployment, Job]}
    sidecars:
    - {name: logger}
    - {name: metrics, parameters: {exporter: nginx, scrape: podmonitor}}
"""


def done(command: str, directory: Path, stdin: str | None = None) -> Outcome:
    outcome = run(f"sidecarctl {command}", directory, stdin=stdin)
    assert outcome.code == 0, outcome.stderr
    return outcome


def companions(text: str) -> list[tuple[str, str]]:
    return [
        (each["kind"], each["metadata"]["name"])
        for each in yaml.safe_load_all(text)
        if "sidecarctl.dev/owner" in (each["metadata"].get("annotations") or {})
    ]


def states(text: str, directory: Path) -> list[Any]:
    (directory / "rendered.yaml").write_text(text)
    shown = yaml.safe_load(done("status -f rendered.yaml --format json", directory).stdout)
    return [instance["state"] for each in shown["workloads"] for instance in each["instances"]]


def test_kustomize_names_and_namespace_keep_one_companion(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    base, over = tmp_path / "base", tmp_path / "over"
    base.mkdir(), over.mkdir()
    (base / "web.yaml").write_text(DEPLOYMENT)
    done("add logger metrics base/web.yaml -i --set metrics.exporter=nginx --set metrics.scrape=podmonitor", tmp_path)
    (base / "kustomization.yaml").write_text(
        "resources: [web.yaml]\nconfigMapGenerator: [{name: own, literals: [a=b]}]\n"
    )
    (over / "kustomization.yaml").write_text(
        "resources: [../base]\nnamespace: shop\nnamePrefix: dev-\nnameSuffix: -v2\nlabels: [{pairs: {team: x}}]\n"
    )
    built = execute([program("kustomize"), "build", "over"], tmp_path, environment(tmp_path))
    assert built.code == 0, built.stderr
    once = done("render", tmp_path, built.stdout).stdout
    twice = done("render", tmp_path, once).stdout
    assert once == twice
    assert companions(once) == [("ConfigMap", "dev-web-logger-v2"), ("PodMonitor", "dev-web-metrics-v2")]
    assert states(once, tmp_path) == ["in sync", "in sync"]
    assert companions(done("remove --all", tmp_path, once).stdout) == []


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_helm_hooks_have_companions_that_are_hooks(helm: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "templates" / "web.yaml").write_text(DEPLOYMENT)
    (chart / "templates" / "job.yaml").write_text(HOOK)
    built = execute([program(helm), "template", "shop", "chart"], tmp_path, environment(tmp_path))
    assert built.code == 0, built.stderr
    once = done("render --hooks", tmp_path, built.stdout).stdout
    assert once == done("render --hooks", tmp_path, once).stdout
    assert sorted(companions(once)) == [
        ("ConfigMap", "migrate-logger"),
        ("ConfigMap", "web-logger"),
        ("PodMonitor", "migrate-metrics"),
        ("PodMonitor", "web-metrics"),
    ]
    found = {each["metadata"]["name"]: each["metadata"].get("annotations", {}) for each in yaml.safe_load_all(once)}
    hook = found["migrate-logger"]
    assert (hook["helm.sh/hook"], hook["helm.sh/hook-weight"]) == ("pre-upgrade", "4")
    assert hook["helm.sh/hook-delete-policy"] == "hook-succeeded"
    assert "helm.sh/hook" not in found["web-logger"]
    assert set(states(once, tmp_path)) == {"in sync"}
    assert companions(done("render", tmp_path, built.stdout).stdout) == [
        ("ConfigMap", "web-logger"),
        ("PodMonitor", "web-metrics"),
    ]
