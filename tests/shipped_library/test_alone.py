"""Every shipped sidecar by itself, on each kind of manifest and for old, middling and new Kubernetes."""

from __future__ import annotations

import pytest
import yaml

from sidecarctl.authoring import lint, test_runner
from sidecarctl.authoring.test_cases import cases_of, check
from sidecarctl.authoring.trial import owned
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.errors import UsageError
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.validate.check_document import check_workloads
from sidecarctl.yamltext.stream import split
from tests.shipped_library.manifests import DEPLOYMENT, MANIFESTS, NAMES, VERSIONS, request, sidecars


def _add(name: str, kind: str, version: str) -> str | None:
    """The manifest with the sidecar; None where it is refused as it should be."""
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
def test_it_gives_a_valid_manifest_for_every_version_and_goes_without_a_trace(name: str, kind: str) -> None:
    for version in VERSIONS:
        text = _add(name, kind, version)
        if text is None:
            continue
        for document in split(text):
            assert not check_workloads(document.value, version, "strict", DEFAULT_KINDS)
        assert pipeline.remove(text, [name], Options(version)).text == MANIFESTS[kind]
        assert pipeline.add(text, [request(name)], Options(version)).text == text


@pytest.mark.parametrize("name", NAMES)
def test_a_deployment_takes_it(name: str) -> None:
    assert all(_add(name, "Deployment", version) for version in VERSIONS)


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_pod_security_level_that_it_names(name: str) -> None:
    level = sidecars()[name].pod_security.level
    for kind in MANIFESTS:
        for own in owned(_add(name, kind, VERSIONS[-1]) or "", name):
            assert not lint.breaches(own, level)


@pytest.mark.parametrize("name", NAMES)
def test_an_independent_validator_takes_the_result(name: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for version in VERSIONS:
        for document in yaml.safe_load_all(_add(name, "Deployment", version) or ""):
            if document["apiVersion"].split("/")[0] in ("v1", "apps", "rbac.authorization.k8s.io"):
                kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_second_instance_lives_beside_the_first_or_is_refused(name: str) -> None:
    from dataclasses import replace

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


@pytest.mark.parametrize("name", NAMES)
def test_its_cases_give_what_is_expected_of_them(name: str) -> None:
    sidecar = sidecars()[name]
    cases = cases_of(sidecar)
    assert len(cases) >= 3, "a shipped sidecar has a case for a Deployment, for a restricted Pod, for a CronJob"
    assert {case.name: check(sidecar, case).state for case in cases} == {case.name: "ok" for case in cases}


@pytest.mark.parametrize("name", NAMES)
def test_lint_finds_nothing(name: str) -> None:
    for one in test_runner.run(open_catalog([], {}), [name]):
        assert not [f"{finding.rule}: {finding.message} ({finding.place})" for finding in one.findings]
