"""The command `status`: instances, edited fields, and what an upgrade would change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import Outcome, run
from tests.inject.test_render import COMPOSITION, DEPLOYMENT

SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: helper, version: VERSION, summary: For a test.}
spec:
  engine: jinja
  parameters:
    properties:
      size: {type: string, default: 64Mi}
      token: {type: string, writeOnly: true}
"""
TEMPLATE = """\
containers:
- name: {{ instance }}
  image: example.com/helper:VERSION
  {% if params.token %}
  args: [{{ params.token }}]
  {% endif %}
  resources:
    requests: {cpu: 10m, memory: {{ params.size }}}
    limits: {memory: {{ params.size }}}
documents:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: {{ companion }}}
  data:
    helper.conf: |
      one
      version VERSION
"""
# The template can write the token to any field.
HIDDEN = ("(hidden)", "(hidden)")


def shelve(repo: Path, version: str, *, secret: bool = True) -> None:
    folder = repo / "lib" / f"helper@{version}"
    folder.mkdir(parents=True, exist_ok=True)
    sidecar = SIDECAR if secret else SIDECAR.replace(", writeOnly: true", "")
    (folder / "sidecar.yaml").write_text(sidecar.replace("VERSION", version))
    (folder / "template.yaml.j2").write_text(TEMPLATE.replace("VERSION", version))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    shelve(tmp_path, "1.0.0")
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace("NAME", "web-1"))
    assert run("sidecarctl add helper --library lib -f web.yaml -i", tmp_path).code == 0
    return tmp_path


def status(repo: Path, more: str = "") -> Outcome:
    return run(f"sidecarctl status -f web.yaml --library lib {more}", repo, env={"COLUMNS": "80"})


def instance(repo: Path, more: str = "") -> dict[str, Any]:
    (workload,) = json.loads(status(repo, f"--format json {more}").stdout)["workloads"]
    (found,) = workload["instances"]
    return dict(found)


def edit(repo: Path, old: str, new: str) -> None:
    text = (repo / "web.yaml").read_text()
    assert old in text
    (repo / "web.yaml").write_text(text.replace(old, new))


def test_reports_in_sync(repo: Path) -> None:
    outcome = status(repo, "--check")
    assert outcome.code == 0
    assert "Deployment/web-1  helper   1.0.0    -        in sync" in outcome.stdout
    assert outcome.stderr == ""


def test_reports_edited_fields(repo: Path) -> None:
    edit(repo, "limits:\n            memory: 64Mi", "limits:\n            memory: 1Gi")
    edit(repo, "    one\n", "    two\n")
    found = {change["path"]: (change.get("before"), change.get("after")) for change in instance(repo)["edits"]}
    assert found == {
        "spec.template.spec.initContainers[helper].resources.limits.memory": HIDDEN,
        'ConfigMap web-1-helper.data."helper.conf" line 1': HIDDEN,
    }
    assert status(repo, "--check").code == 1


