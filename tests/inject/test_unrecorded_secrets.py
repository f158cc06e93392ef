"""Secret parameters are not recorded: what would change a sidecar that was given one needs it again."""

from __future__ import annotations

import json
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


def give(root: Path, **values: object) -> str:
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


BOTH = {"token": "s3cret-1", "password": "s3cret-2"}


@pytest.mark.parametrize("words", ["upgrade", "add agent", "upgrade --on-conflict overwrite"])
def test_same_version_changes_nothing(words: str, old: str, tmp_path: Path) -> None:
    done = call(words, tmp_path, old)
    assert done.stdout == old
    assert "info[secret-not-recorded]" in done.stderr
    assert "agent stays as it is: its secret parameters password, token are not given" in " ".join(done.stderr.split())


@pytest.mark.parametrize("words", ["add agent --set level=debug", "add agent --mode classic", "upgrade --enforce"])
def test_change_without_secrets_is_refused(words: str, old: str, tmp_path: Path) -> None:
    done = call(words, tmp_path, old, code=1)
    assert done.stdout == ""
    assert "error[secret-not-recorded]" in done.stderr
    assert "agent cannot be changed without its secret parameters password, token" in " ".join(done.stderr.split())


def test_new_version_without_secrets_is_refused(old: str, tmp_path: Path) -> None:
    write_version(tmp_path, "2.0.0")
    assert "error[secret-not-recorded]" in call("upgrade", tmp_path, old, code=1).stderr
    shown = " ".join(call("status", tmp_path, old).stdout.split())
    assert "cannot upgrade to 2.0.0: agent cannot be changed without its secret parameters password, token" in shown


def test_new_version_with_secrets_is_written(old: str, tmp_path: Path) -> None:
    write_version(tmp_path, "2.0.0")
    new = call(f"upgrade {give(tmp_path, **BOTH)}", tmp_path, old).stdout
    assert written(new) == ("2.0.0", "info", "s3cret-1", "s3cret-2", "s3cret-1")
    assert call("upgrade", tmp_path, new).stdout == new
    assert call(f"upgrade {give(tmp_path, **BOTH)}", tmp_path, new).stdout == new
    assert "in sync" in call("status", tmp_path, new).stdout
    assert call("remove agent", tmp_path, new).stdout == POD


def test_secret_that_is_not_given_with_another_one_is_named(old: str, tmp_path: Path) -> None:
    done = call(f"upgrade {give(tmp_path, token='s3cret-3')}", tmp_path, old, code=1)
    assert "without its secret parameter password" in " ".join(done.stderr.split())
    assert "--unset password" in " ".join(done.stderr.split())


@pytest.mark.parametrize("words", ["--unset agent.password", "--set agent.password="])
def test_secret_that_is_unset_is_removed_and_no_longer_needed(words: str, old: str, tmp_path: Path) -> None:
    new = call(f"upgrade {give(tmp_path, token='s3cret-1')} {words}", tmp_path, old).stdout
    assert written(new)[2:] == ("s3cret-1", "none", "s3cret-1")
    refused = call(f"upgrade {words}", tmp_path, old, code=1)
    assert "without its secret parameter token" in " ".join(refused.stderr.split())


