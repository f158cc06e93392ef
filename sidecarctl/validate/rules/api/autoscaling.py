"""Rules about HorizontalPodAutoscalers and PodDisruptionBudgets."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.names import check_container_resource
from sidecarctl.kube.quantity import check_count_or_percentage, parse_percentage, parse_quantity
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_HOUR = 3600
_HALF_HOUR = 1800
# The field of each metric type, in the order in which the API server checks them.
_SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
# The first version that supports minReplicas: 0.
_SCALE_TO_ZERO = "1.37"
# The first version that supports tolerance; earlier API servers drop it.
_TOLERANCE = "1.35"
_TARGETS = ("Utilization", "Value", "AverageValue")


def _is_autoscaler(obj: ObjectView) -> bool:
    return obj.group == "autoscaling" and obj.kind == "HorizontalPodAutoscaler"


@rule(
    "invalid-autoscaler-bounds",
    Severity.ERROR,
    scope="object",
    kinds=("HorizontalPodAutoscaler",),
    fix="Set minReplicas to 1 or more, and maxReplicas to minReplicas or more.",
)
def invalid_autoscaler_bounds(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid replica bounds or target of a HorizontalPodAutoscaler.

    minReplicas is 1 by default and can be 0 only with an Object or External metric (since Kubernetes 1.37). maxReplicas
    is not below minReplicas. The target has a kind and a name, and since Kubernetes 1.34 an apiVersion with a group.
    """
    if not _is_autoscaler(obj):
        return
    least, most = obj.number("spec", "minReplicas"), obj.number("spec", "maxReplicas")
    if least is not None and least < (0 if ctx.since(_SCALE_TO_ZERO) else 1):
        yield problem(
            obj.at("spec", "minReplicas"),
            f"invalid minReplicas {least}: must be {0 if ctx.since(_SCALE_TO_ZERO) else 1} or more",
        )
    if most is not None and most < 1:
        yield problem(obj.at("spec", "maxReplicas"), f"invalid maxReplicas {most}: must be 1 or more")
    elif most is not None and least is not None and most < least:
        yield problem(obj.at("spec", "maxReplicas"), f"invalid maxReplicas {most}: less than minReplicas {least}")
    if least == 0 and ctx.since(_SCALE_TO_ZERO):
        types = {str(metric.get("type")) for _, metric in listed(obj.spec, "metrics")}
        if not types & {"Object", "External"}:
            message = "minReplicas: 0 requires an Object or External metric"
            yield problem(obj.at("spec", "minReplicas"), message)
    percent = obj.number("spec", "targetCPUUtilizationPercentage")
    if percent is not None and percent < 1:
        where = obj.at("spec", "targetCPUUtilizationPercentage")
        yield problem(where, f"invalid targetCPUUtilizationPercentage {percent}: must be above zero")
    target = as_mapping(obj.spec.get("scaleTargetRef"))
    for field in ("kind", "name"):
        text = target.get(field)
        if isinstance(text, str) and _is_unsafe_segment(text):
            yield problem(obj.at("spec", "scaleTargetRef", field), f"invalid {field} {quote(text)} in scaleTargetRef")
    version = target.get("apiVersion")
    if ctx.since("1.34") and isinstance(version, (str, type(None))) and "scaleTargetRef" in obj.spec:
        group, _, rest = (version or "").partition("/")
        old = target.get("kind") == "ReplicationController" and "/" not in (version or "")
        if not old and (not group or not rest or "/" in rest):
            message = "missing apiVersion in scaleTargetRef"
            if version:
                message = f"invalid apiVersion {quote(version)} in scaleTargetRef: no group"
            yield problem(
                obj.at("spec", "scaleTargetRef", "apiVersion"), message, help="For a Deployment, use apps/v1."
            )


@rule(
    "invalid-autoscaler-metric",
    Severity.ERROR,
    scope="object",
    kinds=("HorizontalPodAutoscaler",),
    fix="Set the source that matches the type of the metric, with a target above zero.",
)
def invalid_autoscaler_metric(obj: ObjectView, ctx: Context) -> Problems:
    """A metric of a HorizontalPodAutoscaler has the wrong source or no target.

    The type of a metric determines the field with its source. The target is a utilization in percent or a quantity,
    above zero.
    """
    if not _is_autoscaler(obj):
        return
    for index, metric in listed(obj.spec, "metrics"):
        where = obj.at("spec", "metrics", index)
        metric_type = metric.get("type")
        if not isinstance(metric_type, str) or metric_type not in _SOURCES:
            continue
        field = _SOURCES[metric_type]
        if metric.get(field) is None:
            yield problem((*where, field), f"missing required field for metric type {metric_type}: {field}")
        for other in _SOURCES.values():
            if other != field and metric.get(other) is not None:
                yield problem((*where, other), f"{other} is not supported for metric type {metric_type}", on_key=True)
        if isinstance(metric.get(field), dict):
            yield from _check_names(metric[field], (*where, field))
            yield from _check_target(metric[field], metric_type, (*where, field))


