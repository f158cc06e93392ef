"""oauth2-proxy's flags agree with its ports and probes; what is secret comes from the Secret."""

from __future__ import annotations

from typing import Any

import pytest
from sidecar_cases import argument, breaches, cases, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("oauth2-proxy")
NEEDED: dict[str, Any] = {
    "secretName": "login",
    "email-domain": ["example.com"],
    "oidc-issuer-url": "https://login.example.com",
}


def proxy(*ports: int, mode: str = "native", **params: Any) -> Fragment:
    container = {"name": "app", "image": "app:1", "ports": [{"containerPort": port} for port in ports or (8080,)]}
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [container]}}
    given = {key: value for key, value in {**NEEDED, **params}.items() if value is not None}
    return rendered("oauth2-proxy", params=given, manifest=pod, mode=mode)


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("oauth2-proxy", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_it_listens_for_everybody_where_its_ports_and_probes_say(case: str) -> None:
    (container,) = rendered("oauth2-proxy", case).containers
    addresses = [argument(container, "--http-address"), argument(container, "--metrics-address")]
    assert addresses == [f":{port['containerPort']}" for port in container["ports"]]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"] == {"path": "/ping", "port": container["ports"][0]["containerPort"]}


@pytest.mark.parametrize("case", CASES)
def test_secrets_are_references_and_never_flags(case: str) -> None:
    (container,) = rendered("oauth2-proxy", case).containers
    assert all(set(each["valueFrom"]) == {"secretKeyRef"} for each in container["env"])
    names = {each["name"] for each in container["env"]}
    assert {f"OAUTH2_PROXY_{part}" for part in ("CLIENT_ID", "CLIENT_SECRET", "COOKIE_SECRET")} <= names
    assert not [arg for arg in container["args"] if arg.startswith(("--client", "--cookie-secret", "--redis-conn"))]


def test_sessions_are_kept_in_redis_when_there_is_one() -> None:
    (container,) = rendered("oauth2-proxy", "github-redis").containers
    assert argument(container, "--session-store-type") == "redis"
    assert "OAUTH2_PROXY_REDIS_CONNECTION_URL" in {each["name"] for each in container["env"]}


def test_lists_become_one_flag_each() -> None:
    (container,) = rendered("oauth2-proxy", "pod-restricted").containers
    assert [arg for arg in container["args"] if arg.startswith("--skip-auth-route=")] == [
        "--skip-auth-route=GET=^/healthz$",
        "--skip-auth-route=^/assets/",
    ]


def test_forwarded_headers_are_not_believed_unless_asked() -> None:
    assert argument(proxy().containers[0], "--reverse-proxy") is None
    assert argument(proxy(**{"reverse-proxy": True}).containers[0], "--reverse-proxy") == "true"


def test_it_forwards_to_the_port_of_the_app() -> None:
    assert argument(proxy(9000).containers[0], "--upstream") == "http://127.0.0.1:9000"
    with pytest.raises(LibraryError, match="declares 80, 81; set upstreamPort"):
        proxy(80, 81)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"oidc-issuer-url": None}, "set oidc-issuer-url"),
        ({"port": 8080}, "set port to another number"),
        ({"mode": "init"}, "mode native or classic"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=said):
        proxy(**params)


@pytest.mark.parametrize("params", [{"secretName": None}, {"email-domain": None}, {"email-domain": []}, {"port": 80}])
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        proxy(**params)
