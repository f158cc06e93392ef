"""Tests of `adopt` on six Deployments with slightly different pasted loggers: all are adopted, none is changed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from sidecarctl.authoring import migrate
from sidecarctl.authoring.discover import discover
from sidecarctl.files.directory import Directory
from sidecarctl.yamltext.edits import identical
from tests.calls import count_calls
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
    outcome = run("sidecarctl adopt team -o team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert "verified: 6 files of 6" in outcome.stderr
    assert manifests(folder) == before
    outcome = run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert "adopted-differs" not in outcome.stderr
    after = manifests(folder)
    assert {name: without_record(text) for name, text in after.items()} == before
    assert all("sidecarctl.dev/sidecars" in text for text in after.values())


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_verifies_files_in_which_the_record_shares_a_line(suffix: str, tmp_path: Path) -> None:
    """JSON gets a comma before the record, and a mapping in flow style is extended."""
    for name in ("accounts", "billing"):
        value = yaml.safe_load((APP + BLOCK + VOLUMES).replace("APPNAME", name))
        flow = yaml.safe_dump(value, default_flow_style=None, width=1000)
        assert f"labels: {{app: {name}}}" in flow
        flow = flow.replace(f"metadata:\n      labels: {{app: {name}}}", f"metadata: {{labels: {{app: {name}}}}}")
        (tmp_path / f"{name}.{suffix}").write_text(json.dumps(value, indent=2) if suffix == "json" else flow)
    outcome = run("sidecarctl adopt .", tmp_path)
    assert "verified: 2 files of 2" in outcome.stderr, outcome.stderr


@pytest.mark.parametrize(
    ("after", "only"),
    [
        ("metadata: {annotations: {sidecarctl.dev/sidecars: x}}\nspec: {a: [1]}\n", True),
        ("metadata: {annotations: {sidecarctl.dev/sidecars: x}}\nspec: {a: [2]}\n", False),
        ("metadata: {annotations: {sidecarctl.dev/sidecars: x, b: c}}\nspec: {a: [1]}\n", False),
        ("spec: {a: [1]}\n---\nkind: ConfigMap\n", False),
    ],
)
def test_fields_other_than_the_record_are_seen(after: str, only: bool) -> None:
    assert migrate._only_record_added("spec: {a: [1]}\n", after) is only


@pytest.mark.parametrize("adopt", ["", " --adopt"])
def test_second_render_changes_nothing(folder: Path, adopt: str) -> None:
    run("sidecarctl adopt team -o team", folder.parent)
    run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent)
    once = manifests(folder)
    outcome = run(f"sidecarctl render -c team/sidecarctl.yaml -f team{adopt} -i", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert manifests(folder) == once


def test_rules_contain_differences_only(folder: Path) -> None:
    run("sidecarctl adopt team -o team", folder.parent)
    rules = yaml.safe_load((folder / "sidecarctl.yaml").read_text())["spec"]["rules"]
    usual = next(rule for rule in rules if rule["sidecars"] == [{"name": "shipper"}])
    assert usual["select"] == {"kinds": ["Deployment"], "names": ["accounts", "billing"]}
    other = next(rule["sidecars"][0] for rule in rules if rule["select"]["names"] == ["delivery"])
    assert other["parameters"]["image"] == "fluent/fluent-bit:5.0.3"
    assert other["parameters"]["patch"] == {"resources": {"limits": {"memory": "256Mi"}}}


def test_remove_deletes_the_pasted_logger(folder: Path) -> None:
    run("sidecarctl adopt team -o team", folder.parent)
    run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent)
    for name in SIX:
        outcome = run(f"sidecarctl remove --all -f {name}.yaml", folder)
        pod = yaml.safe_load(outcome.stdout)["spec"]["template"]["spec"]
        assert [c["name"] for c in pod["containers"]] == ["web"]
        assert "volumes" not in pod and "volumeMounts" not in pod["containers"][0]


def test_skips_containers_that_occur_once(folder: Path) -> None:
    for name in list(SIX)[1:]:
        (folder / f"{name}.yaml").unlink()
    outcome = run("sidecarctl adopt team -o team", folder.parent)
    assert outcome.code == 0 and "no files written" in outcome.stderr
    assert not (folder / "sidecarctl.yaml").exists()


MINE = """\
# The platform team owns this file.
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: team}
spec:
  rules:
  - name: proxies   # keep
    select: {names: [front]}
    sidecars: [{name: log-tail}]
