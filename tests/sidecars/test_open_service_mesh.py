"""The annotations for Open Service Mesh's injector are those that it knows, and stand where it reads them."""

from __future__ import annotations

from typing import Any

import pytest
from injected import assert_only_the_pods_are_marked
from sidecar_cases import breaches, cases, rendered

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = [case for case in cases("open-service-mesh") if case != "cronjob"]  # which is refused
ASK = "openservicemesh.io/sidecar-injection"
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "invoices"},
    "spec": {
        "template": {"spec": {"containers": [{"name": "invoices", "image": "registry.example.com/invoices:5.0.2"}]}}
    },
}
CRONJOB = {**JOB, "kind": "CronJob", "spec": {"jobTemplate": {"spec": JOB["spec"]}}}


def osm(mode: str = "native", manifest: dict[str, Any] | None = None, **params: Any) -> Fragment:
    return rendered("open-service-mesh", "deployment", params=params, manifest=manifest, mode=mode)


@pytest.mark.parametrize("case", CASES)
def test_it_adds_nothing_but_annotations(case: str) -> None:
    fragment = rendered("open-service-mesh", case)
    assert breaches(fragment) == []
    assert not (
        fragment.containers or fragment.init_containers or fragment.volumes or fragment.documents or fragment.labels
    )


@pytest.mark.parametrize("case", CASES)
def test_the_pods_ask_and_nothing_around_them_does(case: str) -> None:
    assert assert_only_the_pods_are_marked("open-service-mesh", case, "openservicemesh.io")[ASK] == "enabled"


def test_exclusions_are_lists_with_commas() -> None:
    assert rendered("open-service-mesh", "pod-restricted").annotations == {
        ASK: "enabled",
        "openservicemesh.io/inbound-port-exclusion-list": "9229,9100",
        "openservicemesh.io/outbound-port-exclusion-list": "5432,6379",
        "openservicemesh.io/outbound-ip-range-exclusion-list": "10.96.0.10/32",
        "openservicemesh.io/outbound-ip-range-inclusion-list": "10.0.0.0/8",
    }
    assert osm().annotations == {ASK: "enabled"}


def test_it_says_that_the_project_is_archived() -> None:
    sidecar = open_catalog([], {}).find("open-service-mesh")
    assert "archived" in sidecar.summary and "archived" in sidecar.keywords


@pytest.mark.parametrize("manifest", [JOB, CRONJOB], ids=["Job", "CronJob"])
def test_a_job_is_refused_because_it_would_never_complete(manifest: dict[str, Any]) -> None:
    with pytest.raises(LibraryError, match="never completes; do not add the Job to the mesh"):
        osm(manifest=manifest)


def test_it_is_no_init_container() -> None:
    with pytest.raises(LibraryError, match="use mode auto"):
        osm(mode="init")


@pytest.mark.parametrize(
    "given",
    [
        {"inboundPortExclusionList": [0]},
        {"outboundPortExclusionList": ["5432"]},
        {"outboundIPRangeExclusionList": ["10.0.0.1"]},
        {"outboundIPRangeInclusionList": ["fd00::/8"]},
        {"inboundPortExclusionList": []},
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        osm(**given)
