"""Exports of every shipped sidecar have the same result as render when Kyverno and OpenKruise apply them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import policies_on_server as policies
import pytest
import yaml

from tests.command import run
from tests.programs import environment, execute, program
from tests.shipped_library.manifests import NAMES

pytestmark = pytest.mark.e2e

# Sidecars whose rendering depends on the workload, which a policy does not know.
REFUSED = ("fluentd", "proxy")
# What OpenKruise adds to each container and Pod.
KRUISE_ENV = "IS_INJECTED"
KRUISE_ANNOTATION = "kruise.io/"
# Sidecars that only add containers, volumes, and annotations, which is what a SidecarSet can do.
IN_SIDECARSETS = (
    "consul-dataplane",
    "dapr",
    "haproxy",
    "linkerd",
    "metrics",
    "nginx-tls",
    "oauth2-proxy",
    "open-service-mesh",
    "service-registrar",
)


def exported(engine: str, name: str, folder: Path, kinds: tuple[str, ...]) -> list[dict[str, Any]] | str:
    """Return the objects that an export writes, without companions, or why it is refused."""
    composition = yaml.safe_load(policies.composition(name, kinds))
    if not kinds:
        del composition["spec"]["rules"][0]["select"]["kinds"]
    (folder / "sidecarctl.yaml").write_text(yaml.safe_dump(composition))
    done = run(f"sidecarctl export --to {engine} -c sidecarctl.yaml", folder)
    if done.code:
        return done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one and "kind" in one and one["kind"] in KINDS_OF[engine]]


KINDS_OF = {"kyverno": ("MutatingPolicy",), "sidecarset": ("SidecarSet",)}


@pytest.mark.parametrize("name", NAMES)
def test_kyverno_policies_have_the_same_result_as_render(name: str, tmp_path: Path) -> None:
    kyverno = program("kyverno")
    found = exported("kyverno", name, tmp_path, tuple(policies.KINDS))
    if isinstance(found, str):
        assert name in REFUSED, found
        return
    changed = 0
    for kind in policies.KINDS:
        document = json.loads(json.dumps(policies.workload(kind, name)))
        result = document
        for policy in found:
            if not applies_to(policy, kind):
                continue
            (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
            (tmp_path / "resource.yaml").write_text(yaml.safe_dump(result))
            command = [kyverno, "apply", "policy.yaml", "--resource", "resource.yaml", "-o", "out.yaml"]
            done = execute(command, tmp_path, environment(tmp_path))
            assert "error: 0" in done.stdout, done.stdout + done.stderr
            out = tmp_path / "out.yaml"
            result = next((one for one in yaml.safe_load_all(out.read_text()) if one), result)
            out.unlink()
        wanted = policies.render(document, name, tmp_path)
        wanted = document if isinstance(wanted, str) else wanted  # no policy adds what render refuses
        changed += result != document
        differing = policies.differences(policies.comparable(result, name), policies.comparable(wanted, name))
        assert list(differing) == [], kind
    assert changed >= 5


def applies_to(policy: Mapping[str, Any], kind: str) -> bool:
    rules = policy["spec"]["matchConstraints"]["resourceRules"]
    return any(f"{kind.lower()}s" in rule["resources"] for rule in rules)


@pytest.mark.parametrize("name", NAMES)
def test_sidecarsets_have_the_same_result_as_render(name: str, tmp_path: Path) -> None:
    webhooks = program("sidecarset")
    found = exported("sidecarset", name, tmp_path, ())
    if isinstance(found, str):
        assert name not in IN_SIDECARSETS, found
        return
    assert name in IN_SIDECARSETS
    pods = {kind: pod_of(kind, name) for kind in ("Deployment", "Job")}
    given = json.dumps({"sidecarSets": found, "pods": list(pods.values())})
    done = subprocess.run([webhooks], input=given, capture_output=True, text=True, check=True)
    out = json.loads(done.stdout)
    assert out["problems"] == []
    for (kind, before), after in zip(pods.items(), out["pods"]):
        wanted = policies.render(policies.workload(kind, name), name, tmp_path)
        expected = before if isinstance(wanted, str) else policies.template(wanted, kind)
        assert list(policies.differences(of_pod(after, name), of_pod(expected, name))) == [], kind


def pod_of(kind: str, name: str) -> dict[str, Any]:
    """Return the Pod that a controller creates from the template of a workload."""
    template = policies.template(policies.workload(kind, name), kind)
    metadata = {"name": "web-x7k2p", "namespace": "default", **template["metadata"]}
    if kind == "Job":
        metadata["labels"] = {**metadata["labels"], "batch.kubernetes.io/job-name": "web", "job-name": "web"}
    found: dict[str, Any] = json.loads(json.dumps({**template, "metadata": metadata}))
    return {"apiVersion": "v1", "kind": "Pod", **found}


def of_pod(pod: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what a sidecar adds to a Pod, without what OpenKruise adds for itself, and in the order of names."""
    found = policies.comparable({"kind": "Pod", **pod}, name)
    spec = found["spec"]
    added: dict[str, Any] = {
        field: {one["name"]: without_env(one) for one in spec.get(field, ())}
        for field in ("initContainers", "containers", "volumes")
    }
    annotations = found["metadata"]["annotations"].items()
    return {**added, "annotations": {key: value for key, value in annotations if not key.startswith(KRUISE_ANNOTATION)}}


def without_env(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container without the variables of OpenKruise."""
    env = [one for one in item.get("env", ()) if one["name"] != KRUISE_ENV]
    return {**{key: value for key, value in item.items() if key != "env"}, **({"env": env} if env else {})}