def _check_names(source: Data, where: PathTuple) -> Problems:
    """Check the names in a metric source: container, resource, metric, and described object."""
    if "container" in source:
        resource, container = source.get("name"), source.get("container")
        if isinstance(resource, str) and resource and (fault := check_container_resource(resource)):
            yield problem((*where, "name"), f"invalid resource name {quote(resource)}: {fault}")
        if isinstance(container, str) and container and (fault := names.check_dns_label(container)):
            yield problem((*where, "container"), f"invalid container name {quote(container)}: {fault}")
    for field, key in (("metric", "name"), ("describedObject", "kind"), ("describedObject", "name")):
        text = as_mapping(source.get(field)).get(key)
        if isinstance(text, str) and _is_unsafe_segment(text):
            yield problem((*where, field, key), f"invalid {key} {quote(text)}")


def _is_unsafe_segment(text: str) -> bool:
    """Return True if a text can't be a URL path segment."""
    return "/" in text or "%" in text or text in (".", "..")


def _check_target(source: Data, metric_type: str, where: PathTuple) -> Problems:
    target = source.get("target")
    if not isinstance(target, dict):
        return
    where = (*where, "target")
    kind = target.get("type")
    if isinstance(kind, str) and kind and kind not in _TARGETS:
        yield problem((*where, "type"), f"unknown target type {quote(kind)}, expected one of {', '.join(_TARGETS)}")
    for field in ("value", "averageValue"):
        amount = parse_quantity(target.get(field))
        if amount is not None and amount <= 0:
            yield problem((*where, field), f"invalid {field} {quote(target[field])}: must be above zero")
    percent = target.get("averageUtilization")
    if isinstance(percent, int) and not isinstance(percent, bool) and percent < 1:
        yield problem((*where, "averageUtilization"), f"invalid averageUtilization {percent}: must be above zero")
    average, value = target.get("averageValue"), target.get("value")
    if metric_type in ("Resource", "ContainerResource"):
        if percent is None and average is None:
            yield problem((*where, "averageUtilization"), "missing averageUtilization or averageValue")
        elif percent is not None and average is not None:
            yield problem((*where, "averageValue"), "both averageUtilization and averageValue are set", on_key=True)
    elif average is None and (metric_type == "Pods" or value is None):
        yield problem(
            (*where, "averageValue"),
            "missing averageValue" if metric_type == "Pods" else "missing averageValue or value",
        )
    elif metric_type == "External" and average is not None and value is not None:
        yield problem((*where, "value"), "both averageValue and value are set", on_key=True)


@rule(
    "invalid-autoscaler-behavior",
    Severity.ERROR,
    scope="object",
    kinds=("HorizontalPodAutoscaler",),
    fix="Use a window of at most 3600 seconds, and policies with a positive value and a period of 1 to 1800 seconds.",
)
def invalid_autoscaler_behavior(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid scaling behavior of a HorizontalPodAutoscaler.

    The stabilization window is at most one hour. A policy has a positive number of pods or percent, and a period of 1
    to 1800 seconds.
    """
    if not _is_autoscaler(obj) or not isinstance(obj.spec.get("behavior"), dict):
        return
    for way in ("scaleUp", "scaleDown"):
        rules = as_mapping(obj.spec["behavior"].get(way))
        where = obj.at("spec", "behavior", way)
        window = rules.get("stabilizationWindowSeconds")
        if isinstance(window, int) and not isinstance(window, bool) and not 0 <= window <= _HOUR:
            yield problem(
                (*where, "stabilizationWindowSeconds"),
                f"invalid stabilizationWindowSeconds {window}: use a number from 0 to {_HOUR}",
            )
        tolerance = parse_quantity(rules.get("tolerance"))
        if tolerance is not None and tolerance < 0 and ctx.since(_TOLERANCE):
            yield problem((*where, "tolerance"), f"invalid tolerance {quote(rules['tolerance'])}: must not be negative")
        if rules.get("policies") == []:
            yield problem((*where, "policies"), "no scaling policies", on_key=True)
        for index, policy in listed(rules, "policies"):
            for field, longest in (("value", None), ("periodSeconds", _HALF_HOUR)):
                number = policy.get(field)
                if isinstance(number, int) and not isinstance(number, bool):
                    if number < 1 or (longest and number > longest):
                        most = f"use a number from 1 to {longest}" if longest else "must be 1 or more"
                        yield problem((*where, "policies", index, field), f"invalid {field} {number}: {most}")


@rule(
    "invalid-disruption-budget",
    Severity.ERROR,
    scope="object",
    kinds=("PodDisruptionBudget",),
    fix="Set one of minAvailable and maxUnavailable, to a whole number or a percentage up to 100%.",
)
def invalid_disruption_budget(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid minAvailable or maxUnavailable of a PodDisruptionBudget.

    A budget sets only one of the two, to a number of pods or a percentage of at most 100%. The API server rejects
    anything else.
    """
    if obj.group != "policy":
        return
    given = [field for field in ("minAvailable", "maxUnavailable") if obj.spec.get(field) is not None]
    if len(given) == 2:
        related = (Related("also set here", obj.at("spec", "minAvailable")),)
        message = "both minAvailable and maxUnavailable are set"
        yield problem(obj.at("spec", "maxUnavailable"), message, on_key=True, related=related)
    for field in given:
        value = obj.spec[field]
        if fault := check_count_or_percentage(value):
            yield problem(obj.at("spec", field), f"invalid {field} {quote(value)}: {fault}")
        elif (parse_percentage(value) or 0) > 100:
            yield problem(obj.at("spec", field), f"invalid {field} {quote(value)}: at most 100%")
