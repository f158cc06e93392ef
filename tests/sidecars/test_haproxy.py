"""HAProxy's configuration agrees with its container, and every setting that a user can give is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from haproxy_config import bound, check, has, line, sections
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("haproxy")
TLS = {"secretName": "web-tls"}


def haproxy(*ports: int, mode: str = "native", **params: Any) -> Fragment:
    container = {"name": "app", "image": "app:1", "ports": [{"containerPort": port} for port in ports or (8080,)]}
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [container]}}
    return rendered("haproxy", params=params, manifest=pod, mode=mode)


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("haproxy", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_it_listens_where_its_ports_and_probes_say(case: str) -> None:
    fragment = rendered("haproxy", case)
    (container,) = fragment.containers
    found = sections(fragment)
    ports = {name: bound(found, f"frontend {name}")[0] for name in ("inbound", "health")}
    assert set(ports.values()) == {port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {
            "path": line(found, "frontend health", "monitor-uri")[0],
            "port": ports["health"],
        }


@pytest.mark.parametrize("case", CASES)
def test_every_file_that_is_named_is_mounted(case: str) -> None:
    fragment = rendered("haproxy", case)
    (container,) = fragment.containers
    config = mounted(container, fragment, argument(container, "-f") or "")
    assert config is not None and config["configMap"]["name"] == fragment.documents[0]["metadata"]["name"]
    for word in bound(sections(fragment), "frontend inbound")[1]:
        assert not word.startswith("/") or mounted(container, fragment, word)


def test_without_parameters_it_forwards_to_the_only_port_of_the_app() -> None:
    found = sections(rendered("haproxy", "deployment"))
    assert bound(found, "frontend inbound") == (10080, [])
    assert line(found, "backend app", "server", "app") == ["127.0.0.1:8080"]


def test_probes_are_answered_when_clients_have_all_their_connections() -> None:
    found = sections(haproxy(maxconn=500))
    assert int(line(found, "global", "maxconn")[0]) > int(line(found, "frontend inbound", "maxconn")[0]) == 500


def test_tls_is_terminated_with_the_certificate_of_the_secret() -> None:
    found = sections(rendered("haproxy", "tls-client-ca"))
    port, options = bound(found, "frontend inbound")
    assert (port, options[:3]) == (9443, ["ssl", "crt", "/etc/haproxy/tls/tls.crt"])
    assert options[3:] == ["alpn", "h2,http/1.1", "ca-file", "/etc/haproxy/tls/ca.crt", "verify", "required"]
    assert line(found, "global", "ssl-default-bind-options") == ["ssl-min-ver", "TLSv1.3"]
    assert has(found, "global", "ssl-load-extra-del-ext")
    assert line(found, "frontend inbound", "http-request", "set-header") == ["X-Forwarded-Proto", "https"]


def test_a_certificate_may_come_from_a_volume_that_another_sidecar_fills() -> None:
    fragment = haproxy(tls={"volumeName": "certs"})
    mount = next(each for each in fragment.containers[0]["volumeMounts"] if each["name"] == "certs")
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/haproxy/tls", True)
    assert "certs" not in {volume["name"] for volume in fragment.volumes}


@pytest.mark.parametrize(("protocol", "counter"), [("http", "http_req_rate(1s)"), ("tcp", "conn_rate(1s)")])
def test_the_rate_limit_counts_by_client(protocol: str, counter: str) -> None:
    found = sections(haproxy(protocol=protocol, rateLimit=7))
    assert line(found, "frontend inbound", "stick-table")[-1] == counter
    assert not has(sections(haproxy(protocol=protocol)), "frontend inbound", "stick-table")


def test_tcp_has_no_http_settings_and_long_timeouts() -> None:
    found = sections(rendered("haproxy", "tcp"))
    assert line(found, "defaults", "mode") == ["tcp"]
    assert line(found, "defaults", "timeout", "client") == ["1h"]
    assert not has(found, "frontend inbound", "option", "forwardfor")


def test_grpc_and_a_limited_app_are_told_in_the_line_of_the_server() -> None:
    found = sections(haproxy(protocol="http2", upstreamMaxConnections=9))
    assert line(found, "backend app", "server", "app") == ["127.0.0.1:8080", "proto", "h2", "maxconn", "9"]


def test_there_is_an_access_log_unless_it_is_off() -> None:
    assert has(sections(haproxy()), "frontend inbound", "log")
    assert not has(sections(haproxy(accessLog=False)), "frontend inbound", "log")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"port": 8080}, "set port to another number"),
        ({"tls": {"secretName": "a", "volumeName": "b"}}, "cannot combine tls.secretName and tls.volumeName"),
        ({"tls": {"clientCa": "ca.crt"}}, "set tls.secretName"),
        ({"mode": "init"}, "mode native or classic"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=said):
        haproxy(**params)


def test_a_port_that_can_not_be_known_is_asked_for() -> None:
    with pytest.raises(LibraryError, match="declares 80, 81; set upstreamPort"):
        haproxy(80, 81)


@pytest.mark.parametrize(
    "params", [{"port": 443}, {"tls": {**TLS, "certificate": "tls.pem"}}, {"timeouts": {"server": "1"}}]
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        haproxy(**params)


@pytest.mark.e2e
@pytest.mark.parametrize("case", CASES)
def test_haproxy_itself_takes_the_configuration(case: str, tmp_path: Path) -> None:
    check(rendered("haproxy", case), ["/etc/haproxy/tls"], tmp_path)
