"""Rules about pods for Windows, and settings that only the other system knows."""

from __future__ import annotations

import re

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import security_contexts
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

# Fields of a pod's security context, of a pod and of a container's security context that Windows does not know.
_POD_CONTEXT = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
)
_POD = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_CONTEXT = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
# What counts only when it is switched on, or not empty.
_ONLY_TRUE = frozenset(("hostPID", "hostIPC", "sysctls"))

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NET_BIOS = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DOMAIN = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_USER_BAD = re.compile(r'["/\\:;|=,+*?<>@\[\]]')


def _options(view: PodView | ContainerView) -> Data:
    return as_mapping(as_mapping(view.value.get("securityContext")).get("windowsOptions"))


@rule(
    "linux-field-on-windows-pod",
    Severity.ERROR,
    needs=("os",),
    fix="Remove it; users of Windows are named by windowsOptions.runAsUserName.",
)
def linux_field_on_windows_pod(pod: PodView, ctx: Context) -> Problems:
    """A pod for Windows has settings that only Linux knows.

    With `os.name: windows` the API server refuses users by number, capabilities, seccomp, AppArmor, SELinux, sysctls,
    privileges and the host's namespaces, of the pod and of each container. A sidecar for Linux has most of these.
    """
    if pod.value.get("os") is None or pod.get("os", "name") != "windows":
        return
    context = as_mapping(pod.value.get("securityContext"))
    for field in _POD_CONTEXT:
        if _is_set(context, field):
            yield _foreign(pod.at("securityContext", field), field)
    for field in _POD:
        if _is_set(pod.value, field):
            yield _foreign(pod.at(field), field)
    for container in pod.containers:
        context = as_mapping(container.value.get("securityContext"))
        for field in _CONTEXT if context else ():
            if _is_set(context, field):
                yield _foreign(container.at("securityContext", field), field)


def _is_set(data: Data, field: str) -> bool:
    value = data.get(field)
    return bool(value) if field in _ONLY_TRUE else value is not None


def _foreign(where: PathTuple, field: str) -> Problem:
    return problem(where, f"a pod for Windows can't have {field}", on_key=True)


@rule(
    "windows-field-on-linux-pod",
    Severity.ERROR,
    needs=("os",),
    fix="Remove windowsOptions, or make it a pod for Windows.",
)
def windows_field_on_linux_pod(pod: PodView, ctx: Context) -> Problems:
    """A pod for Linux has windowsOptions.

    With `os.name: linux` the API server refuses them, of the pod and of each container.
    """
    if pod.value.get("os") is None or pod.get("os", "name") != "linux":
        return
    for view, context in security_contexts(pod):
        if isinstance(context.get("windowsOptions"), dict):
            where = view.at("securityContext", "windowsOptions")
            yield problem(where, "a pod for Linux can't have windowsOptions", on_key=True)


@rule(
    "invalid-windows-user",
    Severity.ERROR,
    fix=r"Write USER or DOMAIN\USER.",
)
def invalid_windows_user(pod: PodView, ctx: Context) -> Problems:
    """The options for Windows name a user or a credential that can't exist.

    A user is named by itself or with a domain and one backslash before it; a credential spec is the name of an object,
    or up to 64 KiB of its text.
    """
    for view, context in security_contexts(pod):
        options = as_mapping(context.get("windowsOptions"))
        if not options:
            continue
        where = view.at("securityContext", "windowsOptions")
        user, name, spec = (
            options.get(key) for key in ("runAsUserName", "gmsaCredentialSpecName", "gmsaCredentialSpec")
        )
        if isinstance(user, str) and (fault := _user_fault(user)):
            yield problem((*where, "runAsUserName"), f"{quote(user)} is no user of Windows: it {fault}")
        if isinstance(name, str) and (fault := names.dns_subdomain(name)):
            help_text = "Use the name of a GMSACredentialSpec."
            message = f"{quote(name)} is no name of a credential spec: it {fault}"
            yield problem((*where, "gmsaCredentialSpecName"), message, help=help_text)
        if isinstance(spec, str) and not 0 < len(spec.encode("utf-8", "surrogatepass")) <= 64 * 1024:
            message = "the credential spec is empty, or larger than 64 KiB"
            yield problem((*where, "gmsaCredentialSpec"), message, on_key=True, help="Use gmsaCredentialSpecName.")


def _user_fault(text: str) -> str | None:
    if not text:
        return "must not be empty"
    if _CONTROL.search(text):
        return "must not contain control characters"
    if text.count("\\") > 1:
        return "must not have more than one backslash"
    domain, backslash, user = text.rpartition("\\")
    if len(domain) >= 256:
        return "must have a domain of less than 256 characters"
    if backslash and not _NET_BIOS.fullmatch(domain) and not _DOMAIN.fullmatch(domain):
        return "has a bad domain"
    if not user:
        return "must have a user after the backslash"
    if len(user) > 104:
        return "must have a user of at most 104 characters"
    if not user.strip(". "):
        return "must not consist of dots and spaces"
    return "has characters that a user's name can't have" if _USER_BAD.search(user) else None


@rule(
    "invalid-host-process",
    Severity.ERROR,
    fix="Set hostProcess for the pod alone, and hostNetwork: true.",
)
def invalid_host_process(pod: PodView, ctx: Context) -> Problems:
    """Only some containers of a pod run as processes of a Windows host, or without its network.

    Either all containers of a pod are HostProcess containers or none, and those that are use the host's network.
    """
    if not any("windowsOptions" in context for _, context in security_contexts(pod)):
        return
    whole = _options(pod).get("hostProcess")
    own = [_options(container).get("hostProcess") for container in pod.containers]
    for container, value in zip(pod.containers, own):
        if isinstance(whole, bool) and isinstance(value, bool) and whole != value:
            where = container.at("securityContext", "windowsOptions", "hostProcess")
            yield problem(where, f"the pod says hostProcess: {str(whole).lower()}, and the container the opposite")
    inside = [value is True or (value is None and whole is True) for value in own]
    if not any(inside):
        return
    if not all(inside):
        without = next(one for one, process in zip(pod.containers, inside) if not process)
        related = (Related("one that has it", _first_asking(pod)),)
        yield problem(without.path, "only some of the pod's containers have hostProcess: true", related=related)
    if pod.value.get("hostNetwork") is not True:
        where = pod.at("hostNetwork") if pod.has("hostNetwork") else _first_asking(pod)
        yield problem(where, "HostProcess containers need hostNetwork: true")


def _first_asking(pod: PodView) -> PathTuple:
    """Where a pod says first that it has HostProcess containers."""
    views: tuple[PodView | ContainerView, ...] = (pod, *pod.containers)
    asking = next(view for view in views if _options(view).get("hostProcess") is True)
    return asking.at("securityContext", "windowsOptions", "hostProcess")
