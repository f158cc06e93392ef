"""The pages of what is said about an entry of a library (`sidecarctl test`); the authoring room looks after them."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

_SIDECAR = """
    apiVersion: sidecarctl.dev/v1alpha1
    kind: Sidecar
    metadata:
      name: logger
      version: 1.0.0
      summary: Ships the app's log files.
"""
_CONTAINER = """
    containers:
    - name: logger
      image: registry.example/logger:{tag}
"""
_LIMITED = """\
      resources:
        requests: {cpu: 10m, memory: 32Mi}
        limits: {memory: 64Mi}
"""
_PINNED = _CONTAINER.format(tag="1.4.2")

declare(
    "template-fails",
    Severity.ERROR,
    layer="library",
    what="A template fails, or renders no fragment, wherever it is tried.",
    why="Nobody can use the sidecar.",
    bad="    containers:\n    - name: {{ instnce }}\n",
    good="    containers:\n    - name: {{ instance }}\n",
    fix="Put right what the finding says; it names the template's line.",
)
declare(
    "unpinned-image",
    Severity.ERROR,
    layer="library",
    what="A sidecar's image is not pinned to an exact version.",
    why="Tomorrow the same manifest runs something else.",
    bad=_CONTAINER.format(tag="latest"),
    good=_PINNED,
    fix="Write the whole version (:1.4.2), or a digest (@sha256:…).",
)
declare(
    "missing-resources",
    Severity.ERROR,
    layer="library",
    what="A sidecar's container has no requests or no limits.",
    why="""
        A sidecar runs in many pods: what it takes must be known and bounded. Without a memory limit, which is the
        error, it can take all memory of the node; requests are a warning, a cpu limit is only mentioned.
    """,
    bad=_PINNED,
    good=_PINNED + _LIMITED,
    fix="Set requests and limits; a user can change them with `--set resources.…`.",
)
declare(
    "undefined-volume",
    Severity.ERROR,
    layer="library",
    what="A sidecar mounts a volume that nobody defines, or defines one that nobody mounts.",
    why="The pod would be refused; a volume too many, which is a warning, is only in the way.",
    bad=_PINNED + "      volumeMounts:\n      - name: data\n        mountPath: /data\n",
    good=_PINNED
    + "      volumeMounts:\n      - name: data\n        mountPath: /data\n    volumes:\n    - name: data\n"
    + "      emptyDir: {sizeLimit: 1Gi}\n",
    fix="Add it to the fragment's volumes, or mount it.",
)
declare(
    "unbounded-volume",
    Severity.WARNING,
    layer="library",
    what="A sidecar's emptyDir has no sizeLimit.",
    why="It can fill the disk of the node, and all its pods suffer.",
    bad="    volumes:\n    - name: data\n      emptyDir: {}\n",
    good="    volumes:\n    - name: data\n      emptyDir: {sizeLimit: 1Gi}\n",
    fix="Set sizeLimit.",
)
declare(
    "pod-security-claim",
    Severity.ERROR,
    layer="library",
    what="A sidecar does not pass the Pod Security level that it says it passes.",
    why="""
        Who relies on it gets pods that are turned away. Without a claim the level is restricted.

        A claim of a lower level than it needs is only mentioned.
    """,
    bad=_SIDECAR + "    spec:\n      podSecurity: {level: restricted}\n",
    good=_SIDECAR + "    spec:\n      podSecurity: {level: privileged, reason: It reads the node's logs.}\n",
    fix="Put the containers right, or say so in spec.podSecurity with level and reason.",
)
declare(
    "probed-admin-port",
    Severity.ERROR,
    layer="library",
    what="A probe leads to a port which the sidecar says listens on localhost only.",
    why="The kubelet asks from outside the pod, so the probe always fails.",
    bad=_PINNED + "      readinessProbe:\n        httpGet: {path: /ready, port: 9901}\n",
    good=_PINNED + "      readinessProbe:\n        httpGet: {path: /ready, port: 9902}\n",
    fix="Probe a port that listens on all addresses.",
)
declare(
    "undeclared-parameter",
    Severity.ERROR,
    layer="library",
    what="A template uses a parameter that sidecar.yaml does not declare.",
    why="Nobody can set it, and Jinja stops where it is used.",
    bad="    env:\n    - name: LOG_DIR\n      value: {{ params.logdir }}\n",
    good="    env:\n    - name: LOG_DIR\n      value: {{ params.logDir }}\n",
    fix="Declare it in spec.parameters, or correct its name.",
)
declare(
    "unused-parameter",
    Severity.WARNING,
    layer="library",
    what="No template uses a parameter.",
    why="Who sets it thinks that it does something.",
    bad=_SIDECAR + "    spec:\n      parameters:\n        properties:\n          unused: {type: string}\n",
    good=_SIDECAR + "    spec:\n      parameters:\n        properties: {}\n",
    fix="Use it, or delete it.",
)
declare(
    "missing-description",
    Severity.WARNING,
    layer="library",
    what="A sidecar or one of its parameters has no description.",
    why="`sidecarctl show`, completion and error messages have nothing to say of it.",
    bad=_SIDECAR + "    spec:\n      parameters:\n        properties:\n          logDir: {type: string}\n",
    good=_SIDECAR
    + "    spec:\n      parameters:\n        properties:\n"
    + "          logDir: {type: string, description: Directory of the logs.}\n",
    fix="Add a description.",
)
declare(
    "missing-cases",
    Severity.WARNING,
    layer="library",
    what="A sidecar has no case.",
    why="Nobody notices when its template renders something else.",
    bad=_SIDECAR,
    good=_SIDECAR.replace("1.0.0", "1.0.0  # with tests/deployment/input.yaml and parameters.yaml"),
    fix="Create tests/<case>/input.yaml and parameters.yaml, then run `sidecarctl test --update`.",
)
