"""What is asked for: one sidecar, its parameters, mode and targets, under an instance name. Puts requests in order."""

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
    """One sidecar to be added.

    mode        auto, native, classic or init; "" leaves it to the sidecar
    containers  names or globs of the app containers it shares with; empty leaves it to the sidecar's `targets`
    by          the composition that asks, empty for the command line; the record keeps it
    origin      who asks, for messages: "the command line", 'rule "front"'
    where       where it is asked for, `file:line:column`, for messages
    keep_qos    requests equal to limits where the pod is Guaranteed, so that it stays so
    adopt       take ownership of a container of the instance's name that nobody has added
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
        problem = names.dns_label(name)
        if problem:
            suggestion = names.as_label(name)
            raise UsageError(
                f'"{name}" can\'t name an instance: it names a container, which {problem}',
                hint=f"use {suggestion}" if suggestion else "",
            )
        if self.mode and self.mode not in MODES:
            raise UsageError(f'there is no mode "{self.mode}"', hint=f"use one of {', '.join(MODES)}")


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
    """Return one request per sidecar named, as `logger` or `logger@1.0.0`; `parameters` and `origins` are by sidecar name.

    Raises UsageError for a sidecar or parameter that does not exist, LibraryError for a sidecar that is broken.
    """
    found = [catalog.find(name) for name in sidecars]
    if instance and len(found) > 1:
        raise UsageError("--as names one instance, and several sidecars are asked for", hint="add them one by one")
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
    """Return requests in the order asked for, moved only so far that `startsAfter` holds.

    Raises UsageError for two requests with one instance name and for a cycle, which is named.
    """
    seen: set[str] = set()
    for request in requests:
        if request.instance in seen:
            raise UsageError(
                f'the instance "{request.instance}" is asked for twice', hint="give one of them another name with --as"
            )
        seen.add(request.instance)
    placed: list[Request] = []
    waiting: list[str] = []

    def place(request: Request) -> None:
        if request in placed:
            return
        if request.instance in waiting:
            chain = " -> ".join([*waiting[waiting.index(request.instance) :], request.instance])
            raise UsageError(f"sidecars wait for each other to start: {chain}", hint="drop one of the startsAfter")
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
