"""Rules about requests, limits, and claims of containers and pods."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.names import CONTAINER_RESOURCES, HUGE_PAGES_PREFIX, check_container_resource, is_extended_resource
from sidecarctl.kube.pod_resources import effective_limits, effective_requests
from sidecarctl.kube.quantity import NANO, format_readable, parse_quantity
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import amounts, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView

_SIDES = ("limits", "requests")

# Limits and requests of a pod or container, and the pod or container.
_Requirements = tuple[dict[str, Data], "PodView | ContainerView"]


@rule(
    "invalid-resource-name",
    Severity.ERROR,
    fix="Use cpu, memory, ephemeral-storage, hugepages-<size>, or a resource with a domain, such as example.com/gpu.",
)
def invalid_resource_name(pod: PodView, ctx: Context) -> Problems:
    """Unknown resource in requests or limits.

    A container supports cpu, memory, ephemeral-storage, hugepages-<size>, and extended resources, which have a domain
    prefix. Pod-level resources support only cpu, memory, and huge pages. The API server rejects other names.
    """
    for given, owner in _requirements(pod, ctx):
        of_pod = owner is pod
        for side, part in given.items():
            for name in part:
                if name in CONTAINER_RESOURCES and not (of_pod and name == "ephemeral-storage"):
                    continue
                fault = _check_pod_resource(name) if of_pod else check_container_resource(name)
                if fault:
                    yield problem(
                        owner.at("resources", side, name), f"invalid resource name {quote(name)}: {fault}", on_key=True
                    )


def _check_pod_resource(name: str) -> str | None:
    return None if name.startswith(HUGE_PAGES_PREFIX) else "not supported as a pod-level resource"


@rule(
    "negative-quantity",
    Severity.ERROR,
    fix="Remove the minus sign.",
)
def negative_quantity(pod: PodView, ctx: Context) -> Problems:
    """A request or limit is negative.

    The API server rejects negative quantities.
    """
    for given, owner in _requirements(pod, ctx):
        for side, part in given.items():
            for name, value in part.items():
                amount = parse_quantity(value)
                if amount is not None and amount < 0:
                    yield problem(
                        owner.at("resources", side, name),
                        f"invalid {name} {side[:-1]} {quote(value)}: must not be negative",
                    )


@rule(
    "fractional-resource",
    Severity.ERROR,
    fix="Use a whole number.",
)
def fractional_resource(pod: PodView, ctx: Context) -> Problems:
    """A container requests a fraction of an extended resource.

    Extended resources, such as GPUs, can't be divided. The API server accepts only whole numbers.
    """
    for given, owner in _requirements(pod, ctx):
        for side, part in given.items():
            for name, value in part.items():
                if name in CONTAINER_RESOURCES or not is_extended_resource(name):
                    continue
                amount = parse_quantity(value)
                # The API server rounds up to thousandths before it checks.
                if amount is not None and -(-amount // 10**6) % 1000:
                    message = f"invalid {name} {side[:-1]} {quote(value)}: use a whole number"
                    yield problem(owner.at("resources", side, name), message)


@rule(
    "request-over-limit",
    Severity.ERROR,
    fix="Lower the request, or raise the limit.",
)
def request_over_limit(pod: PodView, ctx: Context) -> Problems:
    """A request is larger than its limit.

    The API server rejects it: the scheduler would reserve more than the container can use.
    """
    for given, owner in _requirements(pod, ctx):
        limits = given.get("limits")
        if not limits:
            continue
        for name, value in given.get("requests", {}).items():
            if name in limits and _supports_overcommit(name):
                request, limit = parse_quantity(value), parse_quantity(limits[name])
                if request is not None and limit is not None and request > limit:
                    message = f"{name} request {value} is larger than the limit {limits[name]}"
                    yield problem(owner.at("resources", "requests", name), message)


@rule(
    "request-limit-mismatch",
    Severity.ERROR,
    fix="Set only the limit, or set both to the same value.",
)
def request_limit_mismatch(pod: PodView, ctx: Context) -> Problems:
    """The request of a resource that can't be overcommitted differs from its limit.

    Huge pages and extended resources can't be overcommitted. The API server requires a limit, and a request equal to
    the limit.
    """
    for given, owner in _requirements(pod, ctx):
        limits = given.get("limits", {})
        for name, value in given.get("requests", {}).items():
            if name in CONTAINER_RESOURCES or _supports_overcommit(name):
                continue
            if limits.get(name) is None:
                message = f"{name} request has no limit"
                yield problem(owner.at("resources", "requests", name), message)
            else:
                request, limit = parse_quantity(value), parse_quantity(limits[name])
                if request is not None and limit is not None and request != limit:
                    message = f"{name} request {value} differs from the limit {limits[name]}"
                    yield problem(owner.at("resources", "requests", name), message)


@rule(
    "invalid-huge-pages",
    Severity.ERROR,
    fix="Request a multiple of the page size, and also set cpu or memory.",
)
def invalid_huge_pages(pod: PodView, ctx: Context) -> Problems:
    """Invalid request for huge pages.

    The API server accepts only multiples of the page size, and only together with cpu or memory.
    """
    for given, owner in _requirements(pod, ctx):
        entries = [(side, name) for side, part in given.items() for name in part]
        huge = [(side, name) for side, name in entries if name.startswith(HUGE_PAGES_PREFIX)]
        if not huge:
            continue
        if all(name not in ("cpu", "memory") for _, name in entries):
            yield problem(owner.at("resources"), "huge pages require cpu or memory")
        for side, name in huge:
            value = given[side][name]
            amount, page = parse_quantity(value), parse_quantity(name[len(HUGE_PAGES_PREFIX) :])
            if page is None or page <= 0 or page % NANO:
                yield problem(
                    owner.at("resources", side, name), f"invalid huge page size in {quote(name)}", on_key=True
                )
            elif amount is not None and -(-amount // NANO) % (page // NANO):
                message = f"invalid {name} {side[:-1]} {quote(value)}: not a multiple of the page size"
                yield problem(owner.at("resources", side, name), message)


@rule(
    "invalid-resource-claim",
    Severity.ERROR,
    needs=("resources",),
    scope="container",
    since="1.34",
    fix="Name each claim once, and list it in the resourceClaims of the pod.",
)
def invalid_resource_claim(container: ContainerView, ctx: Context) -> Problems:
    """A container uses an unknown resource claim, or uses a claim twice.

    The API server rejects claims that are not in the pod's resourceClaims, a claim or a request of a claim that is used
    twice, and request names that are not DNS labels.
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
            yield problem(where, "resource claim has no name")
            continue
        if request and (fault := names.check_dns_label(request)):
            yield problem((*where, "request"), f"invalid request name {quote(request)}: {fault}")
        if (name, "") in seen or (name, request) in seen or (not request and any(item == name for item, _ in seen)):
            yield problem(where, f"duplicate resource claim {quote(name)}")
        elif name not in known:
            yield problem(where, f"unknown resource claim {quote(name)}")
        seen.add((name, request))


