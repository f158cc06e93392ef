"""Rules about requests and limits of containers and pods: names, amounts, claims. Knows no pod-level sums."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.names import HUGE, OF_CONTAINERS, container_resource_fault, is_extended
from sidecarctl.kube.pod_resources import effective_limits, effective_requests
from sidecarctl.kube.quantity import NANO, nano, readable
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import amounts, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_SIDES = ("limits", "requests")

# Limits and requests, whichever are given, and whose they are.
_Requirements = tuple[dict[str, Data], "PodView | ContainerView"]


@rule(
    "invalid-resource-name",
    Severity.ERROR,
    fix="Use cpu, memory, ephemeral-storage, hugepages-SIZE or a resource with a domain, such as example.com/gpu.",
)
def invalid_resource_name(pod: PodView, ctx: Context) -> Problems:
    """A container or pod asks for a resource that does not exist.

    Besides cpu, memory, ephemeral-storage and hugepages-SIZE a container can only have resources with a domain in front,
    and a pod as a whole only cpu, memory and huge pages. The API server refuses other names.
    """
    for given, owner in _requirements(pod, ctx):
        of_pod = owner is pod
        for side, part in given.items():
            for name in part:
                if name in OF_CONTAINERS and not (of_pod and name == "ephemeral-storage"):
                    continue
                fault = _of_pod(name) if of_pod else container_resource_fault(name)
                if fault:
                    yield problem(owner.at("resources", side, name), f"{quote(name)} {fault}", on_key=True)


def _of_pod(name: str) -> str:
    return "" if name.startswith(HUGE) else "is no resource that a pod as a whole can have"


@rule(
    "negative-quantity",
    Severity.ERROR,
    fix="Remove the minus.",
)
def negative_quantity(pod: PodView, ctx: Context) -> Problems:
    """A request or limit is less than nothing.

    The API server refuses negative amounts.
    """
    for given, owner in _requirements(pod, ctx):
        for side, part in given.items():
            for name, value in part.items():
                amount = nano(value)
                if amount is not None and amount < 0:
                    yield problem(owner.at("resources", side, name), f"{quote(value)} is less than nothing")


@rule(
    "fractional-resource",
    Severity.ERROR,
    fix="Ask for a whole number.",
)
def fractional_resource(pod: PodView, ctx: Context) -> Problems:
    """A container asks for a part of a resource that can't be divided.

    Resources with a domain in front are devices and the like; the API server takes whole numbers of them only.
    """
    for given, owner in _requirements(pod, ctx):
        for side, part in given.items():
            for name, value in part.items():
                if name in OF_CONTAINERS or not is_extended(name):
                    continue
                amount = nano(value)
                # The server looks at thousandths, rounded up.
                if amount is not None and -(-amount // 10**6) % 1000:
                    message = f"{quote(value)} of {name} is no whole number"
                    yield problem(owner.at("resources", side, name), message)


@rule(
    "request-over-limit",
    Severity.ERROR,
    fix="Lower the request or raise the limit.",
)
def request_over_limit(pod: PodView, ctx: Context) -> Problems:
    """A request is larger than the limit.

    The scheduler would reserve more than the container may ever use; the API server refuses it.
    """
    for given, owner in _requirements(pod, ctx):
        limits = given.get("limits")
        if not limits:
            continue
        for name, value in given.get("requests", {}).items():
            if name in limits and _overcommitted(name):
                request, limit = nano(value), nano(limits[name])
                if request is not None and limit is not None and request > limit:
                    message = f"the request of {value} {name} is larger than the limit of {limits[name]}"
                    yield problem(owner.at("resources", "requests", name), message)


@rule(
    "request-limit-mismatch",
    Severity.ERROR,
    fix="Give the limit alone, or both with the same amount.",
)
def request_limit_mismatch(pod: PodView, ctx: Context) -> Problems:
    """A request of something that can't be shared is not equal to its limit.

    Huge pages and resources with a domain in front are never promised twice: the API server wants a limit, and a request
    equal to it.
    """
    for given, owner in _requirements(pod, ctx):
        limits = given.get("limits", {})
        for name, value in given.get("requests", {}).items():
            if name in OF_CONTAINERS or _overcommitted(name):
                continue
            if limits.get(name) is None:
                message = f"{name} is requested without a limit"
                yield problem(owner.at("resources", "requests", name), message)
            else:
                request, limit = nano(value), nano(limits[name])
                if request is not None and limit is not None and request != limit:
                    message = f"the request of {value} {name} is not the limit of {limits[name]}"
                    yield problem(owner.at("resources", "requests", name), message)


@rule(
    "invalid-huge-pages",
    Severity.ERROR,
    fix="Ask for a multiple of the page's size, and for cpu or memory beside it.",
)
def invalid_huge_pages(pod: PodView, ctx: Context) -> Problems:
    """Huge pages are asked for in parts, or without cpu and memory.

    The API server takes multiples of the page's size only, and only where cpu or memory is asked for too.
    """
    for given, owner in _requirements(pod, ctx):
        asked = [(side, name) for side, part in given.items() for name in part]
        huge = [(side, name) for side, name in asked if name.startswith(HUGE)]
        if not huge:
            continue
        if all(name not in ("cpu", "memory") for _, name in asked):
            yield problem(owner.at("resources"), "huge pages are asked for without cpu or memory")
        for side, name in huge:
            value = given[side][name]
            amount, page = nano(value), nano(name[len(HUGE) :])
            if page is None or page <= 0 or page % NANO:
                yield problem(owner.at("resources", side, name), f"{quote(name)} names no size of a page", on_key=True)
            elif amount is not None and -(-amount // NANO) % (page // NANO):
                message = f"{quote(value)} is no multiple of the page's size {name[len(HUGE) :]}"
                yield problem(owner.at("resources", side, name), message)


@rule(
    "invalid-resource-claim",
    Severity.ERROR,
    needs=("resources",),
    scope="container",
    since="1.34",
    fix="Name each claim once, and list it in the pod's resourceClaims.",
)
def invalid_resource_claim(container: ContainerView, ctx: Context) -> Problems:
    """A container uses a resource claim that the pod does not have, or uses one twice.

    The API server refuses names that the pod's resourceClaims do not list, a claim or request of it named twice, and
    requests that are no DNS label.
    """
    claims = listed(as_mapping(container.value.get("resources")), "claims")
    if not claims:
        return
    known = [claim.get("name") for _, claim in listed(container.pod.value, "resourceClaims")]
    seen: set[tuple[str, str]] = set()
    for index, claim in claims:
        name, request = claim.get("name"), claim.get("request") or ""
        where = container.at("resources", "claims", index)
        if not isinstance(name, str) or not isinstance(request, str):
            continue
        if not name:
            yield problem(where, "the claim has no name")
            continue
        if request and (fault := names.dns_label(request)):
            yield problem((*where, "request"), f"{quote(request)} is no name of a request: it {fault}")
        if (name, "") in seen or (name, request) in seen or (not request and any(one == name for one, _ in seen)):
            yield problem(where, f"the claim {quote(name)} is used already")
        elif name not in known:
            yield problem(where, f"the pod has no resourceClaim {quote(name)}")
        seen.add((name, request))


def _requirements(pod: PodView, ctx: Context) -> list[_Requirements]:
    """Return what the containers, and where it counts the pod as a whole, ask for."""
    found: list[_Requirements] | None = pod.memo.get("requirements")
    if found is None:
        found = pod.memo["requirements"] = []
        for container in pod.containers:
            if container.role != "ephemeral":
                _add(container, found)
        if pod.value.get("resources") and enabled("pod-level-resources", ctx.kube_version):
            _add(pod, found)
    return found


def _add(owner: PodView | ContainerView, found: list[_Requirements]) -> None:
    resources = owner.value.get("resources")
    if resources and isinstance(resources, dict):
        given = {side: part for side in _SIDES if (part := amounts(resources, side))}
        found.extend([(given, owner)] if given else [])


def _overcommitted(name: str) -> bool:
    """True where a request may be smaller than the limit."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith(HUGE)


