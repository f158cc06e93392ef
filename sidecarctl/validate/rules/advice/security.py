"""Rules about image tags, privileges, writable root filesystems, and Pod Security levels."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import minor
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.pod_security import PRIVILEGED, find_violations, parse_version
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_SIDECARS = ("sidecar", "classic")
# A container with one of these capabilities can take over its node.
_NODE_CAPABILITIES = ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF")


@rule(
    "floating-image",
    Severity.INFO,
    layer="advice",
    scope="container",
    roles=("app", "init"),
    on=False,
    fix="Use an exact version tag or a digest (@sha256:…).",
)
def floating_image(container: ContainerView, ctx: Context) -> Problems:
    """The image of an app or init container has no tag or the tag latest.

    The same manifest can run different versions over time, even in two replicas at once.
    """
    yield from _floating(container)


@rule(
    "floating-sidecar-image",
    Severity.WARNING,
    layer="advice",
    scope="container",
    roles=_SIDECARS,
    fix="Use an exact version tag or a digest (@sha256:…).",
)
def floating_sidecar_image(container: ContainerView, ctx: Context) -> Problems:
    """The image of a sidecar has no tag or the tag latest.

    The same manifest can run different versions over time, even in two replicas at once, and the app team rarely
    watches the images of sidecars.
    """
    yield from _floating(container)


def _floating(container: ContainerView) -> Problems:
    reference = container.value.get("image")
    if not reference or not isinstance(reference, str) or "$" in reference or "{" in reference:
        return
    if names.parse_image(reference.strip()).floating:
        yield problem(container.at("image"), f"image {quote(reference)} has no version tag or digest")


@rule(
    "writable-root-fs",
    Severity.INFO,
    layer="advice",
    scope="container",
    roles=_SIDECARS,
    fix="Set readOnlyRootFilesystem: true, and mount an emptyDir where the sidecar writes.",
)
def writable_root_fs(container: ContainerView, ctx: Context) -> Problems:
    """A sidecar has a writable root filesystem.

    An attacker who breaks into the sidecar can change its programs. Files that the sidecar writes there use node disk
    space without a limit.
    """
    context = container.value.get("securityContext")
    if as_mapping(context).get("readOnlyRootFilesystem") is not True and container.pod.get("os", "name") != "windows":
        yield problem(container.at("securityContext", "readOnlyRootFilesystem"), "readOnlyRootFilesystem is not true")


@rule(
    "privileged-sidecar",
    Severity.WARNING,
    layer="advice",
    scope="container",
    roles=_SIDECARS,
    fix="Remove it, and add only the capability that the sidecar needs.",
)
def privileged_sidecar(container: ContainerView, ctx: Context) -> Problems:
    """A sidecar is privileged or adds a capability that is equivalent to it.

    Such a sidecar can take over its node. Because it runs beside many apps, an attacker who reaches the sidecar through
    one of them controls the whole node.
    """
    context = container.value.get("securityContext")
    if not context or not isinstance(context, dict):
        return
    if context.get("privileged") is True:
        yield problem(container.at("securityContext", "privileged"), "privileged sidecar")
    for index, name in enumerate(as_list(as_mapping(context.get("capabilities")).get("add"))):
        if name in _NODE_CAPABILITIES:
            path = container.at("securityContext", "capabilities", "add", index)
            yield problem(path, f"capability {name} gives the sidecar control of the node")


@rule(
    "pod-security",
    Severity.ERROR,
    layer="advice",
    fix="Change the pod to meet the level, or use a namespace with a lower level.",
    given=Context(pod_security="restricted"),
)
def pod_security(pod: PodView, ctx: Context) -> Problems:
    """A pod violates the required Pod Security level.

    A namespace that enforces the level rejects the pod. A Deployment is accepted, but its pods are never created.

    This rule runs only with `--pod-security baseline` or `--pod-security restricted`. The version of the standard is
    the target Kubernetes version unless you set one: `--pod-security restricted:v1.30`. The rule checks all containers:
    app, init, and ephemeral containers, and sidecars.
    """
    if ctx.pod_security == PRIVILEGED:
        return
    # An API server has no standard newer than itself.
    version = min(parse_version(ctx.pod_security_version), minor(ctx.kube_version))
    for check, breach in find_violations(pod, ctx.pod_security, version):
        yield problem(breach.path, f"{breach.text} (Pod Security {check.level}: {check.id})", help=check.fix)
