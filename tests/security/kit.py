"""A hostile library and a manifest, as input for the real command."""

from __future__ import annotations

from pathlib import Path

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: nginx:1.27
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {{name: mine, version: 1.0.0, summary: {summary}}}
spec:
  engine: {engine}
  parameters:
    additionalProperties: false
    properties: {properties}
"""
CONTAINER = (
    "containers:\n- name: mine\n  image: x:1\n  env: [{name: T, value: {{ params.token | default('none') | quote }}}]\n"
)


def library(
    cwd: Path,
    template: str = CONTAINER,
    properties: str = "{token: {type: string, writeOnly: true, maxLength: 12}}",
    engine: str = "jinja",
    summary: str = "A test.",
) -> Path:
    """Write a manifest and a library with the sidecar `mine`. Return the sidecar's directory."""
    (cwd / "web.yaml").write_text(POD)
    entry = cwd / "lib" / "mine"
    entry.mkdir(parents=True, exist_ok=True)
    (entry / "sidecar.yaml").write_text(SIDECAR.format(summary=summary, engine=engine, properties=properties))
    name = {"jinja": "template.yaml.j2", "kcl": "template.k", "plain": "template.yaml"}[engine]
    (entry / name).write_text(template)
    return entry


ADD = "sidecarctl add mine --library lib -f web.yaml"