@rule(
    "unsupported-pod-resource",
    Severity.ERROR,
    needs=("resources",),
    since="1.34",
    fix="Name claims in the containers that use them; on Windows leave the pod's resources out.",
)
def unsupported_pod_resource(pod: PodView, ctx: Context) -> Problems:
    """A pod as a whole has resources that only containers can have.

    The API server refuses claims there, and any resources of a pod that is for Windows.
    """
    resources = pod.value.get("resources")
    if not isinstance(resources, dict):
        return
    if pod.get("os", "name") == "windows":
        yield problem(pod.at("resources"), "a pod for Windows can't have resources as a whole", on_key=True)
    elif resources.get("claims") is not None:
        yield problem(pod.at("resources", "claims"), "a pod as a whole can't use claims", on_key=True)


@rule(
    "pod-resources-too-small",
    Severity.ERROR,
    needs=("resources",),
    since="1.34",
    fix="Raise what the pod has, or lower what its containers ask for.",
)
def pod_resources_too_small(pod: PodView, ctx: Context) -> Problems:
    """A pod as a whole requests less than its containers, or limits them to less than their own limits.

    The containers share what the pod has. The API server refuses a pod whose request is less than those of its
    containers together, huge pages likewise by their limits, and a container with a higher limit than its pod.
    """
    resources = pod.value.get("resources")
    if not isinstance(resources, dict) or not enabled("pod-level-resources", ctx.kube_version):
        return
    limits = amounts(resources, "limits")
    alone = {**pod.value, "resources": None, "overhead": None}
    sums = {"requests": effective_requests(alone, ctx.kube_version)}
    if any(name.startswith("hugepages-") for name in limits):
        sums["limits"] = {
            name: amount
            for name, amount in effective_limits(alone, ctx.kube_version).items()
            if name.startswith("hugepages-")
        }
    for side, needed in sums.items():
        for name, value in amounts(resources, side).items():
            own = nano(value)
            if own is not None and own >= 0 and needed.get(name, 0) > own:
                text = readable(needed[name], name)
                message = f"{value} of {name} is less than the {text} that the containers ask for together"
                yield problem(pod.at("resources", side, name), message)
    for container in pod.by_role("app", "classic"):
        for name, value in amounts(as_mapping(container.value.get("resources")), "limits").items():
            own, most = nano(value), nano(limits.get(name))
            if own is not None and most is not None and own > most:
                message = f"the limit of {value} {name} is higher than the pod's own of {limits[name]}"
                yield problem(container.at("resources", "limits", name), message)


