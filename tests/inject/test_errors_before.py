"""Errors that were in the input before: only those in an edited pod template stop a command, and ignores count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import run
from tests.repository import WORKLOAD

WEB = WORKLOAD.format(name="web")
# A wrong type outside of the pod template, one in it, an unknown field in it, and an invalid port in it.
OUTSIDE = WEB.replace("spec:\n  selector", "spec:\n  replicas: three\n  selector", 1)
INSIDE = WEB.replace("containerPort: 8080", "containerPort: http")
UNKNOWN = WEB.replace("        image:", "        imagePolicy: Always\n        image:")
INVALID = WEB.replace("containerPort: 8080", "containerPort: 80800")
SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: http\n"
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata:
  name: platform
spec:
  validate:
    rules:
      {rule}: {severity}
  rules:
  - select:
      all: true
    sidecars:
    - log-tail
"""


@pytest.mark.parametrize("command", ["add log-tail", "render"])
def test_error_outside_of_the_edited_pod_template_is_a_warning(command: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.format(rule="floating-image", severity="info"))
    (tmp_path / "web.yaml").write_text(OUTSIDE + "---\n" + SERVICE)
    done = run(f"sidecarctl {command} web.yaml -i", tmp_path)
    assert done.code == 0, done.stderr
    assert 'warning[wrong-type]: replicas: expected an integer, got the string "three"' in done.stderr
    assert "sidecarctl.dev/sidecars" in (tmp_path / "web.yaml").read_text()


@pytest.mark.parametrize("text", [INSIDE, UNKNOWN, INVALID])
@pytest.mark.parametrize("command", ["add log-tail", "render"])
def test_error_in_the_edited_pod_template_prevents_the_edit(command: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.format(rule="floating-image", severity="info"))
    (tmp_path / "web.yaml").write_text(text)
    done = run(f"sidecarctl {command} web.yaml -i", tmp_path)
    assert (done.code, (tmp_path / "web.yaml").read_text()) == (1, text)
    assert "error[" in done.stderr


def test_error_in_a_pod_template_that_is_not_selected_does_not_prevent_the_edit(tmp_path: Path) -> None:
    other = INSIDE.replace("name: web", "name: other")
    (tmp_path / "all.yaml").write_text(WEB + "---\n" + other)
    done = run("sidecarctl add log-tail all.yaml --name web -i", tmp_path)
    assert (done.code, "error" in done.stderr) == (0, False)
    text = (tmp_path / "all.yaml").read_text()
    assert text.endswith(other) and text != WEB + "---\n" + other


@pytest.mark.parametrize("text", [INSIDE, UNKNOWN, INVALID])
@pytest.mark.parametrize("command", ["add log-tail", "render"])
def test_fail_on_never_writes_in_spite_of_errors(command: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.format(rule="floating-image", severity="info"))
    (tmp_path / "web.yaml").write_text(text)
    done = run(f"sidecarctl {command} web.yaml -i --fail-on never", tmp_path)
    assert (done.code, "error[" in done.stderr) == (0, True)
    assert "sidecarctl.dev/sidecars" in (tmp_path / "web.yaml").read_text()


