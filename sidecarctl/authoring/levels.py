"""The Pod Security levels asked about a sidecar's own parts: as if they were alone in a pod. The levels are known elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sidecarctl.authoring.trial import Own
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.validate.podsecurity import levels
from sidecarctl.validate.views import StreamView

ORDER = tuple(reversed(levels.LEVELS))


def breaches(own: Own, level: str) -> list[str]:
    """Return what in the parts of an instance is beyond a level, with the container's name where it is a container's."""
    context = {path.split("/")[1]: value for path, value in own.pod.items() if path.startswith("securityContext/")}
    init = [container for role, container in own.containers if role == "init"]
    others = [container for role, container in own.containers if role != "init"]
    return alone(others, init, own.volumes, level, context)


def alone(
    containers: Iterable[Mapping[str, Any]],
    init: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
    level: str,
    context: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return what in a pod of these parts is beyond a level."""
    spec = {
        "securityContext": dict(context or {}),
        "initContainers": [dict(each) for each in init],
        "containers": [dict(each) for each in containers],
        "volumes": [dict(each) for each in volumes],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"}, "spec": spec}
    (view,) = StreamView([pod], DEFAULT_KINDS).pods
    found = []
    for _, breach in levels.breaches(view, level):
        holder = next((c for c in view.containers if breach.path[: len(c.path)] == c.path), None)
        found.append(f"{holder.name}: {breach.text}" if holder is not None else breach.text)
    return found
