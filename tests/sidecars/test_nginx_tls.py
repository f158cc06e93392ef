"""nginx's configuration agrees with its container: certificates, ports, probes, writable paths."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sidecar_cases import breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("nginx-tls")
TLS = {"secretName": "web-tls"}


def nginx(*ports: int, mode: str = "native", **params: Any) -> Fragment:
    container = {"name": "app", "image": "app:1", "ports": [{"containerPort": port} for port in ports or (8080,)]}
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [container]}}
    return rendered("nginx-tls", params={"tls": TLS, **params}, manifest=pod, mode=mode)


def text(fragment: Fragment) -> str:
    (config,) = fragment.documents
    return str(config["data"]["nginx.conf"])


def values(fragment: Fragment, directive: str) -> list[str]:
    return re.findall(rf"^\s*{re.escape(directive)} (.*);$", text(fragment), re.MULTILINE)


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    allowed = ["the volume certificates is mounted and not defined"] if case == "certificate-volume" else []
    assert breaches(rendered("nginx-tls", case)) == allowed


@pytest.mark.parametrize("case", CASES)
def test_it_listens_where_its_ports_and_probes_say(case: str) -> None:
    fragment = rendered("nginx-tls", case)
    (container,) = fragment.containers
    listening = {int(each.split()[0]) for each in values(fragment, "listen")}
    assert listening == {port["containerPort"] for port in container["ports"]}
    on_ipv6 = [text for name, text in fragment.documents[0]["data"].items() if name != "nginx.conf"]
    assert on_ipv6 == [f"listen [::]:{each};" for each in values(fragment, "listen")]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path, port = container[probe]["httpGet"]["path"], container[probe]["httpGet"]["port"]
        assert re.search(rf"listen {port};[^}}]*?location = {path} ", text(fragment), re.DOTALL)


@pytest.mark.parametrize("case", CASES)
def test_every_file_that_is_named_is_mounted_or_writable(case: str) -> None:
    fragment = rendered("nginx-tls", case)
    (container,) = fragment.containers
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    config = mounted(container, fragment, f"{container['command'][-1]}/nginx.conf")
    assert config is not None and config["configMap"]["name"] == fragment.documents[0]["metadata"]["name"]
    written = [*values(fragment, "pid"), *re.findall(r"_temp_path (\S+);", text(fragment))]
    assert len(written) == 6
    assert all(path.startswith("/tmp/") for path in written) and "/tmp" in mounts
    for directive in ("ssl_certificate", "ssl_certificate_key", "ssl_client_certificate"):
        for path in values(fragment, directive):
            assert path.rsplit("/", 1)[0] in mounts


@pytest.mark.parametrize("case", CASES)
def test_braces_and_semicolons_are_in_order(case: str) -> None:
    depth = 0
    for line in text(rendered("nginx-tls", case)).splitlines():
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", "''", line.split("#")[0]).strip()
        assert not bare or bare[-1] in "{};'", line
        depth += bare.count("{") - bare.count("}")
        assert depth >= 0
    assert depth == 0


def test_it_forwards_to_the_port_of_the_app() -> None:
    assert "127.0.0.1:3000" in values(rendered("nginx-tls", "pod-restricted"), "server")
    with pytest.raises(LibraryError, match="declares 80, 81; set upstreamPort"):
        nginx(80, 81)


def test_client_certificates_redirects_and_hsts_are_there_when_asked() -> None:
    full, plain = rendered("nginx-tls", "pod-restricted"), nginx()
    assert values(full, "ssl_verify_client") == ["on"] and not values(plain, "ssl_verify_client")
    assert values(full, "ssl_protocols") == ["TLSv1.3"] and values(plain, "ssl_protocols") == ["TLSv1.2 TLSv1.3"]
    assert "308 https://$host$request_uri" in values(full, "return")
    assert values(full, "add_header") == ['Strict-Transport-Security "max-age=31536000" always']
    assert not values(plain, "add_header")


def test_the_status_page_answers_the_pod_only() -> None:
    page = text(nginx()).split("location = /stub_status {")[1].split("}")[0]
    assert [line.strip() for line in page.strip().splitlines()] == ["stub_status;", "allow 127.0.0.1;", "deny all;"]


@pytest.mark.parametrize(("websocket", "header"), [(True, "Connection $connection_header"), (False, 'Connection ""')])
def test_websockets_are_let_through_unless_they_are_off(websocket: bool, header: str) -> None:
    fragment = nginx(websocket=websocket)
    assert header in values(fragment, "proxy_set_header")
    assert ("map $http_upgrade" in text(fragment)) is websocket


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"tls": {}}, "set tls.secretName or tls.volumeName"),
        ({"tls": {"secretName": "a", "volumeName": "b"}}, "exactly one certificate"),
        ({"port": 8080}, "to other numbers"),
        ({"mode": "init"}, "mode native or classic"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=said):
        nginx(**params)


@pytest.mark.parametrize("params", [{"port": 443}, {"client_max_body_size": "1 GB"}, {"proxy_read_timeout": "1;"}])
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        nginx(**params)
