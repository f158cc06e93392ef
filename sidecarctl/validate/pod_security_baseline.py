"""Checks of the Pod Security level baseline.

A value of the wrong type violates no level: the schema check reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sidecarctl.findings import PathTuple, quote
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.fields import listed
from sidecarctl.validate.views import ContainerView, Data, PodView

CONTEXT = "securityContext"


@dataclass(frozen=True)
class Violation:
    """A field that violates a level; the path of a missing field ends with the name of that field."""

    path: PathTuple
    text: str


PodCheck = Callable[[PodView], Iterator[Violation]]


def context(holder: PodView | ContainerView) -> Data | None:
    """Return the security context of a pod or container: {} if it has none, None if it is not a mapping."""
    found = holder.value.get(CONTEXT)
    return {} if found is None else found if isinstance(found, dict) else None


def contexts(pod: PodView) -> Iterator[tuple[PodView | ContainerView, Data]]:
    """Yield the security contexts of a pod and its containers that are not empty."""
    holders: tuple[PodView | ContainerView, ...] = (pod, *pod.containers)
    for holder in holders:
        found = holder.value.get(CONTEXT)
        if found and isinstance(found, dict):
            yield holder, found


def own_contexts(pod: PodView) -> Iterator[tuple[ContainerView, Data]]:
    """Yield each container with its security context, {} if it has none."""
    for container in pod.containers:
        found = context(container)
        if found is not None:
            yield container, found


def on_windows(pod: PodView) -> bool:
    """Return True for a Windows pod."""
    return pod.text("os", "name") == "windows"


def in_user_namespace(pod: PodView) -> bool:
    """Return True for a pod with its own user namespace."""
    return pod.value.get("hostUsers") is False


def except_if(exempt: Callable[[PodView], bool], judge: PodCheck) -> PodCheck:
    """Return a check that skips exempt pods."""

    def judged(pod: PodView) -> Iterator[Violation]:
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


def privileged(pod: PodView) -> Iterator[Violation]:
    """Report privileged containers."""
    for container, own in own_contexts(pod):
        if own.get("privileged") is True:
            yield Violation(container.at(CONTEXT, "privileged"), "privileged container")


def host_namespaces(pod: PodView) -> Iterator[Violation]:
    """Report pods that use a namespace of the node."""
    for field in _HOST_NAMESPACES:
        if pod.value.get(field) is True:
            yield Violation(pod.at(field), f"{field} is true")


def host_path_volumes(pod: PodView) -> Iterator[Violation]:
    """Report hostPath volumes."""
    for index, volume in listed(pod.value, "volumes"):
        if volume.get("hostPath") is not None:
            yield Violation(
                pod.at("volumes", index, "hostPath"), f"volume {quote(volume.get('name'))} is a hostPath volume"
            )


def host_ports(pod: PodView) -> Iterator[Violation]:
    """Report host ports.

    With hostNetwork, the API server sets the host ports of a pod. Those are not reported here, because
    `host_namespaces` reports hostNetwork.
    """
    for container in pod.containers:
        for index, port in listed(container.value, "ports"):
            number = port.get("hostPort")
            if number.__class__ is int and number:
                yield Violation(container.at("ports", index, "hostPort"), f"hostPort {number} is set")


def host_handlers(pod: PodView) -> Iterator[Violation]:
    """Report probes and lifecycle hooks that connect to a host other than the pod."""
    for container in pod.containers:
        for steps in _HANDLERS:
            if container.value.get(steps[0]) is None:
                continue
            for action in ("httpGet", "tcpSocket"):
                host = container.text(*steps, action, "host")
                if host:
                    yield Violation(container.at(*steps, action, "host"), f"{steps[-1]} connects to host {quote(host)}")


def capabilities(pod: PodView) -> Iterator[Violation]:
    """Report added capabilities beyond the default set of container runtimes."""
    for container, own in own_contexts(pod):
        for index, name in enumerate(as_list(as_mapping(own.get("capabilities")).get("add"))):
            if isinstance(name, str) and name not in _CAPABILITIES:
                where = container.at(CONTEXT, "capabilities", "add", index)
                yield Violation(where, f"added capability {name}")


def proc_mount(pod: PodView) -> Iterator[Violation]:
    """Report a /proc mount other than the default."""
    for container, own in own_contexts(pod):
        value = own.get("procMount")
        if isinstance(value, str) and value != "Default":
            yield Violation(container.at(CONTEXT, "procMount"), f"procMount is {value}")


def host_process(pod: PodView) -> Iterator[Violation]:
    """Report Windows HostProcess containers."""
    for holder, own in contexts(pod):
        if as_mapping(own.get("windowsOptions")).get("hostProcess") is True:
            yield Violation(holder.at(CONTEXT, "windowsOptions", "hostProcess"), "hostProcess is true")


def app_armor(pod: PodView) -> Iterator[Violation]:
    """Report AppArmor profiles other than RuntimeDefault and Localhost."""
    for holder, own in contexts(pod):
        kind = as_mapping(own.get("appArmorProfile")).get("type")
        if isinstance(kind, str) and kind not in _PROFILES:
            yield Violation(holder.at(CONTEXT, "appArmorProfile", "type"), f"AppArmor profile is {kind}")
    for key, value, path in pod.metadata.pairs("annotations"):
        if isinstance(value, str) and key.startswith(APP_ARMOR_ANNOTATION) and not _known_profile(value):
            yield Violation(path, f"AppArmor profile is {quote(value)}")


def _known_profile(value: str) -> bool:
    return value in ("", "runtime/default") or value.startswith("localhost/")


def seccomp(pod: PodView) -> Iterator[Violation]:
    """Report seccomp profiles other than RuntimeDefault and Localhost."""
    for holder, own in contexts(pod):
        kind = as_mapping(own.get("seccompProfile")).get("type")
        if isinstance(kind, str) and kind not in _PROFILES:
            yield Violation(holder.at(CONTEXT, "seccompProfile", "type"), f"seccomp profile is {kind}")


def seccomp_annotations(pod: PodView) -> Iterator[Violation]:
    """Report disabled seccomp in the annotations that were used before Kubernetes 1.19."""
    keys = {SECCOMP_POD_ANNOTATION, *(SECCOMP_ANNOTATION + container.name for container in pod.containers)}
    for key, value, path in pod.metadata.pairs("annotations"):
        if isinstance(value, str) and key in keys:
            if value not in ("runtime/default", "docker/default") and not value.startswith("localhost/"):
                yield Violation(path, f"seccomp profile is {quote(value)}")


def sysctls(allowed: frozenset[str]) -> PodCheck:
    """Return a check that reports sysctls other than the allowed ones."""

    def judge(pod: PodView) -> Iterator[Violation]:
        for one in pod.each(CONTEXT, "sysctls"):
            name = one.text("name")
            if name and name not in allowed:
                yield Violation(one.at("name"), f"sysctl {name} is set")

    return judge


def selinux(types: frozenset[str]) -> PodCheck:
    """Return a check that reports other SELinux types, and any SELinux user or role."""

    def judge(pod: PodView) -> Iterator[Violation]:
        for holder, own in contexts(pod):
            for field in ("type", "user", "role"):
                value = as_mapping(own.get("seLinuxOptions")).get(field)
                if value and isinstance(value, str) and (field != "type" or value not in types):
                    where = holder.at(CONTEXT, "seLinuxOptions", field)
                    yield Violation(where, f"SELinux {field} is {quote(value)}")

    return judge
