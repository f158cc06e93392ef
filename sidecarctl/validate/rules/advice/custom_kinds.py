"""Advice about custom kinds with a pod template: what their webhooks reject."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import Severity, quote
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_KNATIVE = "serving.knative.dev"
_INIT = "kubernetes.podspec-init-containers"
_PROBING = "multi-container-probing"


@rule(
    "rejected-by-knative",
    Severity.WARNING,
    layer="advice",
    needs=("initContainers", "containers"),
    fix="Enable the features in the ConfigMap config-features of Knative, or remove the fields.",
)
def rejected_by_knative(pod: PodView, ctx: Context) -> Problems:
    """A container of a Knative Service has fields that the webhook of Knative rejects by default.

    Knative accepts one container with ports, and no init containers, no probes of further containers, and no lifecycle
    hooks. Features of the cluster allow some of them.
    """
    if pod.object.group != _KNATIVE:
        return
    further = list(_further_containers(pod))
    for container in pod.containers:
        fields = list(_rejected_fields(container, container in further))
        if not fields:
            continue
        names = ", ".join(fields[:-1]) + (" and " if len(fields) > 1 else "") + fields[-1]
        yield problem(
            container.at("name") if container.name else container.path,
            f"Knative rejects {names} of container {quote(container.name)} by default",
            help=_way_out(fields),
        )


def _further_containers(pod: PodView) -> Iterator[ContainerView]:
    """Yield the containers besides the one that serves requests: the first with ports, else the first."""
    own = list(pod.by_role("app", "classic"))
    serving = next((one for one in own if one.has("ports")), own[0] if own else None)
    return (one for one in own if one is not serving)


def _rejected_fields(container: ContainerView, further: bool) -> Iterator[str]:
    if container.role in ("init", "sidecar"):
        yield "initContainers"
    if container.role in ("init", "sidecar") or further:
        yield from (field for field in ("ports", *_PROBES) if container.has(field))
    if container.has("lifecycle"):
        yield "lifecycle"


def _way_out(fields: list[str]) -> str:
    features = [
        feature
        for feature, needed in ((_INIT, "initContainers" in fields), (_PROBING, any(one in _PROBES for one in fields)))
        if needed
    ]
    never = [field for field in fields if field in ("ports", "lifecycle")]
    steps = [f"enable {' and '.join(features)} in the ConfigMap config-features"] if features else []
    steps += [f"remove {' and '.join(never)}"] if never else []
    classic = "; `--mode classic` needs no init container" if "initContainers" in fields else ""
    return f"{', and '.join(steps)}{classic}"
