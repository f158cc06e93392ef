"""Where pods may be: node selectors, affinity, tolerations, topology spread; and what a pod names."""

from __future__ import annotations

from typing import Any

import pytest
from judging import Case, controller, findings, places, pod, shown, template

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
        "a value", "node-selector", pod(nodeSelector={"a": "b c"}), "spec.nodeSelector.a", pod(nodeSelector={"a": ""})
    ),
    Case(
        "no term",
        "node-affinity",
        pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}),
        NODE,
        pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{}]}}}),
    ),
    Case(
        "In without values",
        "node-affinity",
        node({"key": "a", "operator": "In"}),
        f"{NODE}[0].matchExpressions[0].values",
        node({"key": "a", "operator": "In", "values": ["b"]}),
    ),
    Case(
        "Exists with values",
        "node-affinity",
        node({"key": "a", "operator": "Exists", "values": ["b"]}),
        f"{NODE}[0].matchExpressions[0].values",
        node({"key": "a", "operator": "DoesNotExist", "values": []}),
    ),
    Case(
        "Gt with two values",
        "node-affinity",
        node({"key": "a", "operator": "Gt", "values": ["1", "2"]}),
        f"{NODE}[0].matchExpressions[0].values",
        node({"key": "a", "operator": "Lt", "values": ["many"]}),
    ),
    Case(
        "a key",
        "node-affinity",
        node({"key": "a b", "operator": "Exists"}),
        f"{NODE}[0].matchExpressions[0].key",
    ),
    Case(
        "a value that no label has",
        "node-affinity",
        node({"key": "a", "operator": "In", "values": ["b c"]}),
        f"{NODE}[0].matchExpressions[0].values[0]",
        prefer(1, {"key": "a", "operator": "In", "values": ["b c"]}),
    ),
    Case(
        "a field that can't be asked for",
        "node-affinity",
        node({"key": "spec.x", "operator": "In", "values": ["b"]}, field="matchFields"),
        f"{NODE}[0].matchFields[0].key",
        node({"key": "metadata.name", "operator": "NotIn", "values": ["b"]}, field="matchFields"),
    ),
    Case(
        "a field by Exists",
        "node-affinity",
        node({"key": "metadata.name", "operator": "Exists"}, field="matchFields"),
        f"{NODE}[0].matchFields[0].operator",
    ),
    Case(
        "a field with two values",
        "node-affinity",
        node({"key": "metadata.name", "operator": "In", "values": ["a", "b"]}, field="matchFields"),
        f"{NODE}[0].matchFields[0].values",
    ),
    Case(
        "no node's name",
        "node-affinity",
        node({"key": "metadata.name", "operator": "In", "values": ["A"]}, field="matchFields"),
        f"{NODE}[0].matchFields[0].values[0]",
    ),
    Case(
        "a weight of 101",
        "node-affinity",
        prefer(101),
        f"spec.affinity.nodeAffinity.{PREFERRED}[0].weight",
        prefer(100),
    ),
    Case(
        "a weight of 0",
        "pod-affinity",
        pod(affinity={"podAntiAffinity": {PREFERRED: [{"weight": 0, "podAffinityTerm": {"topologyKey": "a"}}]}}),
        f"spec.affinity.podAntiAffinity.{PREFERRED}[0].weight",
        pod(affinity={"podAntiAffinity": {PREFERRED: [{"weight": 1, "podAffinityTerm": {"topologyKey": "a"}}]}}),
    ),
    Case("a topology key", "pod-affinity", near(topologyKey="a b"), f"{TERM}.topologyKey", near(topologyKey="a/b")),
    Case(
        "a selector's value",
        "pod-affinity",
        near(labelSelector={"matchLabels": {"a": "b c"}}),
        f"{TERM}.labelSelector.matchLabels.a",
        near(labelSelector={}, namespaceSelector=SELECTOR),
    ),
    Case("a namespace", "pod-affinity", near(namespaces=["a", "A"]), f"{TERM}.namespaces[1]", near(namespaces=["a"])),
    Case(
        "without a selector",
        "match-label-keys",
        near(matchLabelKeys=["a"]),
        f"{TERM}.matchLabelKeys",
        near(matchLabelKeys=["a"], labelSelector=SELECTOR),
    ),
    Case(
        "in both lists",
        "match-label-keys",
        near(matchLabelKeys=["a"], mismatchLabelKeys=["b", "a"], labelSelector=SELECTOR),
        f"{TERM}.matchLabelKeys[0]",
    ),
    Case(
        "no key",
        "match-label-keys",
        spread(matchLabelKeys=["a b"], labelSelector=SELECTOR),
        f"{SPREAD}.matchLabelKeys[0]",
    ),
    Case(
        "of a spread without a selector",
        "match-label-keys",
        spread(matchLabelKeys=["a"]),
        f"{SPREAD}.matchLabelKeys",
        spread(matchLabelKeys=["a"], labelSelector={}),
    ),
    Case(
        "that the selector has too, before 1.34",
        "match-label-keys",
        spread(matchLabelKeys=["app"], labelSelector=SELECTOR),
        f"{SPREAD}.matchLabelKeys[0]",
        version="1.33",
    ),
    Case(
        "that the selector has too, in a Pod with that label",
        "match-label-keys",
        {**spread(matchLabelKeys=["app"], labelSelector=SELECTOR), "metadata": {"name": "a", "labels": {"app": "web"}}},
        f"{SPREAD}.matchLabelKeys[0]",
        spread(matchLabelKeys=["app"], labelSelector=SELECTOR),
    ),
    Case("no skew", "topology-spread", spread(maxSkew=0), f"{SPREAD}.maxSkew", spread(maxSkew=1)),
    Case("no domains", "topology-spread", spread(minDomains=0), f"{SPREAD}.minDomains", spread(minDomains=1)),
    Case(
        "domains where the pod is scheduled anyway",
        "topology-spread",
        spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway"),
        f"{SPREAD}.minDomains",
    ),
    Case(
        "twice",
        "topology-spread",
        spread({}),
        "spec.topologySpreadConstraints[1]",
        spread({"whenUnsatisfiable": "ScheduleAnyway"}, {"topologyKey": "b"}),
    ),
    Case(
        "a selector's value",
        "topology-spread",
        spread(labelSelector={"matchLabels": {"a": "b c"}}),
        f"{SPREAD}.labelSelector.matchLabels.a",
    ),
    Case(
        "no key and Equal",
        "toleration",
        tolerate(value="a"),
        "spec.tolerations[0].operator",
        tolerate(operator="Exists"),
    ),
    Case("a key", "toleration", tolerate(key="a b"), "spec.tolerations[0].key", tolerate(key="a/b", value="")),
    Case(
        "Exists with a value",
        "toleration",
        tolerate(key="a", operator="Exists", value="b"),
        "spec.tolerations[0].operator",
    ),
    Case("a value", "toleration", tolerate(key="a", value="b c"), "spec.tolerations[0].operator"),
    Case(
        "seconds of another effect",
        "toleration",
        tolerate(key="a", effect="NoSchedule", tolerationSeconds=1),
        "spec.tolerations[0].effect",
        tolerate(key="a", effect="NoExecute", tolerationSeconds=-1),
    ),
    Case(
        "a service account",
        "pod-reference",
        pod(serviceAccountName="A"),
        "spec.serviceAccountName",
        pod(serviceAccountName=""),
    ),
    Case("the old service account", "pod-reference", pod(serviceAccount="A"), "spec.serviceAccount"),
    Case("a node", "pod-reference", pod(nodeName="A"), "spec.nodeName", pod(nodeName="a.b")),
    Case("a priority class", "pod-reference", pod(priorityClassName="A"), "spec.priorityClassName"),
    Case(
        "a runtime class", "pod-reference", pod(runtimeClassName=""), "spec.runtimeClassName", pod(runtimeClassName="a")
    ),
    Case(
        "no claim and no template",
        "pod-resource-claim",
        pod(resourceClaims=[{"name": "a"}]),
        "spec.resourceClaims[0]",
        pod(resourceClaims=[{"name": "a", "resourceClaimName": "b"}]),
    ),
    Case(
        "both",
        "pod-resource-claim",
        pod(resourceClaims=[{"name": "a", "resourceClaimName": "b", "resourceClaimTemplateName": "c"}]),
        "spec.resourceClaims[0]",
    ),
    Case(
        "a name twice",
        "pod-resource-claim",
        pod(resourceClaims=[{"name": "a", "resourceClaimName": "b"}] * 2),
        "spec.resourceClaims[1].name",
    ),
    Case(
        "a name with a dot",
        "pod-resource-claim",
        pod(resourceClaims=[{"name": "a.b", "resourceClaimName": "b"}]),
        "spec.resourceClaims[0].name",
    ),
    Case(
        "a claim's name",
        "pod-resource-claim",
        pod(resourceClaims=[{"name": "a", "resourceClaimTemplateName": "B"}]),
        "spec.resourceClaims[0].resourceClaimTemplateName",
    ),
    Case(
        "a condition",
        "readiness-gate",
        pod(readinessGates=[{"conditionType": "a b"}]),
        "spec.readinessGates[0].conditionType",
        pod(readinessGates=[{"conditionType": "a/b"}]),
    ),
    Case("a name", "scheduling-gate", pod(schedulingGates=[{"name": "a b"}]), "spec.schedulingGates[0]"),
    Case(
        "twice",
        "scheduling-gate",
        pod(schedulingGates=[{"name": "a"}, {"name": "a"}]),
        "spec.schedulingGates[1]",
        pod(schedulingGates=[{"name": "a"}, {"name": "b"}]),
    ),
    Case("less than none", "pod-overhead", pod(overhead={"cpu": -1}), "spec.overhead.cpu", pod(overhead={"cpu": 0})),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bad_one_is_found_where_it_is_and_a_good_one_left_alone(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_a_template_is_looked_at_where_it_stands() -> None:
    document = controller("StatefulSet", template=template(nodeSelector={"a b": "c"}))
    assert [shown(one.path) for one in findings(document)] == ["spec.template.spec.nodeSelector[a b]"]


def test_values_of_required_node_affinity_are_free_before_1_33() -> None:
    document = node({"key": "a", "operator": "In", "values": ["b c"]})
    assert findings(document, "1.32") == []


def test_comparing_taints_needs_a_feature() -> None:
    found = findings(tolerate(key="a", operator="Gt", value="1"), names=["toleration"])
    assert [shown(one.path) for one in found] == ["spec.tolerations[0].operator"]
