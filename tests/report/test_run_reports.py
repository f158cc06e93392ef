"""Reports of runs: template failures, cross-document rules, grouped warnings, missing instances, and parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.catalog.pattern_words import describe_pattern
from tests.command import run
from tests.repository import WORKLOAD

WEB = WORKLOAD.format(name="web")
SCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: web
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: web
  maxReplicas: 8
  metrics:
  - type: Resource
    resource:
      name: cpu
      target:
        type: Utilization
        averageUtilization: 70
"""
REQUESTS = WEB.replace(
    "        ports:\n", "        resources:\n          requests:\n            cpu: 100m\n        ports:\n"
)
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata:
  name: platform
spec:
  rules:
  - select:
      all: true
    sidecars:
    - log-tail
"""


@pytest.mark.parametrize("command", ["add log-tail", "render"])
@pytest.mark.parametrize("other", [True, False])
def test_rules_about_several_objects_run_after_an_edit(command: str, other: bool, tmp_path: Path) -> None:
    """The autoscaler is in another file of the run, or in the same file."""
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    (tmp_path / "web.yaml").write_text(REQUESTS if other else f"{REQUESTS}---\n{SCALER}")
    (tmp_path / "scaler.yaml").write_text(SCALER)
    paths = "web.yaml scaler.yaml" if other else "web.yaml"
    done = run(f"sidecarctl {command} {paths} -o out/", tmp_path)
    line = SCALER.split("\n").index("  - type: Resource") + 1
    place = f"scaler.yaml:{line}:11" if other else f"web.yaml:{REQUESTS.count(chr(10)) + 1 + line}:11"
    assert (done.code, "warning[hpa-counts-sidecar]" in done.stderr) == (0, True), done.stderr
    assert place in done.stderr


def test_post_render_reports_rules_about_several_objects(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    done = run("sidecarctl post-render", tmp_path, stdin=f"{REQUESTS}---\n{SCALER}")
    assert (done.code, "warning[hpa-counts-sidecar]" in done.stderr) == (0, True)


def test_finding_about_several_objects_that_was_there_before_is_not_repeated(tmp_path: Path) -> None:
    added = run("sidecarctl add log-tail", tmp_path, stdin=f"{REQUESTS}---\n{SCALER}").stdout
    for command in ("add metrics", "add log-tail", "remove --all"):
        assert "hpa-counts-sidecar" not in run(f"sidecarctl {command} --set port=9", tmp_path, stdin=added).stderr


def test_error_about_several_objects_fails_the_run(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector:\n    app: web\n  ports:\n  - port: 2020\n    targetPort: logger-http\n"
    text = f"{WEB}---\n{service}"
    done = run("sidecarctl add logger --kube-version 1.31 --mode native", tmp_path, stdin=text)
    assert (done.code, done.stdout) == (1, "")
    assert "error[named-targetport-to-sidecar]" in done.stderr
    allowed = text.replace(
        "targetPort: logger-http", "targetPort: logger-http  # sidecarctl: ignore[named-targetport-to-sidecar] x"
    )
    assert run("sidecarctl add logger --kube-version 1.31 --mode native", tmp_path, stdin=allowed).code == 0


JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: load
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: load
        image: registry.example/load:1.0.0
"""


