"""The checks of the level restricted, one function each: what hardens a container. Most must be said, not only left."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.kube.versions import NEWEST_MINOR
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.fields import listed
from sidecarctl.validate.podsecurity import baseline as base
from sidecarctl.validate.podsecurity.baseline import (
    CONTEXT,
    Breach,
    Judge,
    context,
    contexts,
    except_where,
    in_user_namespace,
    on_windows,
    own_contexts,
)
from sidecarctl.validate.views import PodView

_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
_OTHER_VOLUMES = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
]
_SECCOMP_TYPES = ("RuntimeDefault", "Localhost")


def privilege_escalation(pod: PodView) -> Iterator[Breach]:
    """Every container says that its processes may not get more rights than it has."""
    for container, own in own_contexts(pod):
        value = own.get("allowPrivilegeEscalation")
        if value is None or value is True:
            state = "not set" if value is None else "true"
            yield Breach(container.at(CONTEXT, "allowPrivilegeEscalation"), f"allowPrivilegeEscalation is {state}")


def capabilities(pod: PodView) -> Iterator[Breach]:
    """Every container drops all capabilities, and adds at most that of binding to low ports."""
    for container, own in own_contexts(pod):
        found = own.get("capabilities")
        if found is not None and not isinstance(found, dict):
            continue
        drop, add = as_mapping(found).get("drop"), as_mapping(found).get("add")
        if drop is None or (isinstance(drop, list) and "ALL" not in drop):
            where = container.at(CONTEXT, "capabilities", "drop")
            yield Breach(where, "the container does not drop ALL capabilities")
        for index, name in enumerate(add if isinstance(add, list) else ()):
            if isinstance(name, str) and name != "NET_BIND_SERVICE":
                where = container.at(CONTEXT, "capabilities", "add", index)
                yield Breach(where, f"the container adds the capability {name}")


def volume_types(pod: PodView) -> Iterator[Breach]:
    """Volumes are of types that need no rights on the node; one without a source is an emptyDir."""
    for index, volume in listed(pod.value, "volumes"):
        if any(volume.get(source) is not None for source in volume if source in _VOLUMES):
            continue
        source = next((source for source in _OTHER_VOLUMES if volume.get(source) is not None), None)
        if source is not None:
            yield Breach(pod.at("volumes", index, source), f"the volume {volume.get('name')} is of the type {source}")


def run_as_non_root(pod: PodView) -> Iterator[Breach]:
    """Every container, or the pod for those that don't say, runs as a user other than root.

    Of a pod that says false this is the breach, whatever its containers say; those that say nothing follow from it.
    """
    said = (context(pod) or {}).get("runAsNonRoot")
    if said is False:
        yield Breach(pod.at(CONTEXT, "runAsNonRoot"), "runAsNonRoot is false for the pod")
    for container, own in own_contexts(pod):
        value = own.get("runAsNonRoot")
        if value is False or (value is None and said is None):
            state = "not set, neither here nor for the pod" if value is None else "false"
            yield Breach(container.at(CONTEXT, "runAsNonRoot"), f"runAsNonRoot is {state}")


def run_as_user(pod: PodView) -> Iterator[Breach]:
    """Nobody asks for user 0."""
    for holder, own in contexts(pod):
        value = own.get("runAsUser")
        if value.__class__ is int and value == 0:
            yield Breach(holder.at(CONTEXT, "runAsUser"), "runAsUser is 0, which is root")


def seccomp(pod: PodView) -> Iterator[Breach]:
    """Every container, or the pod for those that don't say, has a seccomp profile.

    Of a pod that has a wrong one this is the breach; containers that say nothing follow from it.
    """
    for holder, own in contexts(pod):
        kind = as_mapping(own.get("seccompProfile")).get("type")
        if isinstance(kind, str) and kind not in _SECCOMP_TYPES:
            yield Breach(holder.at(CONTEXT, "seccompProfile", "type"), f"the seccomp profile is {kind}")
    if (context(pod) or {}).get("seccompProfile") is not None:
        return
    for container, own in own_contexts(pod):
        if own.get("seccompProfile") is None:
            where = container.at(CONTEXT, "seccompProfile")
            yield Breach(where, "no seccomp profile is set, neither here nor for the pod")


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
        ((8, privilege_escalation), (25, except_where(on_windows, privilege_escalation))),
        "Set allowPrivilegeEscalation: false in the container's securityContext.",
    ),
    Check(
        "capabilities_restricted",
        RESTRICTED,
        ((22, capabilities), (25, except_where(on_windows, capabilities))),
        _DROP_ALL,
        replaces="capabilities_baseline",
    ),
    Check("procMount_restricted", RESTRICTED, ((35, base.proc_mount),), "Remove it.", replaces="procMount"),
    Check(
        "restrictedVolumes",
        RESTRICTED,
        ((0, volume_types),),
        "Use a volume of another type: emptyDir, a claim, a configMap.",
        replaces="hostPathVolumes",
    ),
    Check(
        "runAsNonRoot",
        RESTRICTED,
        ((0, run_as_non_root), (35, except_where(in_user_namespace, run_as_non_root))),
        "Set runAsNonRoot: true in the securityContext of the pod or the container.",
    ),
    Check(
        "runAsUser",
        RESTRICTED,
        ((23, run_as_user), (35, except_where(in_user_namespace, run_as_user))),
        "Use another user, or leave runAsUser out where the image has one.",
    ),
    Check(
        "seccompProfile_restricted",
        RESTRICTED,
        ((19, seccomp), (25, except_where(on_windows, seccomp))),
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
