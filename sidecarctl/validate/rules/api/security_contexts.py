"""Rules about security contexts of pods and containers: invalid values and conflicting settings."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import security_contexts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_HIGHEST_ID = 2**31 - 1


def _security_context(view: PodView | ContainerView) -> Data:
    found = view.value.get("securityContext")
    return found if isinstance(found, dict) else {}


@rule(
    "invalid-user-id",
    Severity.ERROR,
    fix=f"Use a number from 0 to {_HIGHEST_ID}.",
)
def invalid_user_id(pod: PodView, ctx: Context) -> Problems:
    """A user or group ID is out of range.

    The API server accepts 0 to 2147483647 in runAsUser, runAsGroup, fsGroup, and supplementalGroups. The user "nobody"
    is 65534, not -1.
    """
    for view, context in security_contexts(pod):
        where = view.at("securityContext")
        for field in ("runAsUser", "runAsGroup", "fsGroup"):
            if field in context:
                yield from _check_id(context[field], (*where, field))
        for index, group in enumerate(as_list(context.get("supplementalGroups"))):
            yield from _check_id(group, (*where, "supplementalGroups", index))


def _check_id(value: object, where: PathTuple) -> Problems:
    if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value <= _HIGHEST_ID:
        yield problem(where, f"invalid user or group ID {value}: use a number from 0 to {_HIGHEST_ID}")


@rule(
    "privilege-escalation-conflict",
    Severity.ERROR,
    scope="container",
    needs=("securityContext",),
    fix="Remove `allowPrivilegeEscalation: false`, or preferably the privileges.",
)
def privilege_escalation_conflict(container: ContainerView, ctx: Context) -> Problems:
    """A privileged container sets allowPrivilegeEscalation to false.

    A container that is privileged or adds CAP_SYS_ADMIN can always gain privileges, so the API server rejects
    `allowPrivilegeEscalation: false`. It does not check for SYS_ADMIN, the spelling that container runtimes use.
    """
    context = container.value.get("securityContext")
    if not isinstance(context, dict) or context.get("allowPrivilegeEscalation") is not False:
        return
    where = container.at("securityContext", "allowPrivilegeEscalation")
    if context.get("privileged") is True:
        message = "allowPrivilegeEscalation: false conflicts with privileged: true"
        yield problem(where, message, related=(Related("privileged", container.at("securityContext", "privileged")),))
    if "CAP_SYS_ADMIN" in as_list(as_mapping(context.get("capabilities")).get("add")):
        message = "allowPrivilegeEscalation: false conflicts with CAP_SYS_ADMIN"
        yield problem(
            where, message, related=(Related("added", container.at("securityContext", "capabilities", "add")),)
        )


@rule(
    "unmasked-proc",
    Severity.ERROR,
    scope="container",
    needs=("securityContext",),
    since="1.33",
    fix="Set `hostUsers: false` on the pod, or remove procMount.",
)
def unmasked_proc(container: ContainerView, ctx: Context) -> Problems:
    """A container uses procMount: Unmasked without a user namespace.

    The masked paths in /proc protect the host. The API server accepts `procMount: Unmasked` only in a pod with
    `hostUsers: false`.
    """
    if (
        _security_context(container).get("procMount") == "Unmasked"
        and container.pod.value.get("hostUsers") is not False
    ):
        yield problem(
            container.at("securityContext", "procMount"), "procMount: Unmasked requires hostUsers: false on the pod"
        )


@rule(
    "invalid-seccomp-profile",
    Severity.ERROR,
    fix="Use localhostProfile with type Localhost only, as a path relative to the kubelet's seccomp directory.",
)
def invalid_seccomp_profile(pod: PodView, ctx: Context) -> Problems:
    """Missing or invalid localhostProfile of a seccomp profile.

    Type Localhost reads a profile file on the node. Its path is relative and can't contain "..". The other types do not
    take a file.
    """
    for view, context in security_contexts(pod):
        profile = context.get("seccompProfile")
        if not isinstance(profile, dict):
            continue
        where = view.at("securityContext", "seccompProfile", "localhostProfile")
        file, kind = profile.get("localhostProfile"), profile.get("type")
        if kind == "Localhost":
            if file is None:
                yield problem(where, "seccomp type Localhost requires localhostProfile")
            elif isinstance(file, str) and (fault := _check_profile_path(file)):
                yield problem(where, f"invalid localhostProfile {quote(file)}: {fault}")
        elif file is not None and kind in ("RuntimeDefault", "Unconfined"):
            yield problem(where, f"localhostProfile is not supported with seccomp type {kind}", on_key=True)


def _check_profile_path(file: str) -> str | None:
    if file.startswith("/"):
        return "use a relative path"
    return '".." is not allowed' if ".." in file.split("/") else None


@rule(
    "invalid-apparmor-profile",
    Severity.ERROR,
    since="1.30",
    fix="Set localhostProfile with type Localhost, and remove it for other types.",
)
def invalid_apparmor_profile(pod: PodView, ctx: Context) -> Problems:
    """Missing or invalid localhostProfile of an AppArmor profile.

    Type Localhost requires the name of a profile that is loaded on the node: at most 4095 characters, without leading
    or trailing whitespace. The other types do not take a name.
    """
    for view, context in security_contexts(pod):
        profile = context.get("appArmorProfile")
        if not isinstance(profile, dict):
            continue
        where = view.at("securityContext", "appArmorProfile", "localhostProfile")
        name, kind = profile.get("localhostProfile"), profile.get("type")
        if kind == "Localhost":
            if name is None or name == "":
                yield problem(where, "AppArmor type Localhost requires localhostProfile")
            elif isinstance(name, str) and name != name.strip():
                yield problem(where, f"invalid localhostProfile {quote(name)}: leading or trailing whitespace")
            elif isinstance(name, str) and len(name.encode("utf-8", "surrogatepass")) > 4095:
                yield problem(where, "localhostProfile too long (limit: 4095 bytes)")
        elif name is not None and kind in ("RuntimeDefault", "Unconfined"):
            yield problem(where, f"localhostProfile is not supported with AppArmor type {kind}", on_key=True)


@rule(
    "host-users-conflict",
    Severity.ERROR,
    needs=("hostUsers",),
    since="1.33",
    fix="Remove `hostUsers: false`, or stop using the host namespaces.",
)
def host_users_conflict(pod: PodView, ctx: Context) -> Problems:
    """A pod in a user namespace uses host namespaces or block devices.

    With `hostUsers: false` the pod's users have no rights on the host, so the API server rejects host network, host
    PID, and host IPC, and since Kubernetes 1.34 raw block devices.
    """
    if pod.value.get("hostUsers") is not False or not enabled("user-namespaces", ctx.kube_version):
        return
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.value.get(field) is True:
            yield problem(pod.at(field), f"{field} conflicts with hostUsers: false", on_key=True)
    for container in pod.containers if ctx.since("1.34") else ():
        devices = container.value.get("volumeDevices")
        if devices and isinstance(devices, list):
            message = "volumeDevices conflicts with hostUsers: false"
            yield problem(container.at("volumeDevices"), message, on_key=True)


@rule(
    "shared-process-namespace-conflict",
    Severity.ERROR,
    needs=("shareProcessNamespace",),
    fix="Keep only one of them.",
)
def shared_process_namespace_conflict(pod: PodView, ctx: Context) -> Problems:
    """A pod sets both shareProcessNamespace and hostPID.

    With `hostPID` the containers already see all processes of the host, so the API server rejects
    `shareProcessNamespace` in addition.
    """
    if pod.value.get("shareProcessNamespace") is True and pod.value.get("hostPID") is True:
        message = "shareProcessNamespace conflicts with hostPID"
        yield problem(pod.at("shareProcessNamespace"), message, on_key=True)


@rule(
    "non-root-as-root",
    Severity.ERROR,
    layer="advice",
    fix="Run it as another user, or set `runAsNonRoot: false` on the container.",
)
def non_root_as_root(pod: PodView, ctx: Context) -> Problems:
    """A container has runAsNonRoot but runs as root.

    The API server accepts the pod, but the kubelet never starts the container (CreateContainerConfigError). A container
    inherits settings that it does not set from the pod.
    """
    if not security_contexts(pod):
        return
    shared = _security_context(pod)
    for container in pod.by_role("app", "classic", "init", "sidecar"):
        own = _security_context(container)
        holder: PodView | ContainerView = pod if own.get("runAsUser") is None else container
        user = shared.get("runAsUser") if own.get("runAsUser") is None else own["runAsUser"]
        non_root = shared.get("runAsNonRoot") if own.get("runAsNonRoot") is None else own["runAsNonRoot"]
        if non_root is True and user == 0 and user is not False:
            message = f"container {quote(container.name)} never starts: runAsNonRoot: true conflicts with runAsUser: 0"
            yield problem(holder.at("securityContext", "runAsUser"), message)
