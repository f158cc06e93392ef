"""Rules about what a sidecar, which runs beside many apps, should not need: images that change, rights, a writable root."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import minor
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.podsecurity.levels import PRIVILEGED, breaches, parse_version
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_SIDECARS = ("sidecar", "classic")
# With one of these a container can take over its node.
_MIGHTY = ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF")


@rule(
    "floating-image",
    Severity.INFO,
    layer="advice",
    scope="container",
    roles=("app", "init", *_SIDECARS),
    fix="Name an exact version, or a digest (@sha256:…).",
)
def floating_image(container: ContainerView, ctx: Context) -> Problems:
    """An image has no tag, or the tag latest.

    Tomorrow the same manifest may run something else, and two replicas may differ. It is a warning for a sidecar, whose
    image nobody who deploys the app looks after.
    """
    reference = container.value.get("image")
    if not reference or not isinstance(reference, str) or "$" in reference or "{" in reference:
        return
    if names.parse_image(reference.strip()).floating:
        severity = Severity.WARNING if container.role in _SIDECARS else None
        message = f"{quote(reference)} does not say which version"
        yield problem(container.at("image"), message, severity=severity)


@rule(
    "writable-root-fs",
    Severity.INFO,
    layer="advice",
    scope="container",
    roles=_SIDECARS,
    fix="Set readOnlyRootFilesystem: true, with emptyDirs where it has to write.",
)
def writable_root_fs(container: ContainerView, ctx: Context) -> Problems:
    """A sidecar can write to its own image's files.

    Whoever breaks into it can change its programs; and what it writes there fills the disk of the node unbounded.
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
    fix="Remove it, and add the one capability that is needed.",
)
def privileged_sidecar(container: ContainerView, ctx: Context) -> Problems:
    """A sidecar has the rights of its node.

    It is privileged, or adds a capability that comes to the same. It runs beside many apps: whoever breaks into one of
    them is a step away from all of the node.
    """
    context = container.value.get("securityContext")
    if not context or not isinstance(context, dict):
        return
    if context.get("privileged") is True:
        yield problem(container.at("securityContext", "privileged"), "the sidecar is privileged")
    for index, name in enumerate(as_list(as_mapping(context.get("capabilities")).get("add"))):
        if name in _MIGHTY:
            path = container.at("securityContext", "capabilities", "add", index)
            yield problem(path, f"the sidecar adds the capability {name}, which is as good as privileged")


@rule(
    "pod-security",
    Severity.ERROR,
    layer="advice",
    fix="Meet the level, or let the pod run in a namespace of a lower one.",
    given=Context(pod_security="restricted"),
)
def pod_security(pod: PodView, ctx: Context) -> Problems:
    """A pod does what its level of Pod Security does not allow.

    A namespace with that level turns the pod away; a Deployment is taken, and its pods never appear.

    Nothing is checked unless `--pod-security baseline` or `restricted` is given. The version of the standard is the
    target's unless one is given: `--pod-security restricted:v1.30`. All containers are judged alike: init containers, native
    sidecars and ephemeral containers too.
    """
    if ctx.pod_security == PRIVILEGED:
        return
    # A server knows no newer standard than its own.
    version = min(parse_version(ctx.pod_security_version), minor(ctx.kube_version))
    for check, breach in breaches(pod, ctx.pod_security, version):
        yield problem(breach.path, f"{breach.text} (Pod Security {check.level}: {check.id})", help=check.fix)
