"""Parameters of every sidecar: volumes, mounts, patch, position, pull secrets, and what applies to all sidecars at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.common_parameters import NAMES
from tests.command import Outcome, run

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
spec:
  initContainers:
  - name: net  # first
    image: registry.example/net:1.0.0
    restartPolicy: Always
  containers:
  - name: web
    image: registry.example/web:1.0.0
  volumes:
  - {name: ca, configMap: {name: corp-ca}}
"""


FLOW_SPEC = '{"containers":[{"name":"web","image":"registry.example/web:1.0.0"}]}}'


def call(folder: Path, *words: str, text: str = POD) -> Outcome:
    return run(["sidecarctl", *words], folder, stdin=text)


def written(folder: Path, *words: str, text: str = POD) -> str:
    done = call(folder, *words, text=text)
    assert done.code == 0, done.stderr
    return done.stdout


def spec(text: str) -> dict[str, Any]:
    return dict(next(iter(yaml.safe_load_all(text)))["spec"])


def container(text: str, name: str) -> dict[str, Any]:
    found = spec(text)
    return next(each for each in (*found.get("initContainers", ()), *found["containers"]) if each["name"] == name)


def values(folder: Path, **parameters: Any) -> str:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump({"logger": parameters}))
    return str(file)


def test_volumes_and_mounts_are_appended_and_removed(tmp_path: Path) -> None:
    file = values(
        tmp_path,
        volumes=[{"name": "extra", "emptyDir": {}}],
        volumeMounts=[{"name": "extra", "mountPath": "/extra"}, {"name": "ca", "mountPath": "/etc/ssl/corp"}],
    )
    text = written(tmp_path, "add", "logger", "--values", file)
    paths = [each["mountPath"] for each in container(text, "logger")["volumeMounts"]]
    assert paths[-2:] == ["/extra", "/etc/ssl/corp"] and len(paths) == 5
    assert "extra" in [each["name"] for each in spec(text)["volumes"]]
    assert written(tmp_path, "remove", "logger", text=text) == POD
    assert written(tmp_path, "add", "logger", text=text) == text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"volumeMounts": [{"name": "ca", "mountPath": "/fluent-bit/etc/conf"}]},
            'container "logger" has two mounts at /fluent-bit/etc/conf',
        ),
        ({"volumes": [{"name": "logger-config", "emptyDir": {}}]}, 'duplicate name "logger-config"'),
    ],
)
def test_own_volumes_and_mounts_are_never_replaced_silently(
    parameters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    done = call(tmp_path, "add", "logger", "--values", values(tmp_path, **parameters))
    assert done.code == 2 and message in done.stderr


def test_patch_merges_named_lists(tmp_path: Path) -> None:
    before = container(written(tmp_path, "add", "logger"), "logger")
    patch = {
        "volumeMounts": [{"name": "ca", "mountPath": "/etc/ssl/corp"}],
        "ports": [{"containerPort": 2020, "name": "fluent"}],
        "args": ["--only"],
    }
    after = container(written(tmp_path, "add", "logger", "--values", values(tmp_path, patch=patch)), "logger")
    assert after["volumeMounts"] == [*before["volumeMounts"], {"name": "ca", "mountPath": "/etc/ssl/corp"}]
    assert after["ports"] == [{**before["ports"][0], "name": "fluent"}]
    assert after["args"] == ["--only"]  # items without a name: replaced


def test_patch_removes_named_item(tmp_path: Path) -> None:
    mounts = [{"mountPath": "/fluent-bit/etc/conf", "$patch": "delete"}]
    text = written(tmp_path, "add", "logger", "--values", values(tmp_path, patch={"volumeMounts": mounts}))
    assert "/fluent-bit/etc/conf" not in [each["mountPath"] for each in container(text, "logger")["volumeMounts"]]


def test_pull_secrets_are_shared_and_removed_with_the_last_sidecar(tmp_path: Path) -> None:
    one = written(tmp_path, "add", "log-tail", "--image-pull-secret", "regcred")
    two = written(tmp_path, "add", "logger", "--set", "imagePullSecrets=[regcred, other]", text=one)
    assert spec(two)["imagePullSecrets"] == [{"name": "regcred"}, {"name": "other"}]
    left = written(tmp_path, "remove", "log-tail", text=two)
    assert spec(left)["imagePullSecrets"] == [{"name": "regcred"}, {"name": "other"}]
    assert written(tmp_path, "remove", "logger", text=left) == POD


def test_pull_secret_that_is_named_twice_is_added_once(tmp_path: Path) -> None:
    given = ("--image-pull-secret", "regcred", "--image-pull-secret", "regcred")
    added = written(tmp_path, "add", "log-tail", *given)
    assert spec(added)["imagePullSecrets"] == [{"name": "regcred"}]
    assert written(tmp_path, "add", "log-tail", *given, text=added) == added
    assert written(tmp_path, "add", "log-tail", text=added) == added
    assert written(tmp_path, "remove", "log-tail", text=added) == POD


def test_pull_secret_of_the_app_stays(tmp_path: Path) -> None:
    text = POD + "  imagePullSecrets:\n  - name: regcred\n"
    added = written(tmp_path, "add", "log-tail", "--image-pull-secret", "regcred", text=text)
    assert written(tmp_path, "remove", "log-tail", text=added) == text


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("", "mirror.example.com/hub/library/busybox:1.38.0"),
        ("quay.io/team/tail:1.0.0", "mirror.example.com/hub/team/tail:1.0.0"),
        ("team/tail:1.0.0", "mirror.example.com/hub/team/tail:1.0.0"),
        ("localhost:5000/tail:1.0.0", "mirror.example.com/hub/tail:1.0.0"),
        ("mirror.example.com/hub/tail:1.0.0", "mirror.example.com/hub/tail:1.0.0"),
    ],
)
def test_registry_replaces_the_registry_of_every_image(image: str, expected: str, tmp_path: Path) -> None:
    words = ["add", "log-tail", "--registry", "mirror.example.com/hub", *(["--set", f"image={image}"] if image else [])]
    assert container(written(tmp_path, *words), "log-tail")["image"] == expected


