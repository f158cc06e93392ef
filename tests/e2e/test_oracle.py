"""The oracle gives the known verdicts of an API server for sample documents."""

from __future__ import annotations

import json
from typing import Any

import oracle
import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "built"),
]


def deployment(**pod: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    spec = {"containers": [{"name": "web", "image": "nginx:1.29"}], **pod}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def job(restart_policy: str) -> dict[str, Any]:
    spec = {"restartPolicy": restart_policy, "containers": [{"name": "once", "image": "busybox:1.37"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": spec}},
    }


def ask(document: dict[str, Any] | str, **options: Any) -> oracle.Verdict:
    text = document if isinstance(document, str) else json.dumps(document)
    (verdict,) = oracle.verdicts([text], **options)
    assert verdict.panic == ""
    return verdict


def found(verdict: oracle.Verdict) -> list[tuple[str, str]]:
    return [(problem.type, problem.field) for problem in verdict.problems]


PROBE = {"httpGet": {"path": "/", "port": 8080}}
TEMPLATE = "spec.template.spec"
REFUSED = {
    "duplicate container name": (
        deployment(containers=[{"name": "a", "image": "x:1"}, {"name": "a", "image": "x:1"}]),
        [("Duplicate", f"{TEMPLATE}.containers[1].name")],
    ),
    "probe on an ordinary init container": (
        deployment(initContainers=[{"name": "init", "image": "x:1", "readinessProbe": PROBE}]),
        [("Forbidden", f"{TEMPLATE}.initContainers[0].readinessProbe")],
    ),
    "port name with an underscore": (
        deployment(containers=[{"name": "a", "image": "x:1", "ports": [{"containerPort": 80, "name": "web_ui"}]}]),
        [("Invalid", f"{TEMPLATE}.containers[0].ports[0].name")],
    ),
    "requests above limits": (
        deployment(
            containers=[{"name": "a", "image": "x:1", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}]
        ),
        [("Invalid", f"{TEMPLATE}.containers[0].resources.requests")],
    ),
    "unknown field": (
        deployment(containers=[{"name": "a", "image": "x:1", "imagePullPolice": "Always"}]),
        [("UnknownField", f"{TEMPLATE}.containers[0].imagePullPolice")],
    ),
    "number instead of a string, and an invalid quantity": (
        deployment(
            containers=[
                {
                    "name": "a",
                    "image": "x:1",
                    "env": [{"name": "A", "value": 1}],
                    "resources": {"limits": {"memory": "1 GB"}},
                }
            ]
        ),
        [
            ("WrongType", f"{TEMPLATE}.containers[0].env[0].value"),
            ("WrongType", f"{TEMPLATE}.containers[0].resources.limits.memory"),
        ],
    ),
    "restart policy of a Job": (job("Always"), [("Required", f"{TEMPLATE}.restartPolicy")]),
    "removed API version": (
        {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "web"}},
        [("NotServed", "apiVersion")],
    ),
    "no name": ({"apiVersion": "v1", "kind": "ConfigMap"}, [("Required", "metadata.name")]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rejects_document_at_field_path(case: str) -> None:
    document, expected = REFUSED[case]
    verdict = ask(document)
    assert not verdict.accepted
    assert found(verdict) == expected


def test_rejects_selector_mismatch_at_template_labels() -> None:
    document = deployment()
    document["spec"]["selector"]["matchLabels"] = {"app": "other"}
    assert found(ask(document)) == [("Invalid", "spec.template.metadata.labels")]


def test_rejects_duplicate_key_with_line_and_path() -> None:
    verdict = ask("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n")
    (problem,) = verdict.decode_errors
    assert (problem.type, problem.field, problem.line) == ("DuplicateField", "metadata.name", 5)


def test_warns_about_merged_duplicate_key() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  <<: {x: '1'}\n  x: '2'\n"
    verdict = ask(text, read=True)
    assert verdict.accepted
    assert [w.partition(":")[0] for w in verdict.warnings] == ["merged"]
    assert verdict.read["data"] == {"x": "2"}


def test_accepts_deployment_with_native_sidecar() -> None:
    sidecar = {"name": "log", "image": "x:1", "restartPolicy": "Always", "readinessProbe": PROBE}
    for document in (deployment(), deployment(initContainers=[sidecar])):
        verdict = ask(document)
        assert verdict.accepted
        assert found(verdict) == []


def test_leaves_privileged_container_to_pod_security() -> None:
    document = deployment(containers=[{"name": "a", "image": "x:1", "securityContext": {"privileged": True}}])
    verdict = ask(document)
    assert verdict.accepted
    assert verdict.pod_security is not None
    assert [check.check for check in verdict.pod_security.baseline] == ["privileged"]
    assert "runAsNonRoot" in [check.check for check in verdict.pod_security.restricted]


def test_evaluates_pod_security_of_a_version() -> None:
    document = deployment(os={"name": "windows"})
    verdict = ask(document, pod_security_versions=["v1.24", "v1.25"])
    checks = {v: {c.check for c in at.restricted} for v, at in verdict.pod_security_at.items()}
    assert checks["v1.24"] - checks["v1.25"] == {
        "allowPrivilegeEscalation",
        "capabilities_restricted",
        "seccompProfile_restricted",
    }


def test_supports_feature_gates_of_older_version() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "1st"},
        "spec": {"ports": [{"port": 80}]},
    }
    assert ask(service).accepted
    assert found(ask(service, emulate="1.34")) == [("Invalid", "metadata.name")]


def test_ignores_custom_resources() -> None:
    verdict = ask({"apiVersion": "example.com/v1", "kind": "Deployment", "spec": {"any": "thing"}})
    assert (verdict.supported, verdict.accepted, found(verdict)) == (False, False, [])


def test_checks_list_items_in_place() -> None:
    verdict = ask({"apiVersion": "v1", "kind": "List", "items": [job("Never"), job("Always")]})
    assert found(verdict) == [("Required", f"items[1].{TEMPLATE}.restartPolicy")]


def test_keeps_order_of_documents() -> None:
    documents = [json.dumps(deployment()), "# nothing\n", "- no object\n", json.dumps(job("Always"))]
    answers = oracle.verdicts(documents * 25)
    assert [(a.kind, a.accepted, a.empty) for a in answers[:4]] == [
        ("Deployment", True, False),
        ("", True, True),
        ("", False, False),
        ("Job", False, False),
    ]
    assert answers[:4] * 25 == answers


def test_is_built_from_newest_kubernetes_version() -> None:
    assert oracle.version().startswith("v1.37.")
