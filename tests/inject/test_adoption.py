"""Adopting a sidecar that was written by hand: only the record changes, and `remove` removes the sidecar."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.command import run

MANIFEST = """\
# by hand
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: nginx
        image: nginx:1.29
        volumeMounts: [{name: logs, mountPath: /var/log/nginx}]
      # tails the log
      - name: NAME
        image: "busybox:1.36.0"
        args: [tail, -F, /var/log/nginx/app.log]
        resources: {limits: {memory: 64Mi}}
        volumeMounts:
          - {name: logs, mountPath: /var/log/nginx}
          - {name: scratch, mountPath: /tmp}
      volumes:
        - name: logs
          emptyDir: {}
        - name: scratch
          emptyDir: {}
"""
HAND = MANIFEST.replace("NAME", "log-tail")
ADD = "sidecarctl add log-tail --set logDir=/var/log/nginx -f in.yaml"


def adopted(folder: Path, text: str = HAND, more: str = "") -> str:
    (folder / "in.yaml").write_text(text)
    outcome = run(f"{ADD} --adopt{more}", folder)
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout


def without_record(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if "sidecarctl.dev/sidecars" not in line and line.strip() != "annotations:")


def test_refuses_existing_container_without_adopt(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(HAND)
    assert run(ADD, tmp_path).code == 1


@pytest.mark.parametrize(("name", "more"), [("log-tail", ""), ("tailer", " --as tailer")])
def test_adopt_changes_only_the_record(name: str, more: str, tmp_path: Path) -> None:
    text = MANIFEST.replace("NAME", name)
    assert without_record(adopted(tmp_path, text, more)) == text


def test_reports_fields_that_differ_from_the_library(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(HAND)
    told = run(f"{ADD} --adopt", tmp_path).stderr
    assert "info[adopted-differs]" in told
    assert 'containers[log-tail].image: "busybox:1.36.0", would be "busybox:1.38.0"' in told
    assert 'containers[log-tail].resources.limits.memory: "64Mi", would be "32Mi"' in told


def test_adopt_is_idempotent(tmp_path: Path) -> None:
    once = adopted(tmp_path)
    assert adopted(tmp_path, once) == once


def test_remove_deletes_the_container_and_its_unshared_volumes(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(adopted(tmp_path))
    pod = yaml.safe_load(run("sidecarctl remove log-tail -f in.yaml", tmp_path).stdout)["spec"]["template"]
    assert pod == {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "nginx", "image": "nginx:1.29"}]},
    }


def test_remove_keeps_volumes_that_the_app_uses(tmp_path: Path) -> None:
    more = HAND.replace("mountPath: /var/log/nginx}]", "mountPath: /var/log/nginx}, {name: logs, mountPath: /more}]")
    (tmp_path / "in.yaml").write_text(adopted(tmp_path, more))
    pod = yaml.safe_load(run("sidecarctl remove log-tail -f in.yaml", tmp_path).stdout)["spec"]["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"]] == ["logs"]
    assert [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]] == ["/var/log/nginx", "/more"]


def test_next_add_keeps_the_values_of_an_adopted_sidecar(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(adopted(tmp_path))
    assert run(ADD, tmp_path).stdout == (tmp_path / "in.yaml").read_text()
    text = run(f"{ADD} --enforce", tmp_path).stdout
    assert "busybox:1.38.0" in text and "busybox:1.36.0" not in text


def test_adopt_adds_the_sidecar_if_there_is_none(tmp_path: Path) -> None:
    assert "busybox:1.38.0" in adopted(tmp_path, MANIFEST.replace("NAME", "other"))


def test_the_only_container_of_the_app_is_not_adopted(tmp_path: Path) -> None:
    start = HAND.index("      # tails")
    alone = HAND[:start] + HAND[HAND.index("      volumes:\n") :]
    (tmp_path / "in.yaml").write_text(alone)
    outcome = run(f"{ADD} --adopt --as nginx", tmp_path)
    assert (outcome.code, "container-conflict" in outcome.stderr) == (1, True), outcome.stderr


def test_items_of_a_list_are_compared_with_the_library_one_by_one(tmp_path: Path) -> None:
    item = (
        "- apiVersion: v1\n  kind: Pod\n  metadata: {name: %s}\n"
        "  spec:\n    containers:\n    - {name: app, image: 'registry.example/app:1.0.0'}\n"
    )
    by_hand = "    - {name: logger, image: 'fluent/fluent-bit:3.0.0'}\n"
    for items in (item % "one" + by_hand, item % "one" + item % "two" + by_hand):
        text = f"apiVersion: v1\nkind: List\nitems:\n{items}"
        outcome = run("sidecarctl add logger --adopt --set logDir=/l", tmp_path, stdin=text)
        assert "info[adopted-differs]" in outcome.stderr
        assert 'containers[logger].image: "fluent/fluent-bit:3.0.0", would be' in outcome.stderr
