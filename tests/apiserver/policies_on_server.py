"""Install exported MutatingAdmissionPolicies in a real API server, and compare their results with those of `render`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from apiserver import Server

from sidecarctl.authoring import test_cases
from tests.command import run
from tests.shipped_library.manifests import NAMES, sidecars

RECORD = "sidecarctl.dev/sidecars"
JOBS = ("Job", "CronJob")
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Pod": ("v1", ()),
    "PodTemplate": ("v1", ("template",)),
    "ReplicationController": ("v1", ("spec", "template")),
    "Deployment": ("apps/v1", ("spec", "template")),
    "ReplicaSet": ("apps/v1", ("spec", "template")),
    "StatefulSet": ("apps/v1", ("spec", "template")),
    "DaemonSet": ("apps/v1", ("spec", "template")),
    "Job": ("batch/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
}
_INSTALL_SECONDS = 30
_TOKEN = "kube-api-access"
# Parameters that by default depend on the workload, which a policy does not know.
FIXED: Mapping[str, Mapping[str, Any]] = {
    "dapr": {"appId": "web"},
    "otel-collector": {"serviceName": "web"},
    "service-registrar": {"service": "web", "port": 8080},
    **{name: {"upstreamPort": 8080} for name in ("haproxy", "nginx-tls", "oauth2-proxy", "proxy")},
}


@dataclass(frozen=True)
class Export:
    """The export of one sidecar: the objects of its policies, or why there are none."""

    objects: tuple[dict[str, Any], ...] = ()
    refused: str = ""
    header: str = ""


def workload(kind: str, sidecar: str, containers: int = 2) -> dict[str, Any]:
    """Return a workload of a kind with several containers, of which the last one is the default."""
    api_version, steps = KINDS[kind]
    labels = {"app": "web", "sidecar": sidecar}
    apps: list[dict[str, Any]] = [
        {"name": f"app{index}", "image": "registry.example/app:1"} for index in range(containers)
    ]
    apps[-1] |= {"env": [{"name": "MODE", "value": "fast"}], "volumeMounts": [{"name": "own", "mountPath": "/own"}]}
    metadata: dict[str, Any] = {
        "labels": labels,
        "annotations": {"kubectl.kubernetes.io/default-container": apps[-1]["name"]},
    }
    pod: dict[str, Any] = {
        "initContainers": [{"name": "setup", "image": "registry.example/setup:1"}],
        "containers": apps,
        "volumes": [{"name": "own", "emptyDir": {}}],
    }
    if kind in JOBS:
        pod["restartPolicy"] = "Never"
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "web", **metadata}, "spec": pod}
    value: Any = {"metadata": metadata, "spec": pod}
    for step in reversed(steps):
        value = {step: value}
    selector = labels if kind == "ReplicationController" else {"matchLabels": {"app": "web"}}
    if kind not in (*JOBS, "PodTemplate"):
        value["spec"]["selector"] = selector
    if kind == "CronJob":
        value["spec"]["schedule"] = "0 3 * * *"
    if kind == "StatefulSet":
        value["spec"]["serviceName"] = "web"
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **value}


def composition(sidecar: str, kinds: tuple[str, ...]) -> str:
    """Return a composition with a rule that adds a sidecar to workloads with its label."""
    given = {**test_cases.run_example(sidecars()[sidecar]).trial.given, **FIXED.get(sidecar, {})}
    rule = {"name": sidecar, "select": {"labels": {"sidecar": sidecar}, "kinds": list(kinds)}}
    return yaml.safe_dump(
        {
            "apiVersion": "sidecarctl.dev/v1alpha1",
            "kind": "Composition",
            "metadata": {"name": f"policy-{sidecar}"},
            "spec": {"kubeVersion": "1.37", "rules": [{**rule, "sidecars": [{"name": sidecar, "parameters": given}]}]},
        }
    )


def export(sidecar: str, folder: Path) -> Export:
    """Return the export of a sidecar for all kinds."""
    (folder / "sidecarctl.yaml").write_text(composition(sidecar, tuple(KINDS)))
    done = run("sidecarctl export --to mutatingadmissionpolicy -c sidecarctl.yaml", folder)
    if done.code:
        return Export(refused=done.stderr)
    objects = tuple(one for one in yaml.safe_load_all(done.stdout) if one and "admission" in one["apiVersion"])
    return Export(objects, "", done.stdout.partition("---")[0])


def render(document: Mapping[str, Any], sidecar: str, folder: Path) -> dict[str, Any] | str:
    """Return the document that `render` writes, or the errors."""
    (folder / "sidecarctl.yaml").write_text(composition(sidecar, (str(document["kind"]),)))
    (folder / "web.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(document))))
    done = run("sidecarctl render -c sidecarctl.yaml -f web.yaml --quiet", folder)
    if done.code:
        return done.stderr
    found: dict[str, Any] = next(one for one in yaml.safe_load_all(done.stdout) if one["kind"] == document["kind"])
    return found


def install(server: Server, exports: Mapping[str, Export]) -> None:
    """Create the policies of all sidecars, and wait until the server applies them."""
    for found in exports.values():
        for one in found.objects:
            answer = server.create(one, dry_run=False)
            assert answer.accepted, answer.message
    waiting = {name for name, found in exports.items() if found.objects}
    until = time.monotonic() + _INSTALL_SECONDS
    while waiting and time.monotonic() < until:
        waiting = {name for name in waiting if not _is_changed(server, name)}
        time.sleep(0.2)
    assert not waiting, waiting


def _is_changed(server: Server, sidecar: str) -> bool:
    document = workload("Deployment", sidecar)
    before, after = (template(each, "Deployment") for each in (document, server.create(document).body))
    names = [each["name"] for field in ("initContainers", "containers") for each in after["spec"].get(field, ())]
    return (
        len(names) > 3
        or after["metadata"]["annotations"] != before["metadata"]["annotations"]
        or (after["metadata"]["labels"] != before["metadata"]["labels"])
    )


def template(document: Mapping[str, Any], kind: str) -> Any:
    """Return the pod template of a document, the Pod itself for a Pod."""
    value: Any = document
    for step in KINDS[kind][1]:
        value = value[step]
    return value


def comparable(document: Mapping[str, Any], sidecar: str) -> Any:
    """Return the pod template without what differs by design: the record, names of companions, and generated values."""
    kind = str(document["kind"])
    found = json.loads(re.sub(rf'"(policy-{sidecar}|web)-', '"', json.dumps(template(document, kind))))
    metadata = found["metadata"]
    kept = {key: dict(metadata.get(key) or {}) for key in ("labels", "annotations")}
    kept["annotations"].pop(RECORD, None)
    kept["labels"] = {
        key: value for key, value in kept["labels"].items() if not key.endswith(("controller-uid", "job-name"))
    }
    spec = _without_token(found["spec"])
    return {"metadata": kept, "spec": spec}


def _without_token(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a pod spec with its token volume and its mounts last: admission adds them before a policy changes a Pod."""
    found: dict[str, Any] = json.loads(re.sub(rf"{_TOKEN}-[a-z0-9]{{5}}", _TOKEN, json.dumps(spec)))
    containers = [*found.get("initContainers", ()), *found["containers"]]
    for holder, field in ((found, "volumes"), *((one, "volumeMounts") for one in containers)):
        if field in holder:
            holder[field].sort(key=lambda item: item["name"] == _TOKEN)
    return found