def test_null_is_a_value_that_is_given(old: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("agent: {token: null, password: s3cret-2}")
    new = call("upgrade --values values.yaml", tmp_path, old).stdout
    assert written(new)[2:] == ("none", "s3cret-2", "none")


def test_reset_values_goes_without_secrets(old: str, tmp_path: Path) -> None:
    new = call("upgrade --reset-values", tmp_path, old).stdout
    assert written(new) == ("1.0.0", "info", "none", "none", "none")
    assert call("add agent --set level=debug", tmp_path, new).stdout


def test_sidecar_without_secrets_given_is_upgraded_as_any_other(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    old = call("add agent", tmp_path, POD).stdout
    assert "secrets" not in old
    write_version(tmp_path, "2.0.0")
    new = call("upgrade", tmp_path, old).stdout
    assert new == call("add agent", tmp_path, POD).stdout


def test_edited_sidecar_is_upgraded_if_the_same_secrets_are_given(old: str, tmp_path: Path) -> None:
    edited = old.replace("agent:1.0.0", "agent:1.0.1")
    write_version(tmp_path, "2.0.0")
    conflict = call(f"upgrade {give(tmp_path, **BOTH)}", tmp_path, edited, code=1)
    assert "image was edited here and changed in agent 2.0.0" in " ".join(conflict.stderr.split())
    kept = call(f"upgrade --on-conflict keep {give(tmp_path, **BOTH)}", tmp_path, edited).stdout
    assert written(kept) == ("1.0.1", "info", "s3cret-1", "s3cret-2", "s3cret-1")
    assert written(kept.replace("agent:1.0.1", "agent:2.0.0"))[0] == "2.0.0"


def test_edited_sidecar_of_a_composition_renders_with_its_secrets(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: shop}\nspec:\n  libraries: [lib]\n  rules:\n"
        "  - {name: all, select: {kinds: [Pod]}, sidecars: [{name: agent, parameters: {token: s3cret-1, level: debug}}]}\n"
    )
    old = run("sidecarctl render -f -", tmp_path, stdin=POD).stdout
    assert written(old) == ("1.0.0", "debug", "s3cret-1", "none", "s3cret-1")
    edited = old.replace("memory: 32Mi", "memory: 64Mi")
    assert run("sidecarctl render -f -", tmp_path, stdin=edited).stdout == edited


def test_required_secret_is_needed_for_a_change_only(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    entry = tmp_path / "lib/agent@1.0.0/sidecar.yaml"
    entry.write_text(entry.read_text().replace("    properties:", "    required: [token]\n    properties:"))
    old = call(f"add agent {give(tmp_path, token='s3cret-1')}", tmp_path, POD).stdout
    assert call("upgrade", tmp_path, old).stdout == old
    refused = call("add agent --set level=debug", tmp_path, old, code=1)
    assert "cannot be changed without its secret parameter token" in " ".join(refused.stderr.split())


def test_renamed_secret_is_needed_under_its_new_name(old: str, tmp_path: Path) -> None:
    write_version(tmp_path, "2.0.0")
    entry = tmp_path / "lib/agent@2.0.0"
    for file in (entry / "sidecar.yaml", entry / "template.yaml.j2"):
        file.write_text(file.read_text().replace("password:", "key:").replace("params.password", "params.key"))
    meta = entry / "sidecar.yaml"
    meta.write_text(meta.read_text().replace("  parameters:", "  renamedParameters: {password: key}\n  parameters:"))
    refused = call("upgrade", tmp_path, old, code=1)
    assert "without its secret parameters key, token" in " ".join(refused.stderr.split())
    new = call(f"upgrade {give(tmp_path, token='s3cret-1', key='s3cret-5')}", tmp_path, old).stdout
    assert written(new) == ("2.0.0", "info", "s3cret-1", "s3cret-5", "s3cret-1")


@pytest.mark.parametrize(
    ("schema", "given", "path", "again"),
    [
        (
            "{type: object, properties: {key: {type: string, writeOnly: true}, host: {type: string}}}",
            {"key": "s3cret"},
            ["token", "key"],
            {"host": "x"},
        ),
        (
            "{type: object, properties: {host: {type: string}}, additionalProperties: {writeOnly: true}}",
            {"s3cret-name": "s3cret"},
            ["token"],
            {"host": "x"},
        ),
        (
            "{type: array, items: {properties: {name: {}, key: {writeOnly: true}}}}",
            [{"name": "a", "key": "s3cret"}],
            ["token"],
            [{"name": "b"}],
        ),
    ],
)
def test_path_of_a_secret_is_recorded_without_secret_keys(
    schema: str, given: object, path: list[str], again: object, tmp_path: Path
) -> None:
    write_version(tmp_path, "1.0.0")
    entry = tmp_path / "lib/agent@1.0.0/sidecar.yaml"
    entry.write_text(entry.read_text().replace("{type: string, writeOnly: true, description: A token.}", schema))
    template = entry.with_name("template.yaml.j2")
    template.write_text(template.read_text().replace("params.token |", "params.token | tojson |"))
    old = call(f"add agent {give(tmp_path, token=given)}", tmp_path, POD).stdout
    record = yaml.safe_load(old.split("---")[0])["metadata"]["annotations"]["sidecarctl.dev/sidecars"]
    assert json.loads(record)["instances"]["agent"]["secrets"] == [path]
    assert "s3cret" not in record
    assert "info[secret-not-recorded]" in call("upgrade", tmp_path, old).stderr
    (tmp_path / "values.yaml").write_text(json.dumps({"agent": {"token": again}}))
    refused = call("upgrade --values values.yaml", tmp_path, old, code=1)
    assert "error[secret-not-recorded]" in refused.stderr
    same = call(f"upgrade {give(tmp_path, token=given)}", tmp_path, old).stdout
    assert same == old


def test_secret_under_an_undeclared_key_is_not_given_by_another_parameter(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    entry = tmp_path / "lib/agent@1.0.0/sidecar.yaml"
    entry.write_text(entry.read_text() + "    additionalProperties: {type: string, writeOnly: true}\n")
    old = call("add agent --set agent.other=s3cret", tmp_path, POD).stdout
    assert '"secrets":[[]]' in old
    refused = call("upgrade --set agent.level=debug", tmp_path, old, code=1)
    assert "cannot be changed without its secret parameter\n" in refused.stderr
    assert "--reset-values" in refused.stderr
    assert '"secrets"' not in call("upgrade --reset-values", tmp_path, old).stdout


KEY = "{type: string, writeOnly: true}"
INNER = f"{{type: object, additionalProperties: false, properties: {{key: {KEY}, host: {{type: string}}}}}}"


def change_token(root: Path, version: str, schema: str, more: str = "") -> None:
    """Give the parameter `token` of a version another schema, which can be another name too."""
    entry = root / f"lib/agent@{version}"
    meta, template = entry / "sidecar.yaml", entry / "template.yaml.j2"
    line = "      token: {type: string, writeOnly: true, description: A token.}\n"
    meta.write_text(meta.read_text().replace(line, f"      token: {schema}\n" if schema else "") + more)
    template.write_text(template.read_text().replace("params.token |", "params.token | tojson |"))


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        (KEY, "s3cret", "{type: string}"),
        (INNER, {"key": "s3cret"}, "{type: object, writeOnly: true}"),
        (KEY, "s3cret", ""),
    ],
)
def test_secret_that_the_new_version_has_in_another_form_is_needed_once(
    before: str, value: object, after: str, tmp_path: Path
) -> None:
    write_version(tmp_path, "1.0.0")
    change_token(tmp_path, "1.0.0", before)
    old = call(f"add agent {give(tmp_path, token=value)}", tmp_path, POD).stdout
    write_version(tmp_path, "2.0.0")
    change_token(tmp_path, "2.0.0", after, "" if after else "    additionalProperties: {type: string}\n")
    assert "error[secret-not-recorded]" in call("upgrade", tmp_path, old, code=1).stderr
    new = run("sidecarctl upgrade --values values.yaml --library lib -f -", tmp_path, stdin=old)
    assert (new.code, "s3cret" in new.stdout) == (0, True), new.stderr


@pytest.mark.parametrize("again", ["key: s3cret", "host: x"])
def test_secret_in_a_mapping_that_another_version_makes_a_secret_elsewhere_needs_all_parameters(
    again: str, tmp_path: Path
) -> None:
    write_version(tmp_path, "1.0.0")
    change_token(tmp_path, "1.0.0", "{type: object, writeOnly: true}")
    old = call(f"add agent {give(tmp_path, token={'key': 's3cret'})}", tmp_path, POD).stdout
    write_version(tmp_path, "2.0.0")
    change_token(tmp_path, "2.0.0", INNER)
    (tmp_path / "values.yaml").write_text(f"agent: {{token: {{{again}}}}}")
    refused = call("upgrade --values values.yaml", tmp_path, old, code=1)
    assert "help: use --values with all parameters, and --reset-values" in refused.stderr
    assert call("upgrade --values values.yaml --reset-values", tmp_path, old).stdout


def test_nested_secret_that_the_new_version_does_not_have_is_not_needed(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    change_token(tmp_path, "1.0.0", INNER)
    old = call(f"add agent {give(tmp_path, token={'key': 's3cret', 'host': 'h'})}", tmp_path, POD).stdout
    write_version(tmp_path, "2.0.0")
    change_token(tmp_path, "2.0.0", INNER.replace(f"key: {KEY}, ", ""))
    assert "s3cret" not in call("upgrade", tmp_path, old).stdout


def test_null_in_place_of_a_default_is_needed_again(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    change_token(tmp_path, "1.0.0", '{type: [string, "null"], writeOnly: true, default: usual}')
    old = call(f"add agent {give(tmp_path, token=None)}", tmp_path, POD).stdout
    assert "usual" not in old
    assert call("upgrade", tmp_path, old).stdout == old
    refused = call("upgrade --set agent.level=debug", tmp_path, old, code=1)
    assert "without its secret parameter token" in refused.stderr


@pytest.mark.parametrize("secrets", ['"token"', '["token"]', "[[1]]", "{}", "null"])
def test_record_with_invalid_secrets_is_an_error(secrets: str, old: str, tmp_path: Path) -> None:
    broken = old.replace('\\"secrets\\":[[\\"token\\"],[\\"password\\"]]', f'"secrets":{secrets}'.replace('"', '\\"'))
    broken = broken.replace('"secrets":[["password"],["token"]]', f'"secrets":{secrets}')
    assert broken != old
    done = call("upgrade", tmp_path, broken, code=1)
    assert "secrets: expected" in " ".join(done.stderr.split())


def test_line_with_a_secret_is_not_shown(tmp_path: Path) -> None:
    write_version(tmp_path, "1.0.0")
    template = tmp_path / "lib/agent@1.0.0/template.yaml.j2"
    template.write_text(
        template.read_text().replace(
            "documents:", "pod: {annotations: {zz.example/t: {{ params.token | quote }}}}\ndocuments:"
        )
    )
    old = call(f"add agent {give(tmp_path, token='s3cret-1')}", tmp_path, POD).stdout
    assert "zz.example/t: s3cret-1" in old
    assert "info[secret-not-recorded]" in call("upgrade", tmp_path, old).stderr
