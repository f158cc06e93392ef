"""Tests of the `validate` command: findings, flags, and exit codes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.validate.check_files import SourceText, validate_texts
from sidecarctl.validate.registry import rules
from sidecarctl.validate.rule_selection import select_rules
from tests.command import Outcome, run

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0
        ports:
        - {name: http, containerPort: 8080}
        resources:
          requests: {cpu: 100m, memory: 64Mi}
          limits: {memory: 64Mi}
        securityContext: {readOnlyRootFilesystem: true}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
  - port: 80
    targetPort: htttp
"""
UNUSED = "      volumes: [{name: data, emptyDir: {sizeLimit: 1Gi}}]\n"
UPPER = WEB.replace("- name: web", "- name: Web")


def validate(tmp_path: Path, text: str, flags: str = "") -> Outcome:
    (tmp_path / "web.yaml").write_text(text)
    return run(f"sidecarctl validate -f web.yaml {flags}", tmp_path)


def found(tmp_path: Path, text: str, flags: str = "") -> list[str]:
    return [one["rule"] for one in report(tmp_path, text, flags)["findings"]]


def report(tmp_path: Path, text: str, flags: str = "") -> dict[str, Any]:
    data: dict[str, Any] = json.loads(validate(tmp_path, text, f"--format json {flags}").stdout)
    return data


def test_valid_manifest_has_no_findings(tmp_path: Path) -> None:
    done = validate(tmp_path, WEB)
    assert (done.code, done.stdout, done.stderr) == (0, "no findings in 1 file\n", "")
    assert validate(tmp_path, WEB, "--quiet").stdout == ""


def test_reports_all_findings_in_order(tmp_path: Path) -> None:
    text = UPPER.replace("requests: {cpu: 100m, memory: 64Mi}", "requests: {cpu: 100m, memory: 65Mi}")
    done = validate(tmp_path, text.replace("spec:\n  sel", "spec:\n  replicsa: 1\n  sel"))
    assert done.code == 1
    headlines = [line.partition("]")[0] for line in done.stdout.splitlines() if line.startswith("error[")]
    assert headlines == ["error[unknown-field", "error[invalid-container-name", "error[request-over-limit"]
    assert done.stdout.endswith("3 errors in 1 file\n")


def test_reports_schema_and_rule_findings_together(tmp_path: Path) -> None:
    text = UPPER.replace(
        "        ports:\n        - {name: http, containerPort: 8080}\n", "        volumeMounts: logs\n"
    )
    assert found(tmp_path, text) == ["invalid-container-name", "wrong-type"]


def test_compares_service_with_workload_in_another_file(tmp_path: Path) -> None:
    folder = tmp_path / "k8s"
    folder.mkdir()
    (folder / "web.yaml").write_text(WEB)
    (folder / "service.yaml").write_text(SERVICE)
    done = run("sidecarctl validate -f k8s", tmp_path)
    assert done.code == 0
    assert "k8s/service.yaml:9:17" in done.stdout
    assert done.stdout.endswith("1 warning in 2 files\n")


def test_syntax_error_does_not_stop_validation(tmp_path: Path) -> None:
    done = validate(tmp_path, f'a: "b\n---\n{UPPER}--- what\nb: 1\n---\n{UPPER}')
    assert done.code == 3
    assert done.stdout.count("error[yaml-syntax]") == 2
    assert done.stdout.count("error[invalid-container-name]") == 2
    assert done.stderr == ""


