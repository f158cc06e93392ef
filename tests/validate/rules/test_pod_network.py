"""Rules about host names, host aliases, and DNS settings of a pod."""

from __future__ import annotations

import pytest
from object_cases import Case, controller, findings, places, pod, template

from sidecarctl.kube.ip_addresses import check_ip_address


def dns(policy: str = "ClusterFirst", **config: object) -> dict[str, object]:
    return pod(dnsPolicy=policy, dnsConfig=config)


CASES = [
    Case("a hostname", "invalid-pod-hostname", pod(hostname="a.b"), "spec.hostname", pod(hostname="a")),
    Case("a subdomain", "invalid-pod-hostname", pod(subdomain="A"), "spec.subdomain", pod(subdomain="a")),
    Case(
        "65 characters",
        "invalid-hostname-override",
        pod(hostnameOverride="a" * 32 + "." + "b" * 32),
        "spec.hostnameOverride",
        pod(hostnameOverride="a" * 32 + "." + "b" * 31),
    ),
    Case(
        "the host's", "invalid-hostname-override", pod(hostnameOverride="a", hostNetwork=True), "spec.hostnameOverride"
    ),
    Case(
        "the full one",
        "invalid-hostname-override",
        pod(hostnameOverride="a", setHostnameAsFQDN=True),
        "spec.hostnameOverride",
    ),
    Case(
        "no address",
        "invalid-host-alias",
        pod(hostAliases=[{"ip": "10.0.0.256"}]),
        "spec.hostAliases[0].ip",
        pod(hostAliases=[{"ip": "fe80::1", "hostnames": ["a.b"]}]),
    ),
    Case(
        "no host name",
        "invalid-host-alias",
        pod(hostAliases=[{"ip": "::1", "hostnames": ["a", "a_b"]}]),
        "spec.hostAliases[0].hostnames[1]",
    ),
    Case(
        "no settings",
        "invalid-dns-config",
        pod(dnsPolicy="None"),
        "spec.dnsPolicy",
        dns("None", nameservers=["1.2.3.4"]),
    ),
    Case("no nameserver", "invalid-dns-config", dns("None", searches=["a"]), "spec.dnsConfig.nameservers"),
    Case(
        "four nameservers",
        "invalid-dns-config",
        dns(nameservers=["1.1.1.1"] * 4),
        "spec.dnsConfig.nameservers",
        dns(nameservers=["1.1.1.1"] * 3),
    ),
    Case("no address", "invalid-dns-config", dns(nameservers=["dns"]), "spec.dnsConfig.nameservers[0]"),
    Case(
        "33 search domains",
        "invalid-dns-config",
        dns(searches=["a"] * 33),
        "spec.dnsConfig.searches",
        dns(searches=["a"] * 32),
    ),
    Case("2049 characters", "invalid-dns-config", dns(searches=["a" * 204] * 10), "spec.dnsConfig.searches"),
    Case(
        "a search domain",
        "invalid-dns-config",
        dns(searches=["a..b"]),
        "spec.dnsConfig.searches[0]",
        dns(searches=["a_b.c.", ".", "_tcp.a"]),
    ),
    Case(
        "an underscore before 1.33",
        "invalid-dns-config",
        dns(searches=["a_b"]),
        "spec.dnsConfig.searches[0]",
        dns(searches=["a.b."]),
        version="1.32",
    ),
    Case(
        "an option without a name",
        "invalid-dns-config",
        dns(options=[{"name": "ndots", "value": "2"}, {"value": "2"}]),
        "spec.dnsConfig.options[1]",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finds_bad_case_and_accepts_good_case(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_ignores_hostname_in_stateful_set() -> None:
    assert findings(controller("StatefulSet", template=template(hostname="a.b", subdomain="A"))) == []


@pytest.mark.parametrize(
    ("text", "lax", "strict"),
    [
        ("10.0.0.1", True, True),
        ("::1", True, True),
        ("2001:DB8::1", True, True),
        ("010.0.0.1", True, False),
        ("10.00.0.1", True, False),
        ("::ffff:10.0.0.1", True, False),
        ("::ffff:010.0.0.1", True, False),
        ("10.0.0", False, False),
        ("10.0.0.256", False, False),
        ("fe80::1%eth0", False, False),
        ("10.0.0.1/8", False, False),
        ("1.2.3.١", False, False),
        ("", False, False),
    ],
)
def test_parses_addresses_as_api_server(text: str, lax: bool, strict: bool) -> None:
    assert (check_ip_address(text, strict=False) is None) is lax
    assert (check_ip_address(text, strict=True) is None) is strict
