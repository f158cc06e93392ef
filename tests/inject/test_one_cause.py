"""What stands in the way of a sidecar is said once, whoever notices it: the plan, the structure or a rule."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command import run

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: report}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: report
        image: registry.example/report:1.0.0
"""


def found(tmp_path: Path, text: str, command: str) -> list[tuple[str, int | None]]:
    """What `add` says of a manifest: rule and line of each finding that is no info."""
    (tmp_path / "app.yaml").write_text(text)
    done = run(f"sidecarctl add {command} -f app.yaml -o out.yaml --format json", tmp_path)
    findings = json.loads(done.stdout)["findings"]
    return [(one["rule"], (one["place"] or {}).get("line")) for one in findings if one["severity"] != "info"]


def test_a_port_that_the_app_has(tmp_path: Path) -> None:
    text = WEB + "        ports:\n        - containerPort: 2020\n"
    assert found(tmp_path, text, "logger") == [("port-conflict", 13)]


def test_a_job_that_a_classic_sidecar_keeps_from_its_end(tmp_path: Path) -> None:
    assert found(tmp_path, JOB, "logger --mode classic") == [("job-never-completes", 6)]


def test_a_pod_with_too_little_time_to_end(tmp_path: Path) -> None:
    text = WEB.replace("      containers:", "      terminationGracePeriodSeconds: 5\n      containers:")
    assert found(tmp_path, text, "logstash") == [("grace-too-short", 9)]


def test_a_value_of_the_input_that_structure_refuses_and_a_rule_would_too(tmp_path: Path) -> None:
    rules = "[{action: Reboot, exitCodes: {operator: In, values: [1]}}]"
    text = WEB + f"        restartPolicy: Never\n        restartPolicyRules: {rules}\n"
    assert found(tmp_path, text, "logger") == [("invalid-enum", 13)]


def test_a_probe_of_a_port_that_only_the_pod_can_reach(tmp_path: Path) -> None:
    values = "otel-collector:\n  endpoint: https://collector.example:4318\n"
    (tmp_path / "values.yaml").write_text(values + "  patch: {readinessProbe: {tcpSocket: {port: 4317}}}\n")
    assert found(tmp_path, WEB, "otel-collector --values values.yaml") == [("probe-on-localhost-server", None)]
    (tmp_path / "values.yaml").write_text(values + "  patch: {readinessProbe: {tcpSocket: {port: 13133}}}\n")
    assert found(tmp_path, WEB, "otel-collector --values values.yaml") == []
