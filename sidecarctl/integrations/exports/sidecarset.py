"""A composition as SidecarSets of OpenKruise, which inject into Pods that a label selector finds, and touch no app container."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sidecarctl.composition.model import Rule
from sidecarctl.composition.select import Selection
from sidecarctl.errors import UsageError
from sidecarctl.inject.pod_settings import DEFAULT_GRACE_SECONDS
from sidecarctl.integrations.exports.injection import (
    COMPANIONS,
    File,
    Injection,
    RuleInjections,
    head,
    injections,
    stream,
)
from sidecarctl.kube.names import to_dns_label

_API_VERSION = "apps.kruise.io/v1alpha1"
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
_GLOB = re.compile(r"[*?\[]")
_DIFFERENCES = (
    "Pods are changed when they are made, not the workloads: what the workload says stays as it is.",
    "No record is written: `status`, `remove` and upgrades in place do not see what a SidecarSet added.",
    "Labels are those of the Pods alone; `render` looks at the workload's too.",
    "A Pod that already has a container of that name is left to Kruise's own rules; `render` ends with an error.",
    "A Pod can't opt out or ask for itself by annotation.",
    "Native sidecars are init containers with restartPolicy Always: Kruise puts them behind the app's own init containers.",
)


def export(chosen: Selection) -> list[File]:
    """Return the SidecarSets of a composition as one stream. Raises UsageError for what they can't say."""
    differences = list(_DIFFERENCES)
    objects = []
    companions: dict[str, Mapping[str, Any]] = {}
    for each in injections(chosen):
        objects.append(_sidecar_set(each, chosen, differences))
        for injection in each.injections:
            companions |= {f"{d['kind']}/{d['metadata']['name']}": d for d in injection.companions}
    if companions:
        differences.append(
            f"Companions are one per namespace: {', '.join(companions)} (behind it) must be in every namespace where a Pod is "
            "selected."
        )
    use = "Apply it with kubectl; it needs OpenKruise 1.8 or newer."
    comment = head("OpenKruise (SidecarSet)", chosen.composition.name, differences, use)
    files = [File("sidecarset.yaml", stream(comment, objects))]
    return [*files, File(COMPANIONS, stream("", list(companions.values())))] if companions else files


def _sidecar_set(each: RuleInjections, chosen: Selection, differences: list[str]) -> dict[str, Any]:
    rule, composition = each.rule, chosen.composition
    _refuse(rule, each.injections)
    annotations = {k: v for injection in each.injections for k, v in injection.annotations.items()}
    spec: dict[str, Any] = {"selector": _selector(rule)}
    namespaces = _namespaces(rule, composition.exclude_namespaces)
    if namespaces:
        spec["namespaceSelector"] = {"matchExpressions": namespaces}
    for injection in each.injections:
        grace = injection.fragment.termination_grace_period_seconds
        if grace is not None and grace > DEFAULT_GRACE_SECONDS:
            differences.append(
                f"terminationGracePeriodSeconds stays as it is; {injection.name} wants at least {grace} seconds."
            )
        if injection.at_start and injection.init:
            differences.append(f"{injection.name} should start before the app's own init containers.")
    parts = {
        "initContainers": [_container(one) for i in each.injections for one in i.init],
        "containers": [
            _container(one, podInjectPolicy="AfterAppContainer") for i in each.injections for one in i.containers
        ],
        "volumes": [dict(volume) for i in each.injections for volume in i.fragment.volumes],
    }
    spec |= {key: value for key, value in parts.items() if value}
    if annotations:
        spec["patchPodMetadata"] = [{"annotations": annotations, "patchPolicy": "Retain"}]
    label = to_dns_label(rule.label.removeprefix("rule ").strip('"').lower()) or "rule"
    return {
        "apiVersion": _API_VERSION,
        "kind": "SidecarSet",
        "metadata": {"name": f"{composition.name}-{label}"},
        "spec": spec,
    }


def _container(container: Mapping[str, Any], **more: str) -> dict[str, Any]:
    return {**container, **more, "shareVolumePolicy": {"type": "disabled"}}


def _refuse(rule: Rule, found: tuple[Injection, ...]) -> None:
    selector = rule.selector
    asked = {
        "kinds": selector.kinds,
        "groups": selector.groups,
        "names": selector.names,
        "annotations": selector.annotations,
        "containers": selector.containers,
    }
    wrong = [key for key, value in asked.items() if value]
    if wrong:
        raise _refusal(
            f"{rule.label} selects by {', '.join(wrong)}, and a SidecarSet selects Pods by their labels and namespaces",
            str(rule.place),
            "select by labels or matchExpressions",
        )
    if not selector.labels and not selector.expressions:
        raise _refusal(
            f"{rule.label} selects every workload, and a SidecarSet needs a label selector",
            str(rule.place),
            "select by a label that the Pods have",
        )
    for injection in found:
        fragment = injection.fragment
        given = [
            word
            for word, part in (
                ("mounts for the app's containers", fragment.volume_mounts),
                ("variables for the app's containers", fragment.env),
                ("labels for the pod", fragment.labels),
                ("a securityContext for the pod", fragment.security_context),
                ("shareProcessNamespace for the pod", fragment.share_process_namespace),
            )
            if part
        ]
        if given:
            raise _refusal(
                f"{injection.name} brings {', '.join(given)}, and a SidecarSet adds containers, volumes and annotations alone",
                injection.request.where,
                "export to mutatingadmissionpolicy or kyverno",
            )


def _refusal(message: str, where: str, hint: str) -> UsageError:
    return UsageError(f"this can't be exported: {message}", where=where, hint=hint)


def _selector(rule: Rule) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if rule.selector.labels:
        out["matchLabels"] = dict(rule.selector.labels)
    if rule.selector.expressions:
        out["matchExpressions"] = [
            {"key": e.key, "operator": e.operator, **({"values": list(e.values)} if e.values else {})}
            for e in rule.selector.expressions
        ]
    return out


def _namespaces(rule: Rule, excluded: tuple[str, ...]) -> list[dict[str, Any]]:
    return list(_expressions(rule, ("In", rule.selector.namespaces), ("NotIn", excluded)))


def _expressions(rule: Rule, *asked: tuple[str, tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    for operator, names in asked:
        globs = [name for name in names if _GLOB.search(name)]
        if globs:
            raise _refusal(
                f"the namespaces of {rule.label} have wildcards ({', '.join(globs)}), and a label selector knows none",
                str(rule.place),
                "name the namespaces one by one",
            )
        if names:
            yield {"key": _NAMESPACE_LABEL, "operator": operator, "values": list(names)}