def differences(one: Any, two: Any, path: str = "") -> Iterator[str]:
    """Yield the places where two values differ."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted(one.keys() | two.keys()):
            yield from differences(one.get(key), two.get(key), f"{path}.{key}")
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        for index, (first, second) in enumerate(zip(one, two)):
            yield from differences(first, second, f"{path}[{index}]")
    elif one != two:
        yield f"{path}: {json.dumps(one)[:160]} != {json.dumps(two)[:160]}"


def exports(folder: Path) -> dict[str, Export]:
    """Return the exports of all shipped sidecars."""
    return {name: export(name, folder) for name in NAMES}


def differences_from_render(server: Server, kind: str, sidecar: str, folder: Path) -> Iterator[str]:
    """Yield where the object that the policies change differs from the one that `render` writes, after defaulting."""
    document = workload(kind, sidecar)
    changed, wanted = server.create(document), render(document, sidecar, folder)
    if not changed.accepted:
        yield f"the policy is refused: {changed.message}"
    elif isinstance(wanted, str):
        # A sidecar that `render` refuses is not added by a policy either.
        wanted_body = server.create(without_label(document)).body
        yield from differences(
            _unlabeled(comparable(changed.body, sidecar)), _unlabeled(comparable(wanted_body, sidecar))
        )
    else:
        yield from differences(comparable(changed.body, sidecar), comparable(server.create(wanted).body, sidecar))


def without_label(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workload that no policy selects."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    template(found, str(found["kind"]))["metadata"]["labels"]["sidecar"] = "none"
    if found["kind"] == "ReplicationController":
        found["spec"]["selector"]["sidecar"] = "none"
    return found


def _unlabeled(found: dict[str, Any]) -> dict[str, Any]:
    found["metadata"]["labels"].pop("sidecar", None)
    return found
