"""Rules about security contexts of pods and containers: values that are none, and settings that exclude each other."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import security_contexts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_HIGHEST_ID = 2**31 - 1


def _context(view: PodView | ContainerView) -> Data:
    found = view.value.get("securityContext")
    return found if isinstance(found, dict) else {}


@rule(
    "invalid-user-id",
    Severity.ERROR,
    fix=f"Use a number from 0 to {_HIGHEST_ID}.",
)
def invalid_user_id(pod: PodView, ctx: Context) -> Problems:
    """A user or group has a number that none can have.

    The API server takes runAsUser, runAsGroup, fsGroup and supplementalGroups from 0 to 2147483647. "Nobody" is 65534,
    not -1.
    """
    for view, context in security_contexts(pod):
        where = view.at("securityContext")
        for field in ("runAsUser", "runAsGroup", "fsGroup"):
            if field in context:
                yield from _id_fault(context[field], (*where, field))
        for index, group in enumerate(as_list(context.get("supplementalGroups"))):
            yield from _id_fault(group, (*where, "supplementalGroups", index))


def _id_fault(value: object, where: PathTuple) -> Problems:
    if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value <= _HIGHEST_ID:
        yield problem(where, f"{value} is no number of a user or group")


@rule(
    "privilege-escalation-conflict",
    Severity.ERROR,
    scope="container",
    needs=("securityContext",),
    fix="Remove allowPrivilegeEscalation: false, or better the privileges.",
)
def privilege_escalation_conflict(container: ContainerView, ctx: Context) -> Problems:
    """A container has all privileges and may not gain any.

    A privileged container, or one that adds CAP_SYS_ADMIN, can always gain more, so the API server refuses
    `allowPrivilegeEscalation: false` beside it. (SYS_ADMIN, as container runtimes call the capability, it does not
    notice.)
    """
    context = container.value.get("securityContext")
    if not isinstance(context, dict) or context.get("allowPrivilegeEscalation") is not False:
        return
    where = container.at("securityContext", "allowPrivilegeEscalation")
    if context.get("privileged") is True:
        message = "the container is privileged and has allowPrivilegeEscalation: false"
        yield problem(where, message, related=(Related("privileged", container.at("securityContext", "privileged")),))
    if "CAP_SYS_ADMIN" in as_list(as_mapping(context.get("capabilities")).get("add")):
        message = "the container adds CAP_SYS_ADMIN and has allowPrivilegeEscalation: false"
        yield problem(
            where, message, related=(Related("added", container.at("securityContext", "capabilities", "add")),)
        )


@rule(
    "unmasked-proc",
    Severity.ERROR,
    scope="container",
    needs=("securityContext",),
    since="1.33",
    fix="Set hostUsers: false for the pod, or leave procMount out.",
)
def unmasked_proc(container: ContainerView, ctx: Context) -> Problems:
    """A container sees all of /proc as the host's own users.

    What is hidden in /proc protects the host. It can be shown only where the pod's users are not the host's, with
    `hostUsers: false`.
    """
    if _context(container).get("procMount") == "Unmasked" and container.pod.value.get("hostUsers") is not False:
        yield problem(container.at("securityContext", "procMount"), "Unmasked needs hostUsers: false in the pod")


@rule(
    "invalid-seccomp-profile",
    Severity.ERROR,
    fix="Name the file in localhostProfile, relative to the kubelet's folder of profiles, for type Localhost alone.",
)
def invalid_seccomp_profile(pod: PodView, ctx: Context) -> Problems:
    """A seccomp profile names no file, or one that it can't have.

    Type Localhost reads a file of the node, whose path is relative and does not lead upwards. The other types have no
    file.
    """
    for view, context in security_contexts(pod):
        profile = context.get("seccompProfile")
        if not isinstance(profile, dict):
            continue
        where = view.at("securityContext", "seccompProfile", "localhostProfile")
        file, kind = profile.get("localhostProfile"), profile.get("type")
        if kind == "Localhost":
            if file is None:
                yield problem(where, "the profile of type Localhost names no file")
            elif isinstance(file, str) and (fault := _file_fault(file)):
                yield problem(where, f"{quote(file)} {fault}")
        elif file is not None and kind in ("RuntimeDefault", "Unconfined"):
            yield problem(where, f"a profile of type {kind} has no file", on_key=True)


def _file_fault(file: str) -> str | None:
    if file.startswith("/"):
        return "is no relative path"
    return 'must not contain ".."' if ".." in file.split("/") else None


@rule(
    "invalid-apparmor-profile",
    Severity.ERROR,
    since="1.30",
    fix="Name the profile in localhostProfile for type Localhost, and for no other.",
)
def invalid_apparmor_profile(pod: PodView, ctx: Context) -> Problems:
    """An AppArmor profile has no name, or one where its type has none.

    Type Localhost needs the name of a profile that the node has loaded, of at most 4095 characters and without white
    space around it.
    """
    for view, context in security_contexts(pod):
        profile = context.get("appArmorProfile")
        if not isinstance(profile, dict):
            continue
        where = view.at("securityContext", "appArmorProfile", "localhostProfile")
        name, kind = profile.get("localhostProfile"), profile.get("type")
        if kind == "Localhost":
            if name is None or name == "":
                yield problem(where, "the profile of type Localhost has no name")
            elif isinstance(name, str) and name != name.strip():
                yield problem(where, f"the name {quote(name)} begins or ends with white space")
            elif isinstance(name, str) and len(name.encode("utf-8", "surrogatepass")) > 4095:
                yield problem(where, "the name is longer than 4095 characters")
        elif name is not None and kind in ("RuntimeDefault", "Unconfined"):
            yield problem(where, f"a profile of type {kind} has no name", on_key=True)


@rule(
    "host-users-conflict",
    Severity.ERROR,
    needs=("hostUsers",),
    since="1.33",
    fix="Remove hostUsers: false, or the host's namespaces.",
)
def host_users_conflict(pod: PodView, ctx: Context) -> Problems:
    """A pod has users of its own and shares other namespaces with its host.

    With `hostUsers: false` the users of the pod mean nothing to the host, so it can't share the host's network,
    processes or IPC, and since Kubernetes 1.34 have no raw block devices.
    """
    if pod.value.get("hostUsers") is not False or not enabled("user-namespaces", ctx.kube_version):
        return
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.value.get(field) is True:
            yield problem(pod.at(field), f"{field} and hostUsers: false exclude each other", on_key=True)
    for container in pod.containers if ctx.since("1.34") else ():
        devices = container.value.get("volumeDevices")
        if devices and isinstance(devices, list):
            message = "volumeDevices and hostUsers: false exclude each other"
            yield problem(container.at("volumeDevices"), message, on_key=True)


@rule(
    "shared-process-namespace-conflict",
    Severity.ERROR,
    needs=("shareProcessNamespace",),
    fix="Keep one of them.",
)
def shared_process_namespace_conflict(pod: PodView, ctx: Context) -> Problems:
    """A pod shares its processes among its containers and with its host.

    With `hostPID` all see the processes of the host already, so the API server refuses `shareProcessNamespace` beside
    it.
    """
    if pod.value.get("shareProcessNamespace") is True and pod.value.get("hostPID") is True:
        message = "shareProcessNamespace and hostPID exclude each other"
        yield problem(pod.at("shareProcessNamespace"), message, on_key=True)


@rule(
    "non-root-as-root",
    Severity.ERROR,
    layer="advice",
    fix="Run it as another user, or set runAsNonRoot: false for this container.",
)
def non_root_as_root(pod: PodView, ctx: Context) -> Problems:
    """A container must not run as root and is told to.

    The API server takes it, but the kubelet never starts the container (CreateContainerConfigError). What a container
    does not say itself it has from the pod.
    """
    if not security_contexts(pod):
        return
    shared = _context(pod)
    for container in pod.by_role("app", "classic", "init", "sidecar"):
        own = _context(container)
        holder: PodView | ContainerView = pod if own.get("runAsUser") is None else container
        user = shared.get("runAsUser") if own.get("runAsUser") is None else own["runAsUser"]
        non_root = shared.get("runAsNonRoot") if own.get("runAsNonRoot") is None else own["runAsNonRoot"]
        if non_root is True and user == 0 and user is not False:
            message = f"the container {quote(container.name)} has runAsNonRoot: true and runAsUser: 0: it never starts"
            yield problem(holder.at("securityContext", "runAsUser"), message)
