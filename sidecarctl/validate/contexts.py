"""The security contexts of a pod, found once. Judges nothing."""

from __future__ import annotations

from sidecarctl.validate.views import ContainerView, Data, PodView

Holder = PodView | ContainerView


def security_contexts(pod: PodView) -> list[tuple[Holder, Data]]:
    """Return who has a security context, the pod before its containers, with that context; empty ones are left out."""
    found: list[tuple[Holder, Data]] | None = pod.memo.get("security_contexts")
    if found is None:
        found = pod.memo["security_contexts"] = []
        views: tuple[Holder, ...] = (pod, *pod.containers)
        for view in views:
            context = view.value.get("securityContext")
            if context and isinstance(context, dict):
                found.append((view, context))
    return found
