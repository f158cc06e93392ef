"""Tests of `init` on six Deployments with slightly different pasted loggers: all are adopted, none is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.command import run

APP = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: APPNAME
spec:
  selector:
    matchLabels: {app: APPNAME}
  template:
    metadata:
      labels: {app: APPNAME}
    spec:
      containers:
      - name: web
        image: registry.example.com/APPNAME:1.4.0
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 64Mi}}
        volumeMounts:
        - name: logs
          mountPath: /var/log/app
"""
BLOCK = """\
      - name: shipper   # ask the platform team
        image: fluent/fluent-bit:5.1.1
        args:
        - --config=/etc/shipper.yaml
        resources:
          requests:
            cpu: 50m
            memory: 64Mi
          limits:
            memory: 128Mi
        volumeMounts:
        - name: logs
          mountPath: /var/log/app
          readOnly: true
"""
FLOW = """\
      - {name: "shipper", image: 'fluent/fluent-bit:5.1.1', args: ["--config=/etc/shipper.yaml"],
         resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 128Mi}},
         volumeMounts: [{name: logs, mountPath: /var/log/app, readOnly: true}]}
"""
VOLUMES = """\
      volumes:
      - name: logs
        emptyDir: {sizeLimit: 1Gi}
"""
SIX = {
    "accounts": APP + BLOCK + VOLUMES,
    "billing": APP + FLOW + VOLUMES,
    "catalog": (APP + BLOCK + VOLUMES).replace("sizeLimit: 1Gi", "sizeLimit: 2Gi"),
    "delivery": (APP + BLOCK + VOLUMES).replace("fluent-bit:5.1.1", "fluent-bit:5.0.3").replace("128Mi", "256Mi"),
    "events": (APP + BLOCK + VOLUMES).replace("name: shipper ", "name: log-shipper "),
    "feeds": (APP + FLOW + VOLUMES).replace("name: logs", "name: log-files").replace("/var/log/app", "/srv/log"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "team"
    home.mkdir()
    for name, text in SIX.items():
        (home / f"{name}.yaml").write_text(text.replace("APPNAME", name))
    return home


def manifests(folder: Path) -> dict[str, str]:
    return {name: (folder / f"{name}.yaml").read_text() for name in SIX}


def without_record(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if "sidecarctl.dev/sidecars" not in line and line.strip() != "annotations:")


def test_render_adds_records_only(folder: Path) -> None:
    before = manifests(folder)
    outcome = run("sidecarctl init team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert "verified: 6 files of 6" in outcome.stdout
    assert manifests(folder) == before
    outcome = run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert "adopted-differs" not in outcome.stderr
    after = manifests(folder)
    assert {name: without_record(text) for name, text in after.items()} == before
    assert all("sidecarctl.dev/sidecars" in text for text in after.values())


@pytest.mark.parametrize("adopt", ["", " --adopt"])
def test_second_render_changes_nothing(folder: Path, adopt: str) -> None:
    run("sidecarctl init team", folder.parent)
    run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent)
    once = manifests(folder)
    outcome = run(f"sidecarctl render -c team/sidecarctl.yaml -f team{adopt} -i", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert manifests(folder) == once


def test_rules_contain_differences_only(folder: Path) -> None:
    run("sidecarctl init team", folder.parent)
    rules = yaml.safe_load((folder / "sidecarctl.yaml").read_text())["spec"]["rules"]
    usual = next(rule for rule in rules if rule["sidecars"] == [{"name": "shipper"}])
    assert usual["select"] == {"kinds": ["Deployment"], "names": ["accounts", "billing"]}
    other = next(rule["sidecars"][0] for rule in rules if rule["select"]["names"] == ["delivery"])
    assert other["parameters"]["image"] == "fluent/fluent-bit:5.0.3"
    assert other["parameters"]["patch"] == {"resources": {"limits": {"memory": "256Mi"}}}


def test_remove_deletes_the_pasted_logger(folder: Path) -> None:
    run("sidecarctl init team", folder.parent)
    run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent)
    for name in SIX:
        outcome = run(f"sidecarctl remove --all -f {name}.yaml", folder)
        pod = yaml.safe_load(outcome.stdout)["spec"]["template"]["spec"]
        assert [c["name"] for c in pod["containers"]] == ["web"]
        assert "volumes" not in pod and "volumeMounts" not in pod["containers"][0]


def test_skips_containers_that_occur_once(folder: Path) -> None:
    for name in list(SIX)[1:]:
        (folder / f"{name}.yaml").unlink()
    outcome = run("sidecarctl init team", folder.parent)
    assert outcome.code == 0 and "no files written" in outcome.stderr
    assert not (folder / "sidecarctl.yaml").exists()


def test_keeps_an_existing_composition(folder: Path) -> None:
    (folder / "sidecarctl.yaml").write_text("# mine\n")
    outcome = run("sidecarctl init team", folder.parent)
    assert outcome.code == 2 and "already exists" in outcome.stderr
    assert (folder / "sidecarctl.yaml").read_text() == "# mine\n"


def test_written_library_passes_its_test_cases(folder: Path) -> None:
    run("sidecarctl init team", folder.parent)
    assert (folder / "sidecars/shipper/tests/deployment/expected.yaml").exists()
    outcome = run("sidecarctl test --library team/sidecars", folder.parent)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    assert "1 case" in outcome.stdout + outcome.stderr


def test_warns_about_likely_secrets(folder: Path) -> None:
    for name in ("accounts", "catalog"):
        file = folder / f"{name}.yaml"
        env = "        env: [{name: LOKI_PASSWORD, value: hunter2}]\n        args:"
        file.write_text(file.read_text().replace("        args:", env))
    for name in ("billing", "delivery", "events", "feeds"):
        (folder / f"{name}.yaml").unlink()
    outcome = run("sidecarctl init team", folder.parent)
    assert "warning: LOKI_PASSWORD of shipper may be a secret" in outcome.stdout
    assert "hunter2" not in outcome.stdout
