"""The annotations for Consul's injector are those that it knows, and stand where it reads them."""

from __future__ import annotations

from typing import Any

import pytest
from injected import assert_only_the_pods_are_marked
from sidecar_cases import breaches, cases, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("consul-dataplane")
DOMAIN = "consul.hashicorp.com"
KNOWN = {
    *("connect-inject", "connect-service", "connect-service-port", "connect-service-upstreams", "kubernetes-service"),
    *("consul-namespace", "service-tags", "transparent-proxy", "consul-dns", "enable-consul-dataplane-as-sidecar"),
    *(f"transparent-proxy-exclude-{each}" for each in ("inbound-ports", "outbound-ports", "outbound-cidrs")),
    *(f"sidecar-proxy-{what}-{which}" for what in ("cpu", "memory") for which in ("request", "limit")),
    *("consul-envoy-proxy-concurrency", "use-proxy-health-check"),
    *("sidecar-proxy-startup-failure-seconds", "sidecar-proxy-liveness-failure-seconds"),
    *("enable-sidecar-proxy-lifecycle", "enable-sidecar-proxy-lifecycle-shutdown-drain-listeners"),
    "sidecar-proxy-lifecycle-shutdown-grace-period-seconds",
    *("enable-metrics", "prometheus-scrape-port", "prometheus-scrape-path"),
}
UPSTREAM = {"name": "catalogue", "localPort": 9091}


def consul(case: str = "deployment", kube: str = "1.34", mode: str = "native", **params: Any) -> Fragment:
    return rendered("consul-dataplane", case, params=params, kube=kube, mode=mode)


def mark(fragment: Fragment, key: str) -> str | None:
    return fragment.annotations.get(f"{DOMAIN}/{key}")


@pytest.mark.parametrize("case", CASES)
def test_it_adds_nothing_but_what_the_injector_reads(case: str) -> None:
    fragment = rendered("consul-dataplane", case)
    assert breaches(fragment) == []
    assert not (fragment.containers or fragment.init_containers or fragment.volumes or fragment.documents)
    names = {key.removeprefix(f"{DOMAIN}/") for key in fragment.annotations}
    assert {name for name in names if not name.startswith("service-meta-")} <= KNOWN and not fragment.labels


@pytest.mark.parametrize("case", CASES)
def test_the_pods_ask_and_nothing_around_them_does(case: str) -> None:
    found = assert_only_the_pods_are_marked("consul-dataplane", case, DOMAIN)
    assert found[f"{DOMAIN}/connect-inject"] == "true"


def test_the_proxy_has_requests_and_limits() -> None:
    found = {
        what: mark(consul(), f"sidecar-proxy-{what}")
        for what in ("cpu-request", "cpu-limit", "memory-request", "memory-limit")
    }
    assert found == {"cpu-request": "100m", "cpu-limit": "500m", "memory-request": "100Mi", "memory-limit": "256Mi"}


def test_the_app_learns_where_its_upstreams_are() -> None:
    fragment = rendered("consul-dataplane", "deployment")
    assert mark(fragment, "connect-service-upstreams") == "catalogue:9091,payments:9092:dc2"
    assert list(fragment.env) == [{"name": "CATALOGUE_ADDRESS", "value": "127.0.0.1:9091"}]


def test_metadata_of_the_service_has_an_annotation_each() -> None:
    fragment = rendered("consul-dataplane", "deployment")
    assert mark(fragment, "service-meta-team") == "web" and mark(fragment, "service-meta-tier") == "1"


def test_a_job_asks_for_a_native_sidecar_and_others_leave_it_to_consul() -> None:
    key = "enable-consul-dataplane-as-sidecar"
    assert mark(consul("cronjob"), key) == "true"
    assert mark(consul(), key) is None
    assert mark(consul(nativeSidecar=False), key) == "false"


@pytest.mark.parametrize(("seconds", "grace"), [(20, None), (25, None), (26, 31), (60, 65)])
def test_the_pod_lives_long_enough_to_drain(seconds: int, grace: int | None) -> None:
    fragment = consul(lifecycle={"shutdownGracePeriodSeconds": seconds})
    assert mark(fragment, "sidecar-proxy-lifecycle-shutdown-grace-period-seconds") == str(seconds)
    assert fragment.termination_grace_period_seconds == grace


def test_a_proxy_that_does_not_drain_needs_no_time_for_it() -> None:
    fragment = consul(lifecycle={"enabled": False, "shutdownGracePeriodSeconds": 60})
    assert mark(fragment, "enable-sidecar-proxy-lifecycle") == "false"
    assert fragment.termination_grace_period_seconds is None


def test_the_place_of_the_metrics_is_told_where_there_are_some() -> None:
    assert mark(consul(enableMetrics=True), "prometheus-scrape-port") == "20200"
    assert mark(consul(), "prometheus-scrape-port") is None
    assert mark(consul(enableMetrics=False), "enable-metrics") == "false"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"case": "cronjob", "nativeSidecar": False}, "leave nativeSidecar unset"),
        ({"case": "cronjob", "kube": "1.28", "mode": "classic"}, "do not add the Job to the mesh"),
        ({"kube": "1.28", "mode": "classic", "nativeSidecar": True}, "leave nativeSidecar unset"),
        ({"mode": "init"}, "use mode auto"),
        ({"upstreams": [UPSTREAM, {**UPSTREAM, "name": "other"}]}, "9091 of upstream other is already used"),
        ({"upstreams": [{**UPSTREAM, "localPort": 8080}]}, "8080 of upstream catalogue is already used"),
        ({"upstreams": [{**UPSTREAM, "localPort": 20000}]}, "set another localPort"),
        ({"enableMetrics": True, "prometheusScrapePort": 8080}, "prometheusScrapePort 8080 is already used"),
        ({"transparentProxy": False, "transparentProxyExcludeInboundPorts": [22]}, "leave one of them unset"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(given: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        consul(**given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"connectServicePort": "http"},
        {"upstreams": [{"name": "catalogue"}]},
        {"upstreams": [{**UPSTREAM, "localPort": 80}]},
        {"serviceMeta": {"a/b": "x"}},
        {"serviceTags": ["a,b"]},
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        consul(**given)
