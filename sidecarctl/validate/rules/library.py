"""The pages of what is said about an entry of a library (`sidecarctl test`); the authoring room looks after them."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

declare(
    "template-fails",
    Severity.ERROR,
    layer="library",
    what="A template fails, or renders no fragment, wherever it is tried.",
    why="Nobody can use the sidecar.",
    fix="Put right what the finding says; it names the template's line.",
)
declare(
    "unpinned-image",
    Severity.ERROR,
    layer="library",
    what="A sidecar's image is not pinned to an exact version.",
    why="Tomorrow the same manifest runs something else.",
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
    fix="Set requests and limits; a user can change them with `--set resources.…`.",
)
declare(
    "undefined-volume",
    Severity.ERROR,
    layer="library",
    what="A sidecar mounts a volume that nobody defines, or defines one that nobody mounts.",
    why="The pod would be refused; a volume too many, which is a warning, is only in the way.",
    fix="Add it to the fragment's volumes, or mount it.",
)
declare(
    "unbounded-volume",
    Severity.WARNING,
    layer="library",
    what="A sidecar's emptyDir has no sizeLimit.",
    why="It can fill the disk of the node, and all its pods suffer.",
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
    fix="Put the containers right, or say so in spec.podSecurity with level and reason.",
)
declare(
    "probed-admin-port",
    Severity.ERROR,
    layer="library",
    what="A probe leads to a port which the sidecar says listens on localhost only.",
    why="The kubelet asks from outside the pod, so the probe always fails.",
    fix="Probe a port that listens on all addresses.",
)
declare(
    "undeclared-parameter",
    Severity.ERROR,
    layer="library",
    what="A template uses a parameter that sidecar.yaml does not declare.",
    why="Nobody can set it, and Jinja stops where it is used.",
    fix="Declare it in spec.parameters, or correct its name.",
)
declare(
    "unused-parameter",
    Severity.WARNING,
    layer="library",
    what="No template uses a parameter.",
    why="Who sets it thinks that it does something.",
    fix="Use it, or delete it.",
)
declare(
    "missing-description",
    Severity.WARNING,
    layer="library",
    what="A sidecar or one of its parameters has no description.",
    why="`sidecarctl show`, completion and error messages have nothing to say of it.",
    fix="Add a description.",
)
declare(
    "missing-cases",
    Severity.WARNING,
    layer="library",
    what="A sidecar has no case.",
    why="Nobody notices when its template renders something else.",
    fix="Create tests/<case>/input.yaml and parameters.yaml, then run `sidecarctl test --update`.",
)