"""


def test_extends_an_existing_composition(folder: Path) -> None:
    (folder / "sidecarctl.yaml").write_text(MINE)
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    text = (folder / "sidecarctl.yaml").read_text()
    assert text.startswith(MINE)
    spec = yaml.safe_load(text)["spec"]
    assert spec["libraries"] == ["./sidecars"]
    assert spec["rules"][1]["sidecars"] == [{"name": "shipper"}]
    assert run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent).code == 0


@pytest.mark.parametrize("mark", ["# license\n---\n{}", "{}---\n", "\ufeff{}"])
def test_extends_a_composition_beside_documents_without_a_value(mark: str, folder: Path) -> None:
    (folder / "sidecarctl.yaml").write_text(mark.format(MINE))
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    text = (folder / "sidecarctl.yaml").read_text()
    assert text.startswith(mark.format(MINE).removesuffix("---\n"))
    assert text.endswith("---\n") == mark.endswith("---\n")
    assert run("sidecarctl render -c team/sidecarctl.yaml -f team --adopt -i", folder.parent).code == 0


def test_two_compositions_in_one_file_are_not_extended(folder: Path) -> None:
    (folder / "sidecarctl.yaml").write_text(f"{MINE}---\n{MINE}")
    outcome = run("sidecarctl adopt team", folder.parent)
    assert (outcome.code, "expected one composition, got 2 documents" in outcome.stderr) == (2, True), outcome.stderr


def test_result_of_an_earlier_run_is_not_overwritten(folder: Path) -> None:
    run("sidecarctl adopt team", folder.parent)
    composition = folder.parent / "sidecarctl.yaml"
    before = composition.read_text()
    (folder.parent / "sidecars/shipper/template.yaml").write_text("# mine\n")
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert "custom-shipper" in outcome.stderr
    assert (folder.parent / "sidecars/shipper/template.yaml").read_text() == "# mine\n"
    assert composition.read_text().startswith(before)


def test_second_run_before_the_first_one_is_applied_writes_nothing(folder: Path) -> None:
    assert run("sidecarctl adopt team", folder.parent).code == 0
    written = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == written
    assert run("sidecarctl render -f team --adopt -i", folder.parent).code == 0


@pytest.mark.parametrize("written", [0, 1, 2])
def test_interrupted_run_leaves_no_composition_that_names_missing_sidecars(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"sidecarctl.yaml": "rules\n", "sidecars/a/sidecar.yaml": "a\n", "sidecars/a/template.yaml": "b\n"}
    replace, count = Directory.replace, iter(range(10))

    def interrupt(directory: Directory, source: str, target: str) -> None:
        if next(count) == written:
            raise KeyboardInterrupt
        replace(directory, source, target)

    monkeypatch.setattr(Directory, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        migrate.write_files(tmp_path, texts)
    assert not (tmp_path / "sidecarctl.yaml").exists()


def test_written_library_passes_its_test_cases(folder: Path) -> None:
    run("sidecarctl adopt team -o team", folder.parent)
    assert (folder / "sidecars/shipper/tests/deployment/expected.yaml").exists()
    outcome = run("sidecarctl test --library team/sidecars", folder.parent)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    assert "1 case" in outcome.stdout + outcome.stderr


def test_reports_what_fails_the_tests_of_the_written_library(folder: Path) -> None:
    for name in SIX:
        text = (folder / f"{name}.yaml").read_text()
        for limit in ("128Mi", "256Mi"):
            text = text.replace(f"          limits:\n            memory: {limit}\n", "")
            text = text.replace(f", limits: {{memory: {limit}}}", "")
        (folder / f"{name}.yaml").write_text(text.replace("fluent-bit:5.1.1", "fluent-bit:5"))
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0
    assert "`sidecarctl test` fails until you fix 2 errors in the library:" in outcome.stderr
    template = folder.parent / "sidecars/shipper/template.yaml"
    place = "sidecars/shipper/template.yaml:"
    assert f'{place}3:10: image "fluent/fluent-bit:5" is not pinned to an exact version\n' in outcome.stderr
    assert 'container "shipper" has no limits.memory\n    set resources.limits.memory; ' in outcome.stderr
    assert run("sidecarctl test", folder.parent).code == 1
    fixed = template.read_text().replace("fluent-bit:5", "fluent-bit:5.1.1")
    fixed = fixed.replace("    requests:", "    limits: {memory: 64Mi}\n    requests:", 1)
    template.write_text(fixed)
    assert run("sidecarctl test --update", folder.parent).code == 0
    assert run("sidecarctl render -f team --adopt -i", folder.parent).code == 0
    assert run("sidecarctl upgrade --enforce -f team -i", folder.parent).code == 0
    assert (folder / "accounts.yaml").read_text().count("memory: 64Mi") == 4
    assert "fluent-bit:5.1.1" in (folder / "accounts.yaml").read_text()


def set_in(folder: Path, names: Iterable[str], old: str, new: str) -> None:
    for name in names:
        file = folder / f"{name}.yaml"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))


def next_commands(stderr: str) -> list[str]:
    lines = stderr.splitlines()
    return [line.strip() for line in lines[lines.index("next:") + 1 :]]


@pytest.mark.parametrize("paths", ["team", "./team/", "team/accounts.yaml team/billing.yaml", "", "-f team"])
def test_next_commands_work_as_printed(paths: str, folder: Path) -> None:
    before = manifests(folder)
    outcome = run(f"sidecarctl adopt {paths}", folder.parent)
    assert outcome.code == 0, outcome.stderr
    commands = next_commands(outcome.stderr)
    assert len(commands) == 3
    for command in commands:
        done = run(command, folder.parent)
        assert done.code == 0, f"{command}\n{done.stderr}"
    adopted = [name for name, text in manifests(folder).items() if text != before[name]]
    assert adopted == (["accounts", "billing"] if "accounts" in paths else [*SIX])


def test_next_commands_work_for_names_with_spaces(folder: Path) -> None:
    folder.rename(folder.parent / "my team")
    outcome = run(["sidecarctl", "adopt", "my team", "-o", "the platform"], folder.parent)
    for command in next_commands(outcome.stderr):
        assert run(command, folder.parent).code == 0
    assert "sidecarctl.dev/sidecars" in (folder.parent / "my team/accounts.yaml").read_text()


@pytest.mark.parametrize("where", ["", " -o team"])
def test_no_command_takes_the_library_for_manifests(where: str, folder: Path) -> None:
    run(f"sidecarctl adopt team{where}", folder.parent)
    assert list(folder.parent.rglob("tests/deployment/input.yaml"))
    for command in ("status -f .", "validate -f . --format json", "add log-tail -f . -i", "remove --all -f . --diff"):
        outcome = run(f"sidecarctl {command}", folder.parent)
        assert "input.yaml" not in outcome.stdout + outcome.stderr
        assert "expected.yaml" not in outcome.stdout + outcome.stderr


def test_istio_sidecar_in_a_file_of_that_name_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "mesh").mkdir()
    (tmp_path / "mesh/sidecar.yaml").write_text(
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: web}\n"
    )
    (tmp_path / "mesh/pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: 'x:1'}]}\n"
    )
    assert "Pod/web" in run("sidecarctl add log-tail -f . -i", tmp_path).stderr


SECRETS = {
    "variable": ("        args:", "        env: [{name: LOKI_PASSWORD, value: hunter2hunter2}]\n        args:"),
    "argument": ("        - --config", "        - --token=hunter2hunter2\n        - --config"),
    "separate argument": ("        - --config", "        - --api-key\n        - hunter2hunter2\n        - --config"),
    "connection string": ("        - --config", "        - http://loki:hunter2hunter2@loki:3100\n        - --config"),
}
BLOCKS = ("accounts", "catalog", "delivery", "events")


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_left_out_of_every_file(kind: str, folder: Path) -> None:
    set_in(folder, BLOCKS, *SECRETS[kind])
    before = manifests(folder)
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    written = [file for file in folder.parent.rglob("*") if file.is_file() and file.parent != folder]
    assert written
    assert not [file for file in written if "hunter2" in file.read_text()]
    assert "hunter2" not in outcome.stderr + outcome.stdout
    warning = next(line for line in outcome.stderr.splitlines() if line.startswith("warning: "))
    assert "looks like a secret" in warning
    assert [name for name in SIX if f"team/{name}.yaml" in warning] == [*BLOCKS]
    assert "verified: 6 files of 6" in outcome.stderr
    for command in next_commands(outcome.stderr):
        assert "hunter2" not in run(command, folder.parent).stderr
    after = manifests(folder)
    assert {name: without_record(text) for name, text in after.items()} == before
    assert "hunter2" not in "".join(
        line for text in after.values() for line in text.splitlines() if "/sidecars" in line
    )


HIDDEN = {
    "mount of the app": (
        "          mountPath: /var/log/app\n",
        "          mountPath: /var/log/app\n          subPath: SECRET\n",
    ),
    "volume": ("emptyDir: {sizeLimit: 1Gi}", "emptyDir: {sizeLimit: 1Gi, medium: SECRET}"),
    "image": ("image: fluent/fluent-bit:5.1.1", "image: https://user:SECRET@r.example/fluent-bit:5.1.1"),
    "number": ("        args:\n", "        env: [{name: DB_PASSWORD, value: 73928461}]\n        args:\n"),
    "number after a flag": ("        - --config", "        - --token\n        - 73928461\n        - --config"),
}
GITHUB = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.mark.parametrize("kind", HIDDEN)
def test_secret_outside_of_the_texts_of_the_container_is_not_copied(kind: str, folder: Path) -> None:
    old, new = (text.replace("SECRET", GITHUB) for text in HIDDEN[kind])
    for name in ("accounts", "delivery"):  # another image, so that a rule sets it
        file = folder / f"{name}.yaml"
        text = file.read_text().replace("fluent-bit:5.0.3", "fluent-bit:5.1.1")
        assert old in text
        text = text.replace(old, new)
        file.write_text(text.replace("fluent-bit:5.1.1", "fluent-bit:5.0.3") if name == "delivery" else text)
    for name in ("billing", "catalog", "events", "feeds"):
        (folder / f"{name}.yaml").unlink()
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    written = [file for file in folder.parent.rglob("*") if file.is_file() and file.parent != folder]
    texts = [outcome.stderr, outcome.stdout, *(file.read_text() for file in written)]
    assert any("REPLACE_ME" in text for text in texts[2:])
    assert not [text for text in texts if GITHUB in text or " 73928461\n" in text or "value: 73928461" in text]
    assert "not copied" in outcome.stderr


@pytest.mark.parametrize("options", [[], ["--format", "json"]])
@pytest.mark.parametrize("names", [("events",), ("accounts",), ("accounts", "catalog", "delivery", "events")])
@pytest.mark.parametrize("kind", [*SECRETS, "mount of the app", "volume"])
def test_secret_is_in_no_report_of_the_adopted_sidecar(
    kind: str, names: tuple[str, ...], options: list[str], folder: Path
) -> None:
    old, new = (SECRETS | HIDDEN)[kind]
    set_in(folder, [name for name in names if old in SIX[name]], old, new.replace("SECRET", GITHUB))
    run("sidecarctl adopt team", folder.parent)
    commands = [
        "render -f team --adopt -i -v",
        "status -f team",
        "upgrade -f team -o new -v",
        "upgrade -f team -o own -v --enforce",
    ]
    outcomes = [run(["sidecarctl", *command.split(), *options], folder.parent) for command in commands[:2]]
    assert "hidden" in outcomes[1].stdout
    entry = folder.parent / "sidecars/shipper"
    shutil.copytree(entry, entry.with_name("shipper@0.1.0"))
    for file, old, new in (("sidecar.yaml", '"0.1.0"', '"0.2.0"'), ("template.yaml", "fluent-bit:5", "fluent-bit:6")):
        (entry / file).write_text((entry / file).read_text().replace(old, new))
    outcomes += [run(["sidecarctl", *command.split(), *options], folder.parent) for command in commands[1:]]
    assert "0.2.0" in outcomes[-1].stdout + outcomes[-1].stderr
    assert len(outcomes) == 5
    texts = [each.stderr + each.stdout for each in outcomes]
    assert not [text for text in texts if "hunter2" in text or GITHUB in text]


def test_secret_under_a_key_of_a_volume_is_not_copied_or_printed(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    for name, number in (("accounts", 1), ("delivery", 2)):
        volumes = VOLUMES + (
            "      - name: share\n"
            f"        flexVolume: {{driver: x/cifs, options: {{username: app, password: hunter{number}}}}}\n"
            "      - name: disk\n"
            f"        csi: {{driver: smb.csi.k8s.io, volumeAttributes: {{source: //a/b, clientSecret: hunter{number}}}}}\n"
        )
        mounts = "        - {name: share, mountPath: /share}\n        - {name: disk, mountPath: /disk}\n"
        (tmp_path / "team" / f"{name}.yaml").write_text(APP.replace("APPNAME", name) + BLOCK + mounts + volumes)
    outcome = run("sidecarctl adopt team", tmp_path)
    assert outcome.code == 0, outcome.stderr
    written = [file for file in tmp_path.rglob("*") if file.is_file() and file.parent.name != "team"]
    (template,) = (file.read_text() for file in written if file.name == "template.yaml")
    assert "username: app\n" in template
    assert "password: REPLACE_ME\n" in template
    assert "source: //a/b\n" in template
    assert "clientSecret: REPLACE_ME\n" in template
    assert not [file for file in written if "hunter" in file.read_text()]
    assert "options.password was not copied: it looks like a secret" in outcome.stderr
    assert "verified: 2 files of 2: only records would be added" in outcome.stderr
    tested = run("sidecarctl test", tmp_path)
    assert tested.code == 0, tested.stdout + tested.stderr
    changed = next(file for file in written if file.name == "template.yaml")
    changed.write_text(template.replace("REPLACE_ME", "other"))
    rendered = run("sidecarctl render -f team --adopt -o out", tmp_path)
    assert re.search(r"options\.password: \W?REPLACE_ME", rendered.stderr)
    assert "hunter" not in rendered.stderr


@pytest.mark.parametrize("name", ["glpat-rotation-service-job", "d41d8cd98f00b204e9800998ecf8427e"])
def test_name_that_looks_like_a_secret_is_copied(name: str, tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    for app in ("accounts", "delivery"):
        text = APP.replace("APPNAME", app) + BLOCK + f"        - {{name: {name}, mountPath: /own}}\n" + VOLUMES
        text += f"      - name: {name}\n        secret: {{secretName: {name}}}\n"
        (tmp_path / "team" / f"{app}.yaml").write_text(text)
    outcome = run("sidecarctl adopt team", tmp_path)
    assert "verified: 2 files of 2" in outcome.stderr
    template = next(tmp_path.rglob("template.yaml")).read_text()
    assert f"secretName: {name}\n" in template
    tested = run("sidecarctl test", tmp_path)
    assert tested.code == 0, tested.stdout + tested.stderr


def test_secret_header_does_not_keep_adopt_from_verifying(tmp_path: Path) -> None:
    header = "httpGet: {path: /, port: 80, httpHeaders: [{name: Authorization, value: hunter4}]}"
    (tmp_path / "team").mkdir()
    for app in ("accounts", "delivery"):
        text = APP.replace("APPNAME", app) + BLOCK + f"        livenessProbe: {{{header}}}\n" + VOLUMES
        (tmp_path / "team" / f"{app}.yaml").write_text(text)
    outcome = run("sidecarctl adopt team", tmp_path)
    assert "verified: 2 files of 2: only records would be added" in outcome.stderr
    assert not [
        file
        for file in tmp_path.rglob("*")
        if file.is_file() and file.parent.name != "team" and "hunter" in file.read_text()
    ]


def test_parameter_takes_the_place_of_a_secret(folder: Path) -> None:
    set_in(folder, BLOCKS, *SECRETS["variable"])
    outcome = run("sidecarctl adopt team", folder.parent)
    entry = folder.parent / "sidecars/shipper/sidecar.yaml"
    parameter = yaml.safe_load(entry.read_text())["spec"]["parameters"]["properties"]["lokiPassword"]
    assert parameter["writeOnly"] is True
    assert "sidecars/shipper/sidecar.yaml has parameter lokiPassword in its place" in outcome.stderr
    app = (APP + VOLUMES).replace("APPNAME", "orders")
    done = run("sidecarctl add shipper --library sidecars --set lokiPassword=given", folder.parent, stdin=app)
    env = yaml.safe_load(done.stdout)["spec"]["template"]["spec"]["containers"][1]["env"]
    assert env == [{"name": "LOKI_PASSWORD", "value": "given"}]


def test_different_secrets_need_no_parameters(folder: Path) -> None:
    for name in BLOCKS:
        set_in(folder, (name,), "        args:", f"        env: [{{name: TOKEN, value: {name}-token}}]\n        args:")
    run("sidecarctl adopt team", folder.parent)
    text = (folder.parent / "sidecarctl.yaml").read_text()
    assert "-token" not in text


def test_says_that_pods_restart(folder: Path) -> None:
    job = (folder / "accounts.yaml").read_text().replace("apps/v1", "batch/v1").replace("Deployment", "Job")
    (folder / "job.yaml").write_text(job.replace("  selector:\n    matchLabels: {app: accounts}\n", ""))
    outcome = run("sidecarctl adopt team", folder.parent)
    assert "restarts the pods of 6 workloads" in outcome.stderr
    assert "delete and create Job/accounts" in outcome.stderr


PATCH = """apiVersion: apps/v1
kind: Deployment
metadata: {name: PATCHED}
spec:
  template:
    spec:
      containers:
      - name: web
        resources: {limits: {memory: 1Gi}}
      - {name: debugger, image: "registry.example.com/debugger:1.0.0"}
