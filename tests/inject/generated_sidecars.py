"""Generates a sidecar in two versions that differ at random, as a library on disk."""

from __future__ import annotations

import copy
from pathlib import Path
from random import Random
from typing import Any

import yaml

WORDS = ("alpha", "beta", "gamma", "delta", "4317", "on", "30s")


def write_versions(directory: Path, rng: Random) -> None:
    """Write `helper@1.0.0` and `helper@2.0.0` to a library directory."""
    first = _fragment(rng)
    for version, fragment in (("1.0.0", first), ("2.0.0", _mutated(rng, first))):
        folder = directory / f"helper@{version}"
        folder.mkdir(parents=True)
        metadata = {"name": "helper", "version": version, "summary": "A generated sidecar."}
        value = {
            "apiVersion": "sidecarctl.dev/v1alpha1",
            "kind": "Sidecar",
            "metadata": metadata,
            "spec": {
                "engine": "plain",
                "substitutions": [{"path": "documents[0].metadata.name", "input": "companion"}],
            },
        }
        (folder / "sidecar.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
        (folder / "template.yaml").write_text(yaml.safe_dump(fragment, sort_keys=False))


def _fragment(rng: Random) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "helper",
        "image": f"registry.example/helper:{rng.randrange(9)}.0.0",
        "args": [f"--{word}={rng.choice(WORDS)}" for word in rng.sample(WORDS[:4], rng.randrange(1, 4))],
        "env": [{"name": f"E{i}", "value": rng.choice(WORDS)} for i in range(rng.randrange(3))],
        "ports": [{"name": f"p{i}", "containerPort": 9000 + i} for i in range(rng.randrange(3))],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "50m", "memory": "32Mi"}},
        "volumeMounts": [
            {"name": "helper-data", "mountPath": "/data"},
            {"name": "helper-config", "mountPath": "/config"},
        ],
    }
    if rng.random() < 0.5:
        container["readinessProbe"] = {"tcpSocket": {"port": 9000}, "periodSeconds": rng.randrange(2, 9)}
    return {
        "containers": [{key: value for key, value in container.items() if value}],
        "volumes": [
            {"name": "helper-data", "emptyDir": {"sizeLimit": f"{rng.randrange(1, 9)}Mi"}},
            {"name": "helper-config", "configMap": {"name": "COMPANION"}},
        ],
        "app": {
            "volumeMounts": [{"name": "helper-data", "mountPath": f"/srv/{rng.choice(WORDS[:4])}"}],
            "env": [{"name": f"HELPER{i}", "value": rng.choice(WORDS)} for i in range(rng.randrange(2))],
        },
        "pod": {"labels": {"helper.example/on": "yes"}} if rng.random() < 0.5 else {},
        "documents": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "COMPANION",
                    **_sample(rng, {"labels": {"tier": "a"}, "annotations": {"wave": "1"}}),
                },
                "data": {"helper.conf": "".join(f"line {i} {rng.choice(WORDS)}\n" for i in range(rng.randrange(2, 9)))},
            }
        ],
    }


def _sample(rng: Random, values: dict[str, Any]) -> dict[str, Any]:
    """Return each of the values or not."""
    return {key: value for key, value in values.items() if rng.random() < 0.5}


def _mutated(rng: Random, first: dict[str, Any]) -> dict[str, Any]:
    """Return the fragment with some fields changed, added, and removed."""
    fragment = copy.deepcopy(first)
    container, app = fragment["containers"][0], fragment["app"]
    metadata = fragment["documents"][0]["metadata"]
    changes = (
        lambda: metadata.update(labels={"tier": "b", "part": "c"}),
        lambda: metadata.pop("labels", None),
        lambda: metadata.pop("annotations", None),
        lambda: container.update(image="registry.example/helper:10.0.0"),
        lambda: container.update(args=[*container["args"], "--more"]),
        lambda: container["args"].__setitem__(0, "--changed"),
        lambda: container.update(env=[{"name": "NEW", "value": "1"}, *container.get("env", [])]),
        lambda: container.pop("env", None),
        lambda: container.pop("readinessProbe", None),
        lambda: container.update(livenessProbe={"tcpSocket": {"port": 9000}}),
        lambda: container["resources"]["limits"].update(memory="64Mi"),
        lambda: app["volumeMounts"][0].update(mountPath="/srv/moved"),
        lambda: app.update(env=[]),
        lambda: app["env"].append({"name": "HELPER9", "value": "9"}),
        lambda: fragment.update(pod={}),
        lambda: fragment["documents"][0]["data"].update({"helper.conf": "whole\nnew\ntext\n"}),
        lambda: fragment["documents"][0]["data"].update({"other.conf": "x: 1\n"}),
        lambda: fragment["volumes"].append({"name": "helper-tmp", "emptyDir": {"sizeLimit": "1Mi"}}),
    )
    for change in rng.sample(changes, rng.randrange(1, 7)):
        change()
    return fragment