def test_missing_file_does_not_stop_validation(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(UPPER)
    done = run("sidecarctl validate -f gone.yaml -f web.yaml", tmp_path)
    assert done.code == 3
    assert "no such file or directory: gone.yaml" in done.stderr
    assert "invalid-container-name" in done.stdout


def test_notes_custom_kinds(tmp_path: Path) -> None:
    text = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {any: thing}\n"
    done = validate(tmp_path, text)
    assert done.code == 0
    assert done.stdout.startswith("note: 1 object of a custom kind was not checked: Thing in example.com/v1\n")
    assert "info[unknown-kind]" in validate(tmp_path, text, "--verbose").stdout


def test_uses_target_version(tmp_path: Path) -> None:
    text = WEB.replace(
        "      containers:", "      hostUsers: false\n      resources: {limits: {cpu: 1}}\n      containers:"
    )
    assert "unknown-field" in found(tmp_path, text, "--kube-version 1.30")
    assert "unknown-field" not in found(tmp_path, text, "--kube-version 1.36")


@pytest.mark.parametrize(("level", "code"), [("strict", 1), ("warn", 0), ("ignore", 0)])
def test_validate_flag_sets_severity_of_unknown_fields(tmp_path: Path, level: str, code: int) -> None:
    done = validate(tmp_path, WEB.replace("  selector:", "  selektor: 1\n  selector:"), f"--validate {level}")
    assert done.code == code
    assert ("unknown-field" in done.stdout) == (level != "ignore")


def test_pod_security_flag_selects_level(tmp_path: Path) -> None:
    assert validate(tmp_path, WEB).code == 0
    assert set(found(tmp_path, WEB, "--pod-security restricted")) == {"pod-security"}
    assert validate(tmp_path, WEB, "--pod-security baseline:v1.30").code == 0
    wrong = validate(tmp_path, WEB, "--pod-security baselin")
    assert wrong.code == 2
    assert 'did you mean "baseline"?' in wrong.stderr
    assert validate(tmp_path, WEB, "--pod-security baseline:2").code == 2


def test_selects_and_ignores_rules(tmp_path: Path) -> None:
    text = UPPER.replace("web:1.0.0", "web:latest") + UNUSED
    assert set(found(tmp_path, text)) == {"invalid-container-name", "unused-volume"}
    assert found(tmp_path, text, "--select floating-image,unused-volume --ignore unused-volume") == ["floating-image"]
    assert set(found(tmp_path, text, "--ignore invalid-container-name")) == {"unused-volume"}
    assert set(found(tmp_path, text, "--select all,floating-image")) == {
        "invalid-container-name",
        "floating-image",
        "unused-volume",
    }


@pytest.mark.parametrize("flag", ["--select", "--ignore"])
def test_rejects_unknown_rule_in_flag(tmp_path: Path, flag: str) -> None:
    done = validate(tmp_path, WEB, f"{flag} container-nam")
    assert done.code == 2
    assert 'did you mean "invalid-container-name"?' in done.stderr


def test_counts_ignored_findings_and_no_ignores_reports_them(tmp_path: Path) -> None:
    text = UPPER.replace("- name: Web", "- name: Web  # sidecarctl: ignore[invalid-container-name] renamed later")
    done = validate(tmp_path, text)
    assert (done.code, done.stdout) == (0, "no findings in 1 file; 1 ignored\n")
    assert validate(tmp_path, text, "--no-ignores").code == 1


def test_ignore_of_ignored_rule_is_not_unused(tmp_path: Path) -> None:
    text = WEB.replace("- name: web", "- name: web  # sidecarctl: ignore[invalid-container-name]")
    assert found(tmp_path, text) == ["unused-ignore"]
    assert found(tmp_path, text, "--ignore invalid-container-name") == []


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ("", 1),
        ("--fail-on never", 0),
        ("--format sarif", 0),
        ("--format sarif --fail-on error", 1),
        ("--format github", 1),
        ("--format junit", 1),
    ],
)
def test_exit_codes(tmp_path: Path, flags: str, code: int) -> None:
    assert validate(tmp_path, UPPER, flags).code == code


def test_fail_on_warning(tmp_path: Path) -> None:
    text = WEB + UNUSED
    assert validate(tmp_path, text).code == 0
    assert validate(tmp_path, text, "--fail-on warning").code == 1


def test_reports_stdin_filename(tmp_path: Path) -> None:
    done = run("sidecarctl validate --stdin-filename deploy/web.yaml", tmp_path, stdin=UPPER)
    assert "--> deploy/web.yaml:13:15" in done.stdout


def test_sarif_of_valid_manifest_has_empty_results(tmp_path: Path) -> None:
    log = json.loads(validate(tmp_path, WEB, "--format sarif").stdout)
    assert log["runs"][0]["results"] == []


def test_sarif_contains_rule_descriptions(tmp_path: Path) -> None:
    log = json.loads(validate(tmp_path, UPPER, "--format sarif").stdout)
    (card,) = log["runs"][0]["tool"]["driver"]["rules"]
    assert card["shortDescription"]["text"] == rules()["invalid-container-name"].what


COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  validate:
    rules: {RULES}