@rule(
    "invalid-resize-policy",
    Severity.ERROR,
    needs=("resizePolicy",),
    scope="container",
    since="1.33",
    roles=("app", "classic", "init", "sidecar"),
    fix="Name each resource once; use NotRequired where the container is never restarted.",
)
def invalid_resize_policy(container: ContainerView, ctx: Context) -> Problems:
    """A container's resizePolicy contradicts itself or the pod.

    The API server refuses a resource named twice, and RestartContainer where nothing restarts: in pods with
    `restartPolicy: Never`, and since Kubernetes 1.36 in ordinary init containers.
    """
    policies = listed(container.value, "resizePolicy")
    if not policies:
        return
    never = container.pod.value.get("restartPolicy") == "Never"
    ordinary = container.role == "init" and ctx.since("1.36")
    seen = set()
    for index, policy in policies:
        where = container.at("resizePolicy", index)
        name = policy.get("resourceName")
        if isinstance(name, str) and name in seen:
            yield problem(where, f"{name} has a resizePolicy already")
        elif isinstance(name, str):
            seen.add(name)
        if policy.get("restartPolicy") == "":
            yield problem((*where, "restartPolicy"), "it does not say whether to restart")
        elif policy.get("restartPolicy") == "RestartContainer" and (never or ordinary):
            whose = "the containers of a pod with restartPolicy Never" if never else "ordinary init containers"
            yield problem((*where, "restartPolicy"), f"{whose} are not restarted")
