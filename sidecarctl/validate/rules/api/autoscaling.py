"""Rules about autoscalers and disruption budgets: how many pods there may be, and what they are counted by."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.names import container_resource_fault
from sidecarctl.kube.quantity import amount_fault, nano, percentage
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_HOUR = 3600
_HALF_HOUR = 1800
# Where a metric of a type stands, in the order in which the server looks.
_SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
# Since when there may be no pod at all.
_SCALE_TO_ZERO = "1.37"
# Since when the tolerance is an autoscaler's own; before, the server drops it.
_TOLERANCE = "1.35"
_TARGETS = ("Utilization", "Value", "AverageValue")


def _is_autoscaler(one: ObjectView) -> bool:
    return one.group == "autoscaling" and one.kind == "HorizontalPodAutoscaler"


@rule(
    "invalid-autoscaler-bounds",
    Severity.ERROR,
    scope="object",
    kinds=("HorizontalPodAutoscaler",),
    fix="Set minReplicas to at least 1 and maxReplicas to no less.",
)
def invalid_autoscaler_bounds(one: ObjectView, ctx: Context) -> Problems:
    """An autoscaler's bounds leave it no number of pods, or it scales nothing.

    The least is 1 by default, and 0 only with a metric that does not come from the pods themselves (Object or External,
    since Kubernetes 1.37); the most is not below it. The target is named by kind and name, and since 1.34
    by an apiVersion that has a group.
    """
    if not _is_autoscaler(one):
        return
    least, most = one.number("spec", "minReplicas"), one.number("spec", "maxReplicas")
    if least is not None and least < (0 if ctx.since(_SCALE_TO_ZERO) else 1):
        yield problem(one.at("spec", "minReplicas"), f"minReplicas is {least}")
    if most is not None and most < 1:
        yield problem(one.at("spec", "maxReplicas"), f"maxReplicas is {most}, and has to be 1 or more")
    elif most is not None and least is not None and most < least:
        yield problem(one.at("spec", "maxReplicas"), f"maxReplicas is {most}, and minReplicas {least}")
    if least == 0 and ctx.since(_SCALE_TO_ZERO):
        types = {str(metric.get("type")) for _, metric in listed(one.spec, "metrics")}
        if not types & {"Object", "External"}:
            message = "without pods there is nothing to measure: minReplicas: 0 needs an Object or External metric"
            yield problem(one.at("spec", "minReplicas"), message)
    target = as_mapping(one.spec.get("scaleTargetRef"))
    for field in ("kind", "name"):
        text = target.get(field)
        if isinstance(text, str) and _no_segment(text):
            yield problem(one.at("spec", "scaleTargetRef", field), f"{quote(text)} is no {field}")
    version = target.get("apiVersion")
    if ctx.since("1.34") and isinstance(version, (str, type(None))) and "scaleTargetRef" in one.spec:
        group, _, rest = (version or "").partition("/")
        old = target.get("kind") == "ReplicationController" and "/" not in (version or "")
        if not old and (not group or not rest or "/" in rest):
            said = f"{quote(version)} has" if version else "there is"
            message = f"the target needs an apiVersion with a group, and {said} none"
            yield problem(
                one.at("spec", "scaleTargetRef", "apiVersion"), message, help="For a Deployment it is apps/v1."
            )


@rule(
    "invalid-autoscaler-metric",
    Severity.ERROR,
    scope="object",
    kinds=("HorizontalPodAutoscaler",),
    fix="Give each metric the one source of its type, with a target above zero.",
)
def invalid_autoscaler_metric(one: ObjectView, ctx: Context) -> Problems:
    """A metric of an autoscaler has no source, another type's source, or no target.

    Its type says which field holds it. A target is a utilization in percent or an amount, above zero.
    """
    if not _is_autoscaler(one):
        return
    for index, metric in listed(one.spec, "metrics"):
        where = one.at("spec", "metrics", index)
        own = metric.get("type")
        if not isinstance(own, str) or own not in _SOURCES:
            continue
        field = _SOURCES[own]
        if metric.get(field) is None:
            yield problem((*where, field), f"a metric of type {own} needs {field}")
        for other in _SOURCES.values():
            if other != field and metric.get(other) is not None:
                yield problem((*where, other), f"a metric of type {own} can't have {other}", on_key=True)
        if isinstance(metric.get(field), dict):
            yield from _names(metric[field], (*where, field))
            yield from _target(metric[field], own, (*where, field))


def _names(source: Data, where: PathTuple) -> Problems:
    """What a source refers to: a container and its resource, a metric, another object."""
    if "container" in source:
        resource, container = source.get("name"), source.get("container")
        if isinstance(resource, str) and resource and (no_resource := container_resource_fault(resource)):
            yield problem((*where, "name"), f"{quote(resource)} {no_resource}")
        if isinstance(container, str) and container and (fault := names.dns_label(container)):
            yield problem((*where, "container"), f"{quote(container)} is no name of a container: it {fault}")
    for field, key in (("metric", "name"), ("describedObject", "kind"), ("describedObject", "name")):
        text = as_mapping(source.get(field)).get(key)
        if isinstance(text, str) and _no_segment(text):
            yield problem((*where, field, key), f"{quote(text)} is no {key}")


def _no_segment(text: str) -> bool:
    """True for a text that can't stand in an address between two slashes."""
    return "/" in text or "%" in text or text in (".", "..")


