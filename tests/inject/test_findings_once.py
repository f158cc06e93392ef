"""Each problem is reported once, whether the plan, the schema, or a rule detects it."""

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
    """Return rule and line of each finding of `add`, except infos."""
    (tmp_path / "app.yaml").write_text(text)
    done = run(f"sidecarctl add {command} -f app.yaml -o out.yaml --format json", tmp_path)
    findings = json.loads(done.stdout)["findings"]
    return [(one["rule"], (one["place"] or {}).get("line")) for one in findings if one["severity"] != "info"]


def test_reports_port_conflict_once(tmp_path: Path) -> None:
    text = WEB + "        ports:\n        - containerPort: 2020\n"
    assert found(tmp_path, text, "logger") == [("port-conflict", 13)]


def test_reports_job_that_never_completes_once(tmp_path: Path) -> None:
    assert found(tmp_path, JOB, "logger --mode classic") == [("job-never-completes", 6)]


def test_reports_short_grace_period_once(tmp_path: Path) -> None:
    text = WEB.replace("      containers:", "      terminationGracePeriodSeconds: 5\n      containers:")
    assert found(tmp_path, text, "logstash") == [("grace-too-short", 9)]


def test_reports_value_invalid_by_schema_and_rule_once(tmp_path: Path) -> None:
    rules = "[{action: Reboot, exitCodes: {operator: In, values: [1]}}]"
    text = WEB + f"        restartPolicy: Never\n        restartPolicyRules: {rules}\n"
    assert found(tmp_path, text, "logger") == [("invalid-enum", 13)]


def test_reports_probe_on_localhost_port_once(tmp_path: Path) -> None:
    values = "otel-collector:\n  endpoint: https://collector.example:4318\n"
    (tmp_path / "values.yaml").write_text(values + "  patch: {readinessProbe: {tcpSocket: {port: 4317}}}\n")
    assert found(tmp_path, WEB, "otel-collector --values values.yaml") == [("probe-on-localhost-server", None)]
    (tmp_path / "values.yaml").write_text(values + "  patch: {readinessProbe: {tcpSocket: {port: 13133}}}\n")
    assert found(tmp_path, WEB, "otel-collector --values values.yaml") == []
