"""The label and the annotations for Istio's injector are those that it knows, and stand where it reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from injected import assert_only_the_pods_are_marked
from sidecar_cases import breaches, cases, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("istio")
KNOWN = {
    *("sidecar.istio.io/inject", "istio.io/rev", "inject.istio.io/templates"),
    *(f"sidecar.istio.io/proxy{each}" for each in ("CPU", "CPULimit", "Memory", "MemoryLimit")),
    *(f"sidecar.istio.io/{each}" for each in ("nativeSidecar", "logLevel", "interceptionMode")),
    *(
        f"traffic.sidecar.istio.io/{way}{what}"
        for way in ("include", "exclude")
        for what in ("InboundPorts", "OutboundPorts")
    ),
    *(f"traffic.sidecar.istio.io/{way}OutboundIPRanges" for way in ("include", "exclude")),
    *("prometheus.istio.io/merge-metrics", "proxy.istio.io/config"),
}


def istio(case: str = "deployment", kube: str = "1.34", mode: str = "native", **params: Any) -> Fragment:
    return rendered("istio", case, params=params, kube=kube, mode=mode)


@pytest.mark.parametrize("case", CASES)
def test_it_adds_nothing_but_what_the_injector_reads(case: str) -> None:
    fragment = rendered("istio", case)
    assert breaches(fragment) == []
    assert not (fragment.containers or fragment.init_containers or fragment.volumes or fragment.documents)
    assert fragment.labels.keys() <= {"sidecar.istio.io/inject", "istio.io/rev"}
    assert {*fragment.labels, *fragment.annotations} <= KNOWN


@pytest.mark.parametrize("case", CASES)
def test_the_pods_ask_and_nothing_around_them_does(case: str) -> None:
    assert assert_only_the_pods_are_marked("istio", case, "istio.io")["sidecar.istio.io/inject"] == "true"


def test_all_four_resources_are_written_because_one_alone_drops_the_others_defaults() -> None:
    found = istio(proxyCPU="250m").annotations
    assert {key.rsplit("/", 1)[1]: value for key, value in found.items()} == {
        "proxyCPU": "250m",
        "proxyCPULimit": "2",
        "proxyMemory": "128Mi",
        "proxyMemoryLimit": "1Gi",
    }


def test_a_job_asks_for_a_native_sidecar_and_others_leave_it_to_istio() -> None:
    key = "sidecar.istio.io/nativeSidecar"
    assert istio("cronjob").annotations[key] == "true"
    assert key not in istio().annotations
    assert istio(nativeSidecar=False).annotations[key] == "false"


def test_an_empty_list_means_none_and_no_list_means_the_mesh_decides() -> None:
    key = "traffic.sidecar.istio.io/includeInboundPorts"
    assert istio(includeInboundPorts=[]).annotations[key] == ""
    assert istio(includeInboundPorts=[80, 8080]).annotations[key] == "80,8080"
    assert key not in istio().annotations


def test_settings_of_the_proxy_itself_are_one_json_object() -> None:
    fragment = rendered("istio", "deployment")
    assert json.loads(fragment.annotations["proxy.istio.io/config"]) == {
        "holdApplicationUntilProxyStarts": True,
        "terminationDrainDuration": "40s",
    }


@pytest.mark.parametrize(("seconds", "grace"), [(5, None), (25, None), (26, 31), (120, 125)])
def test_the_pod_lives_long_enough_to_drain(seconds: int, grace: int | None) -> None:
    assert istio(terminationDrainDuration=seconds).termination_grace_period_seconds == grace


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"includeInboundPorts": [80], "excludeInboundPorts": [81]}, "set one of the two"),
        ({"includeOutboundIPRanges": ["10.0.0.0/8"], "excludeOutboundIPRanges": ["10.1.0.0/16"]}, "set one of the two"),
        ({"case": "cronjob", "nativeSidecar": False}, "never completes; leave nativeSidecar unset"),
        ({"case": "cronjob", "kube": "1.28", "mode": "classic"}, "do not add the Job to the mesh"),
        ({"kube": "1.28", "mode": "classic", "nativeSidecar": True}, "leave nativeSidecar unset"),
        ({"mode": "init"}, "use mode auto"),
        ({"proxyMemory": "lots"}, "lots"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(given: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        istio(**given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"excludeInboundPorts": [0]},
        {"excludeOutboundPorts": ["http"]},
        {"includeOutboundIPRanges": ["10.0.0.1"]},
        {"logLevel": "loud"},
        {"interceptionMode": "NONE"},
        {"rev": "1.30"},
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        istio(**given)
