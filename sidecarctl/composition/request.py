"""Requests: one sidecar with its parameters, mode, and targets under an instance name; and the order of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from sidecarctl.catalog.assignments import Origins
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.catalog.parameters import Parameters, resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import UsageError
from sidecarctl.kube import names
from sidecarctl.lazy_dataclass import dataclass

MODES = ("auto", "native", "classic", "init")


@dataclass(frozen=True)
class Request:
    """One sidecar to add.

    mode        auto, native, classic, or init; "" for the sidecar's default
    containers  names or globs of the target containers; empty for the sidecar's `targets`
    by          the composition that requests it, empty for the command line; recorded
    origin      the source of the request in messages: "the command line", 'rule "front"'
    where       the place of the request in messages, `file:line:column`
    keep_qos    set requests equal to limits if the pod is Guaranteed, to keep its QoS class
    adopt       adopt a container of the instance's name that sidecarctl did not add
    """

    sidecar: Sidecar
    parameters: Parameters
    instance: str = ""
    mode: str = ""
    containers: tuple[str, ...] = ()
    by: str = ""
    origin: str = field(default="the command line", compare=False)
    where: str = field(default="", compare=False)
    adopt: bool = field(default=False, compare=False)
    keep_qos: bool = False

    def __post_init__(self) -> None:
        name = self.instance or self.sidecar.name
        object.__setattr__(self, "instance", name)
        problem = names.check_dns_label(name)
        if problem:
            suggestion = names.to_dns_label(name)
            raise UsageError(
                f'invalid instance name "{name}": {problem}',
                hint=f"use {suggestion}" if suggestion else "",
            )
        if self.mode and self.mode not in MODES:
            raise UsageError(f'unknown mode "{self.mode}"', hint=f"use one of {', '.join(MODES)}")


def build_requests(
    catalog: Catalog,
    sidecars: Sequence[str],
    parameters: Mapping[str, Mapping[str, object]],
    origins: Mapping[str, Origins] | None = None,
    *,
    instance: str = "",
    mode: str = "",
    containers: Sequence[str] = (),
    adopt: bool = False,
    keep_qos: bool = False,
) -> list[Request]:
    """Return one request per sidecar (`logger` or `logger@1.0.0`). `parameters` and `origins` are by sidecar name.

    Raises UsageError for an unknown sidecar or parameter, LibraryError for an invalid sidecar.
    """
    found = [catalog.find(name) for name in sidecars]
    if instance and len(found) > 1:
        raise UsageError("--as requires exactly one sidecar", hint="add the sidecars one by one")
    return [
        Request(
            sidecar,
            resolve(sidecar, parameters.get(sidecar.name, {}), origins=(origins or {}).get(sidecar.name)),
            instance,
            mode,
            tuple(containers),
            adopt=adopt,
            keep_qos=keep_qos,
        )
        for sidecar in found
    ]


def order_requests(requests: Sequence[Request]) -> list[Request]:
    """Return requests in their order, changed only as far as `startsAfter` requires.

    Raises UsageError for a duplicate instance name and for a cycle.
    """
    seen: set[str] = set()
    for request in requests:
        if request.instance in seen:
            raise UsageError(f'duplicate instance "{request.instance}"', hint="give one of them another name with --as")
        seen.add(request.instance)
    placed: list[Request] = []
    waiting: list[str] = []

    def place(request: Request) -> None:
        if request in placed:
            return
        if request.instance in waiting:
            chain = " -> ".join([*waiting[waiting.index(request.instance) :], request.instance])
            raise UsageError(f"startsAfter cycle: {chain}", hint="remove one of the startsAfter entries")
        waiting.append(request.instance)
        for earlier in request.sidecar.starts_after:
            for other in requests:
                if earlier in (other.sidecar.name, other.instance) and other is not request:
                    place(other)
        waiting.pop()
        placed.append(request)

    for request in requests:
        place(request)
    return placed