def test_validate_ignore_does_not_report_unknown_fields(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(UNKNOWN)
    done = run("sidecarctl add log-tail web.yaml -i --validate ignore", tmp_path)
    assert (done.code, "imagePolicy" in done.stderr) == (0, False)


IGNORES = {
    "a comment": UNKNOWN.replace(
        "imagePolicy: Always", "imagePolicy: Always  # sidecarctl: ignore[unknown-field] legacy"
    ),
    "a comment above": UNKNOWN.replace(
        "        imagePolicy", "        # sidecarctl: ignore[unknown-field] legacy\n        imagePolicy"
    ),
    "an annotation": UNKNOWN.replace(
        "  name: web\n", "  name: web\n  annotations:\n    sidecarctl.dev/ignore: unknown-field\n", 1
    ),
}


@pytest.mark.parametrize("what", IGNORES)
@pytest.mark.parametrize("command", ["add log-tail", "render", "post-render"])
def test_ignored_error_does_not_prevent_the_edit(command: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.format(rule="floating-image", severity="info"))
    done = run(f"sidecarctl {command}", tmp_path, stdin=IGNORES[what])
    assert (done.code, "unknown-field" in done.stderr) == (0, False), done.stderr
    assert "name: log-tail" in done.stdout


@pytest.mark.parametrize("severity", ["warning", '"off"'])
@pytest.mark.parametrize("command", ["add log-tail", "render", "post-render"])
def test_severity_of_the_composition_counts(command: str, severity: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.format(rule="unknown-field", severity=severity))
    done = run(f"sidecarctl {command}", tmp_path, stdin=UNKNOWN)
    assert (done.code, "warning[unknown-field]" in done.stderr) == (0, severity == "warning"), done.stderr


def test_severity_of_the_composition_counts_in_krm(tmp_path: Path) -> None:
    items = "".join(f"  {line}\n" for line in UNKNOWN.splitlines()).replace("  apiVersion", "- apiVersion", 1)
    stream = f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n{items}"
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.format(rule="unknown-field", severity='"off"'))
    done = run("sidecarctl krm", tmp_path, stdin=stream)
    assert (done.code, "name: log-tail" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("text", [OUTSIDE, INSIDE, UNKNOWN, INVALID])
def test_remove_does_not_report_errors_that_were_there_before(text: str, tmp_path: Path) -> None:
    added = run("sidecarctl add log-tail --fail-on never", tmp_path, stdin=text).stdout
    done = run("sidecarctl remove --all", tmp_path, stdin=added)
    assert (done.code, done.stdout) == (0, text)
    assert "error" not in done.stderr and "warning" not in done.stderr


def test_remove_does_not_parse_documents_without_a_record(tmp_path: Path) -> None:
    broken = "---\napiVersion: v1\nkind: Pod\nspec:\n  containers: [\n"
    added = run("sidecarctl add log-tail", tmp_path, stdin=WEB).stdout
    (tmp_path / "web.yaml").write_text(added + broken)
    (tmp_path / "other.yaml").write_text("a: [\n--- b\n%YAML 1.2\n")
    done = run("sidecarctl remove --all web.yaml other.yaml -i", tmp_path)
    assert (done.code, (tmp_path / "web.yaml").read_text()) == (0, WEB + broken), done.stderr


def test_remove_works_beside_an_invalid_composition(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text("spec: 1\n")
    done = run("sidecarctl remove --all", tmp_path, stdin=WEB)
    assert (done.code, done.stdout) == (0, WEB)


def test_sidecar_for_a_newer_version_of_kubernetes_is_replaced_or_removed(tmp_path: Path) -> None:
    """`restartPolicy` in an init container requires Kubernetes 1.28."""
    rendered = {}
    for version in ("1.30", "1.27"):
        text = COMPOSITION.format(rule="floating-image", severity="info").replace(
            "spec:\n", f'spec:\n  kubeVersion: "{version}"\n', 1
        )
        (tmp_path / "sidecarctl.yaml").write_text(text)
        (tmp_path / f"{version}.yaml").write_text(WEB)
        assert run(f"sidecarctl render {version}.yaml -i", tmp_path).code == 0
        rendered[version] = (tmp_path / f"{version}.yaml").read_text()
    assert "restartPolicy" in rendered["1.30"]
    assert run("sidecarctl render 1.30.yaml -i", tmp_path).code == 0
    assert (tmp_path / "1.30.yaml").read_text() == rendered["1.27"]
    (tmp_path / "sidecarctl.yaml").write_text(text.partition("  rules:\n  - select")[0] + "  rules: []\n")
    (tmp_path / "1.30.yaml").write_text(rendered["1.30"])
    assert run("sidecarctl render 1.30.yaml -i", tmp_path).code == 0
    assert (tmp_path / "1.30.yaml").read_text() == WEB


@pytest.mark.parametrize(
    "words", ["add logger --set logDir=/logs", "upgrade", "add logger --set logDir=/logs --name none"]
)
def test_sidecar_for_a_newer_version_of_kubernetes_that_stays_is_an_error(words: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(WEB)
    assert run("sidecarctl add log-tail --mode native web.yaml -i", tmp_path).code == 0
    before = (tmp_path / "web.yaml").read_text()
    done = run(f"sidecarctl {words} --kube-version 1.27 -f web.yaml -i", tmp_path)
    assert done.code in (1, 2), done.stderr
    assert (tmp_path / "web.yaml").read_text() == before