def test_values_are_shown_if_no_parameter_is_secret(repo: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        shelve(repo, version, secret=False)
    edit(repo, "limits:\n            memory: 64Mi", "limits:\n            memory: 1Gi")
    found = instance(repo)
    assert [(change["before"], change["after"]) for change in found["edits"]] == [("64Mi", "1Gi")]
    changes = {change["path"]: change.get("after") for change in found["upgrade"]}
    assert changes["spec.template.spec.initContainers[helper].image"] == "example.com/helper:1.1.0"
    assert changes['ConfigMap web-1-helper.data."helper.conf" line 2'] == "version 1.1.0"


def test_deleted_container_is_an_edit(repo: Path) -> None:
    edit(repo, "- name: helper", "- name: renamed")
    paths = [change["path"] for change in instance(repo)["edits"]]
    assert paths == ["spec.template.spec.initContainers[helper]"]


def test_formatting_is_not_an_edit(repo: Path) -> None:
    edit(repo, "image: example.com/helper:1.0.0", "image:   'example.com/helper:1.0.0'  # ours")
    assert instance(repo)["edits"] == []


def test_shows_what_an_upgrade_would_change(repo: Path) -> None:
    shelve(repo, "1.1.0")
    found = instance(repo)
    assert found["available"] == "1.1.0"
    assert found["edits"] == []
    changes = {change["path"]: change.get("after") for change in found["upgrade"]}
    assert changes["spec.template.spec.initContainers[helper].image"] == "(hidden)"
    assert changes['ConfigMap web-1-helper.data."helper.conf" line 2'] == "(hidden)"
    assert "an upgrade to 1.1.0 would change:" in status(repo).stdout


def test_reports_a_version_missing_in_the_library(repo: Path) -> None:
    shelve(repo, "1.1.0")
    for path in (repo / "lib" / "helper@1.0.0").iterdir():
        path.unlink()
    (repo / "lib" / "helper@1.0.0").rmdir()
    found = instance(repo)
    assert found["note"] == "the library has no helper 1.0.0"
    assert found["upgrade"]


def test_reports_a_sidecar_missing_in_the_library(repo: Path) -> None:
    outcome = run("sidecarctl status -f web.yaml", repo)
    assert outcome.code == 0
    assert "the library has no sidecar helper" in outcome.stdout.replace("\n  ", " ")


def test_notes_that_secrets_are_not_recorded(repo: Path) -> None:
    done = run("sidecarctl add helper --library lib -f web.yaml -i --set token=s3cret", repo)
    assert done.code == 0, done.stderr
    edit(repo, "limits:\n            memory: 64Mi", "limits:\n            memory: 1Gi")
    assert "secret parameters are not recorded" in instance(repo)["note"]


def test_edits_are_detected_without_a_working_template(repo: Path) -> None:
    edit(repo, "limits:\n            memory: 64Mi", "limits:\n            memory: 1Gi")
    (repo / "lib" / "helper@1.0.0" / "template.yaml.j2").write_text("{{ nothing }}\n")
    outcome = status(repo)
    assert outcome.code == 0
    assert " edited\n" in outcome.stdout and "cannot list the edited fields" in outcome.stdout
    assert status(repo, "--check").code == 1


def test_instance_in_sync_for_another_kubernetes_version_is_not_edited(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace("NAME", "web-1"))
    run("sidecarctl add log-tail -f web.yaml -i --kube-version 1.28", tmp_path)
    outcome = run("sidecarctl status -f web.yaml --check", tmp_path)
    assert outcome.code == 0 and "in sync (Kubernetes 1.29)" in outcome.stdout
    assert "in sync\n" in run("sidecarctl status -f web.yaml --kube-version 1.28", tmp_path).stdout
    edit(tmp_path, "- ALL", "- NET_RAW")
    assert "edited (" in run("sidecarctl status -f web.yaml", tmp_path).stdout


def test_requested_instance_is_missing(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace("NAME", "web-1"))
    outcome = run("sidecarctl status -f web.yaml --check", tmp_path)
    assert outcome.code == 1
    assert "missing" in outcome.stdout
    (tmp_path / "sidecarctl.yaml").unlink()
    assert run("sidecarctl status -f web.yaml --check", tmp_path).code == 0
    asking = DEPLOYMENT.replace("NAME", "web-1\n  annotations: {sidecarctl.dev/inject: logger}")
    (tmp_path / "web.yaml").write_text(asking)
    assert run("sidecarctl status -f web.yaml --check", tmp_path).code == 1


def test_table_fits_eighty_columns(tmp_path: Path) -> None:
    name = "a-service-with-a-name-that-is-longer-than-any-other-in-the-cluster"[:50]
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace("NAME", f"{name}\n  namespace: a-namespace-of-its-own"))
    run("sidecarctl add logger --as the-logger-of-the-audit -f web.yaml -i", tmp_path)
    outcome = run("sidecarctl status -f web.yaml", tmp_path, env={"COLUMNS": "80"})
    assert outcome.stdout.startswith("WORKLOAD")
    assert max(map(len, outcome.stdout.splitlines()[:2])) <= 80
    assert "…" in outcome.stdout


