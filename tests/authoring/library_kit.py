"""Write library entries for tests and run commands on them."""

from __future__ import annotations

from pathlib import Path

from tests.command import Outcome, run

METADATA = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata:
  name: {name}
  version: {version}
  summary: {summary}
  description: It is there for tests.
spec:
{spec}"""

TEMPLATE = """\
containers:
- name: {{ instance }}
  image: registry.example/agent:1.0.0
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {cpu: 50m, memory: 32Mi}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
"""

INPUT = """\
apiVersion: v1
kind: Pod
metadata: {name: shop}
spec:
  containers:
  - {name: shop, image: "registry.example/shop:1.0.0"}
"""


def entry(
    library: Path,
    name: str = "agent",
    *,
    version: str = "1.0.0",
    summary: str = "Runs beside the app.",
    spec: str = "  engine: jinja\n",
    template: str = TEMPLATE,
    folder: str = "",
    **files: str,
) -> Path:
    """Write an entry with additional files by path, and return its directory."""
    home = library / (folder or name)
    texts = {
        "sidecar.yaml": METADATA.format(name=name, version=version, summary=summary, spec=spec),
        "template.yaml.j2": template,
        **files,
    }
    for path, text in texts.items():
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return home


def command(words: str, folder: Path, **env: str) -> Outcome:
    """Run `sidecarctl <words>` in a directory, 80 columns wide."""
    return run(f"sidecarctl {words}", folder, env={"COLUMNS": "80", **env})
