"""The data of a pod graph, in reading order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sidecarctl.results import PodFacts

ROLE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "app": "app",
        "init": "init container",
        "sidecar": "native sidecar",
        "classic": "classic sidecar",
        "ephemeral": "ephemeral container",
    }
)


@dataclass(frozen=True)
class Port:
    """A container port: `8080`, `http` (may be empty), `TCP`."""

    number: str
    name: str = ""
    protocol: str = "TCP"

    @property
    def text(self) -> str:
        """`8080 http`, `53/UDP dns`."""
        number = self.number if self.protocol == "TCP" else f"{self.number}/{self.protocol}"
        return f"{number} {self.name}".rstrip()


@dataclass(frozen=True)
class Mount:
    """A volume mount of a container. `by` is the instance that added it to an app container, empty for the container's
    own.
    """

    volume: str
    path: str
    writes: bool
    by: str = ""

    @property
    def verb(self) -> str:
        """How the container uses the volume."""
        return "writes" if self.writes else "reads"


@dataclass(frozen=True)
class Box:
    """A container.

    start, stop  the steps at which it starts and is stopped, from 1; 0 for none
    gate         what the next step waits for: a startup probe, or the end of an init container; empty for nothing
    probes       its other probes, in words
    by           the instance that added it, empty for the app's own
    """

    name: str
    role: str
    image: str = ""
    start: int = 0
    stop: int = 0
    gate: str = ""
    probes: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    by: str = ""


@dataclass(frozen=True)
class Volume:
    """A volume with its source in words. `by` is the instance that added it."""

    name: str
    source: str
    by: str = ""


@dataclass(frozen=True)
class Added:
    """An instance: sidecar, version, and mode, and what it added in words."""

    name: str
    sidecar: str
    version: str
    mode: str
    parts: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`logger 1.0.0`, `logger 1.0.0 as audit`."""
        alias = f" as {self.name}" if self.name != self.sidecar else ""
        return f"{self.sidecar} {self.version}".rstrip() + alias


@dataclass(frozen=True)
class Hop:
    """A container that a connection passes, with the port on which it listens; no name if no container lists the port."""

    container: str
    port: int

    @property
    def text(self) -> str:
        """`nginx-tls:8443`."""
        return f"{self.container}:{self.port}" if self.container else f"port {self.port} of no listed container"


@dataclass(frozen=True)
class Route:
    """A port of a Service (`80 http`) with the containers that a connection passes, from the first one to the app.

    around  the sidecars in front of the app that it bypasses
    """

    service: str
    port: str
    hops: tuple[Hop, ...]
    around: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`Service/shop port 80 http -> nginx-tls:8443 -> shop:8080`."""
        around = f" (around {' and '.join(self.around)})" if self.around else ""
        return " -> ".join((f"{self.service} port {self.port}", *(hop.text for hop in self.hops))) + around


@dataclass(frozen=True)
class Pod:
    """The pod of one workload, with `containers` in start order, those of one step in manifest order.

    before  the facts of the pod without what was added, None if nothing was added
    routes  the ports of Services that lead to the pod
    more_services  the number of Services whose ports are not all listed
    """

    label: str
    file: str
    containers: tuple[Box, ...]
    volumes: tuple[Volume, ...] = ()
    instances: tuple[Added, ...] = ()
    replicas: int = 1
    facts: PodFacts = field(default_factory=PodFacts)
    before: PodFacts | None = None
    routes: tuple[Route, ...] = ()
    more_services: int = 0

    @property
    def left_out(self) -> str:
        """How many Services are not listed: `5 more Services`, "" for none."""
        return f"{self.more_services:,} more Service{'s' * (self.more_services > 1)}" if self.more_services else ""

    def users(self, volume: str) -> list[tuple[Box, Mount]]:
        """Return the containers that mount a volume, in order."""
        return [(box, mount) for box in self.containers for mount in box.mounts if mount.volume == volume]

    def instance(self, name: str) -> Added | None:
        """Return an instance by name."""
        return next((one for one in self.instances if one.name == name), None)

    @property
    def stops(self) -> tuple[tuple[str, ...], ...]:
        """The names of the containers by the step at which they are stopped."""
        steps = sorted({box.stop for box in self.containers} - {0})
        return tuple(tuple(box.name for box in self.containers if box.stop == step) for step in steps)


def facts_line(pod: Pod) -> str:
    """Return the facts of the scheduler on one line: `2 replicas · requests cpu 70m, memory 128Mi · Burstable`."""
    asked = ", ".join(f"{name} {amount}" for name, amount in sorted(pod.facts.requests.items()))
    parts = [
        f"{pod.replicas} replicas" if pod.replicas != 1 else "",
        f"requests {asked}" if asked else "no requests",
        pod.facts.qos,
    ]
    return " · ".join(part for part in parts if part)
