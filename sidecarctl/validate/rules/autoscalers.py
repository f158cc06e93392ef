"""Rules about what autoscalers of the same input reckon with: requests of a pod, and whether its sidecars count."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazily import dataclass
from sidecarctl.validate.parts import amounts
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
