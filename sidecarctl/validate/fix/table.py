"""The fix of an apiVersion that is gone or going: its successor, where the object means the same under it.

That the shape is the same is proved on the object, which must have no new errors under the new version. The table has
the kinds for which the shape tells all; where an absent or empty field means another thing, the object has to say it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidecarctl.findings import Finding
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fix.fixers import (
    Fix,
    Fixer,
    Given,
    memory_limit,
    recased,
    repeated,
    repeated_variable,
    requests,
    retyped,
    rewritten,
    size_limit,
    value_at,
)
from sidecarctl.validate.schema.check_object import successor
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document

_SAME = """
admissionregistration.k8s.io/v1beta1 ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
apiregistration.k8s.io/v1beta1 APIService
apps/v1beta1 Deployment StatefulSet ControllerRevision
apps/v1beta2 Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision
autoscaling/v2beta1 HorizontalPodAutoscaler
autoscaling/v2beta2 HorizontalPodAutoscaler
batch/v1beta1 CronJob
batch/v2alpha1 CronJob
coordination.k8s.io/v1beta1 Lease
discovery.k8s.io/v1beta1 EndpointSlice
extensions/v1beta1 Deployment DaemonSet ReplicaSet NetworkPolicy Ingress
flowcontrol.apiserver.k8s.io/v1beta1 FlowSchema
flowcontrol.apiserver.k8s.io/v1beta2 FlowSchema
flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema
networking.k8s.io/v1beta1 Ingress IngressClass IPAddress ServiceCIDR
node.k8s.io/v1beta1 RuntimeClass
policy/v1beta1 PodDisruptionBudget
rbac.authorization.k8s.io/v1beta1 Role RoleBinding ClusterRole ClusterRoleBinding
scheduling.k8s.io/v1beta1 PriorityClass
storage.k8s.io/v1beta1 CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass
"""
SAME: Mapping[str, tuple[str, ...]] = {
    api_version: tuple(kinds) for api_version, *kinds in (line.split() for line in _SAME.strip().splitlines())
}

Guard = Callable[[Mapping[str, Any]], str]


def _empty_selector(spec: Mapping[str, Any]) -> str:
    selector = spec.get("selector")
    if isinstance(selector, dict) and not any(selector.values()):
        return "its empty selector selected no pod, and would select all of them"
    return ""


def _update_strategy(spec: Mapping[str, Any]) -> str:
    if as_mapping(spec.get("updateStrategy")).get("type"):
        return ""
    return "it has no updateStrategy.type, whose default was OnDelete and would be RollingUpdate"


# Why an object means another thing under the successor, "" where it does not.
_GUARDS: Mapping[tuple[str, str], Guard] = {
    ("policy/v1beta1", "PodDisruptionBudget"): _empty_selector,
    ("extensions/v1beta1", "DaemonSet"): _update_strategy,
    ("apps/v1beta1", "StatefulSet"): _update_strategy,
}


def succeeded(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Write the successor of an apiVersion."""
    holder = as_mapping(value_at(document.value, finding.path[:-1]))
    api_version, kind = holder.get("apiVersion"), holder.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str) or kind not in SAME.get(api_version, ()):
        return None
    new = successor(api_version, kind, given.kube_version)
    if not new:
        return None
    guard = _GUARDS.get((api_version, kind))
    other = guard(as_mapping(holder.get("spec"))) if guard else ""
    if other:
        raise EditRefused(f"under {new} it would mean another thing: {other}", finding.path)
    return rewritten(finding, document, new, f"use {new}")


@dataclass(frozen=True)
class Fixable:
    """How the findings of a rule are fixed; `flags` are those that it takes besides `--fix`, `when` says which findings."""

    fixer: Fixer
    when: str
    flags: tuple[str, ...] = ()


_SAME_ITEM = Fixable(repeated, "the item says the same as an earlier one of its list")

FIXABLE: Mapping[str, Fixable] = {
    "deprecated-api": Fixable(succeeded, "the object means the same under the successor"),
    "duplicate-env": Fixable(repeated_variable, "all variables of that name in the container are the same"),
    "duplicate-host-alias": _SAME_ITEM,
    "duplicate-mount-path": _SAME_ITEM,
    "duplicate-port": _SAME_ITEM,
    "duplicate-port-name": _SAME_ITEM,
    "duplicate-pull-secret": _SAME_ITEM,
    "duplicate-volume-name": _SAME_ITEM,
    "host-port-conflict": _SAME_ITEM,
    "invalid-enum": Fixable(recased, "only the case of letters differs"),
    "missing-memory-limit": Fixable(memory_limit, "an amount is given", ("--memory-limit",)),
    "missing-requests": Fixable(requests, "the amounts are given", ("--cpu-request", "--memory-request")),
    "removed-api": Fixable(succeeded, "the object means the same under the successor"),
    "unbounded-emptydir": Fixable(size_limit, "an amount is given", ("--size-limit",)),
    "wrong-type": Fixable(retyped, "a number or boolean needs quotes, or a whole number or boolean none"),
}


@dataclass(frozen=True)
class Refusal:
    """A finding whose fix is not made, and why."""

    finding: Finding
    why: str


def proposed(document: Document, findings: Sequence[Finding], given: Given) -> tuple[list[Fix], list[Refusal]]:
    """Return the fixes of a document's findings, each by itself, and those that can't be written."""
    fixes: list[Fix] = []
    refused: list[Refusal] = []
    for finding in findings:
        known = FIXABLE.get(finding.rule)
        if known is None or finding.source != "input":
            continue
        try:
            fix = known.fixer(finding, document, given)
        except EditRefused as refusal:
            refused.append(Refusal(finding, refusal.message))
            continue
        if fix is not None:
            fixes.append(fix)
    return fixes, refused
