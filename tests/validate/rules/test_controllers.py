"""Selectors, numbers, strategies and restart policies of controllers."""

from __future__ import annotations

import pytest
from object_cases import LABELS, Case, controller, cron_job, findings, job, places, pod, shown, template, thing

from sidecarctl.yamltext.stream import split

LIST = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController")


def rolling(kind: str, **update: object) -> dict[str, object]:
    field = "strategy" if kind == "Deployment" else "updateStrategy"
    return controller(kind, **{field: {"type": "RollingUpdate", "rollingUpdate": update}})


def claim(name: str = "data", **spec: object) -> dict[str, object]:
    own = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": name}, "spec": own}


EXPRESSION = {"key": "app", "operator": "In", "values": ["web"]}
CASES = [
    *(
        Case(f"of a {kind}", "empty-selector", controller(kind, selector={}), "spec.selector", controller(kind))
        for kind in LIST[:4]
    ),
    Case(
        "of a ReplicationController whose template has no labels",
        "empty-selector",
        controller("ReplicationController", selector=None, template={"spec": template()["spec"]}),
        "spec.selector",
        controller("ReplicationController", selector=None),
    ),
    *(
        Case(
            f"of a {kind}",
            "selector-mismatch",
            controller(kind, template=template({"labels": {"app": "db"}})),
            "spec.template.metadata.labels",
            controller(kind, template=template({"labels": {"app": "web", "more": "b"}})),
        )
        for kind in LIST
    ),
    Case(
        "no labels",
        "selector-mismatch",
        controller("Deployment", template={"spec": template()["spec"]}),
        "spec.template.metadata.labels",
    ),
    Case(
        "of expressions",
        "selector-mismatch",
        controller("Deployment", selector={"matchExpressions": [{**EXPRESSION, "operator": "NotIn"}]}),
        "spec.template.metadata.labels",
        controller("Deployment", selector={"matchExpressions": [EXPRESSION, {"key": "b", "operator": "DoesNotExist"}]}),
    ),
    Case(
        "a key's form",
        "invalid-label-selector",
        controller("Deployment", selector={"matchLabels": LABELS, "matchExpressions": [{**EXPRESSION, "key": "a b"}]}),
        "spec.selector.matchExpressions[0].key",
    ),
    Case(
        "In without values",
        "invalid-label-selector",
        controller(
            "DaemonSet", selector={"matchLabels": LABELS, "matchExpressions": [{"key": "app", "operator": "In"}]}
        ),
        "spec.selector.matchExpressions[0].values",
    ),
    Case(
        "a disruption budget's",
        "invalid-label-selector",
        thing("policy/v1", "PodDisruptionBudget", spec={"selector": {"matchLabels": {"app": "a b"}}}),
        "spec.selector.matchLabels.app",
        thing("policy/v1", "PodDisruptionBudget", spec={"selector": {"matchLabels": {"app": "a"}}}),
    ),
    Case(
        "a selector in a Job",
        "invalid-job-selector",
        job(selector={"matchLabels": LABELS}),
        "spec.selector",
        job(selector={"matchLabels": LABELS}, manualSelector=True),
    ),
    Case(
        "manualSelector without selector",
        "invalid-job-selector",
        job(manualSelector=True),
        "spec.selector",
        job(selector={}),
    ),
    Case(
        "a selector in a CronJob",
        "invalid-job-selector",
        cron_job(job_spec={"selector": {"matchLabels": LABELS}}),
        "spec.jobTemplate.spec.selector",
        cron_job(job_spec={"manualSelector": False}),
    ),
    Case(
        "manualSelector in a CronJob",
        "invalid-job-selector",
        cron_job(job_spec={"manualSelector": True}),
        "spec.jobTemplate.spec.manualSelector",
    ),
    Case(
        "another Job's name",
        "invalid-job-selector",
        job(template=template({"labels": {"job-name": "export"}}, restartPolicy="Never")),
        "spec.template.metadata.labels[job-name]",
        job(template=template({"labels": {"job-name": "import"}}, restartPolicy="Never")),
    ),
    *(
        Case(f"{field} of a {kind}", "negative-number", controller(kind, **{field: -1}), f"spec.{field}")
        for kind, field in (
            ("Deployment", "replicas"),
            ("Deployment", "minReadySeconds"),
            ("Deployment", "revisionHistoryLimit"),
            ("ReplicaSet", "replicas"),
            ("ReplicationController", "replicas"),
            ("ReplicationController", "minReadySeconds"),
            ("StatefulSet", "replicas"),
            ("StatefulSet", "minReadySeconds"),
            ("DaemonSet", "minReadySeconds"),
            ("DaemonSet", "revisionHistoryLimit"),
        )
    ),
    Case(
        "the first ordinal",
        "negative-number",
        controller("StatefulSet", ordinals={"start": -1}),
        "spec.ordinals.start",
        controller("StatefulSet", ordinals={"start": 0}, replicas=0),
    ),
    Case(
        "the partition",
        "negative-number",
        rolling("StatefulSet", partition=-1),
        "spec.updateStrategy.rollingUpdate.partition",
    ),
    Case(
        "a deadline equal to minReadySeconds",
        "invalid-progress-deadline",
        controller("Deployment", minReadySeconds=60, progressDeadlineSeconds=60),
        "spec.progressDeadlineSeconds",
        controller("Deployment", minReadySeconds=60, progressDeadlineSeconds=61),
    ),
    Case(
        "the default progress deadline",
        "invalid-progress-deadline",
        controller("Deployment", minReadySeconds=600),
        "spec.minReadySeconds",
        controller("Deployment", minReadySeconds=599),
    ),
    Case(
        "no percentage",
        "invalid-rolling-update-value",
        rolling("Deployment", maxSurge="half"),
        "spec.strategy.rollingUpdate.maxSurge",
        rolling("Deployment", maxSurge="200%", maxUnavailable="100%"),
    ),
    Case(
        "a number in quotes",
        "invalid-rolling-update-value",
        rolling("Deployment", maxUnavailable="1"),
        "spec.strategy.rollingUpdate.maxUnavailable",
        rolling("Deployment", maxUnavailable=1),
    ),
    Case(
        "a negative number",
        "invalid-rolling-update-value",
        rolling("DaemonSet", maxUnavailable=-1),
        "spec.updateStrategy.rollingUpdate.maxUnavailable",
    ),
    Case(
        "a count above completions",
        "invalid-rolling-update-value",
        rolling("StatefulSet", maxUnavailable="101%"),
        "spec.updateStrategy.rollingUpdate.maxUnavailable",
        rolling("StatefulSet", maxUnavailable="100%"),
    ),
    Case(
        "a maxSurge above 100% in a DaemonSet",
        "invalid-rolling-update-value",
        rolling("DaemonSet", maxUnavailable=0, maxSurge="101%"),
        "spec.updateStrategy.rollingUpdate.maxSurge",
        rolling("DaemonSet", maxUnavailable=0, maxSurge="100%"),
    ),
    Case(
        "both zero",
        "stuck-rolling-update",
        rolling("Deployment", maxSurge="0%", maxUnavailable=0),
        "spec.strategy.rollingUpdate.maxUnavailable",
        rolling("Deployment", maxUnavailable=0),
    ),
    Case(
        "both zero in a DaemonSet",
        "stuck-rolling-update",
        rolling("DaemonSet", maxUnavailable=0),
        "spec.updateStrategy.rollingUpdate.maxUnavailable",
    ),
    Case(
        "both above zero in a DaemonSet",
        "stuck-rolling-update",
        rolling("DaemonSet", maxSurge=1),
        "spec.updateStrategy.rollingUpdate.maxSurge",
        rolling("DaemonSet", maxSurge=1, maxUnavailable=0),
    ),
    Case(
        "zero in a StatefulSet",
        "stuck-rolling-update",
        rolling("StatefulSet", maxUnavailable=0),
        "spec.updateStrategy.rollingUpdate.maxUnavailable",
        rolling("StatefulSet", partition=0),
    ),
    Case(
        "Recreate",
        "update-strategy-conflict",
        controller("Deployment", strategy={"type": "Recreate", "rollingUpdate": {}}),
        "spec.strategy.rollingUpdate",
        controller("Deployment", strategy={"type": "Recreate", "rollingUpdate": None}),
    ),
    Case(
        "OnDelete",
        "update-strategy-conflict",
        controller("StatefulSet", updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
        "spec.updateStrategy.rollingUpdate",
        controller("DaemonSet", updateStrategy={"type": "OnDelete", "rollingUpdate": {"maxSurge": 5}}),
    ),
    *(
        Case(
            f"of a {kind}",
            "invalid-pod-restart-policy",
            controller(kind, template=template(restartPolicy="Never")),
            "spec.template.spec.restartPolicy",
            controller(kind, template=template(restartPolicy="Always")),
        )
        for kind in LIST
    ),
    Case(
        "of a Job by default",
        "invalid-pod-restart-policy",
        job(template=template()),
        "spec.template.spec.restartPolicy",
        job(template=template(restartPolicy="OnFailure")),
    ),
    Case(
        "of a CronJob",
        "invalid-pod-restart-policy",
        cron_job(job_spec={"template": template(restartPolicy="Always")}),
        "spec.jobTemplate.spec.template.spec.restartPolicy",
        cron_job(),
    ),
    *(
        Case(
            f"of a {kind}'s pods",
            "invalid-active-deadline",
            controller(kind, template=template(activeDeadlineSeconds=5)),
            "spec.template.spec.activeDeadlineSeconds",
        )
        for kind in LIST
    ),
    Case(
        "a deadline of 0 seconds",
        "invalid-active-deadline",
        pod(activeDeadlineSeconds=0),
        "spec.activeDeadlineSeconds",
        pod(activeDeadlineSeconds=1),
    ),
    Case(
        "more than 32 bits",
        "invalid-active-deadline",
        job(template=template(restartPolicy="Never", activeDeadlineSeconds=2**31)),
        "spec.template.spec.activeDeadlineSeconds",
        job(template=template(restartPolicy="Never", activeDeadlineSeconds=2**31 - 1)),
    ),
    Case(
        "of a Pod with gates",
        "node-name-with-scheduling-gates",
        pod(nodeName="node-1", schedulingGates=[{"name": "a"}]),
        "spec.nodeName",
        controller("Deployment", template=template(nodeName="node-1", schedulingGates=[{"name": "a"}])),
    ),
    Case(
        "with a dot",
        "invalid-service-name",
        controller("StatefulSet", serviceName="web.prod"),
        "spec.serviceName",
        controller("StatefulSet", serviceName="web"),
    ),
    Case(
        "no storage",
        "invalid-claim-template",
        controller("StatefulSet", volumeClaimTemplates=[claim(resources={})]),
        "spec.volumeClaimTemplates[0].spec.resources.requests.storage",
        controller("StatefulSet", volumeClaimTemplates=[claim()]),
    ),
    Case(
        "an invalid volume name",
        "invalid-claim-template",
        controller("StatefulSet", volumeClaimTemplates=[claim("a.b")]),
        "spec.volumeClaimTemplates[0].metadata.name",
    ),
    Case(
        "a duplicate name",
        "duplicate-claim-template",
        controller("StatefulSet", volumeClaimTemplates=[claim(), claim()]),
        "spec.volumeClaimTemplates[1].metadata.name",
        controller("StatefulSet", volumeClaimTemplates=[claim(), claim("logs")]),
        accepted=True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finds_bad_case_and_accepts_good_case(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_ignores_max_unavailable_of_stateful_set_before_1_37() -> None:
    assert findings(rolling("StatefulSet", maxUnavailable=0), "1.36") == []
    assert findings(rolling("StatefulSet", maxUnavailable="many"), "1.36") == []


def test_invalid_value_gives_one_finding() -> None:
    found = findings(rolling("Deployment", maxSurge=0, maxUnavailable="none"))
    assert [one.rule for one in found] == ["invalid-rolling-update-value"]


def test_leaves_label_of_wrong_type_to_schema() -> None:
    assert (
        findings(controller("Deployment", template=template({"labels": {"app": 1}})), names=["selector-mismatch"]) == []
    )


def test_pod_failure_policy_requires_restart_policy_never() -> None:
    policy = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]}
    bad = job(podFailurePolicy=policy, template=template(restartPolicy="OnFailure"))
    assert [shown(one.path) for one in findings(bad)] == ["spec.template.spec.restartPolicy"]
    assert findings(job(podFailurePolicy=policy)) == []


def test_selector_mismatch_shows_labels_and_selector() -> None:
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels:
        app: db
    spec:
      containers: [{name: web, image: web}]
"""
    (document,) = split(text, "web.yaml")
    (found,) = findings(document.value)
    assert found.message == "selector does not match the template labels: expected app: web, got db"
    assert str(document.locate(found.path, on_key=found.on_key)) == "web.yaml:9:7"
    assert [str(document.locate(one.path)) for one in found.related] == ["web.yaml:6:5"]
