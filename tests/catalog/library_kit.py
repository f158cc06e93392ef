"""Write library entries for tests, and template inputs of a workload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sidecarctl.catalog.render import Inputs

METADATA = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {{name: {name}, version: {version}, summary: A sidecar for tests.}}
spec:
{spec}"""
CONTAINER = "containers: [{name: a, image: b}]\n"
WEB = {
    "name": "web",
    "image": "nginx:1.27",
    "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
    "env": ["MODE"],
    "mounts": [],
}


def entry(library: Path, name: str = "agent", version: str = "1.0.0", folder: str = "", **files: str) -> Path:
    """Write a library entry. `spec` is the text below `spec:`; other keywords are templates by engine."""
    place = library / (folder or name)
    place.mkdir(parents=True, exist_ok=True)
    spec = files.pop("spec", "  engine: jinja\n")
    (place / "sidecar.yaml").write_text(METADATA.format(name=name, version=version, spec=spec), encoding="utf-8")
    names = {"jinja": "template.yaml.j2", "kcl": "template.k", "plain": "template.yaml"}
    for key, text in (files or {"jinja": CONTAINER}).items():
        (place / names.get(key, key)).write_text(text, encoding="utf-8")
    return place


def inputs(name: str = "web", **changes: Any) -> Inputs:
    """Return the template inputs of a Deployment."""
    workload = {"kind": "Deployment", "name": name, "namespace": "prod", "labels": {"app": "web"}, "annotations": {}}
    given: dict[str, Any] = {
        "instance": "agent",
        "companion": f"{name}-agent",
        "workload": workload,
        "targets": [WEB],
        "containers": [WEB],
        "kube_version": "1.34",
        "mode": "native",
    }
    return Inputs(**{**given, **changes})
