"""Fronts: sidecars that take traffic for a port of the app, and the chains that they form from the client to the app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sidecarctl.kube.workload import MAX_RECORD, RECORD_ANNOTATION, Workload, as_list, as_mapping, may_hold
from sidecarctl.lazy_dataclass import dataclass

# From the app to the client. A login reads and sets cookies, so TLS ends before it, and it protects all that is behind it.
STAGES = ("proxy", "login", "tls")
DEFAULT_STAGE = "proxy"
# Of one pod.
MAX_FRONTS = 100


@dataclass(frozen=True)
class Front:
    """An instance that listens on `port` and forwards to `upstream`: a port of the app or of another front."""

    instance: str
    upstream: int
    port: int
    stage: str = DEFAULT_STAGE

    @property
    def recorded(self) -> list[int | str]:
        """The front as the record has it, without the default stage."""
        return [self.upstream, self.port, *([self.stage] if self.stage != DEFAULT_STAGE else [])]


def has_fronts(text: str) -> bool:
    """Return False if a text certainly has no record with a front."""
    return "fronts" in text and may_hold(text, RECORD_ANNOTATION)


def concerns_retargeting(texts: Iterable[str], *, enabled: bool) -> bool:
    """Return False if texts certainly have no record with a changed port, nor one with a front if `enabled`."""
    return any(
        may_hold(text, RECORD_ANNOTATION) and ("retargeted" in text or (enabled and "fronts" in text)) for text in texts
    )


def is_front(value: object) -> bool:
    """Return True if a value of a record has the form of a front."""
    return (
        isinstance(value, list)
        and len(value) in (2, 3)
        and all(type(each) is int and 0 < each < 65536 for each in value[:2])
        and value[2:] in ([], ["tls"], ["login"])
    )


def front_of(instance: str, value: Sequence[Any]) -> Front:
    """Return the front of an instance for a value that `is_front` accepts."""
    return Front(instance, *value)


def fragment_fronts(instance: str, items: Iterable[Mapping[str, Any]]) -> tuple[Front, ...]:
    """Return the fronts that a fragment declares."""
    return tuple(Front(instance, each["upstream"], each["port"], each.get("stage", DEFAULT_STAGE)) for each in items)


def read_fronts(workload: Workload) -> tuple[Front, ...]:
    """Return the fronts that the record of a workload lists. An invalid record has none; `unreadable-record` reports it."""
    text = workload.annotations.get(RECORD_ANNOTATION)
    return _parse(text) if isinstance(text, str) and "fronts" in text and len(text) <= MAX_RECORD else ()


@lru_cache(maxsize=64)
def _parse(text: str) -> tuple[Front, ...]:
    import json

    try:
        instances = as_mapping(as_mapping(json.loads(text)).get("instances"))
    except (ValueError, RecursionError):
        return ()
    found = tuple(
        front_of(name, value)
        for name, data in instances.items()
        for value in as_list(as_mapping(data).get("fronts"))
        if is_front(value)
    )
    return found if len(found) <= MAX_FRONTS else ()


def find_app_port(fronts: Sequence[Front], port: int) -> int:
    """Follow a chain inward, from a port of the pod to the port of the app."""
    return _follow(fronts, port)[-1]


def _follow(fronts: Sequence[Front], port: int) -> list[int]:
    """Return the ports that a connection to a port passes, to that of the app."""
    passed = [port]
    while (inner := next((each for each in fronts if each.port == port), None)) and inner.upstream not in passed:
        port = inner.upstream
        passed.append(port)
    return passed


def find_chain(fronts: Sequence[Front], port: int) -> tuple[Front, ...]:
    """Return the fronts before a port, from the innermost to the outermost; empty if clients connect to it directly."""
    waiting: dict[int, list[Front]] = {}
    for each in reversed(dict.fromkeys(fronts)):
        waiting.setdefault(each.upstream, []).append(each)
    chain: list[Front] = []
    while outer := waiting.get(port):
        chain.append(outer.pop())
        port = chain[-1].port
    return tuple(chain)


def find_upstream(fronts: Sequence[Front], own: Front, app_port: int) -> int:
    """Return the port that a front must forward to: of the next front behind it, else of the app.

    `fronts` are those of the pod in the order of the record, with `own`. TLS comes before the login, and the login before
    other proxies; of two of the same stage, the later one is closer to the client.
    """
    members = [own]
    for each in fronts:
        passed = _follow(fronts, each.upstream)
        # One that was set to forward to this front stays before it.
        if each.instance != own.instance and passed[-1] == app_port and own.port not in passed:
            members.append(each)
    members.sort(key=fronts.index)
    ordered = sorted(members, key=lambda each: STAGES.index(each.stage))
    place = next(number for number, each in enumerate(ordered) if each.instance == own.instance)
    return ordered[place - 1].port if place else app_port