"""


def test_partial_documents_are_left_out(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(PATCH.replace("PATCHED", name))
    outcome = run("sidecarctl adopt", tmp_path)
    assert outcome.code == 2
    assert "no manifests in .: skipped 2 files: 2 partial object" in outcome.stderr
    assert not (tmp_path / "sidecarctl.yaml").exists()


def test_main_container_is_no_sidecar_when_it_is_listed_second(tmp_path: Path) -> None:
    for stage in ("dev", "prod"):
        (tmp_path / stage).mkdir()
        for name in ("orders", "stock"):
            text = (APP + BLOCK + VOLUMES).replace("APPNAME", name).replace("name: web", f"name: {name}")
            main = text[text.index("      - name: " + name) : text.index("      - name: shipper")]
            (tmp_path / stage / f"{name}.yaml").write_text(text.replace(main, "").replace(VOLUMES, main + VOLUMES))
    outcome = run("sidecarctl adopt", tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert [folder.name for folder in (tmp_path / "sidecars").iterdir()] == ["shipper"]
    assert "shipper: fluent/fluent-bit:5.1.1, classic, in 4 workloads" in outcome.stderr


def test_workload_with_two_containers_of_one_image_counts_once(folder: Path) -> None:
    for name in ("accounts", "delivery"):
        file = folder / f"{name}.yaml"
        file.write_text(file.read_text().replace(VOLUMES, BLOCK.replace("name: shipper ", "name: second ") + VOLUMES))
    for name in ("billing", "catalog", "events", "feeds"):
        (folder / f"{name}.yaml").unlink()
    outcome = run("sidecarctl adopt team", folder.parent)
    assert re.search(r"^\w+: fluent/fluent-bit:\S+, classic, in 2 workloads$", outcome.stderr, re.MULTILINE), (
        outcome.stderr
    )
    entry = next((folder.parent / "sidecars").glob("*/sidecar.yaml"))
    assert "Found in 2 workloads." in entry.read_text()


def test_name_of_a_shipped_sidecar_is_not_taken(folder: Path) -> None:
    for name in SIX:
        file = folder / f"{name}.yaml"
        file.write_text(file.read_text().replace("log-shipper", "logger").replace("shipper", "logger"))
    outcome = run("sidecarctl adopt team", folder.parent)
    assert (folder.parent / "sidecars/custom-logger").is_dir()
    assert "verified: 6 files of 6" in outcome.stderr
    rule = yaml.safe_load((folder.parent / "sidecarctl.yaml").read_text())["spec"]["rules"][0]
    assert rule["sidecars"] == [{"name": "custom-logger", "as": "logger"}]


@pytest.mark.parametrize("place", ["composition", "include"])
def test_name_of_a_sidecar_in_another_library_of_the_composition_is_not_taken(place: str, folder: Path) -> None:
    home = folder.parent
    entry = home / "other/shipper"
    entry.mkdir(parents=True)
    (entry / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\nmetadata: {name: shipper, version: 2.0.0, summary: Other.}\n"
        "spec: {engine: plain, mode: classic}\n"
    )
    (entry / "template.yaml").write_text("containers: [{name: shipper, image: 'other.example/shipper:2.0.0'}]\n")
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\nspec:\n"
    (home / "base.yaml").write_text(f"{head}  libraries: [./other]\n  rules: []\n")
    own = "libraries: [./other]" if place == "composition" else "include: [base.yaml]"
    (home / "sidecarctl.yaml").write_text(f"{head}  {own}\n  rules: []\n")
    outcome = run("sidecarctl adopt team", home)
    assert [each.name for each in (home / "sidecars").iterdir()] == ["custom-shipper"], outcome.stderr
    assert "verified: 6 files of 6" in outcome.stderr


def test_bad_document_does_not_hide_the_others(folder: Path) -> None:
    (folder / "broken.yaml").write_text("kind: Pod\nspec: {containers: [\n")
    file = folder / "billing.yaml"
    file.write_text(file.read_text() + "---\nkind: Pod\nspec: containers: x\n")
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert "skipped: team/broken.yaml:" in outcome.stderr
    assert "skipped: team/billing.yaml:" in outcome.stderr
    assert "in 6 workloads" in outcome.stderr
    assert "not verified" not in outcome.stderr
    assert "verified: 5 files of 5" in outcome.stderr  # not billing.yaml and broken.yaml
    for command in next_commands(outcome.stderr)[:2]:
        assert command.endswith("--keep-going")
        run(command, folder.parent)
    assert "sidecarctl.dev/sidecars" in (folder / "accounts.yaml").read_text()


def test_file_that_render_refuses_is_not_verified(folder: Path) -> None:
    """An error that was there before keeps `render --adopt` from writing the file."""
    file = folder / "billing.yaml"
    file.write_text(file.read_text().replace("        image: registry", "        imagee: x\n        image: registry"))
    before = file.read_text()
    outcome = run("sidecarctl adopt team", folder.parent)
    assert outcome.code == 0, outcome.stderr
    assert "verified: 5 files of 6" in outcome.stderr
    assert 'not verified: unknown field "imagee" in Container: team/billing.yaml\n' in outcome.stderr
    commands = next_commands(outcome.stderr)
    assert all(command.endswith("--keep-going") for command in commands[:2])
    run(commands[1], folder.parent)
    assert "sidecarctl.dev/sidecars" in (folder / "accounts.yaml").read_text()
    assert file.read_text() == before


def test_adopt_verifies_with_the_severities_of_the_composition(folder: Path) -> None:
    file = folder / "billing.yaml"
    file.write_text(file.read_text().replace("        image: registry", "        imagee: x\n        image: registry"))
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: own}\n"
    (folder / "sidecarctl.yaml").write_text(
        head + "spec:\n  rules: []\n  validate: {rules: {unknown-field: warning}}\n"
    )
    outcome = run("sidecarctl adopt team", folder.parent)
    assert "verified: 6 files of 6" in outcome.stderr
    for command in next_commands(outcome.stderr):
        done = run(command, folder.parent)
        assert done.code == 0, f"{command}\n{done.stderr}"


def test_hook_that_render_leaves_out_is_not_verified(folder: Path) -> None:
    file = folder / "billing.yaml"
    file.write_text(file.read_text().replace("metadata:\n", "metadata:\n  annotations: {helm.sh/hook: test}\n", 1))
    outcome = run("sidecarctl adopt team", folder.parent)
    assert "verified: 5 files of 6" in outcome.stderr
    assert "not verified: Deployment/billing is skipped: Helm hook; --hooks includes it: team/billing" in outcome.stderr


def test_next_commands_have_the_version_for_which_the_files_were_verified(folder: Path) -> None:
    """Kubernetes 1.30 has no resources of pods."""
    file = folder / "billing.yaml"
    resources = "      resources: {limits: {memory: 1Gi}}\n"
    file.write_text(file.read_text().replace("      containers:\n", f"{resources}      containers:\n"))
    outcome = run("sidecarctl adopt team --kube-version 1.30", folder.parent)
    assert "verified: 5 files of 6" in outcome.stderr
    commands = next_commands(outcome.stderr)[:2]
    assert all(" --kube-version 1.30 " in command for command in commands)
    assert "Deployment/billing" in run(commands[0], folder.parent).stderr
    assert run(commands[0].replace(" --kube-version 1.30", ""), folder.parent).code == 0


def test_input_without_workloads_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n")
    outcome = run("sidecarctl adopt a.yaml", tmp_path)
    assert outcome.code == 2
    assert "no workload found in a.yaml" in outcome.stderr


def test_written_files_name_their_schema(folder: Path) -> None:
    run("sidecarctl adopt team", folder.parent)
    for file, schema in (("sidecarctl.yaml", "composition"), ("sidecars/shipper/sidecar.yaml", "sidecar")):
        first = (folder.parent / file).read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=https://")
        assert first.endswith(f"/schemas/{schema}.schema.json")


def test_report_escapes_control_characters(folder: Path) -> None:
    for name in BLOCKS:
        set_in(folder, (name,), "image: fluent/fluent-bit", 'image: "fluent\\e[31m/fluent-bit')
        set_in(
            folder, (name,), "5.1.1" if name != "delivery" else "5.0.3", ('5.1.1"' if name != "delivery" else '5.0.3"')
        )
    outcome = run("sidecarctl adopt team", folder.parent)
    assert "in 4 workloads" in outcome.stderr
    assert "\x1b" not in outcome.stderr


def test_next_commands_work_for_workloads_of_one_name(tmp_path: Path) -> None:
    for stage, limit in (("dev", "128Mi"), ("stage", "128Mi"), ("prod", "512Mi")):
        (tmp_path / stage).mkdir()
        for name in ("orders", "stock"):
            text = (APP + BLOCK + VOLUMES).replace("APPNAME", name).replace("128Mi", limit)
            (tmp_path / stage / f"{name}.yaml").write_text(text)
    before = (tmp_path / "prod/orders.yaml").read_text()
    outcome = run("sidecarctl adopt .", tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert "verified: 4 files of 6" in outcome.stderr
    assert "differs from shipper 0.1.0 in 1 field, which upgrades keep" in outcome.stderr
    assert outcome.stderr.count("not verified:") == 1
    for command in next_commands(outcome.stderr):
        done = run(command, tmp_path)
        assert done.code == 0, f"{command}\n{done.stderr}"
    assert without_record((tmp_path / "prod/orders.yaml").read_text()) == before


@pytest.mark.parametrize(
    "name", ["../../outside", "..", ".", "/tmp/outside", "a/../../outside", "A_B", "\u00e9", '"a\\nb"', "x" * 64]
)
def test_container_name_that_is_no_dns_label_is_left_out_with_its_line(name: str, tmp_path: Path) -> None:
    for app in ("accounts", "billing"):
        (tmp_path / "repository/k8s").mkdir(parents=True, exist_ok=True)
        text = APP + f"      - name: {name}\n        image: fluent/fluent-bit:5.1.1\n"
        (tmp_path / f"repository/k8s/{app}.yaml").write_text(text.replace("APPNAME", app), "utf-8")
    before = sorted(tmp_path.rglob("*"))
    outcome = run("sidecarctl adopt k8s", tmp_path / "repository")
    assert outcome.code == 0
    assert "skipped: k8s/accounts.yaml:19:15: invalid container name" in outcome.stderr
    assert "no files written" in outcome.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_library_behind_a_link_is_not_written(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "sidecars").symlink_to(outside)
    outcome = run("sidecarctl adopt . -o .", folder)
    assert outcome.code == 3
    assert "leads out of" in outcome.stderr
    assert not list(outside.iterdir())
    assert not (folder / "sidecarctl.yaml").exists()


@pytest.mark.parametrize("name", ["y", "'*'", "5", "[a]"])
def test_workload_that_no_rule_can_select_is_left_out_with_its_line(name: str, tmp_path: Path) -> None:
    for app in ("accounts", "billing", name):
        text = (APP + BLOCK + VOLUMES).replace("APPNAME", app)
        (tmp_path / f"{len(app)}.yaml").write_text(text)
    outcome = run("sidecarctl adopt .", tmp_path)
    assert outcome.code == 0, outcome.stderr
    assert f"skipped: {len(name)}.yaml:4:9: no rule can select a workload with" in outcome.stderr
    for command in next_commands(outcome.stderr):
        assert run(command, tmp_path).code == 0, command


@pytest.mark.parametrize("namespace", ["'*'", "'[!x]*'", "pro?"])
def test_namespace_that_a_rule_reads_as_a_glob_is_left_out_with_its_line(namespace: str, tmp_path: Path) -> None:
    for app, place in (("accounts", "one"), ("billing", "one"), ("catalog", namespace), ("delivery", namespace)):
        text = (APP + BLOCK + VOLUMES).replace("  name: APPNAME\n", f"  name: APPNAME\n  namespace: {place}\n")
        (tmp_path / f"{app}.yaml").write_text(text.replace("APPNAME", app))
    outcome = run("sidecarctl adopt .", tmp_path)
    shown = namespace.strip("'")
    assert f'skipped: catalog.yaml:5:14: no rule can select a workload in the namespace "{shown}"' in outcome.stderr
    rules = yaml.safe_load((tmp_path / "sidecarctl.yaml").read_text())["spec"]["rules"]
    assert [rule["select"]["namespaces"] for rule in rules] == [["one"]]


@pytest.mark.parametrize("name", ["'*'", "we[b]"])
def test_container_that_a_rule_reads_as_a_glob_is_left_out_with_its_line(name: str, tmp_path: Path) -> None:
    """Its app container is not the default one, so the rule would name it."""
    for app in ("accounts", "billing"):
        first = "      - {name: first, image: 'r.example/first:1.0.0'}\n      - name: web\n"
        text = (APP + BLOCK + VOLUMES).replace("APPNAME", app).replace("      - name: web\n", first)
        (tmp_path / f"{app}.yaml").write_text(text.replace("name: web\n", f"name: {name}\n"))
    outcome = run("sidecarctl adopt .", tmp_path)
    shown = name.strip("'")
    assert f'accounts.yaml:14:15: no rule can select a container with the name "{shown}"' in outcome.stderr
    assert not (tmp_path / "sidecarctl.yaml").exists()


@pytest.mark.parametrize("name", ["[x]", "{x: y}", "5"])
def test_volume_with_a_name_that_is_not_text_is_left_out(name: str, tmp_path: Path) -> None:
    for app in ("accounts", "billing"):
        text = (APP + BLOCK + VOLUMES).replace("APPNAME", app)
        (tmp_path / f"{app}.yaml").write_text(re.sub(r"(volumes:\n +- name:) .*", rf"\1 {name}", text, count=1))
    for words in ("adopt . -o out", "init out -f ."):
        assert run(f"sidecarctl {words}", tmp_path).code in (0, 2, 3)


def test_members_of_a_group_are_compared_once() -> None:
    """The parameters of each member need to know which lists differ between all of them."""

    def cost(count: int) -> int:
        text = "---\n".join(
            f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}}}\n"
            f"spec: {{containers: [{{name: app, image: app{number}}}, {{name: side, image: side}}]}}\n"
            for number in range(count)
        )
        (group,) = discover([("pods.yaml", text)]).groups
        compared = count_calls(lambda: [group.parameters(each) for each in group.members], identical.__code__)
        return compared.total()

    assert cost(40) < 2.5 * cost(20)
