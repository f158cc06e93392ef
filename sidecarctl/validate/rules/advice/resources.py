"""Rules about resources: requests, limits, quality of service, and autoscaler metrics."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import pod_resources
from sidecarctl.kube.quantity import NANO, parse_resource_amount
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import amounts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, ObjectView, PodView, StreamView

_RUNNING = ("app", "classic", "sidecar")


@dataclass(frozen=True)
class _Metric:
    """A resource metric of an autoscaler: of the whole pod (container "") or of one container."""

    resource: str
    container: str
    utilization: bool
    path: PathTuple


def _scaled(stream: StreamView) -> Iterator[tuple[PodView, list[_Metric]]]:
    """Yield each workload that an autoscaler of the same input scales, with the metrics of the autoscaler."""
    scalers = [one for one in stream.objects if (one.group, one.kind) == ("autoscaling", "HorizontalPodAutoscaler")]
    pods: dict[tuple[str, str, str], PodView] = {}
    for pod in stream.pods if scalers else ():
        pods.setdefault((pod.object.kind, pod.object.name, pod.object.namespace), pod)
    for scaler in scalers:
        target = scaler.child("spec", "scaleTargetRef")
        found = pods.get((target.text("kind"), target.text("name"), scaler.namespace))
        if found is not None:
            yield found, list(_metrics(scaler))


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
    fix="Use a ContainerResource metric for the app container (stable since Kubernetes 1.30).",
)
def hpa_counts_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """A HorizontalPodAutoscaler metric includes the resources of a sidecar.

    A Resource metric covers all containers of the pod. An idle sidecar hides that the app is at its limit, and a busy
    sidecar adds replicas that the app does not need.

    This rule compares objects of the same input: the autoscaler and its workload. Native sidecars count since
    Kubernetes 1.29.
    """
    roles = ("sidecar", "classic") if enabled("native-sidecar", ctx.kube_version) else ("classic",)
    for pod, metrics in _scaled(stream):
        sidecars = list(pod.by_role(*roles))
        if not sidecars:
            continue
        names = f"sidecar{'s' * (len(sidecars) > 1)} {', '.join(quote(one.name) for one in sidecars)}"
        for metric in metrics:
            if not metric.container:
                yield problem(
                    metric.path,
                    f"{metric.resource} metric of {pod.object.label} includes {names}",
                    related=(Related("sidecar", (*sidecars[0].path, "name")),),
                )


@rule(
    "hpa-missing-requests",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Set a request for this resource in every container.",
)
def hpa_missing_requests(stream: StreamView, ctx: Context) -> Problems:
    """A HorizontalPodAutoscaler uses the utilization of a resource that a container does not request.

    Utilization is a percentage of the requests. If one container has no request, the autoscaler cannot compute the
    metric and does not scale. Native sidecars count too.

    This rule compares objects of the same input: the autoscaler and its workload. A LimitRange in the namespace can
    set default requests.
    """
    for pod, metrics in _scaled(stream):
        for metric in metrics:
            if not metric.utilization or _pod_requests(pod, metric.resource, ctx):
                continue
            for container in pod.by_role(*_RUNNING):
                if metric.container in ("", container.name) and not _requests(container, metric.resource):
                    yield problem(
                        metric.path,
                        f"container {quote(container.name)} of {pod.object.label} has no {metric.resource} request",
                        related=(Related("container", container.path),),
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
_WHOLE = lazy_pattern(r"\d+(?:[KMGTPE]i|[kMGTPE])?")


def _of_pod(container: ContainerView, ctx: Context) -> set[str]:
    """Return the resources with pod-level requests or limits."""
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
    fix="Set resources.requests for CPU and memory.",
)
def missing_requests(container: ContainerView, ctx: Context) -> Problems:
    """A sidecar has no CPU or memory request.

    A sidecar runs in every pod of its workload. Without requests, the scheduler ignores what it uses, a namespace with
    a resource quota rejects the pods, and autoscaling by utilization stops. A limit without a request sets the request.
    """
    resources = as_mapping(container.value.get("resources"))
    given = {*amounts(resources, "requests"), *amounts(resources, "limits"), *_of_pod(container, ctx)}
    missing = [name for name in ("cpu", "memory") if name not in given]
    if missing:
        message = f"sidecar has no {' or '.join(missing)} request"
        yield problem(container.at("resources", "requests"), message, expected=tuple(missing))


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

    A sidecar that leaks memory, or buffers data that it cannot deliver, can use all memory of the node. The kernel then
    kills other containers, including the app.
    """
    resources = container.value.get("resources")
    if parse_resource_amount(container.get("resources", "limits", "memory")) or not isinstance(
        resources, (dict, type(None))
    ):
        return
    pod_limits = amounts(as_mapping(container.pod.value.get("resources")), "limits")
    if "memory" not in pod_limits or not enabled("pod-level-resources", ctx.kube_version):
        yield problem(container.at("resources", "limits", "memory"), "sidecar has no memory limit")


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
    fix="Set equal CPU and memory requests and limits in every container, or add the sidecar with `--keep-qos`.",
    given=Context(options={"qos-downgrade": {"Pod/example": _GUARANTEED}}),
)
def qos_downgrade(pod: PodView, ctx: Context) -> Problems:
    """A sidecar lowers the QoS class of a pod.

    A pod is Guaranteed if every container has equal requests and limits for CPU and memory. One container without them
    makes the pod Burstable: it is evicted and killed earlier, and it loses its exclusive CPUs.

    This rule compares the pod with the pod before the change, so only commands that change workloads report it.
    """
    before = as_mapping(ctx.options.get("qos-downgrade")).get(pod.object.label)
    if before is None:
        return
    change = pod_resources.find_qos_downgrade(before, pod.value, ctx.kube_version)
    if change is None:
        return
    path: PathTuple = pod.at(*change.shortfalls[0].path) if change.shortfalls else pod.at("containers")
    yield problem(path, f"QoS class changes from {change.before} to {change.after}", help=_advice(change))


def _advice(change: pod_resources.Downgrade) -> str:
    """Return how to keep the QoS class, "" if resources cannot keep it."""
    values: dict[str, list[str]] = {}
    for one in change.shortfalls:
        values.setdefault(one.container, []).append(f"{one.resource}: {one.value or '…'}")
    parts = (f"{name} {{{', '.join(own)}}}" for name, own in values.items())
    return f"Add the sidecar with --keep-qos, or set these requests and limits: {'; '.join(parts)}." if values else ""


@rule(
    "fractional-memory",
    Severity.ERROR,
    layer="advice",
    fix="Use Mi or M. The suffix m means one thousandth of a byte.",
)
def fractional_memory(pod: PodView, ctx: Context) -> Problems:
    """A memory or storage quantity is a fraction of a byte.

    `512m` is about half a byte, just as `500m` is half a CPU. The API server accepts it with a warning. A container with
    such a limit is killed when it starts; such a request reserves almost nothing.
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
            yield problem(
                (*path, name), f"invalid {name} quantity {quote(value)}: not a whole number of bytes", severity=severity
            )
