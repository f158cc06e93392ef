"""Rules about metadata: names, namespaces, labels, annotations, finalizers, and owners."""

from __future__ import annotations

import pytest
from object_cases import Case, controller, cron_job, findings, job, places, pod, shown, template, thing

from sidecarctl.yamltext.stream import split

OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "4d2c"}

CASES = [
    Case("no name at all", "invalid-object-name", {"apiVersion": "v1", "kind": "ConfigMap"}, "metadata.name"),
    Case("an underscore", "invalid-object-name", pod({"name": "a_b"}), "metadata.name", pod({"name": "a.b"})),
    Case(
        "254 characters",
        "invalid-object-name",
        thing("v1", "Secret", {"name": "a" * 254}),
        "metadata.name",
        thing("v1", "Secret", {"name": "a" * 253}),
    ),
    Case(
        "a StatefulSet name with a dot",
        "invalid-object-name",
        controller("StatefulSet", {"name": "a.b"}),
        "metadata.name",
        controller("StatefulSet", {"name": "a-b"}),
    ),
    Case(
        "a CronJob name with 53 characters",
        "invalid-object-name",
        cron_job({"name": "a" * 53}),
        "metadata.name",
        cron_job({"name": "a" * 52}),
    ),
    Case(
        "a Service name that starts with a digit, before 1.36",
        "invalid-object-name",
        thing("v1", "Service", {"name": "1a"}, spec={"ports": [{"port": 1}]}),
        "metadata.name",
        thing("v1", "Service", {"name": "a1"}, spec={"ports": [{"port": 1}]}),
        version="1.35",
    ),
    Case(
        "a Role name with a slash",
        "invalid-object-name",
        thing("rbac.authorization.k8s.io/v1", "Role", {"name": "a/b"}),
        "metadata.name",
        thing("rbac.authorization.k8s.io/v1", "Role", {"name": "system:a_B"}),
    ),
    Case(
        "generateName",
        "invalid-object-name",
        job({"name": "", "generateName": "Import-"}),
        "metadata.generateName",
        job({"name": "", "generateName": "import-"}),
    ),
    Case(
        "a namespace",
        "invalid-namespace-name",
        pod({"namespace": "a.b"}),
        "metadata.namespace",
        pod({"namespace": "a-b"}),
    ),
    Case(
        "a label value with a space",
        "invalid-label",
        pod({"labels": {"app": "a b"}}),
        "metadata.labels.app",
        pod({"labels": {"app": "a_B.c", "other": "", "none": None}}),
    ),
    Case(
        "a label key with two slashes",
        "invalid-label",
        pod({"labels": {"a/b/c": "d"}}),
        "metadata.labels[a/b/c]",
        pod({"labels": {"a.example/b_C": "d"}}),
    ),
    Case(
        "a label of a template",
        "invalid-label",
        controller("Deployment", template=template({"labels": {"app": "web", "x": "-"}})),
        "spec.template.metadata.labels.x",
    ),
    Case(
        "a label of a CronJob's template",
        "invalid-label",
        cron_job(job_spec={"template": template({"labels": {"x": "-"}}, restartPolicy="Never")}),
        "spec.jobTemplate.spec.template.metadata.labels.x",
    ),
    Case(
        "an annotation's key",
        "invalid-annotation-key",
        pod({"annotations": {"a b": "c"}}),
        "metadata.annotations[a b]",
        pod({"annotations": {"Example.COM/A": "anything: goes"}}),
    ),
    Case(
        "annotations of more than 256 KiB",
        "annotations-too-large",
        pod({"annotations": {"a": "x" * (256 * 1024)}}),
        "metadata.annotations",
        pod({"annotations": {"a": "x" * (256 * 1024 - 1)}}),
    ),
    Case(
        "annotations count in bytes",
        "annotations-too-large",
        pod({"annotations": {"a": "ü" * (128 * 1024)}}),
        "metadata.annotations",
        pod({"annotations": {"a": "ü" * (128 * 1024 - 1)}}),
    ),
    Case(
        "a deletion cost that is not a number",
        "invalid-pod-annotation",
        pod({"annotations": {"controller.kubernetes.io/pod-deletion-cost": "+1"}}),
        "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]",
        pod({"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-10"}}),
    ),
    Case(
        "a mirror pod without a node",
        "invalid-pod-annotation",
        pod({"annotations": {"kubernetes.io/config.mirror": "x"}}),
        "metadata.annotations[kubernetes.io/config.mirror]",
        pod({"annotations": {"kubernetes.io/config.mirror": "x"}}, nodeName="node-1"),
    ),
    Case(
        "a finalizer without a domain",
        "invalid-finalizer",
        pod({"finalizers": ["cleanup"]}),
        "metadata.finalizers[0]",
        pod({"finalizers": ["example.com/cleanup", "orphan"]}),
    ),
    Case(
        "conflicting finalizers",
        "invalid-finalizer",
        pod({"finalizers": ["orphan", "foregroundDeletion"]}),
        "metadata.finalizers",
    ),
    Case(
        "an owner's apiVersion",
        "invalid-owner-reference",
        pod({"ownerReferences": [{**OWNER, "apiVersion": "a/b/c"}]}),
        "metadata.ownerReferences[0].apiVersion",
        pod({"ownerReferences": [OWNER]}),
    ),
    Case(
        "an Event as owner",
        "invalid-owner-reference",
        pod({"ownerReferences": [{**OWNER, "apiVersion": "v1", "kind": "Event"}]}),
        "metadata.ownerReferences[0]",
    ),
    Case(
        "two controllers",
        "invalid-owner-reference",
        pod({"ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "name": "b", "controller": True}]}),
        "metadata.ownerReferences[1].controller",
        pod({"ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "name": "b", "controller": False}]}),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finds_bad_case_and_accepts_good_case(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_service_name_can_start_with_digit_since_1_36() -> None:
    service = thing("v1", "Service", {"name": "1a"}, spec={"ports": [{"port": 1}]})
    assert findings(service, "1.36", ["invalid-object-name"]) == []


def test_stateful_set_name_can_have_dots_before_1_27() -> None:
    assert findings(controller("StatefulSet", {"name": "a.b"}), "1.26", ["invalid-object-name"]) == []


def test_checks_labels_but_not_names_of_custom_resources() -> None:
    found = findings(thing("example.com/v1", "Gadget", {"name": "A_b", "labels": {"a": "b c"}}))
    assert [shown(one.path) for one in found] == ["metadata.labels.a"]


def test_reports_each_label_at_its_place() -> None:
    text = "kind: Pod\napiVersion: v1\nmetadata:\n  name: a\n  labels:\n    a b: c\n    d: 'e f'\nspec: {}\n"
    (document,) = split(text, "pod.yaml")
    first, second = findings(document.value, names=["invalid-label"])
    assert str(document.locate(first.path, on_key=first.on_key)) == "pod.yaml:6:5"
    assert str(document.locate(second.path, on_key=second.on_key)) == "pod.yaml:7:8"
