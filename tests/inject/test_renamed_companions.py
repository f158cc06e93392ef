"""Two companions of one kind that kustomize renamed: each is edited in its own place."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.command import run
from tests.security.kit import library

TEMPLATE = """\
containers:
- name: mine
  image: x:1
  volumeMounts: [{name: z, mountPath: /z}, {name: a, mountPath: /a}]
volumes:
- {name: z, configMap: {name: {{ companion }}-z}}
- {name: a, configMap: {name: {{ companion }}-za}}
documents:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: {{ companion }}-z}, data: {z.conf: "zzz {{ params.level }}"}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: {{ companion }}-za}, data: {a.conf: "aaa {{ params.level }}"}}
"""
POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: web\n    image: web:1\n"


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_renamed_companions_of_one_kind_are_not_exchanged(order: tuple[int, ...], tmp_path: Path) -> None:
    library(tmp_path, TEMPLATE, "{level: {type: string, default: info}}")
    added = run("sidecarctl add mine --library lib -q", tmp_path, stdin=POD)
    renamed = added.stdout.replace("name: web-mine-z\n", "name: p-web-mine-z-k8h\n").replace(
        "name: web-mine-za\n", "name: p-web-mine-za-m2d\n"
    )
    documents = renamed.split("---\n")
    assert renamed.count("p-web-mine") == 4
    text = "---\n".join(documents[index] for index in order)
    assert "edited" not in run("sidecarctl status --library lib -f -", tmp_path, stdin=text).stdout
    (tmp_path / "none").mkdir()
    assert "edited" not in run("sidecarctl status --library none -f -", tmp_path, stdin=text).stdout
    upgraded = run("sidecarctl add mine --library lib --set level=debug -q", tmp_path, stdin=text)
    assert upgraded.code == 0, upgraded.stderr
    found = {
        each.partition("-mine-")[2].partition("-")[0]: each
        for each in upgraded.stdout.split("---\n")
        if "conf: " in each
    }
    assert ("zzz debug" in found["z"], "aaa debug" in found["za"]) == (True, True), upgraded.stdout


def test_companion_with_an_invalid_name_is_named_in_the_error(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\n"
    pod += "spec: {containers: [{name: web, image: 'a:1', ports: [{containerPort: 8080}]}]}\n"
    added = run("sidecarctl add metrics --set exporter=nginx --set scrape=podmonitor", tmp_path, stdin=pod)
    text = added.stdout.replace("  name: web-metrics\n", "  name: Web_Metrics\n")
    assert text != added.stdout
    done = run("sidecarctl add metrics --set podMonitor.interval=30s", tmp_path, stdin=text)
    assert done.code == 2
    assert 'error: invalid name "Web_Metrics" of PodMonitor: use lowercase' in done.stderr
    assert 'annotation sidecarctl.dev/owner names instance "metrics"' in done.stderr
