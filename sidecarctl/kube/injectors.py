"""Injectors: programs in a cluster that add containers to pods, and how the pods request them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sidecarctl.lazy_dataclass import dataclass, field


@dataclass(frozen=True)
class Injector:
    """A program in a cluster that injects a container into pods.

    keys         annotations and labels that request the injection
    container    name of the injected container
    distinctive  False if other containers commonly have that name, so that the name alone proves nothing
    done         annotation or label of a pod that already has the container
    uid, ports   of the injected container, where no other container may use them
    port_keys    annotations that set further ports -> their defaults
    switches     such an annotation -> the annotation that says whether that port is used at all
    mesh         True if the container takes all traffic of the pod, so that a pod has at most one of them
    merges       True if the injector completes a container of that name instead of adding a second one
    """

    name: str
    keys: tuple[str, ...]
    container: str
    done: str = ""
    uid: int = 0
    ports: frozenset[int] = frozenset()
    port_keys: Mapping[str, int] = field(default_factory=dict)
    switches: Mapping[str, str] = field(default_factory=dict)
    mesh: bool = False
    distinctive: bool = True
    merges: bool = False

    def taken_ports(self, annotations: Mapping[str, Any]) -> frozenset[int]:
        """Return the TCP ports of the injected container in a pod with these annotations."""
        return self.ports.union(
            _port(annotations.get(key), default)
            for key, default in self.port_keys.items()
            if annotations.get(self.switches.get(key, "")) not in _DISABLED
        )


INJECTORS = (
    # Sources: each project's page about the ports and annotations of its proxy.
    Injector(
        "Istio",
        ("sidecar.istio.io/inject",),
        "istio-proxy",
        "sidecar.istio.io/status",
        1337,
        frozenset((15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090)),
        mesh=True,
        merges=True,
    ),
    Injector(
        "Linkerd",
        ("linkerd.io/inject",),
        "linkerd-proxy",
        "linkerd.io/proxy-version",
        2102,
        frozenset((4140, 4143, 4190, 4191)),
        mesh=True,
    ),
    Injector(
        "Consul",
        ("consul.hashicorp.com/connect-inject",),
        "consul-dataplane",
        "consul.hashicorp.com/connect-inject-status",
        5995,
        frozenset((19000, 20000, 20600, 21000)),
        mesh=True,
    ),
    Injector(
        "Open Service Mesh",
        ("openservicemesh.io/sidecar-injection",),
        "envoy",
        "osm-proxy-uuid",
        1500,
        frozenset((15000, 15001, 15003)),
        mesh=True,
        distinctive=False,
    ),
    Injector(
        "Kuma",
        ("kuma.io/sidecar-injection",),
        "kuma-sidecar",
        "kuma.io/sidecar-injected",
        5678,
        frozenset((9901, 15001, 15006)),
        mesh=True,
    ),
    Injector("Vault", ("vault.hashicorp.com/agent-inject",), "vault-agent", "vault.hashicorp.com/agent-inject-status"),
    Injector(
        "Dapr",
        ("dapr.io/enabled",),
        "daprd",
        "dapr.io/sidecar-injected",
        ports=frozenset((3501,)),
        port_keys={
            "dapr.io/http-port": 3500,
            "dapr.io/grpc-port": 50001,
            "dapr.io/internal-grpc-port": 50002,
            "dapr.io/metrics-port": 9090,
        },
        switches={"dapr.io/metrics-port": "dapr.io/enable-metrics"},
    ),
    Injector(
        "the OpenTelemetry operator",
        ("sidecar.opentelemetry.io/inject",),
        "otc-container",
        "sidecar.opentelemetry.io/injected",
    ),
)
BY_KEY: Mapping[str, Injector] = {key: injector for injector in INJECTORS for key in injector.keys}
BY_CONTAINER: Mapping[str, Injector] = {injector.container: injector for injector in INJECTORS if injector.distinctive}
# Other names of injected proxies: older versions, and gateways that tools add.
_MORE_PROXIES = frozenset(("envoy-sidecar", "consul-connect-envoy-sidecar", "maesh-proxy", "appmesh-envoy"))
PROXY_NAMES = _MORE_PROXIES.union(each.container for each in INJECTORS if each.distinctive and each.name != "Vault")
_DISABLED = ("", "false", "disabled", "no", "off", "0")


def find_requested(values: Mapping[str, Any]) -> Iterator[tuple[Injector, str]]:
    """Yield the injectors that annotations or labels request, each with its key."""
    for key in sorted(values.keys() & BY_KEY.keys()):
        value = values[key]
        if isinstance(value, str) and value.lower() not in _DISABLED:
            yield BY_KEY[key], key


def _port(text: object, default: int) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 6 else default
