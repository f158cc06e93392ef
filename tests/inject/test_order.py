"""Native sidecars start in the same order, regardless of the order in which they were added."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.command import run
from tests.inject.test_render import DEPLOYMENT

SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: NAME, version: 1.0.0, summary: For a test.}
spec: {engine: plain, startsAfter: AFTER, substitutions: [{path: "containers[0].name", input: instance}]}
"""
TEMPLATE = """\
containers:
- name: NAME
  image: example.com/NAME:1.0
  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 16Mi}}
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    for name, after in (("issuer", "[]"), ("server", "[issuer]"), ("other", "[]")):
        folder = tmp_path / "lib" / name
        folder.mkdir(parents=True)
        (folder / "sidecar.yaml").write_text(SIDECAR.replace("NAME", name).replace("AFTER", after))
        (folder / "template.yaml").write_text(TEMPLATE.replace("NAME", name))
    (tmp_path / "web.yaml").write_text(DEPLOYMENT.replace("NAME", "web"))
    return tmp_path


def add(repo: Path, name: str) -> list[str]:
    outcome = run(f"sidecarctl add {name} --library lib -f web.yaml -i", repo)
    assert outcome.code == 0, outcome.stderr
    pod = yaml.safe_load((repo / "web.yaml").read_text())["spec"]["template"]["spec"]
    return [each["name"] for each in pod["initContainers"]]


def test_inserts_a_sidecar_before_those_that_start_after_it(repo: Path) -> None:
    add(repo, "other")
    assert add(repo, "server") == ["other", "server"]
    assert add(repo, "issuer") == ["other", "issuer", "server"]


@pytest.mark.parametrize("again", ["issuer", "server", "other"])
def test_adding_again_keeps_the_order(repo: Path, again: str) -> None:
    for name in ("server", "other", "issuer"):
        before = add(repo, name)
    text = (repo / "web.yaml").read_text()
    assert add(repo, again) == before == ["issuer", "server", "other"]
    assert (repo / "web.yaml").read_text() == text


def test_re_added_sidecar_is_before_those_that_start_after_it(repo: Path) -> None:
    add(repo, "issuer")
    add(repo, "server")
    assert run("sidecarctl remove issuer -f web.yaml -i", repo).code == 0
    assert add(repo, "issuer") == ["issuer", "server"]
