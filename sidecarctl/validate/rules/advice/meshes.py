"""Rules about pods that ask a cluster for more containers: their users, their ports, and what can't be seen here."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_RUNNING = ("app", "classic", "sidecar")
_SIDECARS = ("sidecar", "classic")


@dataclass(frozen=True)
class Injector:
    """A program of a cluster that adds containers to pods.

    asks       annotations or labels by which a pod asks for it, with the values that do not ask
    container  what it calls the container it adds
    telling    False: other containers are called so too, so that one alone does not show the injector
    done       an annotation or label of a pod that has been given it already
    uid, ports of its container, where others may not have them
    """

    name: str
    asks: tuple[str, ...]
    container: str
    done: str = ""
    uid: int = 0
    ports: frozenset[int] = frozenset()
    telling: bool = True


INJECTORS = (
    Injector(
        "Istio",
        ("sidecar.istio.io/inject",),
        "istio-proxy",
        "sidecar.istio.io/status",
        1337,
        frozenset((15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090)),
    ),
    Injector(
        "Linkerd",
        ("linkerd.io/inject",),
        "linkerd-proxy",
        "linkerd.io/proxy-version",
        2102,
        frozenset((4140, 4143, 4190, 4191)),
    ),
    Injector(
        "Consul",
        ("consul.hashicorp.com/connect-inject",),
        "consul-dataplane",
        "consul.hashicorp.com/connect-inject-status",
        5995,
        frozenset((20000, 20600, 21000)),
    ),
    Injector(
        "Open Service Mesh",
        ("openservicemesh.io/sidecar-injection",),
        "envoy",
        "osm-proxy-uuid",
        1500,
        frozenset((15000, 15001, 15003)),
        telling=False,
    ),
    Injector("Vault", ("vault.hashicorp.com/agent-inject",), "vault-agent", "vault.hashicorp.com/agent-inject-status"),
    Injector("Dapr", ("dapr.io/enabled",), "daprd", "dapr.io/sidecar-injected"),
    Injector(
        "the OpenTelemetry operator",
        ("sidecar.opentelemetry.io/inject",),
        "otc-container",
        "sidecar.opentelemetry.io/injected",
    ),
)
_BY_KEY = {key: injector for injector in INJECTORS for key in injector.asks}
_BY_CONTAINER = {injector.container: injector for injector in INJECTORS if injector.telling}
_NO = ("", "false", "disabled", "no", "off", "0")


def _asked(pod: PodView) -> Iterator[tuple[Injector, PathTuple]]:
    """Yield the injectors that a pod asks for, with the path of the annotation or label."""
    for field in ("annotations", "labels"):
        found = pod.metadata.value.get(field)
        if not found or not isinstance(found, dict):
            continue
        for key in sorted(found.keys() & _BY_KEY.keys()):
            value = found[key]
            if isinstance(value, str) and value.lower() not in _NO:
                yield _BY_KEY[key], pod.metadata.at(field, key)


def _present(pod: PodView) -> Iterator[tuple[Injector, PathTuple]]:
    """Yield the meshes that a pod is or will be part of, each once, with the path of what shows it."""
    seen = set()
    for one, path in _asked(pod):
        if one.name not in seen:
            seen.add(one.name)
            yield one, path
    for container in pod.containers:
        injector = _BY_CONTAINER.get(container.name)
        if injector and injector.name not in seen:
            seen.add(injector.name)
            yield injector, (*container.path, "name")


@rule(
    "mesh-uid-clash",
    Severity.ERROR,
    layer="advice",
    fix="Run it as another user.",
)
def mesh_uid_clash(pod: PodView, ctx: Context) -> Problems:
    """A container runs as the user of the mesh's proxy.

    What that user sends goes past the proxy, as the proxy's own traffic must: unencrypted, unmeasured, and refused
    where the mesh is strict. Istio's user is 1337, Linkerd's 2102, Consul's 5995,
    Open Service Mesh's 1500.

    Ordinary init containers are left alone; it is how they reach the network before the proxy runs.
    """
    for injector, shown in _present(pod):
        if not injector.uid:
            continue
        related = (Related(f"asks for {injector.name}", shown),)
        text = f"user {injector.uid} is that of {injector.name}'s proxy"
        if pod.get("securityContext", "runAsUser") == injector.uid:
            yield problem(pod.at("securityContext", "runAsUser"), text, related=related)
        for container in pod.by_role(*_RUNNING):
            own = as_mapping(container.value.get("securityContext")).get("runAsUser")
            if own == injector.uid and container.name != injector.container:
                yield problem(container.at("securityContext", "runAsUser"), text, related=related)


@rule(
    "mesh-port-clash",
    Severity.ERROR,
    layer="advice",
    fix="Let it listen on another port.",
)
def mesh_port_clash(pod: PodView, ctx: Context) -> Problems:
    """A container listens on a port of the mesh's proxy.

    The proxy that the mesh adds shares the pod's network: one of the two can't bind to the port and ends.
    """
    for injector, shown in _present(pod):
        for container in pod.by_role(*_RUNNING) if injector.ports else ():
            if container.name == injector.container:
                continue
            for index, port in listed(container.value, "ports"):
                number = port.get("containerPort")
                if number.__class__ is int and number in injector.ports and port.get("protocol") in (None, "TCP"):
                    yield problem(
                        container.at("ports", index, "containerPort"),
                        f"the port {number} is one of {injector.name}'s proxy",
                        related=(Related(f"asks for {injector.name}", shown),),
                    )


@rule(
    "foreign-injector",
    Severity.INFO,
    layer="advice",
    fix="Reckon with its containers, or let sidecarctl add them instead.",
)
def foreign_injector(pod: PodView, ctx: Context) -> Problems:
    """A pod with sidecars asks the cluster for more.

    What the cluster adds is not in the manifest: sums, QoS class, order and conflicts said here are without it.

    It is a warning where the container that it would add is there already: then there are two, or the injector refuses
    the pod.
    """
    for injector, path in _asked(pod):
        own = next((one for one in pod.by_role(*_RUNNING) if one.name == injector.container), None)
        if own is not None and not _done(pod, injector):
            yield problem(
                path,
                f"{injector.name} is asked for, and its container {quote(own.name)} is there already",
                help="Remove the container, or do not ask for it.",
                related=(Related("the container", (*own.path, "name")),),
                severity=Severity.WARNING,
            )
        elif own is None and any(_sidecars(pod)):
            yield problem(path, f"{injector.name} adds containers that can't be seen here")


def _done(pod: PodView, injector: Injector) -> bool:
    fields = (pod.metadata.value.get("annotations"), pod.metadata.value.get("labels"))
    return any(injector.done in as_mapping(field) for field in fields)


def _sidecars(pod: PodView) -> Iterator[ContainerView]:
    return pod.by_role(*_SIDECARS)
