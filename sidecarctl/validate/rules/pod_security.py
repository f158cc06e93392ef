"""The rule `pod-security`: what the admission plugin would refuse at the level asked for. The checks are elsewhere."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.kube.versions import minor
from sidecarctl.validate.podsecurity.levels import PRIVILEGED, breaches, parse_version
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import PodView


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
