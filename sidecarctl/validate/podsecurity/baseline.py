"""What the checks of a level read: security contexts of a pod and its containers. Judges nothing.

What has another type than it should is no breach of a level: the structural layer speaks of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sidecarctl.findings import PathTuple, quote
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.views import ContainerView, Data, PodView

CONTEXT = "securityContext"


class Breach(NamedTuple):
    """A field that a level does not allow, or misses; the path of what is missing ends with that field."""

    path: PathTuple
    text: str


Judge = Callable[[PodView], Iterator[Breach]]


def context(holder: PodView | ContainerView) -> Data | None:
    """Return the security context of a pod or a container: {} where it has none, None where it is no mapping."""
    found = holder.value.get(CONTEXT)
    return {} if found is None else found if isinstance(found, dict) else None


def contexts(pod: PodView) -> Iterator[tuple[PodView | ContainerView, Data]]:
    """Yield the pod's own security context and those of its containers, without empty ones."""
    holders: tuple[PodView | ContainerView, ...] = (pod, *pod.containers)
    for holder in holders:
        found = holder.value.get(CONTEXT)
        if found and isinstance(found, dict):
            yield holder, found


def own_contexts(pod: PodView) -> Iterator[tuple[ContainerView, Data]]:
    """Yield each container with its security context, {} where it has none."""
    for container in pod.containers:
        found = context(container)
        if found is not None:
            yield container, found


def on_windows(pod: PodView) -> bool:
    """True for a pod that says that it is for Windows."""
    return pod.text("os", "name") == "windows"


def in_user_namespace(pod: PodView) -> bool:
    """True for a pod whose users are not those of the node."""
    return pod.value.get("hostUsers") is False


def except_where(exempt: Callable[[PodView], bool], judge: Judge) -> Judge:
    """Return a check that lets some pods pass."""

    def judged(pod: PodView) -> Iterator[Breach]:
        return iter(()) if exempt(pod) else judge(pod)

    return judged


APP_ARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/"

_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
_PROFILES = ("RuntimeDefault", "Localhost")
_HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
_HANDLERS = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)

SYSCTLS_1_0 = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
    )
)
SYSCTLS_1_27 = SYSCTLS_1_0 | {"net.ipv4.ip_local_reserved_ports"}
SYSCTLS_1_29 = SYSCTLS_1_27 | {
    f"net.ipv4.tcp_{name}" for name in ("keepalive_time", "fin_timeout", "keepalive_intvl", "keepalive_probes")
}
SYSCTLS_1_32 = SYSCTLS_1_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
SYSCTLS_1_37 = SYSCTLS_1_32 | {"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"}
SELINUX_1_0 = frozenset(("", "container_t", "container_init_t", "container_kvm_t"))
SELINUX_1_31 = SELINUX_1_0 | {"container_engine_t"}


def privileged(pod: PodView) -> Iterator[Breach]:
    """No container is privileged."""
    for container, own in own_contexts(pod):
        if own.get("privileged") is True:
            yield Breach(container.at(CONTEXT, "privileged"), "the container is privileged")


def host_namespaces(pod: PodView) -> Iterator[Breach]:
    """The pod shares no namespace of its node."""
    for field in _HOST_NAMESPACES:
        if pod.value.get(field) is True:
            yield Breach(pod.at(field), f"{field} is true")


def host_path_volumes(pod: PodView) -> Iterator[Breach]:
    """No volume is a path of the node."""
    for index, volume in listed(pod.value, "volumes"):
        if volume.get("hostPath") is not None:
            yield Breach(pod.at("volumes", index, "hostPath"), f"the volume {volume.get('name')} is a hostPath")


def host_ports(pod: PodView) -> Iterator[Breach]:
    """No container takes a port of the node.

    The server fills in the host ports of a Pod in the network of its node; those are not reported here, as
    `host_namespaces` speaks of their cause.
    """
    for container in pod.containers:
        for index, port in listed(container.value, "ports"):
            number = port.get("hostPort")
            if number.__class__ is int and number:
                yield Breach(container.at("ports", index, "hostPort"), f"the container takes the hostPort {number}")


