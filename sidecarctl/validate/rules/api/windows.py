"""Rules about Windows pods, and about fields that only Linux or only Windows supports."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import security_contexts
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

# Fields that Windows does not support: in the pod security context, in the pod, and in container security contexts.
_POD_CONTEXT_FIELDS = (
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
_POD_FIELDS = ("hostUsers", "hostPID", "hostIPC", "shareProcessNamespace")
_CONTAINER_CONTEXT_FIELDS = (
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
# Rejected only if true or not empty.
_REJECTED_IF_TRUE = frozenset(("hostPID", "hostIPC", "sysctls"))

_CONTROL = lazy_pattern(r"[\x00-\x1f\x7f]")
_NET_BIOS = lazy_pattern(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}')
_DOMAIN = lazy_pattern(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_INVALID_USER_CHARACTERS = lazy_pattern(r'["/\\:;|=,+*?<>@\[\]]')


def _options(view: PodView | ContainerView) -> Data:
    return as_mapping(as_mapping(view.value.get("securityContext")).get("windowsOptions"))


@rule(
    "linux-field-on-windows-pod",
    Severity.ERROR,
    needs=("os",),
    fix="Remove the field. To set the user on Windows, use windowsOptions.runAsUserName.",
)
def linux_field_on_windows_pod(pod: PodView, ctx: Context) -> Problems:
    """A Windows pod has fields that only Linux supports.

    With `os.name: windows` the API server rejects user and group IDs, capabilities, seccomp, AppArmor, SELinux,
    sysctls, privileges, and host namespaces, on the pod and on each container. Sidecars for Linux usually set some of
    these.
    """
    if pod.value.get("os") is None or pod.get("os", "name") != "windows":
        return
    context = as_mapping(pod.value.get("securityContext"))
    for field in _POD_CONTEXT_FIELDS:
        if _is_set(context, field):
            yield _unsupported(pod.at("securityContext", field), field)
    for field in _POD_FIELDS:
        if _is_set(pod.value, field):
            yield _unsupported(pod.at(field), field)
    for container in pod.containers:
        context = as_mapping(container.value.get("securityContext"))
        for field in _CONTAINER_CONTEXT_FIELDS if context else ():
            if _is_set(context, field):
                yield _unsupported(container.at("securityContext", field), field)


def _is_set(data: Data, field: str) -> bool:
    value = data.get(field)
    return bool(value) if field in _REJECTED_IF_TRUE else value is not None


def _unsupported(where: PathTuple, field: str) -> Problem:
    return problem(where, f"{field} is not supported on Windows pods", on_key=True)


@rule(
    "windows-field-on-linux-pod",
    Severity.ERROR,
    needs=("os",),
    fix="Remove windowsOptions, or set `os.name: windows`.",
)
def windows_field_on_linux_pod(pod: PodView, ctx: Context) -> Problems:
    """A Linux pod has windowsOptions.

    With `os.name: linux` the API server rejects windowsOptions on the pod and on each container.
    """
    if pod.value.get("os") is None or pod.get("os", "name") != "linux":
        return
    for view, context in security_contexts(pod):
        if isinstance(context.get("windowsOptions"), dict):
            where = view.at("securityContext", "windowsOptions")
            yield problem(where, "windowsOptions is not supported on Linux pods", on_key=True)


@rule(
    "invalid-windows-user",
    Severity.ERROR,
    fix=r"Use `<user>` or `<domain>\<user>`.",
)
def invalid_windows_user(pod: PodView, ctx: Context) -> Problems:
    """Invalid user or credential spec in windowsOptions.

    A user is a user name, optionally after a domain and a backslash. A credential spec is the name of an object, or its
    content of at most 64 KiB. The API server rejects other values.
    """
    for view, context in security_contexts(pod):
        options = as_mapping(context.get("windowsOptions"))
        if not options:
            continue
        where = view.at("securityContext", "windowsOptions")
        user, name, spec = (
            options.get(key) for key in ("runAsUserName", "gmsaCredentialSpecName", "gmsaCredentialSpec")
        )
        if isinstance(user, str) and (fault := _check_user(user)):
            yield problem((*where, "runAsUserName"), f"invalid Windows user {quote(user)}: {fault}")
        if isinstance(name, str) and (fault := names.check_dns_subdomain(name)):
            help_text = "Use the name of a GMSACredentialSpec."
            message = f"invalid credential spec name {quote(name)}: {fault}"
            yield problem((*where, "gmsaCredentialSpecName"), message, help=help_text)
        size = len(spec.encode("utf-8", "surrogatepass")) if isinstance(spec, str) else 1
        if not 0 < size <= 64 * 1024:
            message = (
                f"gmsaCredentialSpec too large: {size} bytes (limit: {64 * 1024})"
                if size
                else "gmsaCredentialSpec is empty"
            )
            yield problem((*where, "gmsaCredentialSpec"), message, on_key=True, help="Use gmsaCredentialSpecName.")


def _check_user(text: str) -> str | None:
    if not text:
        return "must not be empty"
    if _CONTROL.search(text):
        return "control characters are not allowed"
    if text.count("\\") > 1:
        return "use at most one backslash"
    domain, backslash, user = text.rpartition("\\")
    if len(domain) >= 256:
        return "domain too long (limit: 255 characters)"
    if backslash and not _NET_BIOS.fullmatch(domain) and not _DOMAIN.fullmatch(domain):
        return "invalid domain"
    if not user:
        return "missing user after the backslash"
    if len(user) > 104:
        return "user too long (limit: 104 characters)"
    if not user.strip(". "):
        return "user consists only of dots and spaces"
    return "user contains characters that are not allowed" if _INVALID_USER_CHARACTERS.search(user) else None


@rule(
    "invalid-host-process",
    Severity.ERROR,
    fix="Set hostProcess only on the pod, and set `hostNetwork: true`.",
)
def invalid_host_process(pod: PodView, ctx: Context) -> Problems:
    """Inconsistent HostProcess settings of a Windows pod.

    Either all containers of a pod are HostProcess containers or none. HostProcess containers require the host network.
    The API server rejects other combinations.
    """
    if not any("windowsOptions" in context for _, context in security_contexts(pod)):
        return
    whole = _options(pod).get("hostProcess")
    own = [_options(container).get("hostProcess") for container in pod.containers]
    for container, value in zip(pod.containers, own):
        if isinstance(whole, bool) and isinstance(value, bool) and whole != value:
            where = container.at("securityContext", "windowsOptions", "hostProcess")
            yield problem(where, f"hostProcess differs from the pod's hostProcess: {str(whole).lower()}")
    inside = [value is True or (value is None and whole is True) for value in own]
    if not any(inside):
        return
    if not all(inside):
        without = next(item for item, process in zip(pod.containers, inside) if not process)
        related = (Related("hostProcess set here", _first_host_process(pod)),)
        yield problem(without.path, "hostProcess: true on only some containers of the pod", related=related)
    if pod.value.get("hostNetwork") is not True:
        where = pod.at("hostNetwork") if pod.has("hostNetwork") else _first_host_process(pod)
        yield problem(where, "HostProcess containers require hostNetwork: true")


def _first_host_process(pod: PodView) -> PathTuple:
    """Return the path of the pod's first hostProcess: true."""
    views: tuple[PodView | ContainerView, ...] = (pod, *pod.containers)
    first = next(view for view in views if _options(view).get("hostProcess") is True)
    return first.at("securityContext", "windowsOptions", "hostProcess")
