"""Exports have the same result as render when the offline tools of their engines apply them: kustomize and kyverno."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.command import ROOT
from tests.programs import INSTALL, environment, execute, program, tools
from tests.repository import WORKLOAD

pytestmark = pytest.mark.e2e

RECORD = "sidecarctl.dev/sidecars"
PLATFORM = ROOT / "examples" / "platform"

COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  kubeVersion: "1.34"
  excludeNamespaces: [kube-*]
  rules:
    - name: logs
      select: {kinds: [Deployment, StatefulSet, CronJob, Pod]}
      sidecars:
        - name: logger
          parameters: {logDir: /var/log/app}
    - name: front
      select:
        names: ["web-*"]
        namespaces: [shop, "other-?"]
        labels: {tier: front}
        matchExpressions: [{key: team, operator: NotIn, values: [x]}]
        annotations: {"example.org/public": "y*"}
        containers: ["web*"]
      sidecars:
        - name: log-tail
          as: tail
          parameters: {logDir: /var/log/web}
          containers: ["web*"]
        - name: metrics
          mode: classic
          parameters: {exporter: nginx}
"""

WORKLOADS = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-one
  namespace: shop
  annotations: {example.org/public: "yes"}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web, tier: front}
    spec:
      initContainers:
        - {name: first, image: "busybox:1.37"}
      containers:
        - name: helper
          image: busybox:1.37
          volumeMounts: [{name: data, mountPath: /data}]
        - name: web
          image: nginx:1.29.3
          env: [{name: A, value: b}]
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-two, namespace: kube-x}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {containers: [{name: web, image: "nginx:1.29.3"}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata:
      labels: {app: db}
      annotations: {kubectl.kubernetes.io/default-container: db}
    spec:
      terminationGracePeriodSeconds: 120
      containers:
        - {name: proxy, image: "nginx:1.29.3"}
        - {name: db, image: "postgres:18.1", env: [{name: A, value: b}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: node, namespace: shop}
spec:
  selector: {matchLabels: {app: node}}
  template:
    metadata: {labels: {app: node}}
    spec: {containers: [{name: node, image: "busybox:1.37"}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: nightly, image: "busybox:1.37"}]
---
apiVersion: v1
kind: Pod
metadata:
  name: alone
  namespace: shop
  annotations: {sidecarctl.dev/inject: "false"}
spec: {containers: [{name: alone, image: "busybox:1.37"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: single, namespace: shop}
spec: {containers: [{name: single, image: "busybox:1.37"}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "x"
    work.mkdir()
    (work / "sidecarctl.yaml").write_text(COMPOSITION)
    (work / "workloads.yaml").write_text(WORKLOADS)
    return work


def sidecarctl(folder: Path, *words: str) -> str:
    done = execute(["sidecarctl", *words], folder, environment(folder.parent))
    assert done.code == 0, done.stderr
    return done.stdout


def by_name(text: str) -> dict[tuple[str, str], Any]:
    found = [each for each in yaml.safe_load_all(text) if each]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


def template(value: Any) -> Any:
    spec = value["spec"]
    if value["kind"] == "Pod":
        return value
    return spec["jobTemplate"]["spec"]["template"] if value["kind"] == "CronJob" else spec["template"]


def stripped(value: Any) -> Any:
    """Return a workload without the expected differences, which the header of an exported policy lists: record and
    companion name.
    """
    value = copy.deepcopy(value)
    pod = template(value)
    annotations = pod.setdefault("metadata", {}).get("annotations", {})
    annotations.pop(RECORD, None)
    if not annotations:
        pod["metadata"].pop("annotations", None)
    if not pod["metadata"]:
        pod.pop("metadata")
    for volume in pod["spec"].get("volumes", ()):
        if volume["name"] == "logger-config":
            volume["configMap"]["name"] = "platform-logger"
    return value


def rendered(folder: Path) -> dict[tuple[str, str], Any]:
    return by_name(sidecarctl(folder, "render", "-c", "sidecarctl.yaml", "-f", "workloads.yaml", "--quiet"))


@pytest.mark.parametrize(
    ("engine", "version"),
    # Kyverno reads admission policies only as v1alpha1. Their spec is the same in all versions, which another test checks.
    [("kyverno", "1.34"), ("mutatingadmissionpolicy", "1.32")],
)
def test_policy_has_the_same_result_as_render(engine: str, version: str, folder: Path) -> None:
    sidecarctl(folder, "export", "--to", engine, "-c", "sidecarctl.yaml", "--kube-version", version, "-o", "policy/")
    policies = [each for each in yaml.safe_load_all((folder / "policy/policy.yaml").read_text()) if each]
    wanted = {key: stripped(each) for key, each in rendered(folder).items() if key[0] != "ConfigMap"}
    found = {key: stripped(each) for key, each in by_name(WORKLOADS).items()}
    for policy in policies:
        if policy["kind"].endswith("Binding"):
            continue
        # Policies apply one after the other, as in a cluster.
        (folder / "one.yaml").write_text(yaml.safe_dump(policy))
        for key, value in found.items():
            if not _matches(policy, value):
                continue
            (folder / "resource.yaml").write_text(yaml.safe_dump(value))
            command = [program("kyverno"), "apply", "one.yaml", "--resource", "resource.yaml", "-o", "out.yaml"]
            done = execute(command, folder, environment(folder.parent))
            assert done.code == 0, done.stdout + done.stderr
            assert "error: 0" in done.stdout, done.stdout
            out = [each for each in yaml.safe_load_all((folder / "out.yaml").read_text()) if each]
            (folder / "out.yaml").unlink()
            if out:
                found[key] = stripped(out[0])
    assert found.keys() == wanted.keys()
    for key, value in found.items():
        assert value == wanted[key], key


def _matches(policy: Any, value: Any) -> bool:
    resources = [r for rule in policy["spec"]["matchConstraints"]["resourceRules"] for r in rule["resources"]]
    return value["kind"].lower() + "s" in resources


def test_admission_policies_of_all_versions_have_the_same_spec(folder: Path) -> None:
    specs = []
    for version in ("1.32", "1.34", "1.37"):
        words = ["export", "--to", "mutatingadmissionpolicy", "-c", "sidecarctl.yaml", "--kube-version", version]
        specs.append(
            [each["spec"] for each in yaml.safe_load_all(sidecarctl(folder, *words)) if "spec" in (each or {})]
        )
    assert specs[0] == specs[1] == specs[2]


def test_component_has_the_same_result_as_render(folder: Path) -> None:
    words = [
        "export",
        "--to",
        "kustomize-component",
        "-c",
        "sidecarctl.yaml",
        "-f",
        "workloads.yaml",
        "-o",
        "component/",
    ]
    sidecarctl(folder, *words)
    (folder / "kustomization.yaml").write_text("resources: [workloads.yaml]\ncomponents: [component]\n")
    done = execute([program("kustomize"), "build", "."], folder, environment(folder.parent))
    assert done.code == 0, done.stderr
    assert by_name(done.stdout) == rendered(folder)


def test_json_patches_work_in_a_kustomization(folder: Path) -> None:
    out = sidecarctl(folder, "export", "--to", "json-patch", "-c", "sidecarctl.yaml", "-f", "workloads.yaml")
    patches, *companions = [each for each in yaml.safe_load_all(out) if each]
    (folder / "companions.yaml").write_text(yaml.safe_dump_all(companions))
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["workloads.yaml", "companions.yaml"], **patches})
    )
    done = execute([program("kustomize"), "build", "."], folder, environment(folder.parent))
    assert done.code == 0, done.stderr
    assert by_name(done.stdout) == rendered(folder)


# ---- structure ---------------------------------------------------------------------------------------------------


def closed(schema: Any) -> Any:
    """Return a CRD schema that rejects unknown fields, as the API server does with strict validation."""
    if not isinstance(schema, dict):
        return schema
    out = {key: value for key, value in schema.items() if key not in ("properties", "items", "additionalProperties")}
    if "properties" in schema:
        out["properties"] = {key: closed(value) for key, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            out["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if key in schema:
            out[key] = closed(schema[key])
    return out


def validator(crd: str, version: str) -> jsonschema.Draft202012Validator:
    path = tools() / "crds" / crd
    if not path.is_file():
        pytest.skip(f"{crd} not found: run {INSTALL}")
    versions = yaml.safe_load(path.read_text())["spec"]["versions"]
    schema = closed(next(each["schema"]["openAPIV3Schema"] for each in versions if each["name"] == version))
    schema["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft202012Validator(schema)


def test_kyverno_policy_is_valid_against_its_crd(folder: Path) -> None:
    check = validator("policies.kyverno.io_mutatingpolicies.yaml", "v1")
    text = sidecarctl(folder, "export", "--to", "kyverno", "-c", "sidecarctl.yaml")
    policies = [each for each in yaml.safe_load_all(text) if each and each["kind"] == "MutatingPolicy"]
    assert policies
    for each in policies:
        assert [error.message for error in check.iter_errors(each)] == []


SELECTED = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  kubeVersion: "1.34"
  rules:
    - name: figures
      select:
        labels: {tier: front}
        namespaces: [shop]
        matchExpressions: [{key: team, operator: NotIn, values: [x]}]
      sidecars:
        - {name: metrics, mode: MODE, parameters: {exporter: nginx}}
"""


@pytest.mark.parametrize("mode", ["native", "classic"])
def test_sidecarset_is_valid_against_its_crd(mode: str, folder: Path) -> None:
    check = validator("apps.kruise.io_sidecarsets.yaml", "v1alpha1")
    (folder / "sidecarctl.yaml").write_text(SELECTED.replace("MODE", mode))
    text = sidecarctl(folder, "export", "--to", "sidecarset", "-c", "sidecarctl.yaml")
    (found,) = [each for each in yaml.safe_load_all(text) if each and each["kind"] == "SidecarSet"]
    assert [error.message for error in check.iter_errors(found)] == []


@pytest.mark.skipif(not PLATFORM.is_dir(), reason="the example does not exist")
def test_platform_example_can_be_exported_as_a_component(tmp_path: Path) -> None:
    work = tmp_path / "p"
    shutil.copytree(PLATFORM, work)
    manifests = next((path for path in (work / "manifests",) if path.is_dir()), work)
    composition = next(work.rglob("sidecarctl.yaml"))
    words = ["-c", str(composition), "-f", str(manifests)]
    env = environment(tmp_path)
    wanted = execute(["sidecarctl", "render", *words, "--quiet"], work, env)
    assert wanted.code == 0, wanted.stderr
    done = execute(
        ["sidecarctl", "export", "--to", "kustomize-component", *words, "-o", str(tmp_path / "c") + "/"], work, env
    )
    assert done.code == 0, done.stderr
    kept = [path for path in sorted(manifests.rglob("*.yaml")) if path.name not in ("sidecarctl.yaml",)]
    texts = [
        text for path in kept if "kind: Composition" not in (text := path.read_text()) and "kind: Sidecar" not in text
    ]
    (tmp_path / "all.yaml").write_text("\n---\n".join(texts))
    (tmp_path / "kustomization.yaml").write_text("resources: [all.yaml]\ncomponents: [c]\n")
    built = execute([program("kustomize"), "build", "."], tmp_path, env)
    assert built.code == 0, built.stderr
    assert by_name(built.stdout) == by_name(wanted.stdout)


def test_component_removes_the_companion_of_a_removed_sidecar(tmp_path: Path) -> None:
    work, env = tmp_path / "p", environment(tmp_path)
    work.mkdir()
    (work / "web.yaml").write_text(WORKLOAD.format(name="web"))
    (work / "c.yaml").write_text(COMPOSITION)
    rendered = execute(["sidecarctl", "render", "-c", "c.yaml", "web.yaml"], work, env)
    assert "kind: ConfigMap" in rendered.stdout
    (work / "out.yaml").write_text(rendered.stdout)
    (work / "c.yaml").write_text(COMPOSITION.partition("  rules:")[0] + "  rules: []\n")
    wanted = execute(["sidecarctl", "render", "-c", "c.yaml", "out.yaml"], work, env)
    words = ["-c", "c.yaml", "out.yaml", "-o", "c/"]
    done = execute(["sidecarctl", "export", "--to", "kustomize-component", *words], work, env)
    assert done.code == 0, done.stderr
    (work / "kustomization.yaml").write_text("resources: [out.yaml]\ncomponents: [c]\n")
    built = execute([program("kustomize"), "build", "."], work, env)
    assert built.code == 0, built.stderr
    assert by_name(built.stdout) == by_name(wanted.stdout)
