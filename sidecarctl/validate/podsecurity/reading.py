"""What the checks of a level read: security contexts of a pod and its containers. Judges nothing.

What has another type than it should is no breach of a level: the structural layer speaks of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from sidecarctl.findings import PathTuple
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