def test_template_failure_names_file_line_and_workload(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(WEB + "---\n" + JOB)
    done = run("sidecarctl add istio all.yaml --kube-version 1.28", tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert f"--> all.yaml:{WEB.count(chr(10)) + 2}\n = workload: Job/load\n" in done.stderr
    assert "parameters" not in done.stderr
    assert "leave the workload out" in done.stderr


def test_template_failure_names_the_parameter_that_it_is_about(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    done = run("sidecarctl add proxy job.yaml", tmp_path)
    assert "= workload: Job/load" in done.stderr
    assert "--set upstreamPort=..." in done.stderr


def test_unknown_container_names_file_and_workload(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    done = run("sidecarctl add log-tail web.yaml --container wep", tmp_path)
    assert "--> web.yaml:1\n = workload: Deployment/web\n" in done.stderr


def test_many_warnings_of_a_rule_are_shown_once(tmp_path: Path) -> None:
    limits = "        resources:\n          limits:\n            cpu: 100m\n            memory: 64Mi\n        ports:\n"
    for number in range(6):
        text = WORKLOAD.format(name=f"web-{number}").replace("        ports:\n", limits)
        (tmp_path / f"web-{number}.yaml").write_text(text)
    done = run("sidecarctl add log-tail . -i", tmp_path)
    assert done.stderr.count("warning[qos-downgrade]") == 1, done.stderr
    assert "= also: 5 more in 5 workloads: Deployment/web-1" in done.stderr
    assert done.stderr.endswith("6 files: 6 changed\n")
    run("sidecarctl remove --all . -i", tmp_path)
    assert run("sidecarctl add log-tail . -v -i", tmp_path).stderr.count("warning[qos-downgrade]") == 6


def test_errors_are_never_grouped(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"web-{number}.yaml").write_text(WEB.replace("8080", "808000"))
    assert run("sidecarctl validate .", tmp_path).stdout.count("error[invalid-port-number]") == 6


@pytest.mark.parametrize("command", ["add log-tail . --check", "add log-tail . --diff"])
def test_dry_run_summary_is_conditional(command: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(WORKLOAD.format(name=name))
    assert run(f"sidecarctl {command}", tmp_path).stderr.endswith("2 files: 2 would change\n")


def test_remove_of_an_unknown_instance_suggests_one(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(run("sidecarctl add log-tail", tmp_path, stdin=WEB).stdout)
    done = run("sidecarctl remove logtail web.yaml", tmp_path)
    assert (done.code, 'no instance of logtail found; did you mean "log-tail"?' in done.stderr) == (0, True)
    both = run("sidecarctl remove log-tail nothing web.yaml", tmp_path)
    assert (both.code, "no instance of nothing found" in both.stderr) == (0, True)


def test_completion_offers_the_instances_in_the_files(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "web.yaml").write_text(run("sidecarctl add log-tail", tmp_path, stdin=WEB).stdout)

    def offered(*words: str) -> list[str]:
        env = {
            "_SIDECARCTL_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["sidecarctl", *words]),
            "COMP_CWORD": str(len(words)),
        }
        return run("sidecarctl", tmp_path, env=env).stdout.split()

    assert offered("remove", "") == ["log-tail", "k8s/"]
    assert offered("remove", "k8s/web.yaml", "l") == ["log-tail"]
    assert offered("remove", "k8s/") == ["k8s/web.yaml"]
    assert "k8s/" in offered("add", "logger", "k")
    assert offered("status", "k8s/w", "") == []


PATTERNS = {
    r"^[0-9]+(ms|s|m|h)$": "a duration in ms, s, m or h, for example 10h",
    r"^[1-9][0-9]*[smhd]$": "a duration in s, m, h or d, for example 10d",
    r"^[0-9]+s$": "a duration in s, for example 10s",
    r"^/[^,:\s]*[^,:/\s]$": "an absolute path without commas, colons, spaces, and a final slash",
    r"^[0-9]+(x|y)$": "",
    r"^--[a-z]": "",
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_common_patterns_are_described_in_words(pattern: str) -> None:
    assert describe_pattern(pattern) == PATTERNS[pattern]


def test_value_that_does_not_match_a_pattern_is_explained_in_words(tmp_path: Path) -> None:
    done = run("sidecarctl add logger --set logDir=logs", tmp_path, stdin=WEB)
    assert 'parameter "logDir" must be an absolute path' in done.stderr


@pytest.mark.parametrize(
    "words",
    ["-f a.yaml -o out/", "-f a.yaml -f bad.yaml --keep-going -o out", "-f k8s -o out/"],
)
def test_output_is_a_directory_for_several_inputs_whatever_becomes_of_them(words: str, tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: web:1}\n"
    (tmp_path / "k8s").mkdir()
    for name in ("a.yaml", "k8s/a.yaml"):
        (tmp_path / name).write_text(pod)
    (tmp_path / "bad.yaml").write_text("a: [")
    run(f"sidecarctl add logger -q {words}", tmp_path)
    assert (tmp_path / "out" / "a.yaml").is_file()