def _target(source: Data, own: str, where: PathTuple) -> Problems:
    target = source.get("target")
    if not isinstance(target, dict):
        return
    where = (*where, "target")
    kind = target.get("type")
    if isinstance(kind, str) and kind and kind not in _TARGETS:
        yield problem((*where, "type"), f"{quote(kind)} is no type of a target; known are {', '.join(_TARGETS)}")
    for field in ("value", "averageValue"):
        amount = nano(target.get(field))
        if amount is not None and amount <= 0:
            yield problem((*where, field), f"the target is {target[field]}, and has to be above zero")
    percent = target.get("averageUtilization")
    if isinstance(percent, int) and not isinstance(percent, bool) and percent < 1:
        yield problem((*where, "averageUtilization"), f"the target is {percent} %, and has to be above zero")
    average, value = target.get("averageValue"), target.get("value")
    if own in ("Resource", "ContainerResource"):
        if percent is None and average is None:
            yield problem((*where, "averageUtilization"), "the target has neither averageUtilization nor averageValue")
        elif percent is not None and average is not None:
            yield problem((*where, "averageValue"), "the target has an averageUtilization too", on_key=True)
    elif average is None and (own == "Pods" or value is None):
        yield problem((*where, "averageValue"), "the target has no amount")
    elif own == "External" and average is not None and value is not None:
        yield problem((*where, "value"), "the target has an averageValue too", on_key=True)


@rule(
    "invalid-autoscaler-behavior",
    Severity.ERROR,
    scope="object",
    kinds=("HorizontalPodAutoscaler",),
    fix="Use a window of at most 3600 seconds, and policies above zero with periods of at most 1800 seconds.",
)
def invalid_autoscaler_behavior(one: ObjectView, ctx: Context) -> Problems:
    """The pace of an autoscaler is zero or too slow.

    It looks back an hour at most. A policy changes some pods or percent, above zero, in a period of 1 to 1800 seconds.
    """
    if not _is_autoscaler(one) or not isinstance(one.spec.get("behavior"), dict):
        return
    for way in ("scaleUp", "scaleDown"):
        rules = as_mapping(one.spec["behavior"].get(way))
        where = one.at("spec", "behavior", way)
        window = rules.get("stabilizationWindowSeconds")
        if isinstance(window, int) and not isinstance(window, bool) and not 0 <= window <= _HOUR:
            yield problem(
                (*where, "stabilizationWindowSeconds"), f"the window of {window} seconds is not from 0 to {_HOUR}"
            )
        tolerance = nano(rules.get("tolerance"))
        if tolerance is not None and tolerance < 0 and ctx.since(_TOLERANCE):
            yield problem((*where, "tolerance"), f"the tolerance is {rules['tolerance']}, and can't be less than zero")
        if rules.get("policies") == []:
            yield problem((*where, "policies"), "there is no policy", on_key=True)
        for index, policy in listed(rules, "policies"):
            for field, longest in (("value", None), ("periodSeconds", _HALF_HOUR)):
                number = policy.get(field)
                if isinstance(number, int) and not isinstance(number, bool):
                    if number < 1 or (longest and number > longest):
                        most = f" to {longest}" if longest else " or more"
                        yield problem((*where, "policies", index, field), f"{field} is {number}, and has to be 1{most}")


@rule(
    "invalid-disruption-budget",
    Severity.ERROR,
    scope="object",
    kinds=("PodDisruptionBudget",),
    fix="Use one of them, as a whole number or at most 100%.",
)
def invalid_disruption_budget(one: ObjectView, ctx: Context) -> Problems:
    """A disruption budget says twice how many pods it keeps, or says it wrongly.

    `minAvailable` and `maxUnavailable` are two ways to say the same, each a number of pods or a percentage of at most
    100%.
    """
    if one.group != "policy":
        return
    given = [field for field in ("minAvailable", "maxUnavailable") if one.spec.get(field) is not None]
    if len(given) == 2:
        related = (Related("the other", one.at("spec", "minAvailable")),)
        message = "minAvailable and maxUnavailable exclude each other"
        yield problem(one.at("spec", "maxUnavailable"), message, on_key=True, related=related)
    for field in given:
        value = one.spec[field]
        if fault := amount_fault(value):
            yield problem(one.at("spec", field), f"{field} {fault}")
        elif (percentage(value) or 0) > 100:
            yield problem(one.at("spec", field), f"{field} is {value}, and can't be more than 100%")
