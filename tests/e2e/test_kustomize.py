"""krm with kustomize: overlays, generated names, inline configuration, validators, errors, and skipped functions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import ROOT, Outcome
from tests.programs import environment, execute, program

pytestmark = pytest.mark.e2e

EXAMPLE = ROOT / "examples" / "integrations" / "kustomize"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "k")
    return tmp_path


def build(folder: Path, target: str, *flags: str) -> Outcome:
    words = [program("kustomize"), "build", "--enable-alpha-plugins", *(flags or ("--enable-exec",)), target]
    return execute(words, folder / "k", environment(folder))


def documents(outcome: Outcome) -> dict[tuple[str, str], Any]:
    assert outcome.code == 0, outcome.stderr
    return {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(outcome.stdout)}


def pod(document: Any) -> Any:
    return document["spec"]["template"]["spec"]


def names(items: list[Any]) -> list[str]:
    return [item["name"] for item in items]


def test_base_gets_sidecar_and_companion(folder: Path) -> None:
    found = documents(build(folder, "base"))
    spec = pod(found["Deployment", "web"])
    assert names(spec["initContainers"]) == ["logger"]
    assert names(spec["containers"]) == ["web"]
    assert spec["volumes"][1]["configMap"]["name"] == "web-logger"
    assert ("ConfigMap", "web-logger") in found


def test_generated_configmap_keeps_its_hash(folder: Path) -> None:
    found = documents(build(folder, "base"))
    (settings,) = [name for kind, name in found if name.startswith("settings-")]
    reference = pod(found["Deployment", "web"])["containers"][0]["envFrom"][0]["configMapRef"]
    assert reference == {"name": settings}


def test_overlay_changes_names_and_sidecar_image(folder: Path) -> None:
    found = documents(build(folder, "overlays/prod"))
    spec = pod(found["Deployment", "prod-web"])
    assert spec["initContainers"][0]["image"].startswith("registry.example.com/fluent-bit:")
    assert spec["containers"][0]["image"] == "nginx:1.29.3"
    assert spec["volumes"][1]["configMap"]["name"] == "prod-web-logger"
    assert found["ConfigMap", "prod-web-logger"]["metadata"]["namespace"] == "shop"


def test_transformer_in_base_and_overlay_adds_the_sidecar_once(folder: Path) -> None:
    shutil.copy(folder / "k/base/sidecars.yaml", folder / "k/overlays/prod/sidecars.yaml")
    path = folder / "k/overlays/prod/kustomization.yaml"
    path.write_text(path.read_text() + "transformers:\n  - sidecars.yaml\n")
    found = documents(build(folder, "overlays/prod"))
    assert sorted(name for kind, name in found if "logger" in name) == ["prod-web-logger"]
    deployment = found["Deployment", "prod-web"]
    assert names(pod(deployment)["initContainers"]) == ["logger"]
    owner = found["ConfigMap", "prod-web-logger"]["metadata"]["annotations"]["sidecarctl.dev/owner"]
    assert owner == "Deployment/shop/prod-web/logger"


def test_building_the_output_again_changes_nothing(folder: Path) -> None:
    first = build(folder, "base")
    again = folder / "k/again"
    again.mkdir()
    (again / "built.yaml").write_text(first.stdout)
    shutil.copy(folder / "k/base/sidecars.yaml", again / "sidecars.yaml")
    (again / "kustomization.yaml").write_text("resources: [built.yaml]\ntransformers: [sidecars.yaml]\n")
    assert documents(build(folder, "again")) == documents(first)


def test_inline_function_config_can_be_a_sidecar(folder: Path) -> None:
    found = documents(build(folder, "inline"))
    assert names(found["Pod", "batch"]["spec"]["initContainers"]) == ["logger"]
    assert found["Pod", "batch"]["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] == "/srv/log"


def test_output_has_no_kustomize_annotations(folder: Path) -> None:
    text = build(folder, "overlays/prod").stdout
    assert "config.kubernetes.io" not in text
    assert "config.k8s.io" not in text


def test_validator_passes_if_the_transformer_ran(folder: Path) -> None:
    assert names(pod(documents(build(folder, "validated"))["Deployment", "web"])["initContainers"]) == ["logger"]


def test_validator_fails_the_build_if_the_transformer_did_not_run(folder: Path) -> None:
    path = folder / "k/base/kustomization.yaml"
    path.write_text(path.read_text().replace("transformers:\n  - sidecars.yaml\n", ""))
    outcome = build(folder, "validated")
    assert outcome.code != 0
    assert outcome.stdout == ""
    assert "error[outdated]: sidecar logger 1.0.0 is missing" in outcome.stderr
    assert "workload: Deployment/web" in outcome.stderr


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("logDir:", "logdir:", 'did you mean "logDir"?'),
        ("name: logger", "name: loger", 'did you mean "logger"?'),
        ("kind: Composition", "kind: Compositon", 'did you mean "Composition"?'),
        ("kinds: [Deployment]", "kinds: [Deploymnt]", 'did you mean "Deployment"?'),
    ],
)
def test_invalid_composition_fails_the_build_with_the_reason(folder: Path, old: str, new: str, hint: str) -> None:
    path = folder / "k/base/sidecars.yaml"
    path.write_text(path.read_text().replace(old, new))
    outcome = build(folder, "base")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert hint in outcome.stderr
    assert "exit status 2" in outcome.stderr


def test_conflict_fails_the_build_and_names_the_resource(folder: Path) -> None:
    path = folder / "k/base/deployment.yaml"
    path.write_text(path.read_text() + "        - {name: logger, image: busybox}\n")
    outcome = build(folder, "base")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "error[container-conflict]" in outcome.stderr
    assert "workload: Deployment/web" in outcome.stderr


def test_check_detects_that_kustomize_skipped_the_function(folder: Path) -> None:
    outcome = build(folder, "base", "--enable-helm=false")
    assert "logger" not in outcome.stdout
    assert (outcome.code, outcome.stderr) == (0, "")
    env = environment(folder)
    check = execute(["sidecarctl", "render", "-c", "base/sidecars.yaml", "--check"], folder / "k", env, outcome.stdout)
    assert check.code == 1
    assert "would add logger" in check.stderr
    whole = execute(
        ["sidecarctl", "render", "-c", "base/sidecars.yaml", "--check"], folder / "k", env, build(folder, "base").stdout
    )
    assert whole.code == 0, whole.stderr


def test_generator_does_not_output_its_function_config(folder: Path) -> None:
    path = folder / "k/inline/kustomization.yaml"
    path.write_text(path.read_text().replace("transformers:", "generators:"))
    assert "logger" not in [name for _, name in documents(build(folder, "inline"))]