"""


def test_composition_sets_rule_severities(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("RULES", "unused-volume: error, floating-image: off"))
    folder = tmp_path / "k8s" / "web"
    folder.mkdir(parents=True)
    (folder / "web.yaml").write_text(WEB.replace("web:1.0.0", "web:latest") + UNUSED)
    done = run("sidecarctl validate -f k8s", tmp_path)
    assert done.code == 1
    assert "error[unused-volume]" in done.stdout
    assert done.stdout.endswith("1 error in 1 file\n")


def test_composition_enables_rule_that_is_off_by_default(tmp_path: Path) -> None:
    text = WEB.replace("web:1.0.0", "web:latest")
    assert found(tmp_path, text) == []
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("RULES", "floating-image: warning"))
    assert report(tmp_path, text)["findings"][0]["severity"] == "warning"
    assert found(tmp_path, text, "--ignore floating-image") == []
    assert found(tmp_path, text, "--select unused-volume") == []
    ignored = text.replace("web:latest", "web:latest  # sidecarctl: ignore[floating-image]")
    assert found(tmp_path, ignored) == []


def test_composition_enables_rules_only_for_its_files(tmp_path: Path) -> None:
    for name in ("strict", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "web.yaml").write_text(WEB.replace("web:1.0.0", "web:latest"))
    (tmp_path / "strict" / "sidecarctl.yaml").write_text(COMPOSITION.replace("RULES", "floating-image: error"))
    done = run("sidecarctl validate -f strict -f plain", tmp_path)
    assert done.stdout.count("[floating-image]") == 1
    assert "strict/web.yaml" in done.stdout


def test_rejects_unknown_rule_in_composition(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("RULES", "unused-volum: error"))
    done = validate(tmp_path, WEB + UNUSED)
    assert done.code == 2
    assert 'did you mean "unused-volume"?' in done.stderr


def test_flags_accept_old_rule_names(tmp_path: Path) -> None:
    assert found(tmp_path, UPPER, "--select container-name") == ["invalid-container-name"]
    assert found(tmp_path, UPPER, "--ignore container-name") == []


def test_composition_accepts_old_rule_names(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("RULES", "container-name: off"))
    assert found(tmp_path, UPPER) == []
    both = "invalid-container-name: warning, container-name: off"
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("RULES", both))
    assert report(tmp_path, UPPER)["findings"][0]["severity"] == "warning"


def test_reports_many_unknown_fields_of_one_object_in_linear_time(tmp_path: Path) -> None:
    unknown = {f"unknownField{index}": index for index in range(1000)}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": unknown}
    (tmp_path / "pod.json").write_text(json.dumps(document))
    started = time.perf_counter()
    done = run("sidecarctl validate -f pod.json", tmp_path)
    assert done.stdout.count("error[unknown-field]") == 1000
    # On one line, so that each excerpt is cut out of a long line. It took 22 seconds when each finding read the whole line.
    assert time.perf_counter() - started < 8


BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: web
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: web}
subjects:
- kind: ServiceAccount
  name: web
"""


def test_subject_without_a_namespace_is_an_error_unless_kustomize_sets_it(tmp_path: Path) -> None:
    (tmp_path / "binding.yaml").write_text(BINDING)
    assert "ServiceAccount has no namespace" in run("sidecarctl validate .", tmp_path).stdout
    (tmp_path / "kustomization.yaml").write_text("namespace: prod\nresources: [binding.yaml]\n")
    assert run("sidecarctl validate .", tmp_path).code == 0
    (tmp_path / "binding.yaml").write_text(BINDING.replace("kind: ClusterRole,", "kind: Role,"))
    assert "requires a ClusterRole" in run("sidecarctl validate .", tmp_path).stdout


@pytest.mark.parametrize("kind", ["Template", "BuildConfig"])
def test_kind_that_openshift_3_served_in_v1_is_a_custom_kind(kind: str, tmp_path: Path) -> None:
    done = validate(tmp_path, f"apiVersion: v1\nkind: {kind}\nmetadata:\n  name: web\nspec: {{}}\n")
    assert done.code == 0, done.stdout
    assert "unknown kind" in validate(tmp_path, "apiVersion: v1\nkind: Templat\nmetadata:\n  name: web\n").stdout


def test_sidecar_is_added_to_a_deployment_config_in_v1(tmp_path: Path) -> None:
    text = WEB.replace("apps/v1", "v1").replace("kind: Deployment", "kind: DeploymentConfig")
    done = run("sidecarctl add logger", tmp_path, stdin=text.replace("matchLabels: {app: web}", "app: web"))
    assert (done.code, "name: logger" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("error", ["--- x\n", "%A\n---\n"])
def test_an_error_of_the_stream_does_not_read_the_whole_text_again(error: str) -> None:
    selection = select_rules()

    def measure(count: int) -> float:
        text = error * count + "---\n" + "# a comment\n" * 200_000
        started = time.process_time()
        findings = validate_texts([SourceText(text, "f")], selection).findings
        took = time.process_time() - started
        assert [one.place.line for one in findings if one.place] == [
            1 + number * error.count("\n") for number in range(count)
        ]
        assert {one.place.line_text for one in findings if one.place} == {error.split("\n")[0]}
        return took

    assert min(measure(300) for _ in range(3)) <= 10 * max(measure(1) for _ in range(3))
