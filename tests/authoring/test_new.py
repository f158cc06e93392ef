"""Tests of `sidecarctl new`: new sidecars pass their test, and containers are converted completely."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from tests.authoring.library_kit import command
from tests.command import run

SHOP = """\
# our shop
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: prod}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      serviceAccountName: shop
      containers:
      - name: shop   # the app
        image: registry.example/shop:7.1.0
        volumeMounts:
        - {name: spool, mountPath: /var/spool/shop}
      - name: shipper
        image: registry.example/shipper:2.0.1
        args: ["--format", "{{.Message}}", "a {% raw %} b"]
        env:
        - {name: LOG_LEVEL, value: info}
        - {name: API_TOKEN, value: hunter2}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        ports: [{name: health, containerPort: 9000}]
        livenessProbe: {httpGet: {path: /, port: health}}
        volumeMounts:
        - {name: spool, mountPath: /in, readOnly: true}
        - {name: conf, mountPath: /etc/shipper}
        - {name: certs, mountPath: /certs}
        - {name: state, mountPath: /state}
      volumes:
      - name: spool
        emptyDir: {sizeLimit: 1Gi}
      - name: conf
        configMap: {name: shipper-conf}
      - name: certs
        secret: {secretName: shipper-certs, defaultMode: 0440}
      - name: state
        emptyDir: {sizeLimit: 1Gi}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shipper-conf, namespace: prod}
data:
  shipper.toml: |
    tpl = "{{ x }} {% y %} {# z #}"
