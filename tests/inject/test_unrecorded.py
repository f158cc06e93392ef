"""A lost record and a renamed container: one finding says what happened, and adopting makes the sidecar removable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command import Outcome, run

LEDGER = """\
# the books
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: ledger
  namespace: finance
spec:
  serviceName: ledger
  selector:
    matchLabels: {app: ledger}
  template:
    metadata:
      labels: {app: ledger}
    spec:
      containers:
      - name: ledger
        image: registry.example/ledger:3.1.0
"""
PARAMETERS = "--set logDir=/srv/ledger/log"


def added(folder: Path, text: str = LEDGER, more: str = "logger") -> str:
    (folder / "in.yaml").write_text(text)
    outcome = run(f"sidecarctl add {more} {PARAMETERS} -f in.yaml", folder)
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout


def without_record(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if "sidecarctl.dev/sidecars:" not in line)


def write(folder: Path, text: str) -> str:
    (folder / "lost.yaml").write_text(text)
    return "-f lost.yaml"


def on_lost(folder: Path, command: str) -> Outcome:
    return run(f"sidecarctl {command} -f lost.yaml", folder)


def test_conflicts_of_a_lost_record_are_one_finding(tmp_path: Path) -> None:
    write(tmp_path, without_record(added(tmp_path)))
    for parameters in (PARAMETERS, f"{PARAMETERS} --set flush=9"):
        outcome = on_lost(tmp_path, f"add logger {parameters}")
        assert outcome.code == 1
        assert outcome.stderr.count("error[") == 1
        assert 'error[lost-record]: container "logger" looks like sidecar logger, but has no record' in outcome.stderr
        assert "run `sidecarctl add logger --adopt`" in " ".join(outcome.stderr.split())
        assert "--as NAME" in outcome.stderr


@pytest.mark.parametrize(
    "text",
    [
        LEDGER,
        LEDGER.replace(
            "labels: {app: ledger}\n    spec", "labels: {app: ledger}\n      annotations:\n        a: b\n    spec"
        ),
    ],
)
def test_remove_after_adopting_restores_the_manifest(text: str, tmp_path: Path) -> None:
    write(tmp_path, without_record(added(tmp_path, text)))
    adopted = on_lost(tmp_path, f"add logger {PARAMETERS} --adopt")
    assert adopted.code == 0, adopted.stderr
    assert "adopted-differs" not in adopted.stderr
    outcome = run("sidecarctl remove logger", tmp_path, stdin=adopted.stdout)
    assert outcome.code == 0, outcome.stderr
    assert "ConfigMap ledger-logger" in outcome.stderr
    assert "sidecarctl.dev/logger.config-hash" in outcome.stderr
    assert outcome.stdout == text


def test_adopting_takes_the_companion_in_a_list(tmp_path: Path) -> None:
    body = LEDGER.split("\n", 1)[1]
    items = "apiVersion: v1\nkind: List\nitems:\n- " + body.replace("\n", "\n  ").rstrip(" ")
    write(tmp_path, without_record(added(tmp_path, items)))
    adopted = on_lost(tmp_path, f"add logger {PARAMETERS} --adopt")
    assert adopted.code == 0, adopted.stderr
    outcome = run("sidecarctl remove logger", tmp_path, stdin=adopted.stdout)
    assert outcome.stdout == items


def test_adopting_does_not_take_a_configmap_of_another_owner(tmp_path: Path) -> None:
    text = without_record(added(tmp_path)).replace("sidecarctl.dev/owner", "example.com/owner")
    write(tmp_path, text)
    adopted = on_lost(tmp_path, f"add logger {PARAMETERS} --adopt")
    outcome = run("sidecarctl remove logger", tmp_path, stdin=adopted.stdout)
    assert outcome.code == 0, outcome.stderr
    assert "kind: ConfigMap" in outcome.stdout


@pytest.mark.parametrize("command", ["remove logger --check", "remove --all --check", "status"])
def test_remove_and_status_report_a_lost_record(command: str, tmp_path: Path) -> None:
    write(tmp_path, without_record(added(tmp_path)))
    outcome = on_lost(tmp_path, command)
    assert outcome.code == 0
    text = " ".join((outcome.stdout + outcome.stderr).split())
    assert 'container "logger" looks like sidecar logger, but has no record' in text
    assert "run `sidecarctl add logger --adopt`" in text


@pytest.mark.parametrize("command", ["remove log-tail --check", "status"])
def test_lost_record_without_a_companion_is_reported(command: str, tmp_path: Path) -> None:
    write(tmp_path, without_record(added(tmp_path, more="log-tail")))
    outcome = on_lost(tmp_path, command)
    text = " ".join((outcome.stdout + outcome.stderr).split())
    assert 'container "log-tail" looks like sidecar log-tail, but has no record' in text


@pytest.mark.parametrize("command", ["remove --all --check", "status"])
@pytest.mark.parametrize("name", ["vector", "redis"])
def test_app_with_volumes_of_its_name_is_not_reported(name: str, command: str, tmp_path: Path) -> None:
    mounts = f"        volumeMounts: [{{name: {name}-data, mountPath: /data}}]\n      volumes: [{{name: {name}-data, emptyDir: {{}}}}]\n"
    write(tmp_path, LEDGER.replace("name: ledger\n        image", f"name: {name}\n        image") + mounts)
    outcome = on_lost(tmp_path, command)
    assert outcome.code == 0
    assert "looks like" not in outcome.stdout + outcome.stderr


def test_render_offers_to_adopt(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: books}\nspec:\n  rules:\n"
        "  - select: {names: [ledger]}\n    sidecars: [{name: logger, parameters: {logDir: /srv/ledger/log}}]\n"
    )
    write(tmp_path, without_record(added(tmp_path)))
    outcome = on_lost(tmp_path, "render")
    assert outcome.code == 1
    assert outcome.stderr.count("error[") == 1
    assert "run `sidecarctl render --adopt`" in " ".join(outcome.stderr.split())
    assert on_lost(tmp_path, "render --adopt").code == 0


@pytest.mark.parametrize("command", ["remove logger --check", "remove --all --check", "status"])
def test_containers_without_traces_of_a_sidecar_are_not_reported(command: str, tmp_path: Path) -> None:
    write(tmp_path, LEDGER + "      - name: logger\n        image: registry.example/other:1.0.0\n")
    outcome = on_lost(tmp_path, command)
    assert "looks like" not in outcome.stdout + outcome.stderr


def test_instance_with_a_record_is_not_reported(tmp_path: Path) -> None:
    write(tmp_path, added(tmp_path))
    for command in ("status", "remove logger --check", f"add logger {PARAMETERS} --set flush=3"):
        outcome = on_lost(tmp_path, command)
        assert "looks like" not in outcome.stdout + outcome.stderr


def test_other_instances_keep_their_record(tmp_path: Path) -> None:
    text = added(tmp_path, added(tmp_path), "log-tail --set path=a.log")
    start, end = text.index('"logger":'), text.index('"log-tail":')
    write(tmp_path, text[:start] + text[end:])
    outcome = on_lost(tmp_path, f"add logger {PARAMETERS}")
    assert outcome.code == 1
    assert "error[lost-record]" in outcome.stderr
    status = on_lost(tmp_path, "status").stdout
    assert "log-tail" in status and 'container "logger" looks like sidecar logger' in " ".join(status.split())


def renamed(folder: Path, text: str) -> None:
    assert text.count("- name: logger\n") == 1
    write(folder, text.replace("- name: logger\n", "- name: shipper\n"))


def test_renamed_container_without_a_record_can_be_adopted_by_its_name(tmp_path: Path) -> None:
    renamed(tmp_path, without_record(added(tmp_path)))
    outcome = on_lost(tmp_path, f"add logger {PARAMETERS}")
    assert outcome.code == 1
    assert outcome.stderr.count("error[") == 1
    assert 'container "shipper" looks like sidecar logger, but has no record' in outcome.stderr
    assert "sidecarctl add logger --as shipper --adopt" in " ".join(outcome.stderr.split())


def test_renamed_container_of_the_record_is_explained(tmp_path: Path) -> None:
    renamed(tmp_path, added(tmp_path))
    message = 'container "shipper" looks like container "logger" of sidecar logger, renamed'
    outcome = on_lost(tmp_path, f"add logger {PARAMETERS} --set flush=3")
    assert outcome.code == 1
    assert outcome.stderr.count("error[") == 1
    assert message in outcome.stderr
    assert "no files written" in outcome.stderr
    assert message in " ".join(on_lost(tmp_path, "status").stdout.split())
    removal = on_lost(tmp_path, "remove logger")
    assert f"warning[lost-record]: {message}" in removal.stderr


def test_deleted_container_of_the_record_is_not_taken_for_renamed(tmp_path: Path) -> None:
    text = added(tmp_path)
    start, end = text.index("      initContainers:"), text.index("      containers:")
    write(tmp_path, text[:start] + text[end:])
    outcome = on_lost(tmp_path, "remove logger")
    assert "looks like" not in outcome.stderr


@pytest.mark.parametrize("mode", ["native", "classic"])
def test_app_container_with_the_shared_volume_is_not_taken_for_renamed(mode: str, tmp_path: Path) -> None:
    worker = "      - name: worker\n        image: registry.example/worker:1.0.0\n"
    mounts = "        volumeMounts:\n        - {name: logger-logs, mountPath: /srv/ledger/log}\n"
    text = added(tmp_path, LEDGER + worker, f"logger --mode {mode}").replace(worker, worker + mounts)
    write(tmp_path, text.replace("- name: logger\n", "- name: other\n"))
    assert "looks like" in on_lost(tmp_path, "remove logger").stderr
    write(
        tmp_path,
        re.sub(r" +- name: logger\n(?s:.*?)(?=      containers:|      - name: |      volumes:)", "", text, count=1),
    )
    assert "looks like" not in on_lost(tmp_path, "remove logger").stderr


def test_another_container_with_that_name_can_be_adopted_or_avoided(tmp_path: Path) -> None:
    write(tmp_path, LEDGER + "      - name: logger\n        image: registry.example/other:1.0.0\n")
    outcome = on_lost(tmp_path, f"add logger {PARAMETERS}")
    text = " ".join(outcome.stderr.split())
    assert "error[container-conflict]" in text
    assert "--adopt" in text and "--as NAME" in text
