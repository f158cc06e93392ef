"""Tests of each shipped sidecar alone, on all kinds of manifests and several Kubernetes versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from sidecarctl.authoring import lint, test_runner
from sidecarctl.authoring.test_cases import find_cases, read_case, run_case
from sidecarctl.authoring.trial import Trial, find_injected_parts, run_trial
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.errors import UsageError
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.validate.check_document import check_workloads
from sidecarctl.yamltext.stream import split
from tests.shipped_library.manifests import DEPLOYMENT, MANIFESTS, NAMES, VERSIONS, request, sidecars


def _add(name: str, kind: str, version: str) -> str | None:
    """Return the manifest with the sidecar, or None if it is rejected as expected."""
    try:
        result = pipeline.add(MANIFESTS[kind], [request(name)], Options(version))
    except UsageError as refusal:
        assert refusal.message and refusal.hint, f"an unclear refusal: {refusal.message}"
        return None
    for finding in result.findings:
        if finding.severity.value == "error":
            assert finding.help and finding.message, f"an unclear refusal: {finding}"
    return None if result.failed else result.text


@pytest.mark.parametrize("kind", MANIFESTS)
@pytest.mark.parametrize("name", NAMES)
def test_output_is_valid_and_removable_for_all_versions(name: str, kind: str) -> None:
    for version in VERSIONS:
        text = _add(name, kind, version)
        if text is None:
            continue
        for document in split(text):
            assert not check_workloads(document.value, version, "strict", DEFAULT_KINDS)
        assert pipeline.remove(text, [name], Options(version)).text == MANIFESTS[kind]
        assert pipeline.add(text, [request(name)], Options(version)).text == text


@pytest.mark.parametrize("name", NAMES)
def test_can_be_added_to_a_deployment(name: str) -> None:
    assert all(_add(name, "Deployment", version) for version in VERSIONS)


@pytest.mark.parametrize("name", NAMES)
def test_passes_its_pod_security_level(name: str) -> None:
    level = sidecars()[name].pod_security.level
    for kind in MANIFESTS:
        for own in find_injected_parts(_add(name, kind, VERSIONS[-1]) or "", name):
            assert not lint.find_breaches(own, level)


@pytest.mark.parametrize("name", NAMES)
def test_independent_validator_accepts_the_output(name: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for version in VERSIONS:
        for document in yaml.safe_load_all(_add(name, "Deployment", version) or ""):
            if document["apiVersion"].split("/")[0] in ("v1", "apps", "rbac.authorization.k8s.io"):
                kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_second_instance_works_or_is_rejected(name: str) -> None:
    second = replace(request(name), instance=f"{name[:20]}-2")
    one = pipeline.add(DEPLOYMENT, [request(name)], Options()).text
    two = pipeline.add(one, [second], Options())
    assert two.failed or pipeline.remove(two.text, [second.instance], Options()).text == one
    for finding in two.findings:
        assert finding.severity.value != "error" or finding.rule in (
            "port-conflict",
            "env-conflict",
            "annotation-conflict",
            "label-conflict",
            "mount-conflict",
        ), finding


@pytest.mark.parametrize("instance", ["123", "1e3", "true"])
@pytest.mark.parametrize("name", NAMES)
def test_instance_name_can_look_like_another_type(name: str, instance: str) -> None:
    sidecar = sidecars()[name]
    for case in find_cases(sidecar):
        trial = read_case(sidecar, case)
        result = run_trial(replace(trial, instance=instance))
        assert case.refused or result.text is not None, (case.name, result.errors)
        assert "must be a string" not in result.errors


@pytest.mark.parametrize(
    ("name", "given", "problem"),
    [
        ("service-registrar", {"tags": ["x\u2028y\x7f"]}, ""),
        ("fluentd", {"labels": {"a": "x\u2028y"}}, "parameter labels.a contains the unsupported character U+2028"),
        ("logstash", {"exclude_path": "a\r\nb"}, ""),
        ("vector", {"labels": {"a": "x\u2028y"}}, "change labels"),
        ("vector", {"labels": {"a": "x\\u2028\u00a0y"}}, ""),
        ("nginx-tls", {"tls": {"secretName": "a"}, "port": 8085, "redirectPort": 8085}, "port, redirectPort"),
        ("nginx-tls", {"tls": {"secretName": "a"}, "port": 8085, "healthPort": 8085}, "port, redirectPort"),
    ],
)
def test_allowed_value_works_or_is_an_error_of_the_parameter(name: str, given: dict[str, Any], problem: str) -> None:
    result = run_trial(Trial(sidecars()[name], DEPLOYMENT, given))
    assert problem in result.errors
    assert bool(result.errors) == bool(problem), result.errors
    assert "template output" not in result.errors


@pytest.mark.parametrize("name", NAMES)
def test_passes_its_test_cases(name: str) -> None:
    sidecar = sidecars()[name]
    cases = find_cases(sidecar)
    assert len(cases) >= 3, "a shipped sidecar has a case for a Deployment, for a restricted Pod, for a CronJob"
    assert {case.name: run_case(sidecar, case).state for case in cases} == {case.name: "ok" for case in cases}


@pytest.mark.parametrize("name", NAMES)
def test_lint_has_no_findings(name: str) -> None:
    for one in test_runner.run_tests(open_catalog([], {}), [name]):
        assert not [f"{finding.rule}: {finding.message} ({finding.place})" for finding in one.findings]
