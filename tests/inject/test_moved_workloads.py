"""A workload with another namespace: its companion follows it, and every report says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import Outcome, run

WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "registry.example/web:1"}
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: agent, version: VERSION, summary: An agent.}
spec: {engine: plain, substitutions: [{path: "documents[0].metadata.name", input: companion}]}
"""
TEMPLATE = """\
containers:
- name: agent
  image: registry.example/agent:VERSION
  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 50m, memory: 32Mi}}
documents:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: C}, data: {agent.conf: "x VERSION"}}
"""
OWNER = 'ConfigMap web-agent.metadata.annotations."sidecarctl.dev/owner"'
NAMESPACE = "ConfigMap web-agent.metadata.namespace"


def write_version(root: Path, version: str) -> None:
    entry = root / "lib" / f"agent@{version}"
    entry.mkdir(parents=True)
    (entry / "sidecar.yaml").write_text(SIDECAR.replace("VERSION", version))
    (entry / "template.yaml").write_text(TEMPLATE.replace("VERSION", version))


def call(command: str, repo: Path, code: int = 0) -> Outcome:
    outcome = run(f"sidecarctl {command} --library lib", repo, env={"COLUMNS": "200"})
    assert outcome.code == code, outcome.stderr
    return outcome


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A workload with a sidecar, and a namespace since, in `web.yaml`."""
    write_version(tmp_path, "1.0.0")
    (tmp_path / "web.yaml").write_text(WORKLOAD)
    call("add agent web.yaml -i", tmp_path)
    file = tmp_path / "web.yaml"
    file.write_text(file.read_text().replace("metadata: {name: web}", "metadata: {name: web, namespace: shop}"))
    return tmp_path


def set_namespace(repo: Path, namespace: str) -> None:
    """Give the companion a namespace, as kustomize and people do."""
    file = repo / "web.yaml"
    file.write_text(file.read_text().replace("  name: web-agent\n", f"  name: web-agent\n  namespace: {namespace}\n"))


def changed_fields(outcome: Outcome) -> dict[str, str]:
    (change,) = json.loads(outcome.stdout)["changes"]
    (instance,) = change["instances"]
    assert (change["changed"], instance["action"]) == (True, "updated")
    return {field["path"]: field["after"] for field in instance["fields"]}


@pytest.mark.parametrize("command", ["upgrade", "add agent"])
def test_report_lists_the_new_namespace_of_a_companion(command: str, repo: Path) -> None:
    found = call(f"{command} web.yaml --check --format json", repo, 1)
    assert changed_fields(found) == {OWNER: "Deployment/shop/web/agent", NAMESPACE: "shop"}
    done = call(f"{command} web.yaml -i", repo)
    assert "Deployment/shop/web: updated agent 1.0.0" in done.stderr
    assert f"{NAMESPACE}: (not set) -> shop" in done.stderr
    again = call(f"{command} web.yaml --check", repo)
    assert "unchanged agent" in again.stderr


def test_report_and_status_list_a_changed_owner(repo: Path) -> None:
    set_namespace(repo, "shop")
    found = call("upgrade web.yaml --check --format json", repo, 1)
    assert changed_fields(found) == {OWNER: "Deployment/shop/web/agent"}
    assert f"{OWNER}: Deployment/web/agent -> Deployment/shop/web/agent" in call("status web.yaml", repo).stdout
    call("upgrade web.yaml -i", repo)
    assert "1 instance: in sync" in call("status web.yaml", repo).stdout


def test_only_the_sidecar_with_a_changed_companion_is_updated(repo: Path) -> None:
    call("add log-tail web.yaml -i --set logDir=/srv --set path=a.log", repo)
    done = call("upgrade web.yaml --diff", repo)
    assert "would update agent 1.0.0" in done.stderr
    assert "unchanged log-tail" in done.stderr


def test_check_finds_a_changed_companion_in_another_file(repo: Path) -> None:
    head, _, companion = (repo / "web.yaml").read_text().partition("---\n")
    (repo / "web.yaml").write_text(head)
    (repo / "config.yaml").write_text(companion)
    found = json.loads(call("upgrade web.yaml config.yaml --check --format json", repo, 1).stdout)["findings"]
    assert [(each["rule"], each["place"]["file"]) for each in found] == [("outdated", "web.yaml")]


def test_companion_gets_the_wave_that_its_workload_got_since(repo: Path) -> None:
    file = repo / "web.yaml"
    call("upgrade web.yaml -i", repo)
    wave = 'namespace: shop, annotations: {argocd.argoproj.io/sync-wave: "-1"}}'
    file.write_text(file.read_text().replace("namespace: shop}", wave, 1))
    found = call("upgrade web.yaml --check --format json", repo, 1)
    assert changed_fields(found) == {'ConfigMap web-agent.metadata.annotations."argocd.argoproj.io/sync-wave"': "-1"}
    call("upgrade web.yaml -i", repo)
    assert file.read_text().count("sync-wave: '-1'") + file.read_text().count('sync-wave: "-1"') == 2
    assert "1 instance: in sync" in call("status web.yaml", repo).stdout


@pytest.mark.parametrize("wave", ["", "-5"])
@pytest.mark.parametrize("key", ["argocd.argoproj.io/sync-wave", "helm.sh/hook-weight", "other.example/x"])
def test_annotation_of_the_template_that_a_person_deleted_from_a_companion_stays_deleted(
    wave: str, key: str, tmp_path: Path
) -> None:
    write_version(tmp_path, "1.0.0")
    template = tmp_path / "lib" / "agent@1.0.0" / "template.yaml"
    template.write_text(template.read_text().replace("{name: C}", f'{{name: C, annotations: {{{key}: "-1"}}}}'))
    named = f'metadata: {{name: web, annotations: {{argocd.argoproj.io/sync-wave: "{wave}"}}}}'
    (tmp_path / "web.yaml").write_text(WORKLOAD.replace("metadata: {name: web}", named) if wave else WORKLOAD)
    call("add agent web.yaml -i", tmp_path)
    workload, companion = (tmp_path / "web.yaml").read_text().split("---\n")
    deleted = "".join(line for line in companion.splitlines(keepends=True) if key not in line)
    assert deleted.count("\n") == companion.count("\n") - 1
    (tmp_path / "web.yaml").write_text(f"{workload}---\n{deleted}")
    call("upgrade web.yaml --check", tmp_path)
    assert "1 instance: in sync" in call("status web.yaml", tmp_path).stdout


def lose_version(repo: Path) -> None:
    """Replace the recorded version in the library, so that what was written is unknown, and edit the sidecar."""
    (repo / "lib" / "agent@1.0.0").rename(repo / "lib" / "agent@2.0.0")
    for path in (repo / "lib" / "agent@2.0.0").iterdir():
        path.write_text(path.read_text().replace("1.0.0", "2.0.0"))
    (repo / "web.yaml").write_text((repo / "web.yaml").read_text().replace("cpu: 10m", "cpu: 15m"))


@pytest.mark.parametrize("policy", ["keep", "overwrite"])
def test_companion_follows_its_workload_if_the_version_that_wrote_it_is_unknown(policy: str, repo: Path) -> None:
    lose_version(repo)
    found = call(f"upgrade web.yaml --on-conflict {policy} --check --format json", repo, 1)
    report = json.loads(found.stdout)
    assert {OWNER, NAMESPACE} <= changed_fields(found).keys()
    assert not [each for each in report["findings"] if "sidecarctl.dev/owner" in each["message"]]
    call(f"upgrade web.yaml --on-conflict {policy} -i", repo)
    before = (repo / "web.yaml").read_text()
    assert "namespace: shop\n" in before
    for again in (policy, "fail"):
        assert "unchanged agent" in call(f"upgrade web.yaml --on-conflict {again} -i", repo).stderr
        assert (repo / "web.yaml").read_text() == before


def test_second_run_leaves_a_namespace_that_a_conflict_kept(repo: Path) -> None:
    set_namespace(repo, "other")
    file = repo / "web.yaml"
    file.write_text(file.read_text().replace("owner: Deployment/web/agent", "owner: Deployment/shop/web/agent"))
    lose_version(repo)
    found = json.loads(call("upgrade web.yaml --on-conflict keep --check --format json", repo, 1).stdout)["findings"]
    assert any("ConfigMap/web-agent.metadata.namespace differs from agent" in each["message"] for each in found)
    call("upgrade web.yaml --on-conflict keep -i", repo)
    before = file.read_text()
    assert "namespace: other\n" in before
    assert "unchanged agent" in call("upgrade web.yaml -i", repo).stderr
    assert file.read_text() == before


@pytest.mark.parametrize("policy", ["fail", "keep", "overwrite"])
def test_owner_follows_another_kind_if_the_new_version_changes_other_metadata(policy: str, tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        write_version(tmp_path, version)
        template = tmp_path / "lib" / f"agent@{version}" / "template.yaml"
        template.write_text(template.read_text().replace("{name: C}", f'{{name: C, labels: {{v: "{version}"}}}}'))
    (tmp_path / "web.yaml").write_text(WORKLOAD)
    call("add agent@1.0.0 web.yaml -i", tmp_path)
    text = (tmp_path / "web.yaml").read_text()
    (tmp_path / "web.yaml").write_text(text.replace("kind: Deployment", "kind: DaemonSet", 1))
    call(f"upgrade web.yaml -i --on-conflict {policy}", tmp_path)
    once = (tmp_path / "web.yaml").read_text()
    assert "sidecarctl.dev/owner: DaemonSet/web/agent" in once and "Deployment" not in once
    call(f"upgrade web.yaml -i --on-conflict {policy}", tmp_path)
    assert (tmp_path / "web.yaml").read_text() == once
