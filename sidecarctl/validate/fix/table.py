"""The table of fixes by rule, and the fix of removed and deprecated API versions.

An API version is replaced only if the object has the same meaning in the new version: its kind is in the table below,
the object has no new errors, and no default that differs between the versions applies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidecarctl.findings import Finding
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fix.fixers import (
    Fix,
    FixContext,
    Fixer,
    change_case,
    change_type,
    remove_duplicate_item,
    remove_duplicate_variable,
    replace_scalar,
    set_memory_limit,
    set_requests,
    set_size_limit,
    value_at,
)
from sidecarctl.validate.schema.api_versions import find_replacement
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
        return "an empty selector selects no pods in the old version and all pods in the new one"
    return ""


def _update_strategy(spec: Mapping[str, Any]) -> str:
    if as_mapping(spec.get("updateStrategy")).get("type"):
        return ""
    return "updateStrategy.type is not set, and its default changes from OnDelete to RollingUpdate"


def _rollout(spec: Mapping[str, Any]) -> str:
    """Compare the defaults of extensions/v1beta1 with those of apps/v1, as Kubernetes 1.15 set them."""
    strategy = as_mapping(spec.get("strategy"))
    rolling = {} if strategy.get("type") == "Recreate" else {"maxUnavailable": "1 to 25%", "maxSurge": "1 to 25%"}
    pairs = (
        ("strategy.rollingUpdate", as_mapping(strategy.get("rollingUpdate")), rolling),
        ("spec", spec, {"progressDeadlineSeconds": "none to 600", "revisionHistoryLimit": "all to 10"}),
    )
    return _changed_default(pairs)


def _history(spec: Mapping[str, Any]) -> str:
    return _changed_default([("spec", spec, {"revisionHistoryLimit": "2 to 10"})])


def _changed_default(pairs: Iterable[tuple[str, Mapping[str, Any], Mapping[str, str]]]) -> str:
    """Return which field is not set although its default changes, "" if all are set."""
    missing = [
        (f"{holder}.{name}".removeprefix("spec."), change)
        for holder, values, defaults in pairs
        for name, change in defaults.items()
        if values.get(name) is None
    ]
    return f"{missing[0][0]} is not set, and its default changes from {missing[0][1]}" if missing else ""


# Functions that return why the meaning of an object changes in the new version, "" if it does not.
_GUARDS: Mapping[tuple[str, str], Guard] = {
    ("policy/v1beta1", "PodDisruptionBudget"): _empty_selector,
    ("extensions/v1beta1", "DaemonSet"): _update_strategy,
    ("extensions/v1beta1", "Deployment"): _rollout,
    ("apps/v1beta1", "Deployment"): _history,
    ("apps/v1beta1", "StatefulSet"): _update_strategy,
}


def replace_api_version(finding: Finding, document: Document, context: FixContext) -> Fix | None:
    """Replace an apiVersion with the version that succeeds it."""
    holder = as_mapping(value_at(document.value, finding.path[:-1]))
    api_version, kind = holder.get("apiVersion"), holder.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str) or kind not in SAME.get(api_version, ()):
        return None
    new = find_replacement(api_version, kind, context.kube_version)
    if not new:
        return None
    guard = _GUARDS.get((api_version, kind))
    change = guard(as_mapping(holder.get("spec"))) if guard else ""
    if change:
        raise EditRefused(f"the object changes its meaning in {new}: {change}", finding.path)
    return replace_scalar(finding, document, new, f"use {new}")


@dataclass(frozen=True)
class Fixable:
    """The fixer of a rule, the condition under which it applies, and the flags that it requires besides `--fix`."""

    fixer: Fixer
    when: str
    flags: tuple[str, ...] = ()


_SAME_ITEM = Fixable(remove_duplicate_item, "the item is identical to an earlier item of the list")

FIXABLE: Mapping[str, Fixable] = {
    "deprecated-api": Fixable(replace_api_version, "the object has the same meaning in the new API version"),
    "duplicate-env": Fixable(remove_duplicate_variable, "all variables of that name in the container are identical"),
    "duplicate-host-alias": _SAME_ITEM,
    "duplicate-mount-path": _SAME_ITEM,
    "duplicate-port": _SAME_ITEM,
    "duplicate-port-name": _SAME_ITEM,
    "duplicate-pull-secret": _SAME_ITEM,
    "duplicate-volume-name": _SAME_ITEM,
    "host-port-conflict": _SAME_ITEM,
    "invalid-enum": Fixable(change_case, "the value differs only in case"),
    "missing-memory-limit": Fixable(set_memory_limit, "a value is set", ("--memory-limit",)),
    "missing-requests": Fixable(set_requests, "the values are set", ("--cpu-request", "--memory-request")),
    "removed-api": Fixable(replace_api_version, "the object has the same meaning in the new API version"),
    "unbounded-emptydir": Fixable(set_size_limit, "a value is set", ("--size-limit",)),
    "unbounded-shared-emptydir": Fixable(set_size_limit, "a value is set", ("--size-limit",)),
    "wrong-type": Fixable(change_type, "the value only needs quotes added or removed"),
}


@dataclass(frozen=True)
class RefusedFix:
    """A finding whose fix is refused, and why."""

    finding: Finding
    why: str


def propose_fixes(
    document: Document, findings: Sequence[Finding], context: FixContext
) -> tuple[list[Fix], list[RefusedFix]]:
    """Return the fixes of findings, independent of each other, and the fixes that cannot be written."""
    fixes: list[Fix] = []
    refused: list[RefusedFix] = []
    for finding in findings:
        known = FIXABLE.get(finding.rule)
        if known is None or finding.source != "input":
            continue
        try:
            fix = known.fixer(finding, document, context)
        except EditRefused as refusal:
            refused.append(RefusedFix(finding, refusal.message))
            continue
        if fix is not None:
            fixes.append(fix)
    return fixes, refused