"""


@pytest.mark.parametrize("engine", ["jinja", "plain", "kcl"])
def test_new_sidecar_passes_its_test(engine: str, tmp_path: Path) -> None:
    if engine == "kcl" and importlib.util.find_spec("kcl_lib") is None:
        pytest.skip("kcl_lib is not installed")
    made = command(f"new my-agent --from registry.example/agent:2.3.4 --engine {engine}", tmp_path)
    assert made.code == 0, made.stderr
    done = command("test --library sidecars", tmp_path)
    assert (done.code, done.stdout) == (
        0,
        "my-agent@0.1.0\n  ok      deployment\n1 sidecar in sidecars: 1 case, 1 passed\n",
    )
    assert "registry.example/agent:2.3.4" in (tmp_path / "sidecars/my-agent/tests/deployment/expected.yaml").read_text()
    (tmp_path / "web.yaml").write_text(SHOP)
    added = command("add my-agent web.yaml --as 123", tmp_path)
    assert added.code == 0, added.stderr


@pytest.fixture
def shipper(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(SHOP)
    done = command("new shipper --from-manifest shop.yaml --container shipper", tmp_path)
    assert done.code == 0, done.stderr
    (tmp_path / "notes").write_text(" ".join(done.stderr.split()))
    return tmp_path


def test_converted_container_renders_the_original(shipper: Path) -> None:
    case = shipper / "sidecars/shipper/tests/original"
    given = (case / "input.yaml").read_text()
    assert "shipper" not in given
    assert "# our shop" in given
    workload, config = yaml.safe_load_all((case / "expected.yaml").read_text())
    before = yaml.safe_load(SHOP.split("---")[0])["spec"]["template"]["spec"]["containers"][1]
    (after,) = workload["spec"]["template"]["spec"]["initContainers"]
    for key in ("image", "args", "ports", "livenessProbe"):
        assert after[key] == before[key]
    assert [v["name"] for v in after["env"]] == [v["name"] for v in before["env"]]
    assert after["env"][2] == before["env"][2]
    assert [m["mountPath"] for m in after["volumeMounts"]] == [m["mountPath"] for m in before["volumeMounts"]]
    assert after["volumeMounts"][0]["name"] == "spool"  # the app's own volume, adopted
    assert config["data"] == yaml.safe_load(SHOP.split("---")[1])["data"]
    assert command("test --library sidecars", shipper).code == 0
    added = command(f"add shipper {case / 'input.yaml'} --as 123 --set apiToken=x", shipper)
    assert added.code == 0, added.stderr


def test_values_become_parameters_and_secrets_are_not_copied(shipper: Path) -> None:
    metadata = yaml.safe_load((shipper / "sidecars/shipper/sidecar.yaml").read_text())
    properties = metadata["spec"]["parameters"]["properties"]
    assert properties["logLevel"]["default"] == "info"
    assert properties["certsSecret"]["default"] == "shipper-certs"
    assert properties["spoolDirectory"]["default"] == "/var/spool/shop"
    assert properties["apiToken"]["writeOnly"] is True
    assert metadata["spec"]["parameters"]["required"] == ["apiToken"]
    assert not [f for f in (shipper / "sidecars").rglob("*") if f.is_file() and "hunter2" in f.read_text()]


MOUNT = "        - {name: disk, mountPath: /disk}"
GITHUB = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/var/spool/shop}", "/var/spool/shop, subPath: SECRET}"),
        ("readOnly: true}", "readOnly: true, subPath: SECRET}"),
        ("image: registry.example/shipper:2.0.1", "image: https://user:SECRET@registry.example/shipper:2.0.1"),
        ("emptyDir: {sizeLimit: 1Gi}", "csi: {driver: d.example, volumeAttributes: {a: SECRET}}"),
        ("    tpl = ", "    token = SECRET\n    tpl = "),
        (
            "image: registry.example/shop:7.1.0\n",
            "image: registry.example/shop:7.1.0\n        args: [--token=SECRET]\n",
        ),
    ],
)
def test_secret_outside_of_the_variables_is_not_copied(old: str, new: str, tmp_path: Path) -> None:
    assert old in SHOP
    (tmp_path / "shop.yaml").write_text(SHOP.replace(old, new.replace("SECRET", GITHUB)))
    made = command("new mine --from-manifest shop.yaml --container shipper", tmp_path)
    texts = {file.name: file.read_text() for file in (tmp_path / "sidecars").rglob("*") if file.is_file()}
    assert texts
    assert not [name for name, text in texts.items() if GITHUB in text]
    assert GITHUB not in made.stdout + made.stderr
    assert "REPLACE_ME" in made.stderr


def test_secrets_under_keys_are_not_copied(tmp_path: Path) -> None:
    shop, config = SHOP.split("---\n")
    shop = shop.replace("namespace: prod}", "namespace: prod, annotations: {corp.example/api-token: hunter3}}")
    shop = shop.replace(
        "configMap: {name: shipper-conf}\n",
        "configMap: {name: shipper-conf}\n"
        "      - name: disk\n        csi: {driver: d.example, volumeAttributes: {clientSecret: hunter4, share: a}}\n",
    )
    shop = shop.replace("{name: state, mountPath: /state}", "{name: state, mountPath: /state}\n" + MOUNT)
    config += "  DB_PASSWORD: hunter5\n  level: info\nbinaryData: {tls.key: aHVudGVyNg==, logo: AAEC}\n"
    (tmp_path / "shop.yaml").write_text(f"{shop}---\n{config}")
    made = command("new mine --from-manifest shop.yaml --container shipper", tmp_path)
    text = read_all(tmp_path / "sidecars")
    assert "hunter" not in text + made.stderr
    assert "aHVudGVyNg==" not in text
    assert "clientSecret: REPLACE_ME" in text
    workload, companion = yaml.safe_load_all(next(tmp_path.rglob("expected.yaml")).read_text())
    assert workload["metadata"]["annotations"]["corp.example/api-token"] == "REPLACE_ME"
    assert companion["data"]["DB_PASSWORD"] == "REPLACE_ME"
    assert companion["data"]["level"] == "info"
    assert companion["binaryData"] == {"tls.key": "UkVQTEFDRV9NRQ==", "logo": "AAEC"}
    for path in ("configMap.data.DB_PASSWORD", "volume.csi.volumeAttributes.clientSecret", "corp.example/api-token"):
        assert path in made.stderr
    tested = command("test --library sidecars", tmp_path)
    assert tested.code == 0, tested.stdout + tested.stderr


COPIES = (
    *("kubectl.kubernetes.io/last-applied-configuration", "kopf.zalando.org/last-handled-configuration"),
    *("banzaicloud.com/last-applied", "objectset.rio.cattle.io/applied"),
)


@pytest.mark.parametrize("first", COPIES)
@pytest.mark.parametrize("others", ["", ", team: a"])
def test_test_case_has_no_copy_of_the_object(others: str, first: str, tmp_path: Path) -> None:
    copy = '{"spec":{"containers":[{"args":["--token","hunter4"],"env":[{"name":"DB_PASSWORD","value":"hunter3"}]}]}}'
    annotations = f"{first}: '{copy}', kapp.k14s.io/original: '{copy}'{others}"
    shop = SHOP.replace("namespace: prod}", f"namespace: prod, annotations: {{{annotations}}}}}", 1)
    (tmp_path / "shop.yaml").write_text(shop)
    made = command("new mine --from-manifest shop.yaml --container shipper", tmp_path)
    assert made.code == 0, made.stderr
    assert "hunter" not in read_all(tmp_path / "sidecars")
    given = yaml.safe_load(next(tmp_path.rglob("original/input.yaml")).read_text())
    assert given["metadata"].get("annotations") == ({"team": "a"} if others else None)
    tested = command("test --library sidecars", tmp_path)
    assert tested.code == 0, tested.stdout + tested.stderr


def test_values_of_a_secret_in_the_same_list_are_not_copied(tmp_path: Path) -> None:
    secret = "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {user: aHVudGVy}, stringData: {note: hunter, name: hunter}}"
    items = ["- " + text.strip().replace("\n", "\n  ") + "\n" for text in (secret, SHOP.split("---")[0])]
    (tmp_path / "all.yaml").write_text("apiVersion: v1\nkind: List\nitems:\n" + "".join(items))
    made = command("new mine --from-manifest all.yaml --container shipper", tmp_path)
    assert made.code == 0, made.stderr
    given = yaml.safe_load(next(tmp_path.rglob("original/input.yaml")).read_text())["items"][0]
    assert given["data"] == {"user": "UkVQTEFDRV9NRQ=="}
    assert given["stringData"] == {"note": "REPLACE_ME", "name": "REPLACE_ME"}
    assert "items[0].data.user may contain a secret" in " ".join(made.stderr.split())
    tested = command("test --library sidecars", tmp_path)
    assert tested.code == 0, tested.stdout + tested.stderr


def read_all(directory: Path) -> str:
    return "".join(file.read_text() for file in directory.rglob("*") if file.is_file())


def test_prints_notes(shipper: Path) -> None:
    notes = (shipper / "notes").read_text()
    assert "API_TOKEN may be a secret" in notes
    assert "set missing limits.memory to 256Mi" in notes
    assert "the pod sets serviceAccountName" in notes
    spec = yaml.safe_load((shipper / "sidecars/shipper/sidecar.yaml").read_text())["spec"]
    assert spec["podSecurity"]["level"] == "baseline"


def test_converts_init_container_to_mode_init(tmp_path: Path) -> None:
    text = SHOP.split("---")[0].replace("      containers:\n", "      initContainers:\n      - name: wait\n"
        "        image: registry.example/wait:1.0.0\n      containers:\n")  # fmt: skip
    (tmp_path / "shop.yaml").write_text(text)
    assert command("new wait --from-manifest shop.yaml --container wait", tmp_path).code == 0
    spec = yaml.safe_load((tmp_path / "sidecars/wait/sidecar.yaml").read_text())["spec"]
    assert spec["mode"] == "init"
    assert "initContainers" not in (tmp_path / "sidecars/wait/tests/original/input.yaml").read_text()


def test_environment_variable_sets_the_library(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert command("new my-agent", tmp_path, SIDECARCTL_LIBRARY="mine").code == 0
    assert (tmp_path / "mine/my-agent/sidecar.yaml").exists()
    done = command("test", tmp_path, SIDECARCTL_LIBRARY="mine")
    assert (done.code, done.stdout.splitlines()[-1]) == (0, "1 sidecar in mine: 1 case, 1 passed")


@pytest.mark.parametrize("engine", ["jinja", "kcl", "plain"])
@pytest.mark.parametrize(
    "words", ["2026", "true", "y", "1e3", "agent --from 5", "agent --from '*x'", "agent --from a:"]
)
def test_name_or_image_that_yaml_reads_as_something_else_is_written_as_text(
    words: str, engine: str, tmp_path: Path
) -> None:
    if engine == "kcl":
        pytest.importorskip("kcl_lib")
    made = command(f"new {words} --engine {engine}", tmp_path)
    assert made.code == 0, made.stderr
    done = command("test", tmp_path)
    assert "1 case, 1 passed" in done.stdout, done.stdout + done.stderr


WRONG = [
    ("new my-agent", "already exists"),
    ("new My_Agent", "invalid sidecar name"),
    ("new ../x", "invalid sidecar name"),
    ("new x@1.0.0", "it contains a version"),
    ("new x --from-manifest shop.yaml", "require each other"),
    ("new x --from-manifest shop.yaml --container shiper", 'did you mean "shipper"?'),
    ("new x --from-manifest shop.yaml --container shipper --from a:1.2.3", "cannot be combined"),
    ("new x --from-manifest nothing.yaml --container a", "cannot read nothing.yaml"),
    ("new x --from-manifest broken.yaml --container a", "broken.yaml:"),
    ("new x --from-manifest empty.yaml --container a", "has no workload"),
    ("new x --from 'a b'", 'invalid image "a b"'),
]


@pytest.mark.parametrize(("words", "message"), WRONG)
def test_rejects_invalid_arguments_and_writes_nothing(words: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(SHOP)
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "sidecars/my-agent").mkdir(parents=True)
    done = command(words, tmp_path)
    assert done.code in (2, 3)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [f.name for f in (tmp_path / "sidecars").rglob("*")] == ["my-agent"]


ODD = [
    ("{name: spool, mountPath: /var/spool/shop}", "{name: spool}", "m.yaml:15:11: missing required field: mountPath"),
    ("{name: spool, mountPath: /in, readOnly: true}", "5", "m.yaml:26:11: volumeMounts[0]: expected a mapping"),
    (
        "      - name: spool\n        emptyDir: {sizeLimit: 1Gi}\n",
        "      - 5\n",
        "m.yaml:31:9: volumes[0]: expected a mapping",
    ),
    ("{name: state, mountPath: /state}", "{name: [a], mountPath: /state}", "m.yaml:29:18: name: expected a string"),
    ("configMap: {name: shipper-conf}", "configMap: 5", "m.yaml:34:20: configMap: expected a mapping"),
]


@pytest.mark.parametrize(("old", "new", "message"), ODD)
def test_invalid_pod_of_a_manifest_is_an_error_with_its_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in SHOP
    (tmp_path / "m.yaml").write_text(SHOP.replace(old, new, 1))
    made = command("new x --from-manifest m.yaml --container shipper", tmp_path)
    assert made.code == 3, made.stderr
    where, _, text = message.partition(": ")
    assert where in made.stderr
    assert text in made.stderr
    assert not (tmp_path / "sidecars").exists()


def test_object_without_an_api_version_is_no_config_map(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(SHOP.replace("apiVersion: v1\n", ""))
    made = command("new x --from-manifest m.yaml --container shipper", tmp_path)
    assert made.code == 0, made.stderr
    properties = yaml.safe_load((tmp_path / "sidecars/x/sidecar.yaml").read_text())["spec"]["parameters"]["properties"]
    assert properties["confConfigMap"]["default"] == "shipper-conf"


def test_mount_without_a_path_in_a_patch_is_no_bug(tmp_path: Path) -> None:
    """A kustomize patch, in which containers have no image, can leave out required fields."""
    text = SHOP.replace(", mountPath: /var/spool/shop", "")
    (tmp_path / "m.yaml").write_text(re.sub(r" +image: .*\n", "", text))
    made = command("new x --from-manifest m.yaml --container shipper", tmp_path)
    assert made.code == 0, made.stderr


def test_text_of_a_manifest_that_looks_like_a_token_stays(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: 'web:1.0'}\n"
        "  - {name: agent, image: 'a:1.0.0', args: [Jq0qJ, --x=Jq1qJ], env: [{name: A, value: b}]}\n"
    )
    made = command("new agent2 --from-manifest m.yaml --container agent --library lib", tmp_path)
    assert made.code == 0, made.stderr
    assert "  - Jq0qJ\n  - --x=Jq1qJ\n" in (tmp_path / "lib/agent2/template.yaml.j2").read_text()


def test_path_of_a_library_cannot_send_control_sequences(tmp_path: Path) -> None:
    done = run(["sidecarctl", "new", "foo", "--library", "x\x1b[31mred"], tmp_path)
    assert (done.code, done.stderr.count("\\x1b[31mred")) == (0, 4), done.stderr
    assert "\x1b" not in done.stderr
