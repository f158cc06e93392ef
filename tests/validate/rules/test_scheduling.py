"""Rules about node selectors, affinity, tolerations, topology spread, and references of a pod."""

from __future__ import annotations

from typing import Any

import pytest
from object_cases import Case, controller, findings, places, pod, shown, template

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
NODE = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"


def node(*expressions: dict[str, Any], field: str = "matchExpressions") -> dict[str, Any]:
    return pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{field: list(expressions)}]}}})


def prefer(weight: int, *expressions: dict[str, Any]) -> dict[str, Any]:
    term = {"weight": weight, "preference": {"matchExpressions": list(expressions)}}
    return pod(affinity={"nodeAffinity": {PREFERRED: [term]}})


def near(**term: Any) -> dict[str, Any]:
    return pod(affinity={"podAffinity": {REQUIRED: [{"topologyKey": "a", **term}]}})


def tolerate(**given: Any) -> dict[str, Any]:
    return pod(tolerations=[given])


def spread(*more: dict[str, Any], **given: Any) -> dict[str, Any]:
    one = {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}
    return pod(topologySpreadConstraints=[{**one, **given}, *({**one, **other} for other in more)])


SELECTOR = {"matchLabels": {"app": "web"}}
TERM = f"spec.affinity.podAffinity.{REQUIRED}[0]"
SPREAD = "spec.topologySpreadConstraints[0]"

