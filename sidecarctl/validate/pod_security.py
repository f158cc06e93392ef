"""Checks of the Pod Security level restricted, and the table of checks of both levels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import quote
from sidecarctl.kube.versions import NEWEST_MINOR
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate import pod_security_baseline as base
from sidecarctl.validate.fields import listed
from sidecarctl.validate.pod_security_baseline import (
    CONTEXT,
    PodCheck,
    Violation,
    context,
    contexts,
    except_if,
    in_user_namespace,
    on_windows,
    own_contexts,
)
from sidecarctl.validate.views import PodView

_VOLUMES = frozenset((
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
))  # fmt: skip
_OTHER_VOLUMES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd", "flexVolume",
    "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk",
    "portworxVolume", "scaleIO", "storageos",
)  # fmt: skip
_SECCOMP_TYPES = ("RuntimeDefault", "Localhost")


def privilege_escalation(pod: PodView) -> Iterator[Violation]:
    """Report containers that allow privilege escalation, explicitly or by default."""
    for container, own in own_contexts(pod):
        value = own.get("allowPrivilegeEscalation")
        if value is None or value is True:
            state = "not set" if value is None else "true"
            yield Violation(container.at(CONTEXT, "allowPrivilegeEscalation"), f"allowPrivilegeEscalation is {state}")


def capabilities(pod: PodView) -> Iterator[Violation]:
    """Report containers that do not drop all capabilities, or that add one other than NET_BIND_SERVICE."""
    for container, own in own_contexts(pod):
        found = own.get("capabilities")
        if found is not None and not isinstance(found, dict):
            continue
        drop, add = as_mapping(found).get("drop"), as_mapping(found).get("add")
        if drop is None or (isinstance(drop, list) and "ALL" not in drop):
            where = container.at(CONTEXT, "capabilities", "drop")
            yield Violation(where, "capabilities.drop does not contain ALL")
        for index, name in enumerate(add if isinstance(add, list) else ()):
            if isinstance(name, str) and name != "NET_BIND_SERVICE":
                where = container.at(CONTEXT, "capabilities", "add", index)
                yield Violation(where, f"added capability {name}")


def volume_types(pod: PodView) -> Iterator[Violation]:
    """Report volume types that the level does not allow. A volume without a source is an emptyDir."""
    for index, volume in listed(pod.value, "volumes"):
        if any(volume.get(source) is not None for source in volume if source in _VOLUMES):
            continue
        source = next((source for source in _OTHER_VOLUMES if volume.get(source) is not None), None)
        if source is not None:
            yield Violation(pod.at("volumes", index, source), f"volume {quote(volume.get('name'))} has type {source}")


def run_as_non_root(pod: PodView) -> Iterator[Violation]:
    """Report pods and containers without runAsNonRoot: true.

    The value of the pod is the default of its containers. If it is false, containers that inherit it are not reported.
    """
    pod_value = (context(pod) or {}).get("runAsNonRoot")
    if pod_value is False:
        yield Violation(pod.at(CONTEXT, "runAsNonRoot"), "runAsNonRoot of the pod is false")
    for container, own in own_contexts(pod):
        value = own.get("runAsNonRoot")
        if value is False or (value is None and pod_value is None):
            state = "not set in container or pod" if value is None else "false"
            yield Violation(container.at(CONTEXT, "runAsNonRoot"), f"runAsNonRoot is {state}")


def run_as_user(pod: PodView) -> Iterator[Violation]:
    """Report runAsUser: 0."""
    for holder, own in contexts(pod):
        value = own.get("runAsUser")
        if value.__class__ is int and value == 0:
            yield Violation(holder.at(CONTEXT, "runAsUser"), "runAsUser is 0 (root)")


def seccomp(pod: PodView) -> Iterator[Violation]:
    """Report pods and containers without a seccomp profile, or with one that the level does not allow.

    The profile of the pod is the default of its containers. Containers that inherit it are not reported.
    """
    for holder, own in contexts(pod):
        kind = as_mapping(own.get("seccompProfile")).get("type")
        if isinstance(kind, str) and kind not in _SECCOMP_TYPES:
            yield Violation(holder.at(CONTEXT, "seccompProfile", "type"), f"seccomp profile is {kind}")
    if (context(pod) or {}).get("seccompProfile") is not None:
        return
    for container, own in own_contexts(pod):
        if own.get("seccompProfile") is None:
            where = container.at(CONTEXT, "seccompProfile")
            yield Violation(where, "seccompProfile is not set in container or pod")


PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
LATEST = "latest"


@dataclass(frozen=True)
class LevelCheck:
    """A check of a Pod Security level.

    id        name in the admission plugin
    versions  minor versions of the standard, ascending, each with the function that checks since then
    fix       how to fix a violation, a full sentence
    replaces  id of the baseline check that this one includes
    """

    id: str
    level: str
    versions: tuple[tuple[int, PodCheck], ...]
    fix: str
    replaces: str = ""

    def judge(self, minor: int) -> PodCheck | None:
        """Return the function for a minor version of the standard, None for versions before the check."""
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
_DROP_ALL = "Set capabilities.drop: [ALL], and add no capability except NET_BIND_SERVICE."
_SECCOMP = "Set seccompProfile: {type: RuntimeDefault} in the securityContext of the pod or the container."

CHECKS: tuple[LevelCheck, ...] = (
    LevelCheck(
        "appArmorProfile",
        BASELINE,
        ((0, base.app_armor),),
        "Use RuntimeDefault or Localhost, or remove the profile.",
    ),
    LevelCheck(
        "capabilities_baseline",
        BASELINE,
        ((0, base.capabilities),),
        "Remove the capability. The level allows the default set of container runtimes.",
    ),
    LevelCheck("hostNamespaces", BASELINE, ((0, base.host_namespaces),), "Remove the field."),
    LevelCheck(
        "hostPathVolumes",
        BASELINE,
        ((0, base.host_path_volumes),),
        "Use another volume type, such as emptyDir, persistentVolumeClaim, or configMap.",
    ),
    LevelCheck("hostPorts", BASELINE, ((0, base.host_ports),), "Remove hostPort, and expose the port with a Service."),
    LevelCheck(
        "hostProbesAndHostLifecycle",
        BASELINE,
        ((34, base.host_handlers),),
        "Remove host. The default is the IP address of the pod.",
    ),
    LevelCheck(
        "privileged",
        BASELINE,
        ((0, base.privileged),),
        "Remove the field, and add only the capability that the container needs.",
    ),
    LevelCheck(
        "procMount",
        BASELINE,
        ((0, base.proc_mount), (35, except_if(in_user_namespace, base.proc_mount))),
        "Remove procMount.",
    ),
    LevelCheck(
        "seLinuxOptions", BASELINE, _SELINUX_TYPES, "Use container_t or another container type, without user and role."
    ),
    LevelCheck(
        "seccompProfile_baseline", BASELINE, ((0, base.seccomp_annotations), (19, base.seccomp)), "Use RuntimeDefault."
    ),
    LevelCheck(
        "sysctls", BASELINE, _SAFE_SYSCTLS, "Remove the sysctl. The level allows only safe, namespaced sysctls."
    ),
    LevelCheck("windowsHostProcess", BASELINE, ((0, base.host_process),), "Remove hostProcess."),
    LevelCheck(
        "allowPrivilegeEscalation",
        RESTRICTED,
        ((8, privilege_escalation), (25, except_if(on_windows, privilege_escalation))),
        "Set allowPrivilegeEscalation: false in the container's securityContext.",
    ),
    LevelCheck(
        "capabilities_restricted",
        RESTRICTED,
        ((22, capabilities), (25, except_if(on_windows, capabilities))),
        _DROP_ALL,
        replaces="capabilities_baseline",
    ),
    LevelCheck("procMount_restricted", RESTRICTED, ((35, base.proc_mount),), "Remove procMount.", replaces="procMount"),
    LevelCheck(
        "restrictedVolumes",
        RESTRICTED,
        ((0, volume_types),),
        "Use another volume type, such as emptyDir, persistentVolumeClaim, or configMap.",
        replaces="hostPathVolumes",
    ),
    LevelCheck(
        "runAsNonRoot",
        RESTRICTED,
        ((0, run_as_non_root), (35, except_if(in_user_namespace, run_as_non_root))),
        "Set runAsNonRoot: true in the securityContext of the pod or the container.",
    ),
    LevelCheck(
        "runAsUser",
        RESTRICTED,
        ((23, run_as_user), (35, except_if(in_user_namespace, run_as_user))),
        "Use another user ID, or remove runAsUser to use the user of the image.",
    ),
    LevelCheck(
        "seccompProfile_restricted",
        RESTRICTED,
        ((19, seccomp), (25, except_if(on_windows, seccomp))),
        _SECCOMP,
        replaces="seccompProfile_baseline",
    ),
)


def parse_level(text: str) -> str:
    """Return the Pod Security level with a name. Raise UsageError with a suggestion for an unknown level."""
    if text in LEVELS:
        return text
    hint = did_you_mean(text, LEVELS) or f"use {', '.join(LEVELS)}"
    raise UsageError(f'unknown Pod Security level "{text}"', hint=hint)


def parse_version(text: str) -> int:
    """Return the minor version of the standard for "latest", "v1.34", or "1.34", the values of namespace labels.

    A version newer than the newest known one is the newest, as in an API server. Raise UsageError for other texts.
    """
    if text in ("", LATEST):
        return NEWEST_MINOR
    major, _, minor = text.removeprefix("v").partition(".")
    if major != "1" or not minor.isdecimal() or len(minor) > 4:
        raise UsageError(f'invalid Pod Security version "{text}"', hint="use a version such as v1.34, or latest")
    return min(int(minor), NEWEST_MINOR)


def find_violations(pod: PodView, level: str, minor: int = NEWEST_MINOR) -> Iterator[tuple[LevelCheck, Violation]]:
    """Yield each violation of a level by a pod, with its check, in the order of the table.

    `minor` is the version of the standard, 34 for v1.34. The admission plugin accepts a pod without violations and
    rejects all others.
    """
    for check, judge in _chosen(level, minor):
        for breach in judge(pod):
            yield check, breach


@cache
def _chosen(level: str, minor: int) -> tuple[tuple[LevelCheck, PodCheck], ...]:
    if level == PRIVILEGED:
        return ()
    there = [
        (check, judge)
        for check in CHECKS
        if (level == RESTRICTED or check.level == BASELINE) and (judge := check.judge(minor)) is not None
    ]
    replaced = {check.replaces for check, _ in there}
    return tuple((check, judge) for check, judge in there if check.id not in replaced)
