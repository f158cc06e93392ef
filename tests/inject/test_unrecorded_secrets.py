"""Secret parameters are not recorded: an upgrade that does not give one keeps the value that the manifest has."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.command import Outcome, run

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: web, image: "registry.example/web:1"}
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: agent, version: VERSION, summary: An agent.}
spec:
  engine: jinja
  parameters:
    properties:
      token: {type: string, writeOnly: true, description: A token.}
      password: {type: string, writeOnly: true, description: A password.}
      level: {type: string, default: info, description: A level.}
"""
TEMPLATE = """\
containers:
- name: {{ instance }}
  image: registry.example/agent:VERSION
  args: [{{ params.level | quote }}]
  env:
  - {name: TOKEN, value: {{ params.token | default("none", true) | quote }}}
  - {name: PASSWORD, value: {{ params.password | default("none", true) | quote }}}
  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 50m, memory: 32Mi}}
documents:
- apiVersion: v1
  kind: Secret
  metadata: {name: {{ companion }}}
  stringData: {token: {{ params.token | default("none", true) | quote }}, version: "VERSION"}
"""


def write_version(root: Path, version: str) -> None:
    entry = root / "lib" / f"agent@{version}"
    entry.mkdir(parents=True)
    (entry / "sidecar.yaml").write_text(SIDECAR.replace("VERSION", version))
    (entry / "template.yaml.j2").write_text(TEMPLATE.replace("VERSION", version))


def call(words: str, root: Path, text: str, code: int = 0) -> Outcome:
    done = run(f"sidecarctl {words} --library lib -f -", root, stdin=text)
    assert done.code == code, done.stderr
    assert "s3cret" not in done.stderr
    return done


def give(root: Path, **values: str) -> str:
    (root / "values.yaml").write_text(yaml.safe_dump({"agent": values}))
    return "--values values.yaml"


def written(text: str) -> tuple[str, str, str, str, str]:
    """Return the version, the level, the token, the password, and the token of the Secret."""
    pod, secret = yaml.safe_load_all(text)
    (agent,) = pod["spec"]["initContainers"]
    token, password = (each["value"] for each in agent["env"])
    return agent["image"].rpartition(":")[2], agent["args"][0], token, password, secret["stringData"]["token"]


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A pod with a sidecar whose secrets were given."""
    write_version(tmp_path, "1.0.0")
    return call(f"add agent {give(tmp_path, token='s3cret-1', password='s3cret-2')}", tmp_path, POD).stdout


@pytest.mark.parametrize("words", ["upgrade", "add agent", "upgrade --on-conflict overwrite"])
def test_same_version_changes_nothing(words: str, old: str, tmp_path: Path) -> None:
    assert call(words, tmp_path, old).stdout == old


def test_new_value_of_another_parameter_keeps_secrets(old: str, tmp_path: Path) -> None:
    new = call("add agent --set level=debug", tmp_path, old).stdout
    assert written(new) == ("1.0.0", "debug", "s3cret-1", "s3cret-2", "s3cret-1")
    assert call("upgrade", tmp_path, new).stdout == new


def test_new_version_keeps_secrets(old: str, tmp_path: Path) -> None:
    write_version(tmp_path, "2.0.0")
    new = call("upgrade", tmp_path, old).stdout
    assert written(new) == ("2.0.0", "info", "s3cret-1", "s3cret-2", "s3cret-1")
    assert call("upgrade", tmp_path, new).stdout == new
    assert "in sync" in call("status", tmp_path, new).stdout
    assert call("remove agent", tmp_path, new).stdout == POD
    later = call(f"upgrade {give(tmp_path, token='s3cret-3', password='s3cret-4')}", tmp_path, new).stdout
    assert written(later) == ("2.0.0", "info", "s3cret-3", "s3cret-4", "s3cret-3")


def test_new_secret_replaces_the_old_one_and_keeps_others(old: str, tmp_path: Path) -> None:
    write_version(tmp_path, "2.0.0")
    new = call(f"upgrade {give(tmp_path, token='s3cret-3')}", tmp_path, old).stdout
    assert written(new) == ("2.0.0", "info", "s3cret-3", "s3cret-2", "s3cret-3")
    assert call("upgrade", tmp_path, new).stdout == new


@pytest.mark.parametrize("words", ["--unset agent.token", "--set agent.token="])
def test_secret_that_is_unset_is_removed(words: str, old: str, tmp_path: Path) -> None:
    assert written(call(f"upgrade {words}", tmp_path, old).stdout)[2] == "none"


def test_secret_in_a_field_that_the_new_version_changes_is_reported_as_lost(old: str, tmp_path: Path) -> None:
    write_version(tmp_path, "2.0.0")
    template = tmp_path / "lib/agent@2.0.0/template.yaml.j2"
    template.write_text(template.read_text().replace('default("none", true)', 'default("off", true)'))
    done = call("upgrade", tmp_path, old)
    assert written(done.stdout) == ("2.0.0", "info", "off", "off", "off")
    assert done.stderr.count("warning[secret-not-recorded]") == 1
    done = call(f"upgrade {give(tmp_path, token='s3cret-3', password='s3cret-4')}", tmp_path, old)
    assert written(done.stdout) == ("2.0.0", "info", "s3cret-3", "s3cret-4", "s3cret-3")
    assert "secret-not-recorded" not in done.stderr


def test_lost_secret_of_a_version_that_no_library_has_is_reported(old: str, tmp_path: Path) -> None:
    (tmp_path / "lib/agent@1.0.0").rename(tmp_path / "old")
    write_version(tmp_path, "2.0.0")
    done = call("upgrade", tmp_path, old)
    assert written(done.stdout)[2] == "none"
    assert done.stderr.count("warning[secret-not-recorded]") == 1
    given = give(tmp_path, token="s3cret-1", password="s3cret-2")
    assert "secret-not-recorded" not in call(f"upgrade {given}", tmp_path, old).stderr


def test_sidecar_without_secrets_given_is_upgraded_as_any_other(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    old = call("add agent", tmp_path, POD).stdout
    write_version(tmp_path, "2.0.0")
    new = call("upgrade", tmp_path, old).stdout
    assert new == call("add agent", tmp_path, POD).stdout