def test_groups_workloads_by_file(repo: Path) -> None:
    (repo / "other.yaml").write_text((repo / "web.yaml").read_text())
    lines = run("sidecarctl status --library lib -f web.yaml -f other.yaml", repo).stdout.splitlines()
    table = [line.split("  ")[0] or line.split()[0] for line in lines[1:5]]
    assert table == ["web.yaml", "Deployment/web-1", "other.yaml", "Deployment/web-1"]


def test_markdown_is_a_table(repo: Path) -> None:
    assert "| `Deployment/web-1` | helper | 1.0.0 | – | in sync |" in status(repo, "--format markdown").stdout


def test_reports_an_invalid_record(repo: Path) -> None:
    edit(repo, '{"v":2,', '{"v":7,')
    outcome = status(repo)
    assert outcome.code == 0
    assert "invalid annotation sidecarctl.dev/sidecars" in outcome.stdout


def test_sorted_companion_is_not_an_edit(repo: Path) -> None:
    documents = (repo / "web.yaml").read_text().split("---\n")
    (repo / "web.yaml").write_text("---\n".join([documents[-1], *documents[:-1]]))
    outcome = run("sidecarctl status --library lib -f web.yaml --check", repo)
    assert outcome.code == 0, outcome.stdout
    assert "in sync" in outcome.stdout


def test_spellings_and_defaults_of_the_api_server_are_no_edits(repo: Path) -> None:
    edit(repo, "limits:\n            memory: 64Mi", 'limits:\n            memory: "65536Ki"')
    edit(repo, "      - name: helper\n", "      - name: helper\n        terminationMessagePath: /dev/termination-log\n")
    assert status(repo, "--check").code == 0
    assert instance(repo)["state"] == "in sync"


def test_formats_of_ci_systems_have_a_finding_for_each_state(repo: Path) -> None:
    assert "::" not in status(repo, "--format github").stdout
    edit(repo, "limits:\n            memory: 64Mi", "limits:\n            memory: 1Gi")
    shelve(repo, "1.1.0")
    outcome = status(repo, "--format github --check")
    assert outcome.code == 1
    command, text = next(line for line in outcome.stdout.splitlines() if line.startswith("::")).rsplit("::", 1)
    assert command == "::error file=web.yaml,line=2,title=edited-sidecar"
    assert "sidecar helper 1.0.0 is edited: spec.template.spec.initContainers[helper].resources.limits.memory" in text
    assert "(hidden) -> (hidden)" in text
    assert '"edited-sidecar"' in status(repo, "--format sarif").stdout
    assert '"edited-sidecar"' in status(repo, "--format gitlab").stdout
    assert "<failure" in status(repo, "--format junit").stdout
    edit(repo, "limits:\n            memory: 1Gi", "limits:\n            memory: 64Mi")
    outcome = status(repo, "--format github --check")
    assert outcome.code == 0
    assert "::notice file=web.yaml,line=2,title=outdated::" in outcome.stdout
    assert "version 1.1.0 is available" in outcome.stdout
    edit(repo, '{"v":2,', '{"v":7,')
    found = json.loads(status(repo, "--format gitlab").stdout)
    assert [each["check_name"] for each in found] == ["unknown-sidecar-state"]


def test_missing_instance_is_an_error_in_formats_of_ci_systems(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace("NAME", "web-1"))
    outcome = run("sidecarctl status -f web.yaml --check --format github", tmp_path)
    assert outcome.code == 1
    assert "::error file=web.yaml,line=2,title=missing-sidecar::" in outcome.stdout
    outcome = run("sidecarctl status -f web.yaml --format sarif", tmp_path)
    assert [each["ruleId"] for each in json.loads(outcome.stdout)["runs"][0]["results"]] == ["missing-sidecar"]


def test_stdin_with_the_name_of_a_file_is_an_error(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: web:1}\n"
    (tmp_path / "a.yaml").write_text(pod)
    outcome = run("sidecarctl status - a.yaml --stdin-filename a.yaml", tmp_path, stdin=pod.replace("web", "other"))
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "stdin and a file have the same name a.yaml" in outcome.stderr
