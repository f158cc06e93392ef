"""Rules about sysctls of a pod and about the annotations that profiles of containers used to have."""

from __future__ import annotations

import re

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_NAME = re.compile(r"(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?")
_SHARED_MEMORY = ("shmall", "shmmax", "shmmni", "shm_rmid_forced", "shm")
_MESSAGES = ("msgmax", "msgmnb", "msgmni", "msg")
_IPC = frozenset(f"kernel.{name}" for name in ("sem", *_SHARED_MEMORY, *_MESSAGES))
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"


@rule(
    "invalid-sysctl",
    Severity.ERROR,
    needs=("securityContext",),
    fix="Name each once, in lower case; set those of a namespace that the pod shares with its host on the host.",
)
def invalid_sysctl(pod: PodView, ctx: Context) -> Problems:
    """A sysctl has no possible name, is set twice, or would change the host.

    A name has at most 253 of a-z, 0-9, "-" and "_", in parts between dots or slashes. With `hostNetwork` or `hostIPC`
    those of the network or of IPC are the host's own, which no pod can set since Kubernetes 1.29.
    """
    context = as_mapping(pod.value.get("securityContext"))
    if not context.get("sysctls"):
        return
    seen = set()
    for index, one in listed(context, "sysctls"):
        name = one.get("name")
        if not isinstance(name, str) or not name:
            continue
        where = pod.at("securityContext", "sysctls", index, "name")
        if len(name) > 253 or not _NAME.fullmatch(name):
            yield problem(where, f"{quote(name)} is no name of a sysctl")
        elif name in seen:
            yield problem(where, f"{quote(name)} is set already")
        seen.add(name)
        shared = _shared(pod, name) if ctx.since("1.29") else ""
        if shared:
            yield problem(where, f"{quote(name)} is the host's own, since the pod has {shared}")


def _shared(pod: PodView, name: str) -> str:
    """Name the field that makes a sysctl the host's; "" where it is the pod's own."""
    first = re.search("[./]", name)
    if first and first.group() == "/":
        name = name.translate(str.maketrans("./", "/."))
    name = name.partition("*")[0]
    if name.startswith("net."):
        return "hostNetwork" if pod.value.get("hostNetwork") is True else ""
    if name in _IPC or name.startswith("fs.mqueue."):
        return "hostIPC" if pod.value.get("hostIPC") is True else ""
    return ""


@rule(
    "invalid-profile-annotation",
    Severity.ERROR,
    fix="Use securityContext.appArmorProfile (Kubernetes 1.30 and newer) and seccompProfile instead of annotations.",
)
def invalid_profile_annotation(pod: PodView, ctx: Context) -> Problems:
    """An annotation gives a profile to a container that does not exist, or one that is none.

    Before there were fields, annotations named the AppArmor and seccomp profiles. The API server still checks them:
    the container, the profile, and that a field beside it says the same.
    """
    annotations = pod.metadata.value.get("annotations")
    if not annotations or not isinstance(annotations, dict):
        return
    for key, value in annotations.items():
        value = "" if value is None else value
        if not isinstance(key, str) or not isinstance(value, str) or "security." not in key:
            continue
        where = (*pod.metadata.path, "annotations", key)
        if key.startswith(_APPARMOR):
            name = key[len(_APPARMOR) :]
            if all(one.name != name for one in pod.containers):
                yield problem(where, f"the pod has no container {quote(name)}", on_key=True)
            if value not in ("", "runtime/default", "unconfined") and not value.startswith("localhost/"):
                yield problem(where, f"{quote(value)} is no AppArmor profile")
            for one in pod.containers if ctx.since("1.30") else ():
                if one.name == name and pod.get("os", "name") != "windows":
                    yield from _apparmor_differs(pod, one, value)
        elif key == _SECCOMP_POD or key.startswith(_SECCOMP):
            if value not in ("runtime/default", "docker/default", "unconfined") and not _is_local(value):
                yield problem(where, f"{quote(value)} is no seccomp profile")
            holders = [pod] if key == _SECCOMP_POD else [c for c in pod.containers if c.name == key[len(_SECCOMP) :]]
            for holder in holders:
                profile = as_mapping(holder.value.get("securityContext")).get("seccompProfile")
                if isinstance(profile, dict):
                    at = holder.at("securityContext", "seccompProfile")
                    yield from _differs(profile, value, at, ("runtime/default", "docker/default"))


def _is_local(value: str) -> bool:
    return value.startswith("localhost/") and value[10:11] != "/" and ".." not in value[10:].split("/")


def _apparmor_differs(pod: PodView, container: ContainerView, value: str) -> Problems:
    for holder in (container, pod):
        profile = as_mapping(holder.value.get("securityContext")).get("appArmorProfile")
        if isinstance(profile, dict):
            at = container.at("securityContext", "appArmorProfile")
            yield from _differs(profile, value, at, ("runtime/default",))
            return


def _differs(profile: Data, value: str, where: PathTuple, default: tuple[str, ...]) -> Problems:
    """Yield where a profile's field and the value of its annotation say different things."""
    kind, file = profile.get("type"), profile.get("localhostProfile")
    if kind == "Localhost" and value.startswith("localhost/"):
        if value[len("localhost/") :] != file:
            yield problem((*where, "localhostProfile"), f"the annotation says {quote(value)}")
        return
    same = {"Localhost": (), "Unconfined": ("unconfined",), "RuntimeDefault": default}
    if isinstance(kind, str) and kind in same and value not in same[kind]:
        yield problem((*where, "type"), f"the annotation says {quote(value)}")
