"""The files of a new sidecar that has nothing to start from but an image: small, complete, and fit to be changed."""

from __future__ import annotations

from sidecarctl.library.sidecar import DEFAULT_TEMPLATES

ENGINES = tuple(DEFAULT_TEMPLATES)
IMAGE = "registry.example/{name}:1.0.0"

_METADATA = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata:
  name: {name}
  version: 0.1.0
  summary: Runs {name} beside the app.
  description: |
    Say here what {name} does, and what the app has to do for it.
spec:
  engine: {engine}
  # auto: native where Kubernetes knows it, else classic. init: it runs to its end before the app starts.
  mode: auto
  # Printed by `sidecarctl show`: what a user might expect, and it does not do.
  doesNot: []
{more}  parameters:
    additionalProperties: false
    properties:
      directory:
        type: string
        pattern: ^/
        default: /var/lib/{name}
        description: Directory that the app and {name} share.
"""

_JINJA = """\
{{# Renders a fragment; `sidecarctl schema fragment` says what may stand in it. #}}
containers:
- name: {{{{ instance }}}}
  image: {image}
  env:
  - name: DIRECTORY
    value: {{{{ params.directory | quote }}}}
  resources:
    requests: {{cpu: 10m, memory: 32Mi}}
    limits: {{cpu: 100m, memory: 64Mi}}
  volumeMounts:
  - name: {{{{ instance }}}}-shared
    mountPath: {{{{ params.directory | quote }}}}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {{drop: [ALL]}}
    seccompProfile: {{type: RuntimeDefault}}
volumes:
- name: {{{{ instance }}}}-shared
  emptyDir: {{sizeLimit: 64Mi}}
app:
  volumeMounts:
  - name: {{{{ instance }}}}-shared
    mountPath: {{{{ params.directory | quote }}}}
"""

_PLAIN = """\
# A fragment; `sidecarctl schema fragment` says what may stand in it. What parameters change, spec.substitutions names.
containers:
- name: {name}
  image: {image}
  env:
  - name: DIRECTORY
    value: ""
  resources:
    requests: {{cpu: 10m, memory: 32Mi}}
    limits: {{cpu: 100m, memory: 64Mi}}
  volumeMounts:
  - name: {name}-shared
    mountPath: ""
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {{drop: [ALL]}}
    seccompProfile: {{type: RuntimeDefault}}
volumes:
- name: {name}-shared
  emptyDir: {{sizeLimit: 64Mi}}
app:
  volumeMounts:
  - name: {name}-shared
    mountPath: ""
"""

_SUBSTITUTIONS = """\
  substitutions:
  - {{path: "containers[0].name", input: instance}}
  - {{path: "containers[0].env[DIRECTORY].value", parameter: directory}}
  - {{path: "containers[0].volumeMounts[0].mountPath", parameter: directory}}
  - {{path: "app.volumeMounts[0].mountPath", parameter: directory}}
"""

_KCL = """\
# Renders a fragment; `sidecarctl schema fragment` says what may stand in it.
_input = option("input")
_params = _input.params
_shared = {{
    name = _input.instance + "-shared"
    mountPath = _params.directory
}}

containers = [{{
    name = _input.instance
    image = "{image}"
    env = [{{name = "DIRECTORY", value = _params.directory}}]
    resources = {{
        requests = {{cpu = "10m", memory = "32Mi"}}
        limits = {{cpu = "100m", memory = "64Mi"}}
    }}
    volumeMounts = [_shared]
    securityContext = {{
        runAsNonRoot = True
        runAsUser = 65532
        runAsGroup = 65532
        allowPrivilegeEscalation = False
        readOnlyRootFilesystem = True
        capabilities = {{drop = ["ALL"]}}
        seccompProfile = {{type = "RuntimeDefault"}}
    }}
}}]
volumes = [{{name = _shared.name, emptyDir = {{sizeLimit = "64Mi"}}}}]
app = {{volumeMounts = [_shared]}}
"""

_TEMPLATES = {"jinja": _JINJA, "plain": _PLAIN, "kcl": _KCL}
_PARAMETERS = "directory: /srv/shared\n"


def files(name: str, engine: str, image: str, manifest: str) -> dict[str, str]:
    """Return the texts of a new sidecar's files, by their paths in its folder; `manifest` is its case's input."""
    words = {"name": name, "engine": engine, "image": image}
    more = _SUBSTITUTIONS.format(**words) if engine == "plain" else ""
    return {
        "sidecar.yaml": _METADATA.format(**words, more=more),
        DEFAULT_TEMPLATES[engine]: _TEMPLATES[engine].format(**words),
        "tests/deployment/input.yaml": manifest,
        "tests/deployment/parameters.yaml": _PARAMETERS,
    }
