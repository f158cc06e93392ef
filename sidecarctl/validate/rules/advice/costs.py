"""Rules about what autoscalers of the same input reckon with: requests of a pod, and whether its sidecars count."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import pod_resources
from sidecarctl.kube.quantity import NANO, parse_resource_amount
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.fields import amounts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, ObjectView, PodView, StreamView

_RUNNING = ("app", "classic", "sidecar")


@dataclass(frozen=True)
class _Metric:
    """What an autoscaler looks at: a resource of the whole pod (container "") or of one container."""

    resource: str
    container: str
    utilization: bool
    path: PathTuple


def _scaled(stream: StreamView) -> Iterator[tuple[PodView, list[_Metric]]]:
    """Yield the workloads of the input that an autoscaler of the input scales, with its metrics."""
    for scaler in stream.objects:
        if scaler.kind != "HorizontalPodAutoscaler" or scaler.group != "autoscaling":
            continue
        target = scaler.child("spec", "scaleTargetRef")
        for pod in stream.pods:
            one = pod.object
            if (one.kind, one.name, one.namespace) == (target.text("kind"), target.text("name"), scaler.namespace):
                yield pod, list(_metrics(scaler))
                break


def _metrics(scaler: ObjectView) -> Iterator[_Metric]:
    if scaler.get("spec", "targetCPUUtilizationPercentage") is not None:
        yield _Metric("cpu", "", True, scaler.at("spec", "targetCPUUtilizationPercentage"))
    for metric in scaler.each("spec", "metrics"):
        for kind, field in (("Resource", "resource"), ("ContainerResource", "containerResource")):
            if metric.value.get("type") == kind:
                part = metric.child(field)
                utilization = part.get("target", "type") == "Utilization" or part.has("targetAverageUtilization")
                yield _Metric(part.text("name"), part.text("container"), utilization, metric.at("type"))


@rule(
    "hpa-counts-sidecar",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Use a metric of type ContainerResource for the app's container (stable since Kubernetes 1.30).",
)
def hpa_counts_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """An autoscaler looks at the resources of a whole pod that has a sidecar.

    What the sidecar uses and requests is counted with the app's: an idle sidecar hides that the app is at its limit,
    a busy one adds replicas that the app does not need.

    It is found where the autoscaler and the workload are in the same input. Native sidecars count since Kubernetes
    1.29.
    """
    roles = ("sidecar", "classic") if enabled("native-sidecar", ctx.kube_version) else ("classic",)
    for pod, metrics in _scaled(stream):
        sidecars = list(pod.by_role(*roles))
        if not sidecars:
            continue
        names = ", ".join(quote(one.name) for one in sidecars)
        for metric in metrics:
            if not metric.container:
                yield problem(
                    metric.path,
                    f"the {metric.resource} of {pod.object.label} includes that of {names}",
                    related=(Related("the sidecar", (*sidecars[0].path, "name")),),
                )


@rule(
    "hpa-missing-requests",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Give every container a request for that resource.",
)
def hpa_missing_requests(stream: StreamView, ctx: Context) -> Problems:
    """An autoscaler looks at the utilization of a resource that a container does not request.

    Utilization is measured against the requests: where one container has none the autoscaler can't tell it and leaves
    the number of replicas as it is. Native sidecars count too.

    It is found where the autoscaler and the workload are in the same input; a LimitRange of the namespace may fill the
    requests in.
    """
    for pod, metrics in _scaled(stream):
        for metric in metrics:
            if not metric.utilization or _pod_requests(pod, metric.resource, ctx):
                continue
            for container in pod.by_role(*_RUNNING):
                if metric.container in ("", container.name) and not _requests(container, metric.resource):
                    yield problem(
                        metric.path,
                        f"{quote(container.name)} of {pod.object.label} requests no {metric.resource}",
                        related=(Related("the container", container.path),),
                    )


def _requests(container: ContainerView, resource: str) -> bool:
    own = as_mapping(container.value.get("resources"))
    return resource in amounts(own, "requests") or resource in amounts(own, "limits")


def _pod_requests(pod: PodView, resource: str, ctx: Context) -> bool:
    if not enabled("pod-level-resources", ctx.kube_version):
        return False
    own = as_mapping(pod.value.get("resources"))
    return resource in amounts(own, "requests") or resource in amounts(own, "limits")


_BYTES = ("memory", "ephemeral-storage")
_WHOLE = re.compile(r"\d+(?:[KMGTPE]i|[kMGTPE])?")


def _of_pod(container: ContainerView, ctx: Context) -> set[str]:
    """Return the resources that the pod itself requests or limits."""
    if not container.pod.value.get("resources") or not enabled("pod-level-resources", ctx.kube_version):
        return set()
    own = as_mapping(container.pod.value["resources"])
    return {*amounts(own, "requests"), *amounts(own, "limits")}


@rule(
    "missing-requests",
    Severity.WARNING,
    layer="advice",
    scope="container",
    roles=("sidecar", "classic"),
    fix="Set resources.requests for cpu and memory.",
)
def missing_requests(container: ContainerView, ctx: Context) -> Problems:
    """A sidecar requests no cpu or no memory.

    It runs in every pod, so what it takes is taken many times: the scheduler does not reckon with it, a namespace with
    a quota refuses the pods, and an autoscaler by utilization stops working. A limit counts as the request.
    """
    resources = as_mapping(container.value.get("resources"))
    given = {*amounts(resources, "requests"), *amounts(resources, "limits"), *_of_pod(container, ctx)}
    missing = [name for name in ("cpu", "memory") if name not in given]
    if missing:
        message = f"it requests no {' and no '.join(missing)}"
        yield problem(container.at("resources", "requests"), message, wants=tuple(missing))


@rule(
    "missing-memory-limit",
    Severity.WARNING,
    layer="advice",
    scope="container",
    roles=("sidecar", "classic"),
    fix="Set resources.limits.memory.",
)
def missing_memory_limit(container: ContainerView, ctx: Context) -> Problems:
    """A sidecar has no memory limit.

    One that leaks, or buffers what it can't deliver, takes the memory of the node, and the app is killed for it.
    """
    resources = container.value.get("resources")
    if parse_resource_amount(container.get("resources", "limits", "memory")) or not isinstance(
        resources, (dict, type(None))
    ):
        return
    pod_limits = amounts(as_mapping(container.pod.value.get("resources")), "limits")
    if "memory" not in pod_limits or not enabled("pod-level-resources", ctx.kube_version):
        yield problem(container.at("resources", "limits", "memory"), "it has no memory limit")


_GUARANTEED = {
    "containers": [
        {
            "name": "app",
            "image": "registry.example/app:1.0.0",
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}},
        }
    ]
}


@rule(
    "qos-downgrade",
    Severity.WARNING,
    layer="advice",
    fix="Give every container limits for cpu and memory, and no requests that differ from them; `--keep-qos` does it.",
    given=Context(options={"qos-downgrade": {"Pod/example": _GUARANTEED}}),
)
def qos_downgrade(pod: PodView, ctx: Context) -> Problems:
    """A sidecar makes a pod's quality of service worse.

    A pod is Guaranteed when every container has equal requests and limits for cpu and memory. With a sidecar that does
    not it is Burstable: it is evicted and killed earlier, and loses CPUs of its own.

    It compares with the pod before the change, so only composing finds it.
    """
    before = as_mapping(ctx.options.get("qos-downgrade")).get(pod.object.label)
    if before is None:
        return
    change = pod_resources.qos_downgrade(before, pod.value, ctx.kube_version)
    if change is None:
        return
    path: PathTuple = pod.at(*change.shortfalls[0].path) if change.shortfalls else pod.at("containers")
    yield problem(path, f"the pod was {change.before} and becomes {change.after}", help=_advice(change))


def _advice(change: pod_resources.Downgrade) -> str:
    """Say what would keep the class; "" where no amounts would."""
    wanted: dict[str, list[str]] = {}
    for one in change.shortfalls:
        wanted.setdefault(one.container, []).append(f"{one.resource}: {one.value or '…'}")
    parts = (f"{name} {{{', '.join(values)}}}" for name, values in wanted.items())
    return (
        f"To keep it, add the sidecar with --keep-qos, or set as requests and limits of {'; of '.join(parts)}."
        if wanted
        else ""
    )


@rule(
    "fractional-memory",
    Severity.ERROR,
    layer="advice",
    fix="Use Mi or M; m is a thousandth of a byte.",
)
def fractional_memory(pod: PodView, ctx: Context) -> Problems:
    """An amount of memory or storage is a fraction of a byte.

    `512m` is half a byte, as `500m` of cpu is half a CPU. The API server takes it with a warning, and the container is
    killed as soon as it starts; a request is next to nothing.
    """
    overhead = pod.value.get("overhead")
    if overhead and isinstance(overhead, dict):
        yield from _fractions(overhead, pod.at("overhead"), Severity.WARNING)
    for container in pod.containers:
        resources = container.value.get("resources")
        if not resources or not isinstance(resources, dict):
            continue
        for side, severity in (("limits", None), ("requests", Severity.WARNING)):
            found = resources.get(side)
            if found and isinstance(found, dict):
                yield from _fractions(found, container.at("resources", side), severity)


def _fractions(found: dict[str, object], path: PathTuple, severity: Severity | None) -> Problems:
    for name in _BYTES:
        value = found.get(name)
        if value is None or value.__class__ is int or (isinstance(value, str) and _WHOLE.fullmatch(value)):
            continue
        amount = parse_resource_amount(value)
        if amount is not None and amount % NANO:
            yield problem((*path, name), f"{quote(value)} of {name} is a fraction of a byte", severity=severity)
