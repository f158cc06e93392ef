"""Pages of the rules of libraries, which `sidecarctl test` reports."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

declare(
    "template-failure",
    Severity.ERROR,
    layer="library",
    what="A template fails, or renders no valid fragment.",
    why="The sidecar cannot be added to any workload.",
    fix="Correct the template at the line that the finding names.",
)
declare(
    "unpinned-image",
    Severity.ERROR,
    layer="library",
    what="A sidecar image is not pinned to an exact version.",
    why="The same manifest can run different versions over time.",
    fix="Use a full version tag (:1.4.2) or a digest (@sha256:…).",
)
declare(
    "missing-resources",
    Severity.ERROR,
    layer="library",
    what="A sidecar container has no requests or no limits.",
    why="""
        A sidecar runs in many pods, so its resources must be known and limited. A missing memory limit is an error,
        because the sidecar can use all memory of the node. Missing requests are a warning, and a missing CPU limit is
        an info.
    """,
    fix="Set requests and limits. Users can change them with `--set resources.…`.",
)
declare(
    "undefined-volume",
    Severity.ERROR,
    layer="library",
    what="A sidecar mounts a volume that its fragment does not define, or defines a volume that it does not mount.",
    why="The API server rejects a pod that mounts an undefined volume. An unused volume is a warning.",
    fix="Add the volume to the fragment, or mount it.",
)
declare(
    "unbounded-volume",
    Severity.WARNING,
    layer="library",
    what="An emptyDir volume of a sidecar has no sizeLimit.",
    why="The volume can fill the disk of the node and affect all its pods.",
    fix="Set emptyDir.sizeLimit.",
)
declare(
    "pod-security-claim",
    Severity.ERROR,
    layer="library",
    what="A sidecar does not meet the Pod Security level that it declares.",
    why="""
        Namespaces that enforce the level reject the pods. A sidecar that declares no level must meet restricted.

        A declared level lower than necessary is an info.
    """,
    fix="Change the containers to meet the level, or set level and reason in spec.podSecurity.",
)
declare(
    "probed-admin-port",
    Severity.ERROR,
    layer="library",
    what="A probe uses an admin port, which the sidecar binds to localhost.",
    why="The kubelet connects to the IP address of the pod, so the probe always fails.",
    fix="Probe a port that listens on all addresses.",
)
declare(
    "undeclared-parameter",
    Severity.ERROR,
    layer="library",
    what="A template uses a parameter that sidecar.yaml does not declare.",
    why="Users cannot set the parameter, and rendering fails where the template uses it.",
    fix="Declare the parameter in spec.parameters, or correct its name.",
)
declare(
    "unused-parameter",
    Severity.WARNING,
    layer="library",
    what="No template uses a declared parameter.",
    why="Setting the parameter has no effect.",
    fix="Use the parameter in a template, or remove it.",
)
declare(
    "missing-description",
    Severity.WARNING,
    layer="library",
    what="A sidecar or one of its parameters has no description.",
    why="`sidecarctl show`, shell completion, and error messages print the description.",
    fix="Add a description.",
)
declare(
    "missing-changelog-entry",
    Severity.WARNING,
    layer="library",
    what="The changelog of a sidecar has no entry for its version.",
    why="""
        `sidecarctl upgrade` prints the entries of the new versions.

        A sidecar without CHANGELOG.md is not reported.
    """,
    fix="Add a heading with the version and its date to CHANGELOG.md, and list the changes below it.",
)
declare(
    "invalid-renamed-parameter",
    Severity.ERROR,
    layer="library",
    what="A renamed parameter is still declared under its former name, or its new name is not declared.",
    why="`sidecarctl upgrade` sets values that were recorded under the former name under the new one.",
    fix="In spec.parameters, declare only the new name.",
)
declare(
    "missing-tests",
    Severity.WARNING,
    layer="library",
    what="A sidecar has no test cases.",
    why="Changes to the rendered output go unnoticed.",
    fix="Create tests/<case>/input.yaml and parameters.yaml, then run `sidecarctl test --update`.",
)
