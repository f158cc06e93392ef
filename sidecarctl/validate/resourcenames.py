"""Which names of resources a container can ask for. Knows no amount."""

from __future__ import annotations

from sidecarctl.kube import names

OF_CONTAINERS = frozenset(("cpu", "memory", "ephemeral-storage"))
HUGE = "hugepages-"


def container_resource_fault(name: str) -> str:
    """Say why a container can't have a resource of a name, "" where it can."""
    if "/" not in name:
        known = name in OF_CONTAINERS or (name.startswith(HUGE) and not names.qualified_name(name))
        return "" if known else "is no resource of a container"
    if fault := names.qualified_name(name):
        return f"is no name of a resource: it {fault}"
    if not is_extended(name) and "kubernetes.io/" not in name:
        return "is no name of a resource"
    return ""


def is_extended(name: str) -> bool:
    """True for a resource of somebody's own: a domain in front that is not kubernetes.io's and no quota's name."""
    if "/" not in name or "kubernetes.io/" in name or name.startswith("requests."):
        return False
    return names.qualified_name(f"requests.{name}") is None