def test_shared_parameters_are_recorded_and_kept_by_upgrade(tmp_path: Path) -> None:
    words = (
        "--registry",
        "mirror.example.com",
        "--image-pull-policy",
        "Always",
        "--security-context",
        "runAsUser=null",
    )
    text = written(tmp_path, "add", "log-tail", "linkerd", *words)
    tail = container(text, "log-tail")
    assert tail["image"].startswith("mirror.example.com/") and tail["imagePullPolicy"] == "Always"
    assert "runAsUser" not in tail["securityContext"] and tail["securityContext"]["runAsNonRoot"] is True
    assert written(tmp_path, "upgrade", text=text) == text
    assert written(tmp_path, "add", "log-tail", "linkerd", text=text) == text
    assert written(tmp_path, "add", "log-tail", "linkerd", *words, text=text) == text


def test_own_parameter_ranks_above_the_shared_one(tmp_path: Path) -> None:
    words = ("--image-pull-policy", "Always", "--set", "imagePullPolicy=Never")
    assert container(written(tmp_path, "add", "log-tail", *words), "log-tail")["imagePullPolicy"] == "Never"


def test_environment_variable_sets_the_registry(tmp_path: Path) -> None:
    done = run(
        ["sidecarctl", "add", "log-tail"], tmp_path, stdin=POD, env={"SIDECARCTL_REGISTRY": "mirror.example.com"}
    )
    assert container(done.stdout, "log-tail")["image"].startswith("mirror.example.com/")


def test_explicit_common_parameter_of_a_sidecar_without_container_is_an_error(tmp_path: Path) -> None:
    done = call(tmp_path, "add", "linkerd", "--set", "imagePullPolicy=Always")
    assert done.code and "linkerd adds no container" in done.stderr


COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: shop}
spec:
  defaults:
    "*":
      parameters: {registry: mirror.example.com, securityContext: {runAsUser: null}}
    log-tail: {position: {after: net}}
  rules:
  - select: {all: true}
    sidecars:
    - linkerd
    - log-tail
    - {name: logger, position: first, parameters: {registry: other.example.com}}
