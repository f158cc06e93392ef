"""Rules about sysctls and about AppArmor and seccomp annotations of a pod."""

from __future__ import annotations

import re

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_NAME = lazy_pattern(r"(?:[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?")
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
    fix="Name each sysctl once, in lowercase. Set sysctls of host namespaces on the node.",
)
def invalid_sysctl(pod: PodView, ctx: Context) -> Problems:
    """Invalid or duplicate sysctl, or one that would change the host.

    A name has at most 253 lowercase letters, digits, hyphens, and underscores, in parts separated by dots or slashes.
    With `hostNetwork` or `hostIPC`, network or IPC sysctls belong to the host, and the API server rejects them since
    Kubernetes 1.29.
    """
    context = as_mapping(pod.value.get("securityContext"))
    if not context.get("sysctls"):
        return
    seen = set()
    for index, item in listed(context, "sysctls"):
        name = item.get("name")
        if not isinstance(name, str) or not name:
            continue
        where = pod.at("securityContext", "sysctls", index, "name")
        if len(name) > 253 or not _NAME.fullmatch(name):
            yield problem(where, f"invalid sysctl name {quote(name)}")
        elif name in seen:
            yield problem(where, f"duplicate sysctl {quote(name)}")
        seen.add(name)
        host_field = _find_host_namespace(pod, name) if ctx.since("1.29") else ""
        if host_field:
            yield problem(where, f"sysctl {quote(name)} conflicts with {host_field}: true")


def _find_host_namespace(pod: PodView, name: str) -> str:
    """Return the field that gives the pod the host's namespace of a sysctl, "" if the namespace is the pod's own."""
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
    fix="Use securityContext.appArmorProfile (Kubernetes 1.30 or later) and seccompProfile instead of annotations.",
)
def invalid_profile_annotation(pod: PodView, ctx: Context) -> Problems:
    """Invalid AppArmor or seccomp annotation of a pod.

    These annotations predate the fields of the securityContext. The API server still checks that the container exists,
    that the profile is valid, and that the field has the same value.
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
            if all(item.name != name for item in pod.containers):
                yield problem(where, f"unknown container {quote(name)}", on_key=True)
            if value not in ("", "runtime/default", "unconfined") and not value.startswith("localhost/"):
                yield problem(where, f"invalid AppArmor profile {quote(value)}")
            for item in pod.containers if ctx.since("1.30") else ():
                if item.name == name and pod.get("os", "name") != "windows":
                    yield from _compare_apparmor(pod, item, value)
        elif key == _SECCOMP_POD or key.startswith(_SECCOMP):
            if value not in ("runtime/default", "docker/default", "unconfined") and not _is_localhost_profile(value):
                yield problem(where, f"invalid seccomp profile {quote(value)}")
            holders = [pod] if key == _SECCOMP_POD else [c for c in pod.containers if c.name == key[len(_SECCOMP) :]]
            for holder in holders:
                profile = as_mapping(holder.value.get("securityContext")).get("seccompProfile")
                if isinstance(profile, dict):
                    at = holder.at("securityContext", "seccompProfile")
                    yield from _compare_profile(profile, value, at, ("runtime/default", "docker/default"))


def _is_localhost_profile(value: str) -> bool:
    return value.startswith("localhost/") and value[10:11] != "/" and ".." not in value[10:].split("/")


def _compare_apparmor(pod: PodView, container: ContainerView, value: str) -> Problems:
    for holder in (container, pod):
        profile = as_mapping(holder.value.get("securityContext")).get("appArmorProfile")
        if isinstance(profile, dict):
            if holder is pod and pod.object.kind == "Pod" and _becomes_field(value):
                return  # the annotation sets the field of the container
            at = container.at("securityContext", "appArmorProfile")
            yield from _compare_profile(profile, value, at, ("runtime/default",))
            return


def _becomes_field(value: str) -> bool:
    """Return True if the API server copies an AppArmor annotation to the field of its container."""
    file = value.removeprefix("localhost/")
    return value in ("runtime/default", "unconfined") or (file != value and bool(file) and file == file.strip())


def _compare_profile(profile: Data, value: str, where: PathTuple, default: tuple[str, ...]) -> Problems:
    """Yield differences between a profile field and the value of its annotation."""
    kind, file = profile.get("type"), profile.get("localhostProfile")
    if kind == "Localhost" and value.startswith("localhost/"):
        if value[len("localhost/") :] != file:
            yield problem((*where, "localhostProfile"), f"profile differs from the annotation value {quote(value)}")
        return
    same = {"Localhost": (), "Unconfined": ("unconfined",), "RuntimeDefault": default}
    if isinstance(kind, str) and kind in same and value not in same[kind]:
        yield problem((*where, "type"), f"profile differs from the annotation value {quote(value)}")