CASES = [
    Case(
        "a value",
        "invalid-node-selector",
        pod(nodeSelector={"a": "b c"}),
        "spec.nodeSelector.a",
        pod(nodeSelector={"a": ""}),
    ),
    Case(
        "no term",
        "invalid-node-affinity",
        pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}),
        NODE,
        pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{}]}}}),
    ),
    Case(
        "In without values",
        "invalid-node-affinity",
        node({"key": "a", "operator": "In"}),
        f"{NODE}[0].matchExpressions[0].values",
        node({"key": "a", "operator": "In", "values": ["b"]}),
    ),
    Case(
        "Exists with values",
        "invalid-node-affinity",
        node({"key": "a", "operator": "Exists", "values": ["b"]}),
        f"{NODE}[0].matchExpressions[0].values",
        node({"key": "a", "operator": "DoesNotExist", "values": []}),
    ),
    Case(
        "Gt with two values",
        "invalid-node-affinity",
        node({"key": "a", "operator": "Gt", "values": ["1", "2"]}),
        f"{NODE}[0].matchExpressions[0].values",
        node({"key": "a", "operator": "Lt", "values": ["many"]}),
    ),
    Case(
        "a key",
        "invalid-node-affinity",
        node({"key": "a b", "operator": "Exists"}),
        f"{NODE}[0].matchExpressions[0].key",
    ),
    Case(
        "an invalid label value",
        "invalid-node-affinity",
        node({"key": "a", "operator": "In", "values": ["b c"]}),
        f"{NODE}[0].matchExpressions[0].values[0]",
        prefer(1, {"key": "a", "operator": "In", "values": ["b c"]}),
    ),
    Case(
        "an unsupported node field",
        "invalid-node-affinity",
        node({"key": "spec.x", "operator": "In", "values": ["b"]}, field="matchFields"),
        f"{NODE}[0].matchFields[0].key",
        node({"key": "metadata.name", "operator": "NotIn", "values": ["b"]}, field="matchFields"),
    ),
    Case(
        "a field by Exists",
        "invalid-node-affinity",
        node({"key": "metadata.name", "operator": "Exists"}, field="matchFields"),
        f"{NODE}[0].matchFields[0].operator",
    ),
    Case(
        "a field with two values",
        "invalid-node-affinity",
        node({"key": "metadata.name", "operator": "In", "values": ["a", "b"]}, field="matchFields"),
        f"{NODE}[0].matchFields[0].values",
    ),
    Case(
        "an invalid node name",
        "invalid-node-affinity",
        node({"key": "metadata.name", "operator": "In", "values": ["A"]}, field="matchFields"),
        f"{NODE}[0].matchFields[0].values[0]",
    ),
    Case(
        "a weight of 101",
        "invalid-node-affinity",
        prefer(101),
        f"spec.affinity.nodeAffinity.{PREFERRED}[0].weight",
        prefer(100),
    ),
    Case(
        "a weight of 0",
        "invalid-pod-affinity",
        pod(affinity={"podAntiAffinity": {PREFERRED: [{"weight": 0, "podAffinityTerm": {"topologyKey": "a"}}]}}),
        f"spec.affinity.podAntiAffinity.{PREFERRED}[0].weight",
        pod(affinity={"podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": {"topologyKey": "a"}}]}}),
    ),
    Case(
        "a topology key",
        "invalid-pod-affinity",
        near(topologyKey="a b"),
        f"{TERM}.topologyKey",
        near(topologyKey="a/b"),
    ),
    Case(
        "a selector's value",
        "invalid-pod-affinity",
        near(labelSelector={"matchLabels": {"a": "b c"}}),
        f"{TERM}.labelSelector.matchLabels.a",
        near(labelSelector={}, namespaceSelector=SELECTOR),
    ),
    Case(
        "a namespace",
        "invalid-pod-affinity",
        near(namespaces=["a", "A"]),
        f"{TERM}.namespaces[1]",
        near(namespaces=["a"]),
    ),
    Case(
        "without a selector",
        "invalid-match-label-keys",
        near(matchLabelKeys=["a"]),
        f"{TERM}.matchLabelKeys",
        near(matchLabelKeys=["a"], labelSelector=SELECTOR),
    ),
    Case(
        "in both lists",
        "invalid-match-label-keys",
        near(matchLabelKeys=["a"], mismatchLabelKeys=["b", "a"], labelSelector=SELECTOR),
        f"{TERM}.matchLabelKeys[0]",
    ),
    Case(
        "no key",
        "invalid-match-label-keys",
        spread(matchLabelKeys=["a b"], labelSelector=SELECTOR),
        f"{SPREAD}.matchLabelKeys[0]",
    ),
    Case(
        "a spread constraint without a selector",
        "invalid-match-label-keys",
        spread(matchLabelKeys=["a"]),
        f"{SPREAD}.matchLabelKeys",
        spread(matchLabelKeys=["a"], labelSelector={}),
    ),
    Case(
        "a key that is also in the selector, before 1.34",
        "invalid-match-label-keys",
        spread(matchLabelKeys=["app"], labelSelector=SELECTOR),
        f"{SPREAD}.matchLabelKeys[0]",
        version="1.33",
    ),
    Case(
        "a key that is also in the selector, in a Pod with the label",
        "invalid-match-label-keys",
        {**spread(matchLabelKeys=["app"], labelSelector=SELECTOR), "metadata": {"name": "a", "labels": {"app": "web"}}},
        f"{SPREAD}.matchLabelKeys[0]",
        spread(matchLabelKeys=["app"], labelSelector=SELECTOR),
    ),
    Case("no skew", "invalid-topology-spread", spread(maxSkew=0), f"{SPREAD}.maxSkew", spread(maxSkew=1)),
    Case("no domains", "invalid-topology-spread", spread(minDomains=0), f"{SPREAD}.minDomains", spread(minDomains=1)),
    Case(
        "minDomains with ScheduleAnyway",
        "invalid-topology-spread",
        spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway"),
        f"{SPREAD}.minDomains",
    ),
    Case(
        "twice",
        "invalid-topology-spread",
        spread({}),
        "spec.topologySpreadConstraints[1]",
        spread({"whenUnsatisfiable": "ScheduleAnyway"}, {"topologyKey": "b"}),
    ),
    Case(
        "a selector's value",
        "invalid-topology-spread",
        spread(labelSelector={"matchLabels": {"a": "b c"}}),
        f"{SPREAD}.labelSelector.matchLabels.a",
    ),
    Case(
        "no key and Equal",
        "invalid-toleration",
        tolerate(value="a"),
        "spec.tolerations[0].operator",
        tolerate(operator="Exists"),
    ),
    Case("a key", "invalid-toleration", tolerate(key="a b"), "spec.tolerations[0].key", tolerate(key="a/b", value="")),
    Case(
        "Exists with a value",
        "invalid-toleration",
        tolerate(key="a", operator="Exists", value="b"),
        "spec.tolerations[0].operator",
    ),
    Case("a value", "invalid-toleration", tolerate(key="a", value="b c"), "spec.tolerations[0].operator"),
    Case(
        "tolerationSeconds with another effect",
        "invalid-toleration",
        tolerate(key="a", effect="NoSchedule", tolerationSeconds=1),
        "spec.tolerations[0].effect",
        tolerate(key="a", effect="NoExecute", tolerationSeconds=-1),
    ),
    Case(
        "a service account",
        "invalid-pod-reference",
        pod(serviceAccountName="A"),
        "spec.serviceAccountName",
        pod(serviceAccountName=""),
    ),
    Case("the old service account", "invalid-pod-reference", pod(serviceAccount="A"), "spec.serviceAccount"),
    Case("a node", "invalid-pod-reference", pod(nodeName="A"), "spec.nodeName", pod(nodeName="a.b")),
    Case("a priority class", "invalid-pod-reference", pod(priorityClassName="A"), "spec.priorityClassName"),
    Case(
        "a runtime class",
        "invalid-pod-reference",
        pod(runtimeClassName=""),
        "spec.runtimeClassName",
        pod(runtimeClassName="a"),
    ),
    Case(
        "no claim and no template",
        "invalid-pod-resource-claim",
        pod(resourceClaims=[{"name": "a"}]),
        "spec.resourceClaims[0]",
        pod(resourceClaims=[{"name": "a", "resourceClaimName": "b"}]),
    ),
    Case(
        "both",
        "invalid-pod-resource-claim",
        pod(resourceClaims=[{"name": "a", "resourceClaimName": "b", "resourceClaimTemplateName": "c"}]),
        "spec.resourceClaims[0]",
    ),
    Case(
        "a duplicate name",
        "invalid-pod-resource-claim",
        pod(resourceClaims=[{"name": "a", "resourceClaimName": "b"}] * 2),
        "spec.resourceClaims[1].name",
    ),
    Case(
        "a name with a dot",
        "invalid-pod-resource-claim",
        pod(resourceClaims=[{"name": "a.b", "resourceClaimName": "b"}]),
        "spec.resourceClaims[0].name",
    ),
    Case(
        "a claim's name",
        "invalid-pod-resource-claim",
        pod(resourceClaims=[{"name": "a", "resourceClaimTemplateName": "B"}]),
        "spec.resourceClaims[0].resourceClaimTemplateName",
    ),
    Case(
        "a condition",
        "invalid-readiness-gate",
        pod(readinessGates=[{"conditionType": "a b"}]),
        "spec.readinessGates[0].conditionType",
        pod(readinessGates=[{"conditionType": "a/b"}]),
    ),
    Case("a name", "invalid-scheduling-gate", pod(schedulingGates=[{"name": "a b"}]), "spec.schedulingGates[0]"),
    Case(
        "twice",
        "invalid-scheduling-gate",
        pod(schedulingGates=[{"name": "a"}, {"name": "a"}]),
        "spec.schedulingGates[1]",
        pod(schedulingGates=[{"name": "a"}, {"name": "b"}]),
    ),
    Case(
        "a negative number",
        "invalid-pod-overhead",
        pod(overhead={"cpu": -1}, runtimeClassName="kata"),
        "spec.overhead.cpu",
        pod(overhead={"cpu": 0}, runtimeClassName="kata"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finds_bad_case_and_accepts_good_case(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_checks_pod_template_in_place() -> None:
    document = controller("StatefulSet", template=template(nodeSelector={"a b": "c"}))
    assert [shown(one.path) for one in findings(document)] == ["spec.template.spec.nodeSelector[a b]"]


def test_ignores_required_affinity_values_before_1_33() -> None:
    document = node({"key": "a", "operator": "In", "values": ["b c"]})
    assert findings(document, "1.32") == []


def test_taint_comparison_needs_feature_gate() -> None:
    found = findings(tolerate(key="a", operator="Gt", value="1"), names=["invalid-toleration"])
    assert [shown(one.path) for one in found] == ["spec.tolerations[0].operator"]