def host_handlers(pod: PodView) -> Iterator[Breach]:
    """No probe or hook makes the kubelet ask another host than the pod."""
    for container in pod.containers:
        for steps in _HANDLERS:
            if container.value.get(steps[0]) is None:
                continue
            for action in ("httpGet", "tcpSocket"):
                host = container.text(*steps, action, "host")
                if host:
                    yield Breach(container.at(*steps, action, "host"), f"the {steps[-1]} asks the host {quote(host)}")


def capabilities(pod: PodView) -> Iterator[Breach]:
    """Containers add no capability beyond those that runtimes give anyway."""
    for container, own in own_contexts(pod):
        for index, name in enumerate(as_list(as_mapping(own.get("capabilities")).get("add"))):
            if isinstance(name, str) and name not in _CAPABILITIES:
                where = container.at(CONTEXT, "capabilities", "add", index)
                yield Breach(where, f"the container adds the capability {name}")


def proc_mount(pod: PodView) -> Iterator[Breach]:
    """/proc is masked as runtimes do it."""
    for container, own in own_contexts(pod):
        value = own.get("procMount")
        if isinstance(value, str) and value != "Default":
            yield Breach(container.at(CONTEXT, "procMount"), f"procMount is {value}")


def host_process(pod: PodView) -> Iterator[Breach]:
    """No Windows container is a process of the node."""
    for holder, own in contexts(pod):
        if as_mapping(own.get("windowsOptions")).get("hostProcess") is True:
            yield Breach(holder.at(CONTEXT, "windowsOptions", "hostProcess"), "hostProcess is true")


def app_armor(pod: PodView) -> Iterator[Breach]:
    """AppArmor is the runtime's default or a profile of the node."""
    for holder, own in contexts(pod):
        kind = as_mapping(own.get("appArmorProfile")).get("type")
        if isinstance(kind, str) and kind not in _PROFILES:
            yield Breach(holder.at(CONTEXT, "appArmorProfile", "type"), f"the AppArmor profile is {kind}")
    for key, value, path in pod.metadata.pairs("annotations"):
        if isinstance(value, str) and key.startswith(APP_ARMOR_ANNOTATION) and not _known_profile(value):
            yield Breach(path, f"the AppArmor profile is {quote(value)}")


def _known_profile(value: str) -> bool:
    return value in ("", "runtime/default") or value.startswith("localhost/")


def seccomp(pod: PodView) -> Iterator[Breach]:
    """Seccomp is not switched off."""
    for holder, own in contexts(pod):
        kind = as_mapping(own.get("seccompProfile")).get("type")
        if isinstance(kind, str) and kind not in _PROFILES:
            yield Breach(holder.at(CONTEXT, "seccompProfile", "type"), f"the seccomp profile is {kind}")


def seccomp_annotations(pod: PodView) -> Iterator[Breach]:
    """Seccomp is not switched off, as it was said before Kubernetes 1.19."""
    keys = {SECCOMP_POD_ANNOTATION, *(SECCOMP_ANNOTATION + container.name for container in pod.containers)}
    for key, value, path in pod.metadata.pairs("annotations"):
        if isinstance(value, str) and key in keys:
            if value not in ("runtime/default", "docker/default") and not value.startswith("localhost/"):
                yield Breach(path, f"the seccomp profile is {quote(value)}")


def sysctls(allowed: frozenset[str]) -> Judge:
    """Return the check that only these kernel parameters are set."""

    def judge(pod: PodView) -> Iterator[Breach]:
        for one in pod.each(CONTEXT, "sysctls"):
            name = one.text("name")
            if name and name not in allowed:
                yield Breach(one.at("name"), f"the sysctl {name} is set")

    return judge


def selinux(types: frozenset[str]) -> Judge:
    """Return the check that SELinux has one of these types, and no user or role."""

    def judge(pod: PodView) -> Iterator[Breach]:
        for holder, own in contexts(pod):
            for field in ("type", "user", "role"):
                value = as_mapping(own.get("seLinuxOptions")).get(field)
                if value and isinstance(value, str) and (field != "type" or value not in types):
                    where = holder.at(CONTEXT, "seLinuxOptions", field)
                    yield Breach(where, f"the SELinux {field} is {quote(value)}")

    return judge