def _requirements(pod: PodView, ctx: Context) -> list[_Requirements]:
    """Return the requests and limits of the containers and, where supported, of the pod."""
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


def _supports_overcommit(name: str) -> bool:
    """Return True if the request can be smaller than the limit."""
    return ("/" not in name or "kubernetes.io/" in name) and not name.startswith(HUGE_PAGES_PREFIX)


@rule(
    "unsupported-pod-resource",
    Severity.ERROR,
    needs=("resources",),
    since="1.34",
    fix="Move claims to the containers that use them. On Windows pods, remove the pod-level resources.",
)
def unsupported_pod_resource(pod: PodView, ctx: Context) -> Problems:
    """Unsupported pod-level resources.

    The API server rejects claims in pod-level resources, and any pod-level resources on Windows pods.
    """
    resources = pod.value.get("resources")
    if not isinstance(resources, dict):
        return
    if pod.get("os", "name") == "windows":
        yield problem(pod.at("resources"), "pod-level resources are not supported on Windows pods", on_key=True)
    elif resources.get("claims") is not None:
        yield problem(pod.at("resources", "claims"), "claims is not supported in pod-level resources", on_key=True)


@rule(
    "pod-resources-too-small",
    Severity.ERROR,
    needs=("resources",),
    since="1.34",
    fix="Raise the pod-level value, or lower the values of the containers.",
)
def pod_resources_too_small(pod: PodView, ctx: Context) -> Problems:
    """Pod-level requests or limits are smaller than those of the containers.

    The containers share the pod-level resources. The API server rejects a pod-level request below the sum of the
    container requests, pod-level huge pages below the sum of the container limits, and a container limit above the
    pod-level limit.
    """
    resources = pod.value.get("resources")
    if not isinstance(resources, dict) or not enabled("pod-level-resources", ctx.kube_version):
        return
    limits = amounts(resources, "limits")
    containers_only = {**pod.value, "resources": None, "overhead": None}
    totals = {"requests": effective_requests(containers_only, ctx.kube_version)}
    if any(name.startswith("hugepages-") for name in limits):
        totals["limits"] = {
            name: amount
            for name, amount in effective_limits(containers_only, ctx.kube_version).items()
            if name.startswith("hugepages-")
        }
    for side, needed in totals.items():
        for name, value in amounts(resources, side).items():
            own = parse_quantity(value)
            if own is not None and own >= 0 and needed.get(name, 0) > own:
                text = format_readable(needed[name], name)
                message = f"pod-level {name} {side[:-1]} {value} is smaller than the containers' total of {text}"
                yield problem(pod.at("resources", side, name), message)
    for container in pod.by_role("app", "classic"):
        for name, value in amounts(as_mapping(container.value.get("resources")), "limits").items():
            own, most = parse_quantity(value), parse_quantity(limits.get(name))
            if own is not None and most is not None and own > most:
                message = f"{name} limit {value} is larger than the pod-level limit {limits[name]}"
                yield problem(container.at("resources", "limits", name), message)
