"""Each remote service of the ambassador has its local port, and its connection the policies that were asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from haproxy_config import bound, check, has, line, sections
from sidecar_cases import breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("ambassador")
DB = {"name": "db", "host": "db.data.svc.cluster.local", "port": 5432}
API = {"name": "api", "host": "api.example.com", "port": 443, "protocol": "http", "tls": {"enabled": True}}


def ambassador(*services: dict[str, Any], mode: str = "native", **params: Any) -> Fragment:
    return rendered("ambassador", params={"services": list(services), **params}, mode=mode)


def server(fragment: Fragment, name: str) -> list[str]:
    return line(sections(fragment), f"listen {name}", "server", "remote")


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("ambassador", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_services_listen_on_localhost_and_health_for_the_kubelet(case: str) -> None:
    fragment = rendered("ambassador", case)
    (container,) = fragment.containers
    found = sections(fragment)
    services = [name for name in found if name.startswith("listen")]
    assert all(line(found, name, "bind")[0].startswith("127.0.0.1:") for name in services)
    health = bound(found, "frontend health")[0]
    ports = {bound(found, name)[0] for name in [*services, "frontend health"]}
    assert ports == {port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": health}
    assert "readinessProbe" not in container


@pytest.mark.parametrize("case", CASES)
def test_every_file_that_is_named_is_mounted_from_a_secret(case: str) -> None:
    fragment = rendered("ambassador", case)
    (container,) = fragment.containers
    for path in re.findall(r"/etc/\S+", fragment.documents[0]["data"]["haproxy.cfg"]):
        volume = mounted(container, fragment, path)
        assert volume is not None and "secret" in volume, path


def test_the_local_port_is_the_remote_one_where_that_is_free_to_take() -> None:
    found = sections(ambassador(DB, API, {**DB, "name": "old", "localPort": 15432}))
    assert line(found, "listen db", "bind") == ["127.0.0.1:5432"]
    assert line(found, "listen api", "bind") == ["127.0.0.1:10443"]
    assert line(found, "listen old", "bind") == ["127.0.0.1:15432"]


def test_the_app_learns_where_the_local_ports_are() -> None:
    fragment = ambassador({**DB, "appEnv": {"host": "PGHOST", "port": "PGPORT"}}, {**API, "appEnv": {"url": "API_URL"}})
    assert {each["name"]: each["value"] for each in fragment.env} == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "5432",
        "API_URL": "http://127.0.0.1:10443",
    }
    assert not ambassador(DB).env


def test_the_certificate_is_checked_for_the_name_that_is_asked_for() -> None:
    words = " ".join(server(ambassador(API), "api"))
    assert "ssl verify required sni str(api.example.com) verifyhost api.example.com ca-file @system-ca" in words
    own = " ".join(server(rendered("ambassador", "pod-restricted"), "payments"))
    assert "ca-file /etc/ambassador/payments-ca/ca.crt crt /etc/ambassador/payments-client/tls.crt" in own


@pytest.mark.parametrize(("port", "authority"), [(443, "api.example.com"), (8443, "api.example.com:8443")])
def test_the_service_sees_its_own_name_as_the_host(port: int, authority: str) -> None:
    found = sections(ambassador({**API, "port": port}))
    assert line(found, "listen api", "http-request", "set-header", "Host") == [authority]


def test_the_circuit_breaker_opens_at_once_and_closes_by_checks() -> None:
    words = " ".join(server(ambassador({**API, "circuitBreaker": {"errorLimit": 5}}), "api"))
    assert "check check-sni api.example.com inter 2s fall 2 rise 1" in words
    assert "observe layer7 error-limit 5 on-error mark-down" in words
    assert "observe layer4" in " ".join(server(ambassador({**DB, "circuitBreaker": {"errorLimit": 5}}), "db"))
    assert "check" not in server(ambassador(API), "api")


def test_names_are_followed_and_addresses_are_not_looked_up() -> None:
    assert server(ambassador(DB), "db")[1:3] == ["resolvers", "cluster"]
    assert "resolvers" not in server(ambassador({**DB, "host": "192.0.2.7"}), "db")


def test_there_is_room_for_the_clients_of_all_services() -> None:
    found = sections(ambassador({**DB, "maxConnections": 30}, {**API, "maxConnections": 50}))
    assert int(line(found, "global", "maxconn")[0]) > 2 * (30 + 50)


def test_tcp_has_no_http_settings_and_long_timeouts() -> None:
    found = sections(ambassador(DB, API))
    assert line(found, "listen db", "timeout", "server") == ["1h"]
    assert line(found, "listen api", "timeout", "server") == ["1m"]
    assert has(found, "listen api", "retry-on") and not has(found, "listen db", "retry-on")


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ([DB, DB], 'duplicate service name "db"'),
        ([DB, {**DB, "name": "other"}], "local port 5432 of service other is already used by db; set localPort"),
        ([{**DB, "port": 8405}], "already used by healthPort"),
        ([{**DB, "host": "db"}], "NAME.NAMESPACE.svc.cluster.local"),
        ([{**DB, "host": "db.data.svc"}], "NAME.NAMESPACE.svc.cluster.local"),
        ([{**API, "host": "192.0.2.1"}], "set tls.sni of api"),
        ([{**DB, "tls": {"caSecretName": "ca"}}], "set tls.enabled"),
        ([{**DB, "appEnv": {"url": "DB_URL"}}], "set protocol to http"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(services: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        ambassador(*services)
    assert said in str(caught.value)


def test_it_is_no_init_container() -> None:
    with pytest.raises(LibraryError, match="mode native or classic"):
        ambassador(DB, mode="init")


@pytest.mark.parametrize("services", [[], [{"name": "db"}], [{**DB, "host": "a b"}], [{**DB, "localPort": 80}]])
def test_wrong_parameters_are_refused(services: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError):
        ambassador(*services)


@pytest.mark.e2e
@pytest.mark.parametrize("case", CASES)
def test_haproxy_itself_takes_the_configuration(case: str, tmp_path: Path) -> None:
    check(rendered("ambassador", case), ["/etc/ambassador/payments-ca", "/etc/ambassador/payments-client"], tmp_path)
