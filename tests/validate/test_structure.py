"""Tests of the schema checks of one object."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.findings import Finding, Severity
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.validate.schema.check_object import RULES, check_object

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx:1.27",
                        "env": [{"name": "A", "value": "1"}],
                        "ports": [{"name": "http", "containerPort": 80}],
                        "resources": {"requests": {"cpu": 0.5, "memory": "64Mi"}},
                        "readinessProbe": {"httpGet": {"port": "http"}},
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            },
        },
    },
    "status": {"replicas": 1},
}
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)


def changed(path: tuple[str | int, ...], value: object, base: dict[str, Any] = DEPLOYMENT) -> dict[str, Any]:
    """Return the Deployment with one value set, or deleted for `...`."""
    document = copy.deepcopy(base)
    at: Any = document
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return document


def only(document: object, version: str = "1.34") -> Finding:
    findings = check_object(document, version)
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_good_deployment_has_no_findings_in_any_version(version: str) -> None:
    assert check_object(DEPLOYMENT, version) == []


def test_an_empty_document_has_no_findings() -> None:
    assert check_object(None, "1.34") == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("spec", "replicas"), "3", ("an integer", 'string "3"', "remove the quotes: 3")),
        (("spec", "replicas"), 1.5, ("an integer", "1.5")),
        (("spec", "replicas"), True, ("an integer", "boolean true")),
        (("spec", "replicas"), 2**31, ("2147483647",)),
        (("spec", "paused"), "true", ("a boolean", "remove the quotes: true")),
        (("spec", "paused"), 1, ("a boolean", "number 1")),
        (("metadata", "labels", "app"), True, ("a string", 'quote the value: "true"')),
        (("metadata", "annotations"), {"a": 1}, ("a: expected a string", 'quote the value: "1"')),
        (("metadata", "labels"), ["app"], ("a mapping of strings", "a list")),
        ((*CONTAINER, "env", 0, "value"), 1, ("a string", 'quote the value: "1"')),
        ((*CONTAINER, "command"), "sleep 1", ("a list of strings", '["sleep", "1"]')),
        ((*CONTAINER, "command"), "a && b", ("a list of strings", '["sh", "-c", "a && b"]')),
        ((*CONTAINER, "args"), [1, "b"], ("args[0]: expected a string",)),
        ((*CONTAINER, "volumeMounts"), "x", ("a list of mappings", 'start each item with "- "')),
        ((*CONTAINER, "env"), {"A": "1"}, ("a list of mappings", 'add "- "')),
        ((*CONTAINER, "resources"), [{}], ("a mapping", "not a list")),
        ((*CONTAINER, "readinessProbe", "httpGet", "port"), 8.5, ("an integer or a string", "8.5")),
        ((*POD, "containers"), {}, ("a list of mappings", "a mapping")),
        ((*POD, "containers", 0), "web", ("containers[0]: expected a mapping",)),
        (("spec",), 3, ("a mapping", "number 3")),
        (("metadata", "creationTimestamp"), "yesterday", ("a timestamp",)),
    ],
)
def test_reports_wrong_type_with_value_and_help(
    path: tuple[str | int, ...], value: object, words: tuple[str, ...]
) -> None:
    finding = only(changed(path, value))
    assert finding.rule == "wrong-type"
    assert finding.path[: len(path)] == path
    assert all(word in f"{finding.message} {finding.help}" for word in words), finding


@pytest.mark.parametrize(
    ("path", "help_text"),
    [
        ((*CONTAINER, "imagepullpolicy"), 'did you mean "imagePullPolicy"?'),
        ((*CONTAINER, "volumeMount"), 'did you mean "volumeMounts"?'),
        ((*CONTAINER, "nodeSelector"), "the field belongs to spec.template.spec: reduce its indentation"),
        ((*CONTAINER, "runAsUser"), "the field belongs to securityContext"),
        ((*POD, "image"), "the field belongs to containers[]"),
        (("spec", "containers"), "the field belongs to template.spec"),
        (("spec", "volumes"), "the field belongs to template.spec"),
        (("metadata", "annotation"), 'did you mean "annotations"?'),
    ],
)
def test_suggests_place_of_unknown_field(path: tuple[str | int, ...], help_text: str) -> None:
    finding = only(changed(path, {}))
    assert finding.rule == "unknown-field"
    assert finding.path == path
    assert finding.on_key
    assert finding.help == help_text


def test_reports_unknown_field_with_null_value() -> None:
    assert only(changed(("spec", "replica"), None)).rule == "unknown-field"


def test_reports_field_of_later_version() -> None:
    document = changed((*POD, "initContainers"), [{"name": "a", "image": "b", "restartPolicy": "Always"}])
    assert check_object(document, "1.28") == []
    finding = only(document, "1.27")
    assert finding.rule == "unknown-field"
    assert "requires Kubernetes 1.28 (target: 1.27)" in finding.message


def test_reports_removed_field() -> None:
    document = changed((*POD, "workloadRef"), {"name": "a", "podGroup": "b"})
    assert check_object(document, "1.35") == []
    assert "was removed in Kubernetes 1.36" in only(document, "1.36").message
    assert "requires Kubernetes 1.35" in only(document, "1.34").message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec",), ...),
        (("spec",), None),
        (("spec", "selector"), ...),
        (("spec", "template", "spec"), ...),
        ((*POD, "containers"), None),
        ((*CONTAINER, "name"), ...),
        ((*CONTAINER, "name"), ""),
        ((*CONTAINER, "ports", 0, "containerPort"), None),
    ],
)
def test_reports_missing_null_or_empty_required_field_once(path: tuple[str | int, ...], value: object) -> None:
    for version in ("1.25", "1.34", "1.37"):
        finding = only(changed(path, value), version)
        assert finding.rule == "missing-required"
        assert finding.severity is Severity.ERROR
        assert finding.path == path


def test_warns_about_required_field_with_server_default() -> None:
    document = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "a"},
        "roleRef": {"kind": "Role", "name": "a"},
    }
    finding = only(document)
    assert finding.rule == "missing-required"
    assert finding.severity is Severity.WARNING
    assert finding.path == ("roleRef", "apiGroup")


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "replicas"),
        ("status",),
        ("metadata", "labels"),
        (*CONTAINER, "env"),
        (*POD, "volumes"),
        (*CONTAINER, "args"),
    ],
)
def test_treats_null_as_absent(path: tuple[str | int, ...]) -> None:
    assert check_object(changed(path, None), "1.34") == []


def test_rejects_null_item_only_if_item_has_required_fields() -> None:
    finding = only(changed((*POD, "containers"), [*DEPLOYMENT["spec"]["template"]["spec"]["containers"], None]))
    assert (finding.rule, finding.path) == ("wrong-type", (*POD, "containers", 1))
    assert check_object(changed((*CONTAINER, "args"), [None]), "1.34") == []
    assert check_object(changed((*CONTAINER, "env", 0, "value"), None), "1.34") == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*POD, "restartPolicy"), "always", 'did you mean "Always"?'),
        ((*CONTAINER, "imagePullPolicy"), "Sometimes", "Supported values: Always, IfNotPresent, Never"),
        ((*CONTAINER, "ports", 0, "protocol"), "tcp", 'did you mean "TCP"?'),
        (("spec", "strategy"), {"type": "Rolling"}, "RollingUpdate"),
    ],
)
def test_rejects_unsupported_enum_value(path: tuple[str | int, ...], value: object, words: str) -> None:
    finding = only(changed(path, value))
    assert finding.rule == "invalid-enum"
    assert words in finding.help


def test_accepts_empty_enum_value_if_it_means_default() -> None:
    assert check_object(changed((*CONTAINER, "imagePullPolicy"), ""), "1.34") == []
    assert only(changed((*POD, "preemptionPolicy"), "")).rule == "invalid-enum"


def test_rejects_enum_value_of_later_version() -> None:
    document = changed((*CONTAINER, "restartPolicy"), "OnFailure")
    assert check_object(document, "1.35") == []
    finding = only(document, "1.34")
    assert finding.rule == "invalid-enum"
    assert "requires Kubernetes 1.35" in finding.message


@pytest.mark.parametrize("value", ["1GB", "", "abc", "1 Gi"])
def test_rejects_invalid_quantity(value: str) -> None:
    finding = only(changed((*CONTAINER, "resources", "requests", "memory"), value))
    assert finding.rule == "invalid-quantity"
    assert finding.path == (*CONTAINER, "resources", "requests", "memory")


def test_accepts_number_and_null_as_quantity() -> None:
    for value in (1, 0.5, "1", None, " 1Gi "):
        assert check_object(changed((*CONTAINER, "resources", "requests", "memory"), value), "1.34") == [], value
    assert only(changed((*CONTAINER, "resources", "requests", "memory"), True)).rule == "wrong-type"


def test_reports_all_problems_in_document_order() -> None:
    document = changed(("spec", "replicas"), "3")
    document["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": 1},
        {"value": "x"},
        {"nam": "y", "name": "z"},
    ]
    assert [(finding.rule, finding.path[-1]) for finding in check_object(document, "1.34")] == [
        ("wrong-type", "replicas"),
        ("wrong-type", "name"),
        ("missing-required", "name"),
        ("unknown-field", "nam"),
    ]


def test_rejects_secret_data_without_base64() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "data": {"a": "aGVsbG8=", "b": "hello!"},
    }
    finding = only(secret)
    assert finding.path == ("data", "b")
    assert "stringData" in finding.help


def test_rejects_status_that_is_not_a_mapping() -> None:
    assert only(changed(("status",), "ok")).rule == "wrong-type"


@pytest.mark.parametrize(
    ("api_version", "kind", "version", "rule", "words"),
    [
        (
            "extensions/v1beta1",
            "Deployment",
            "1.25",
            "removed-api",
            "removed in Kubernetes 1.16 (target: 1.25) use apps/v1",
        ),
        ("extensions/v1beta1", "Ingress", "1.34", "removed-api", "use networking.k8s.io/v1"),
        ("batch/v1beta1", "CronJob", "1.34", "removed-api", "use batch/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", "1.34", "removed-api", "there is no replacement"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.26", "removed-api", "use autoscaling/v2"),
        ("resource.k8s.io/v1alpha2", "ResourceClaim", "1.31", "removed-api", "use resource.k8s.io/v1alpha3"),
        (
            "networking.k8s.io/v1",
            "IPAddress",
            "1.32",
            "unknown-kind",
            "requires Kubernetes 1.33 (target: 1.32) use networking.k8s.io/v1beta1",
        ),
        ("apps/v1", "Deploymnet", "1.34", "unknown-kind", 'did you mean "Deployment"?'),
        ("v1", "Deployment", "1.34", "unknown-kind", "Deployment is in apps/v1"),
        ("apps/v2", "Deployment", "1.34", "unknown-kind", "Deployment is in apps/v1"),
        ("app/v1", "Deployment", "1.34", "unknown-kind", "Deployment is in apps/v1"),
    ],
)
def test_rejects_unserved_api_version_and_names_replacement(
    api_version: str, kind: str, version: str, rule: str, words: str
) -> None:
    finding = only({"apiVersion": api_version, "kind": kind, "spec": {"any": "thing"}}, version)
    assert finding.rule == rule
    assert finding.severity is Severity.ERROR
    assert words in f"{finding.message} {finding.help}"


@pytest.mark.parametrize(
    ("api_version", "kind"), [("serving.knative.dev/v1", "Service"), ("config/v1", "Own"), ("a.b/v1", "C")]
)
def test_reports_custom_kind_as_info(api_version: str, kind: str) -> None:
    finding = only({"apiVersion": api_version, "kind": kind, "spec": 3})
    assert (finding.rule, finding.severity) == ("unknown-kind", Severity.INFO)


def test_warns_about_deprecated_api_and_checks_fields() -> None:
    document = {
        "apiVersion": "autoscaling/v2beta2",
        "kind": "HorizontalPodAutoscaler",
        "spec": {"maxReplicas": "3"},
    }
    rules = {finding.rule: finding for finding in check_object(document, "1.25")}
    assert set(rules) == {"deprecated-api", "wrong-type", "missing-required"}
    assert rules["deprecated-api"].severity is Severity.WARNING
    assert "removed in 1.26" in rules["deprecated-api"].message
    assert rules["deprecated-api"].help == "use autoscaling/v2"


def test_warns_about_endpoints_since_1_33() -> None:
    document = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "a"}}
    assert check_object(document, "1.32") == []
    assert only(document, "1.33").help == "use EndpointSlice in discovery.k8s.io/v1"


@pytest.mark.parametrize(
    ("document", "rule", "path"),
    [
        ([1], "wrong-type", ()),
        ("text", "wrong-type", ()),
        (3, "wrong-type", ()),
        ({"kind": "Pod"}, "missing-required", ("apiVersion",)),
        ({"apiVersion": "v1"}, "missing-required", ("kind",)),
        ({"apiVersion": "v1", "kind": 3}, "wrong-type", ("kind",)),
        ({"apiVersion": 1, "kind": "Pod"}, "wrong-type", ("apiVersion",)),
        ({"apiVersion": "", "kind": "Pod"}, "missing-required", ("apiVersion",)),
    ],
)
def test_rejects_value_that_is_not_an_object(document: object, rule: str, path: tuple[str, ...]) -> None:
    finding = only(document)
    assert (finding.rule, finding.path) == (rule, path)


def test_checks_each_item_of_list() -> None:
    document = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [DEPLOYMENT, changed(("spec", "replicas"), "1"), 3, None],
    }
    assert [finding.path for finding in check_object(document, "1.34")] == [
        ("items", 1, "spec", "replicas"),
        ("items", 2),
    ]
    assert only({"apiVersion": "v1", "kind": "List", "items": {}}).path == ("items",)
    typed = {"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [changed(("spec", "replicas"), "1")]}
    assert only(typed).path == ("items", 0, "spec", "replicas")


def test_prefixes_paths_with_path_of_object() -> None:
    finding = check_object(changed(("spec", "replicas"), "1"), "1.34", ("items", 3))[0]
    assert finding.path == ("items", 3, "spec", "replicas")


def test_reports_object_nested_too_deeply() -> None:
    deep: dict[str, Any] = {}
    for _ in range(20_000):
        deep = {"properties": {"a": deep}}
    document = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": deep}}]},
    }
    assert "too deeply" in only(document).message


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found += _paths(item, (*path, key))
    return found


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(_paths(DEPLOYMENT)), JUNK), min_size=1, max_size=3),
    st.sampled_from(SUPPORTED),
)
def test_never_raises_for_malformed_values(changes: list[tuple[tuple[str | int, ...], object]], version: str) -> None:
    document: Any = json.loads(json.dumps(DEPLOYMENT))
    for path, value in changes:
        at = document
        for step in path[:-1]:
            try:
                at = at[step]
            except (KeyError, IndexError, TypeError):
                at = None
                break
        if isinstance(at, dict) or (isinstance(at, list) and isinstance(path[-1], int) and path[-1] < len(at)):
            at[path[-1]] = value
    findings = check_object(document, version)
    assert all(finding.rule in RULES and finding.message for finding in findings)
    assert len({(finding.rule, finding.path) for finding in findings}) == len(findings)


@given(JUNK)
def test_never_raises_for_malformed_documents(document: object) -> None:
    assert all(finding.rule in RULES for finding in check_object(document, "1.34"))
