"""The annotations for Linkerd's injector are those that it knows, and stand where it reads them."""

from __future__ import annotations

from typing import Any

import pytest
from injected import assert_only_the_pods_are_marked
from sidecar_cases import breaches, cases, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("linkerd")
NATIVE = ("config.linkerd.io/proxy-enable-native-sidecar", "config.beta.linkerd.io/proxy-enable-native-sidecar")
KNOWN = {
    *("linkerd.io/inject", "config.alpha.linkerd.io/proxy-wait-before-exit-seconds", *NATIVE),
    *(f"config.linkerd.io/proxy-{what}-{which}" for what in ("cpu", "memory") for which in ("request", "limit")),
    *(f"config.linkerd.io/{each}-ports" for each in ("skip-inbound", "skip-outbound", "opaque")),
    *(f"config.linkerd.io/proxy-{each}" for each in ("log-level", "log-format", "await")),
    *(f"config.linkerd.io/{each}" for each in ("access-log", "default-inbound-policy", "shutdown-grace-period")),
}


def linkerd(case: str = "deployment", kube: str = "1.34", mode: str = "native", **params: Any) -> Fragment:
    return rendered("linkerd", case, params=params, kube=kube, mode=mode)


@pytest.mark.parametrize("case", CASES)
def test_it_adds_nothing_but_what_the_injector_reads(case: str) -> None:
    fragment = rendered("linkerd", case)
    assert breaches(fragment) == []
    assert not (fragment.containers or fragment.init_containers or fragment.volumes or fragment.documents)
    assert fragment.annotations.keys() <= KNOWN and not fragment.labels


@pytest.mark.parametrize("case", CASES)
def test_the_pods_ask_and_nothing_around_them_does(case: str) -> None:
    assert assert_only_the_pods_are_marked("linkerd", case, "linkerd.io")["linkerd.io/inject"] in ("enabled", "ingress")


def test_the_proxy_has_requests_and_limits() -> None:
    assert linkerd(proxyMemoryLimit="1024Mi").annotations == {
        "linkerd.io/inject": "enabled",
        "config.linkerd.io/proxy-cpu-request": "100m",
        "config.linkerd.io/proxy-cpu-limit": "1",
        "config.linkerd.io/proxy-memory-request": "32Mi",
        "config.linkerd.io/proxy-memory-limit": "1Gi",
    }


def test_a_job_asks_for_a_native_sidecar_under_both_names_and_others_leave_it_to_the_mesh() -> None:
    assert [linkerd("cronjob").annotations[key] for key in NATIVE] == ["true", "true"]
    assert not linkerd().annotations.keys() & set(NATIVE)
    assert [linkerd(nativeSidecar=False).annotations[key] for key in NATIVE] == ["false", "false"]


def test_ports_are_a_list_with_commas() -> None:
    found = linkerd(skipOutboundPorts=["25", "4222-4230"], opaquePorts=["3306"]).annotations
    assert found["config.linkerd.io/skip-outbound-ports"] == "25,4222-4230"
    assert found["config.linkerd.io/opaque-ports"] == "3306"


@pytest.mark.parametrize(("wait", "drain", "grace"), [(1, 1, None), (None, 25, None), (None, 40, 45), (20, 40, 65)])
def test_the_pod_lives_long_enough_to_drain(wait: int | None, drain: int, grace: int | None) -> None:
    given = {"proxyWaitBeforeExitSeconds": wait} if wait else {}
    fragment = linkerd(shutdownGracePeriod=drain, **given)
    assert fragment.annotations["config.linkerd.io/shutdown-grace-period"] == f"{drain}s"
    assert fragment.termination_grace_period_seconds == grace


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"case": "cronjob", "nativeSidecar": False}, "never completes; leave nativeSidecar unset"),
        ({"case": "cronjob", "kube": "1.28", "mode": "classic"}, "do not add the Job to the mesh"),
        (
            {"case": "cronjob", "proxyWaitBeforeExitSeconds": 5},
            "the proxy of a Job is native; leave proxyWaitBeforeExitSeconds unset",
        ),
        ({"nativeSidecar": True, "proxyWaitBeforeExitSeconds": 5}, "leave one of"),
        ({"kube": "1.28", "mode": "classic", "nativeSidecar": True}, "leave nativeSidecar unset"),
        ({"mode": "init"}, "use mode auto"),
        ({"skipInboundPorts": ["70000"]}, 'invalid skipInboundPorts "70000"'),
        ({"opaquePorts": ["90-80"]}, 'invalid opaquePorts "90-80"'),
        ({"skipOutboundPorts": ["0"]}, 'invalid skipOutboundPorts "0"'),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(given: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        linkerd(**given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given", [{"inject": "disabled"}, {"opaquePorts": ["http"]}, {"proxyLogLevel": ""}, {"defaultInboundPolicy": "all"}]
)
def test_wrong_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        linkerd(**given)
