"""Exports of every shipped sidecar have the same result as render when Kyverno and OpenKruise apply them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import policies_on_server as policies
import pytest
import yaml

from sidecarctl.integrations.exports.sidecarset import WHITELIST
from tests.command import run
from tests.programs import environment, execute, program
from tests.shipped_library.manifests import NAMES

pytestmark = pytest.mark.e2e

# Sidecars whose rendering depends on the workload, which a policy does not know.
REFUSED = ("auto-instrumentation", "fluentd", "proxy")
# What OpenKruise adds to each container and Pod.
KRUISE_ENV = "IS_INJECTED"
KRUISE_ANNOTATION = "kruise.io/"
# Sidecars that add containers, and otherwise only volumes and annotations, which is what a SidecarSet can do.
IN_SIDECARSETS = ("haproxy", "metrics", "nginx-tls", "oauth2-proxy", "service-registrar")
# Fields that OpenKruise sets to the defaults of the API server.
DEFAULTED = (
    *("terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "protocol", "scheme", "path"),
    *("timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold", "defaultMode", "apiVersion"),
)


@dataclass(frozen=True)
class Exported:
    """The objects that an export writes, without companions, and its header; or why it is refused."""

    objects: tuple[dict[str, Any], ...] = ()
    header: str = ""
    refused: str = ""


def export(engine: str, name: str, folder: Path, kinds: tuple[str, ...] = (), mode: str = "native") -> Exported:
    """Return the export of a sidecar, for kinds or for all Pods. Writes its composition to the folder."""
    composition = yaml.safe_load(policies.composition(name, kinds))
    (rule,) = composition["spec"]["rules"]
    if not kinds:
        del rule["select"]["kinds"]
    if mode == "classic":
        rule["sidecars"][0]["mode"] = mode
    (folder / "sidecarctl.yaml").write_text(yaml.safe_dump(composition))
    done = run(f"sidecarctl export --to {engine} -c sidecarctl.yaml", folder)
    if done.code:
        return Exported(refused=done.stderr)
    objects = tuple(one for one in yaml.safe_load_all(done.stdout) if one and one["kind"] == KIND_OF[engine])
    return Exported(objects, done.stdout.partition("---\n")[0])


KIND_OF = {"kyverno": "MutatingPolicy", "sidecarset": "SidecarSet"}


@pytest.mark.parametrize("name", NAMES)
def test_kyverno_policies_have_the_same_result_as_render(name: str, tmp_path: Path) -> None:
    kyverno = program("kyverno")
    found = export("kyverno", name, tmp_path, tuple(policies.KINDS))
    assert bool(found.refused) is (name in REFUSED), found.refused
    if found.refused:
        return
    changed = 0
    for kind in policies.KINDS:
        document = json.loads(json.dumps(policies.workload(kind, name)))
        result = document
        for policy in found.objects:
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


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("name", NAMES)
def test_sidecarsets_have_the_same_result_as_render(name: str, mode: str, tmp_path: Path) -> None:
    webhooks = program("sidecarset")
    found = export("sidecarset", name, tmp_path, mode=mode)
    assert bool(found.refused) is (name not in IN_SIDECARSETS), found.refused
    if found.refused:
        return
    allowed = re.search(f"{WHITELIST}: '(.*)'", found.header)
    pods = {kind: pod_of(kind, name) for kind in ("Deployment", "Job")}
    given = {"sidecarSets": found.objects, "pods": [*pods.values()], "whitelist": allowed[1] if allowed else ""}
    done = subprocess.run([webhooks], input=json.dumps(given), capture_output=True, text=True, check=True)
    out = json.loads(done.stdout)
    assert out["problems"] == []
    for (kind, before), after in zip(pods.items(), out["pods"]):
        (tmp_path / "web.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(policies.workload(kind, name)))))
        rendered = run("sidecarctl render -c sidecarctl.yaml -f web.yaml --quiet", tmp_path)
        wanted = [one for one in yaml.safe_load_all(rendered.stdout) if one["kind"] == kind]
        expected = policies.template(wanted[0], kind) if rendered.code == 0 else before
        found_parts, expected_parts = (of_pod(one, name) for one in (after, expected))
        assert list(policies.differences(undefaulted(found_parts, expected_parts), expected_parts)) == [], kind


def undefaulted(found: Any, expected: Any) -> Any:
    """Return a value without the defaults that the expected value does not have."""
    if isinstance(found, dict) and isinstance(expected, dict):
        kept = {key: value for key, value in found.items() if key in expected or key not in DEFAULTED}
        return {key: undefaulted(value, expected.get(key)) for key, value in kept.items()}
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [undefaulted(one, two) for one, two in zip(found, expected)]
    return found


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
    """Return a container without the variables of OpenKruise, and without empty values, which are the default."""
    own = (one for one in item.get("env", ()) if one["name"] != KRUISE_ENV)
    env = [{key: value for key, value in one.items() if value != ""} for one in own]
    return {**{key: value for key, value in item.items() if key != "env"}, **({"env": env} if env else {})}
