"""The levels of Pod Security as a table: which checks, in which versions of the standard, and which they replace.

The table is that of Kubernetes' own admission plugin (k8s.io/pod-security-admission, policy): its ids, its levels, its
history. A check's newest version that is not newer than the standard's version asked for is the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.kube.versions import NEWEST_MINOR
from sidecarctl.lazily import dataclass
from sidecarctl.validate.podsecurity import baseline as base
from sidecarctl.validate.podsecurity import restricted as strict
from sidecarctl.validate.podsecurity.reading import Breach, Judge, except_where, in_user_namespace, on_windows
from sidecarctl.validate.views import PodView

PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
LATEST = "latest"


@dataclass(frozen=True)
class Check:
    """A check of a level.

    id        its name in the admission plugin
    versions  since which minor version of the standard which function judges; the first may be absent before
    fix       what to do about a breach
    replaces  the check of baseline that need not run beside it
    """

    id: str
    level: str
    versions: tuple[tuple[int, Judge], ...]
    fix: str
    replaces: str = ""

    def judge(self, minor: int) -> Judge | None:
        """Return what judges in a version of the standard, None where the check did not exist yet."""
        return next((judge for since, judge in reversed(self.versions) if since <= minor), None)


_SAFE_SYSCTLS = tuple(
    (since, base.sysctls(names))
    for since, names in (
        (0, base.SYSCTLS_1_0),
        (27, base.SYSCTLS_1_27),
        (29, base.SYSCTLS_1_29),
        (32, base.SYSCTLS_1_32),
        (37, base.SYSCTLS_1_37),
    )
)
_SELINUX_TYPES = ((0, base.selinux(base.SELINUX_1_0)), (31, base.selinux(base.SELINUX_1_31)))
_DROP_ALL = "Set capabilities.drop: [ALL] and add at most NET_BIND_SERVICE."
_SECCOMP = "Set seccompProfile: {type: RuntimeDefault} in the securityContext of the pod or the container."

CHECKS: tuple[Check, ...] = (
    Check(
        "appArmorProfile",
        BASELINE,
        ((0, base.app_armor),),
        "Use RuntimeDefault or Localhost, or leave the profile out.",
    ),
    Check(
        "capabilities_baseline", BASELINE, ((0, base.capabilities),), "Remove it; baseline allows what runtimes give."
    ),
    Check("hostNamespaces", BASELINE, ((0, base.host_namespaces),), "Remove it."),
    Check(
        "hostPathVolumes",
        BASELINE,
        ((0, base.host_path_volumes),),
        "Use a volume of another type: emptyDir, a claim, a configMap.",
    ),
    Check("hostPorts", BASELINE, ((0, base.host_ports),), "Remove the hostPort and let a Service lead to the port."),
    Check(
        "hostProbesAndHostLifecycle",
        BASELINE,
        ((34, base.host_handlers),),
        "Remove the host: the pod's own address is asked.",
    ),
    Check("privileged", BASELINE, ((0, base.privileged),), "Remove it, and add the one capability that is needed."),
    Check(
        "procMount",
        BASELINE,
        ((0, base.proc_mount), (35, except_where(in_user_namespace, base.proc_mount))),
        "Remove it.",
    ),
    Check(
        "seLinuxOptions", BASELINE, _SELINUX_TYPES, "Use container_t or another type for containers; no user, no role."
    ),
    Check(
        "seccompProfile_baseline", BASELINE, ((0, base.seccomp_annotations), (19, base.seccomp)), "Use RuntimeDefault."
    ),
    Check("sysctls", BASELINE, _SAFE_SYSCTLS, "Remove it; only parameters of the pod's own namespaces are safe."),
    Check("windowsHostProcess", BASELINE, ((0, base.host_process),), "Remove it."),
    Check(
        "allowPrivilegeEscalation",
        RESTRICTED,
        ((8, strict.privilege_escalation), (25, except_where(on_windows, strict.privilege_escalation))),
        "Set allowPrivilegeEscalation: false in the container's securityContext.",
    ),
    Check(
        "capabilities_restricted",
        RESTRICTED,
        ((22, strict.capabilities), (25, except_where(on_windows, strict.capabilities))),
        _DROP_ALL,
        replaces="capabilities_baseline",
    ),
    Check("procMount_restricted", RESTRICTED, ((35, base.proc_mount),), "Remove it.", replaces="procMount"),
    Check(
        "restrictedVolumes",
        RESTRICTED,
        ((0, strict.volume_types),),
        "Use a volume of another type: emptyDir, a claim, a configMap.",
        replaces="hostPathVolumes",
    ),
    Check(
        "runAsNonRoot",
        RESTRICTED,
        ((0, strict.run_as_non_root), (35, except_where(in_user_namespace, strict.run_as_non_root))),
        "Set runAsNonRoot: true in the securityContext of the pod or the container.",
    ),
    Check(
        "runAsUser",
        RESTRICTED,
        ((23, strict.run_as_user), (35, except_where(in_user_namespace, strict.run_as_user))),
        "Use another user, or leave runAsUser out where the image has one.",
    ),
    Check(
        "seccompProfile_restricted",
        RESTRICTED,
        ((19, strict.seccomp), (25, except_where(on_windows, strict.seccomp))),
        _SECCOMP,
        replaces="seccompProfile_baseline",
    ),
)


def parse_level(text: str) -> str:
    """Return the level that a text names. Raises UsageError, with a suggestion, where it names none."""
    if text in LEVELS:
        return text
    hint = did_you_mean(text, LEVELS) or f"use {', '.join(LEVELS)}"
    raise UsageError(f'"{text}" is no level of Pod Security', hint=hint)


def parse_version(text: str) -> int:
    """Return the minor version of the standard for "latest", "v1.34" or "1.34", as namespace labels have it.

    A version newer than the newest known counts as that one, as it does to a server. Raises UsageError for other texts.
    """
    if text in ("", LATEST):
        return NEWEST_MINOR
    major, _, minor = text.removeprefix("v").partition(".")
    if major != "1" or not minor.isdecimal() or len(minor) > 4:
        raise UsageError(f'"{text}" is no version of Pod Security', hint="give it like v1.34, or latest")
    return min(int(minor), NEWEST_MINOR)


def breaches(pod: PodView, level: str, minor: int = NEWEST_MINOR) -> Iterator[tuple[Check, Breach]]:
    """Yield what a pod does that a level does not allow, with the check, in the order of the table.

    `minor` is the version of the standard, 34 for v1.34. The verdict is the admission plugin's: a pod without breaches
    passes, any other does not.
    """
    for check, judge in _chosen(level, minor):
        for breach in judge(pod):
            yield check, breach


@cache
def _chosen(level: str, minor: int) -> tuple[tuple[Check, Judge], ...]:
    if level == PRIVILEGED:
        return ()
    there = [
        (check, judge)
        for check in CHECKS
        if (level == RESTRICTED or check.level == BASELINE) and (judge := check.judge(minor)) is not None
    ]
    replaced = {check.replaces for check, _ in there}
    return tuple((check, judge) for check, judge in there if check.id not in replaced)
