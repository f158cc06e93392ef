"""Objects whose owner annotation names a sidecar, but that its record does not list, are not companions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.command import run
from tests.security.kit import library

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: web:1}\n"
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  rules: [{name: web, select: {names: [web]}, sidecars: [{name: logger}]}]
"""
OWNER = "metadata: {{name: {name}, annotations: {{sidecarctl.dev/owner: Pod/web/logger}}}}\n"
ALIENS = {
    "another kind": "apiVersion: v1\nkind: PersistentVolumeClaim\n" + OWNER.format(name="web-logger"),
    "another name": "apiVersion: v1\nkind: ConfigMap\n" + OWNER.format(name="important") + "data: {key: value}\n",
    "another namespace": (
        "apiVersion: v1\nkind: ConfigMap\n"
        + OWNER.format(name="web-logger").replace("{name", "{namespace: other, name")
        + "data: {key: value}\n"
    ),
}


def add(tmp_path: Path, text: str = POD) -> tuple[str, str]:
    workload, companion = run("sidecarctl add logger -q", tmp_path, stdin=text).stdout.split("---\n")
    assert "kind: ConfigMap" in companion
    return workload, companion


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("alien", ALIENS.values(), ids=ALIENS)
def test_object_that_the_record_does_not_list_stays_with_a_warning(alien: str, first: bool, tmp_path: Path) -> None:
    workload, companion = add(tmp_path)
    text = "---\n".join([workload, *([alien, companion] if first else [companion, alien])])
    removed = run("sidecarctl remove logger", tmp_path, stdin=text)
    assert (removed.code, removed.stdout) == (0, f"{POD}---\n{alien}")
    assert removed.stderr.count("unlisted-companion") == 1
    assert "companion-left-behind" not in removed.stderr


@pytest.mark.parametrize("alien", ALIENS.values(), ids=ALIENS)
def test_upgrade_does_not_change_an_object_that_the_record_does_not_list(alien: str, tmp_path: Path) -> None:
    workload, companion = add(tmp_path)
    text = "---\n".join([workload, companion, alien])
    upgraded = run("sidecarctl add logger -q --set logDir=/other", tmp_path, stdin=text)
    assert (upgraded.code, alien in upgraded.stdout) == (0, True), upgraded.stderr


def test_render_that_no_longer_selects_a_workload_keeps_what_the_record_does_not_list(tmp_path: Path) -> None:
    composition = tmp_path / "sidecarctl.yaml"
    composition.write_text(COMPOSITION, encoding="utf-8")
    rendered = run("sidecarctl render -q", tmp_path, stdin=POD)
    assert rendered.code == 0, rendered.stderr
    composition.write_text(COMPOSITION.replace("[web]", "[other]"), encoding="utf-8")
    alien = ALIENS["another kind"]
    again = run("sidecarctl render", tmp_path, stdin=f"{rendered.stdout}---\n{alien}")
    assert (again.stdout, "unlisted-companion" in again.stderr) == (f"{POD}---\n{alien}", True)


def test_renamed_companion_takes_the_place_of_the_recorded_one(tmp_path: Path) -> None:
    workload, companion = add(tmp_path)
    alien = ALIENS["another name"]
    renamed = [each.replace("web-logger", "prefix-web-logger-5f2k") for each in (workload, companion)]
    record = workload.partition("sidecarctl.dev/sidecars")[2].partition("\n")[0]
    now = renamed[0].partition("sidecarctl.dev/sidecars")[2].partition("\n")[0]
    text = "---\n".join([renamed[0].replace(now, record), alien, renamed[1]])
    removed = run("sidecarctl remove logger", tmp_path, stdin=text)
    assert (removed.code, removed.stdout) == (0, f"{POD}---\n{alien}"), removed.stderr


def test_report_of_a_removal_names_the_companions_that_are_removed(tmp_path: Path) -> None:
    workload, companion = add(tmp_path)
    assert (
        "ConfigMap web-logger" in run("sidecarctl remove logger", tmp_path, stdin=f"{workload}---\n{companion}").stderr
    )
    alone = run("sidecarctl remove logger --format json", tmp_path, stdin=workload)
    parts = [
        part for change in json.loads(alone.stdout)["changes"] for each in change["instances"] for part in each["parts"]
    ]
    assert parts and not [part for part in parts if "ConfigMap" in part]


def test_secret_that_a_volume_of_the_sidecar_uses_stays(tmp_path: Path) -> None:
    pod = POD.replace("image: web:1", "image: web:1, ports: [{containerPort: 8080}]")
    added = run("sidecarctl add nginx-tls -q --set tls.secretName=web-tls", tmp_path, stdin=pod).stdout
    assert "secretName: web-tls" in added
    for owner in ("Pod/web/nginx-tls", "Pod/other/nginx-tls"):
        metadata = f"metadata: {{name: web-tls, annotations: {{sidecarctl.dev/owner: {owner}}}}}\n"
        secret = f"---\napiVersion: v1\nkind: Secret\n{metadata}data: {{tls.key: AAAA}}\n"
        assert secret in run("sidecarctl remove nginx-tls", tmp_path, stdin=added + secret).stdout


@pytest.mark.parametrize("alien", ALIENS.values(), ids=ALIENS)
def test_adoption_takes_only_companions_that_the_sidecar_has(alien: str, tmp_path: Path) -> None:
    workload, companion = add(tmp_path)
    lost = re.sub(r"sidecarctl.dev/sidecars: '[^']*'", "a: b", workload)
    text = "---\n".join([lost, companion, alien])
    adopted = run("sidecarctl add logger --adopt -q", tmp_path, stdin=text)
    assert adopted.code == 0, adopted.stderr
    removed = run("sidecarctl remove logger", tmp_path, stdin=adopted.stdout)
    assert removed.stdout.endswith(f"---\n{alien}")
    assert companion not in removed.stdout


TEMPLATE = """\
containers:
- name: mine
  image: agent:1.0
  REFERENCE
  volumeMounts: [{name: rules, mountPath: /rules}]
volumes:
- {name: rules, configMap: {name: {{ params.rules | quote }}}}
documents:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: {{ companion | quote }}}, data: {A: "1"}}
"""


@pytest.mark.parametrize("reference", ["envFrom: [{configMapRef: {name: {{ companion | quote }}}}]", "args: [a]"])
def test_object_in_a_volume_is_not_taken_for_a_companion_with_a_similar_name(reference: str, tmp_path: Path) -> None:
    library(tmp_path, TEMPLATE.replace("REFERENCE", reference), "{rules: {type: string}}")
    added = run("sidecarctl add mine --library lib -q --set rules=web-mine-rules", tmp_path, stdin=POD)
    assert added.code == 0, added.stderr
    alien = "---\napiVersion: v1\nkind: ConfigMap\n" + OWNER.format(name="web-mine-rules").replace("/logger", "/mine")
    removed = run("sidecarctl remove mine", tmp_path, stdin=added.stdout + alien)
    assert (removed.code, removed.stdout) == (0, POD + alien)
    assert removed.stderr.count("unlisted-companion") == 1