"""


def test_composition_sets_defaults_of_all_sidecars_and_positions(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    text = written(tmp_path, "render", "-")
    assert [each["name"] for each in spec(text)["initContainers"]] == ["logger", "net", "log-tail"]
    assert container(text, "log-tail")["image"].startswith("mirror.example.com/")
    assert container(text, "logger")["image"].startswith("other.example.com/")
    assert "runAsUser" not in container(text, "log-tail")["securityContext"]
    assert written(tmp_path, "render", "-", text=text) == text
    text = written(tmp_path, "render", "-", "--registry", "third.example.com", text=text)
    assert container(text, "log-tail")["image"].startswith("third.example.com/")


def test_composition_rejects_other_defaults_of_all_sidecars(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("registry: mirror.example.com", "logDir: /var/log"))
    done = call(tmp_path, "render", "-")
    assert done.code == 2 and "logDir" in done.stderr and "sidecarctl.yaml:" in done.stderr


def test_upgrade_moves_a_sidecar_whose_position_changes(tmp_path: Path) -> None:
    text = written(tmp_path, "add", "log-tail", "--position", "first")
    moved = written(tmp_path, "add", "log-tail", "--position", "after=net", text=text)
    assert [each["name"] for each in spec(moved)["initContainers"]] == ["net", "log-tail"]
    assert moved == written(tmp_path, "add", "log-tail", "--position", "after=net")
    assert written(tmp_path, "upgrade", text=moved) == moved
    back = written(tmp_path, "add", "log-tail", "--position", "before=net", text=moved)
    assert [each["name"] for each in spec(back)["initContainers"]] == ["log-tail", "net"]
    assert written(tmp_path, "remove", "log-tail", text=back) == POD


def test_upgrade_moves_a_classic_sidecar(tmp_path: Path) -> None:
    text = written(tmp_path, "add", "log-tail", "--mode", "classic")
    moved = written(tmp_path, "add", "log-tail", "--mode", "classic", "--position", "first", text=text)
    assert [each["name"] for each in spec(moved)["containers"]] == ["log-tail", "web"]
    assert written(tmp_path, "remove", "log-tail", text=moved) == POD


def test_output_dash_is_stdout(tmp_path: Path) -> None:
    assert written(tmp_path, "add", "log-tail", "-o", "-") == written(tmp_path, "add", "log-tail")
    assert not (tmp_path / "-").exists()


def test_no_shipped_sidecar_hides_a_common_parameter() -> None:
    for entry in open_catalog([], {}).entries():
        if entry.sidecar:
            assert not entry.sidecar.parameters.get("properties", {}).keys() & set(NAMES), entry.name


OWN = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: helper, version: 1.0.0, summary: Has a parameter of its own that is called registry.}
spec:
  engine: jinja
  parameters: {properties: {registry: {enum: [etcd, consul], default: etcd}}}
"""


def test_own_parameter_of_a_sidecar_hides_the_common_one(tmp_path: Path) -> None:
    folder = tmp_path / "library" / "helper"
    folder.mkdir(parents=True)
    (folder / "sidecar.yaml").write_text(OWN)
    image = "registry.example/{{ params.registry }}:1.0.0"
    (folder / "template.yaml.j2").write_text(f'containers: [{{name: helper, image: "{image}"}}]\n')
    words = ("add", "helper", "--library", "library", "--registry", "mirror.example.com", "--set", "registry=consul")
    assert container(written(tmp_path, *words), "helper")["image"] == "registry.example/consul:1.0.0"
    assert container(written(tmp_path, *words[:-2]), "helper")["image"] == "registry.example/etcd:1.0.0"


@pytest.mark.parametrize(
    "given",
    [
        "patch.volumeMounts[0].name=x",
        "patch.volumeMounts[0].readOnly=true",
        "patch.volumeMounts[0]=1",
        "patch.volumeMounts[0]=null",
        "patch.volumeMounts[0].mountPath=[1]",
        "patch.image=null",
        "patch.image=[1]",
    ],
)
@pytest.mark.parametrize("more", [(), ("--registry", "mirror.example.com")])
def test_patch_that_makes_a_container_invalid_is_an_error(given: str, more: tuple[str, ...], tmp_path: Path) -> None:
    done = call(tmp_path, "add", "logger", "--set", given, *more)
    assert done.code == 2, done.stderr
    assert "invalid patch for logger: containers[0]" in done.stderr


@pytest.mark.parametrize("text", [POD, '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":' + FLOW_SPEC])
def test_key_that_is_too_long_for_yaml_is_an_error(text: str, tmp_path: Path) -> None:
    done = call(tmp_path, "add", "logger", "--set", f"resources.limits.{'x' * 1100}=1", text=text)
    assert done.code == 1, done.stderr
    assert "is too long (1,100 characters; limit: 1,024)" in done.stderr or "1,102 characters" in done.stderr


@pytest.mark.parametrize(
    "registry", ["http://mirror.example.com", "mirror..example.com:", "mirror/a..b", "-mirror", "m:x"]
)
def test_registry_that_no_image_can_have_is_an_error(registry: str, tmp_path: Path) -> None:
    done = call(tmp_path, "add", "logger", f"--registry={registry}")
    assert done.code == 2
    assert 'parameter "registry"' in done.stderr
