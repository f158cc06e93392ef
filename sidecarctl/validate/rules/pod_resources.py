"""Rules about resources of a pod as a whole against those of its containers, and about resizing in place."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.kube.podresources import effective_limits, effective_requests
from sidecarctl.kube.quantity import nano, readable
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.parts import amounts, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView


@rule(
    "pod-resources-field",
    Severity.ERROR,
    needs=("resources",),
    since="1.34",
    fix="Name claims in the containers that use them; on Windows leave the pod's resources out.",
)
def pod_resources_field(pod: PodView, ctx: Context) -> Problems:
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
    "resize-policy",
    Severity.ERROR,
    needs=("resizePolicy",),
    scope="container",
    since="1.33",
    roles=("app", "classic", "init", "sidecar"),
    fix="Name each resource once; use NotRequired where the container is never restarted.",
)
def resize_policy(container: ContainerView, ctx: Context) -> Problems:
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
