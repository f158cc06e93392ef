"""An upgrade moves the containers of a sidecar whose `position` changes, and loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import run

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  initContainers:
  - name: migrate
    image: registry.example/web:1.0.0
  containers:
  - name: web
    image: registry.example/web:1.0.0
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  libraries: [./lib]
  rules:
  - select: {all: true}
    sidecars: SIDECARS
"""


def write_version(root: Path, name: str, version: str, containers: str = "", init: str = "", **spec: Any) -> None:
    """Write a version of a sidecar with containers whose names are separated by spaces."""
    directory = root / "lib" / f"{name}@{version}"
    directory.mkdir(parents=True)
    metadata = {"name": name, "version": version, "summary": "For a test."}
    content = {"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "Sidecar", "metadata": metadata}
    (directory / "sidecar.yaml").write_text(yaml.safe_dump({**content, "spec": {"engine": "plain", **spec}}))
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    fragment = {
        field: [{"name": each, "image": f"registry.example/{each}:{version}", "resources": resources} for each in names]
        for field, names in (("initContainers", init.split()), ("containers", (containers or name).split()))
        if names
    }
    (directory / "template.yaml").write_text(yaml.safe_dump(fragment))


def write(root: Path, words: str, text: str = POD) -> str:
    library = "--library lib" if words.startswith(("add", "upgrade")) else ""
    done = run(f"sidecarctl {words} {library} -f -", root, stdin=text)
    assert done.code == 0, done.stderr
    return done.stdout


def render(root: Path, sidecars: str, text: str = POD) -> str:
    (root / "sidecarctl.yaml").write_text(COMPOSITION.replace("SIDECARS", sidecars))
    return write(root, "render", text)


def order(text: str, field: str = "initContainers") -> list[str]:
    return [each["name"] for each in yaml.safe_load(text)["spec"][field]]


@pytest.mark.parametrize("mode", ["native", "init", "classic"])
@pytest.mark.parametrize(("before", "now"), [("last", "first"), ("first", "last")])
@pytest.mark.parametrize("containers", ["helper second", "second helper"])
def test_new_container_is_written_if_the_position_changes(
    containers: str, before: str, now: str, mode: str, tmp_path: Path
) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    write_version(tmp_path, "helper", "2.0.0", containers, "prepare")
    old = write(tmp_path, f"add helper@1.0.0 --mode {mode} --position {before}")
    new = write(tmp_path, f"upgrade --set helper.position={now}", old)
    assert new == write(tmp_path, f"add helper --mode {mode} --position {now}")
    assert "in sync" in run("sidecarctl status --library lib -f -", tmp_path, stdin=new).stdout
    assert write(tmp_path, "remove helper", new) == POD


def test_render_writes_a_new_container_if_the_position_changes(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    old = render(tmp_path, "[{name: helper, position: last}]")
    write_version(tmp_path, "helper", "2.0.0", init="prepare")
    rule = "[{name: helper, position: first}]"
    assert render(tmp_path, rule, old) == render(tmp_path, rule)


def test_moved_container_keeps_edits_and_loses_removed_containers(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0", "helper second")
    write_version(tmp_path, "helper", "2.0.0", "helper third")
    old = write(tmp_path, "add helper@1.0.0 --position last").replace("cpu: 10m", "cpu: 20m", 1)
    new = write(tmp_path, "upgrade --set helper.position=first", old)
    assert order(new) == ["helper", "third", "migrate"]
    helper = yaml.safe_load(new)["spec"]["initContainers"][0]
    assert (helper["image"], helper["resources"]["requests"]["cpu"]) == ("registry.example/helper:2.0.0", "20m")
