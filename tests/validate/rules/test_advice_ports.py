"""Advice about ports: two on one, names that lead nowhere, probes that nobody answers."""

from __future__ import annotations

from typing import Any

import pytest
from advice_helpers import found, pod, stream, where

from sidecarctl.findings import Severity


def ports(*numbers: int, **more: Any) -> dict[str, Any]:
    return {"ports": [{"containerPort": number, **more} for number in numbers]}


def service(target: str) -> dict[str, Any]:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def test_sidecar_on_app_port_is_error_at_sidecar_port() -> None:
    (finding,) = found("port-conflict", pod(ports(80), native=(ports(80),)))
    assert finding.severity is Severity.ERROR
    assert (finding.container, finding.role) == ("sidecar", "sidecar")
    assert finding.path == ("spec", "initContainers", 0, "ports", 0, "containerPort")
    assert finding.related[0].path == ("spec", "containers", 0, "ports", 0, "containerPort")
    assert finding.message == 'port 80/TCP is already used by container "app"'
    assert finding.place is not None
    assert finding.place.line == 4


def test_classic_sidecar_conflicts_with_app_port() -> None:
    (finding,) = found("port-conflict", pod(ports(80), classic=ports(80)))
    assert (finding.severity, finding.role) == (Severity.ERROR, "classic")


def test_conflict_between_app_containers_is_warning() -> None:
    (finding,) = found("port-conflict", pod(ports(80), ports(80)))
    assert finding.severity is Severity.WARNING


def test_reports_each_conflicting_port() -> None:
    assert len(where("port-conflict", pod(ports(80, 81), native=(ports(80, 81),)))) == 2


@pytest.mark.parametrize(
    ("meets", "starts"),
    [
        (False, {"init": (ports(80),)}),
        (True, {"init": (ports(80),), "native": (ports(80),)}),
    ],
    ids=["its app does not", "a native sidecar listed after it does not, the app does"],
)
def test_init_container_does_not_conflict_with_later_containers(meets: bool, starts: dict[str, Any]) -> None:
    assert where("port-conflict", pod(ports(80), **starts)) == (
        ["initContainers[1].ports[0].containerPort"] if meets else []
    )


def test_init_container_conflicts_with_earlier_native_sidecar() -> None:
    text = """
initContainers:
- {name: proxy, image: "x:1.0", restartPolicy: Always, ports: [{containerPort: 80}]}
- {name: setup, image: "x:1.0", ports: [{containerPort: 80}]}
"""
    assert where("port-conflict", text) == ["initContainers[0].ports[0].containerPort"]


@pytest.mark.parametrize(
    "containers",
    [
        (ports(80), ports(81)),
        (ports(80), ports(80, protocol="UDP")),
        (ports(80, protocol="UDP"), ports(80, protocol="SCTP")),
        (ports(80), {"ports": None}),
        (ports(80, 80), {}),
    ],
)
def test_accepts_other_ports_and_protocols(containers: tuple[dict[str, Any], ...]) -> None:
    assert where("port-conflict", pod(*containers)) == []


@pytest.mark.parametrize(
    ("first", "second", "twice"),
    [
        ({}, {}, True),
        ({}, {"protocol": "TCP"}, True),
        ({}, {"protocol": "UDP"}, False),
        ({}, {"hostPort": 80}, True),
        ({"hostPort": 80}, {"hostPort": 81}, False),
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, False),
    ],
)
def test_finds_duplicate_port(first: dict[str, Any], second: dict[str, Any], twice: bool) -> None:
    container = {"ports": [{"containerPort": 80, **first}, {"containerPort": 80, **second}]}
    assert bool(where("duplicate-port", pod(container))) is twice


def test_finds_port_name_of_a_service_used_by_two_containers() -> None:
    named = pod(ports(80, name="http"), native=(ports(81, name="http"),), metadata={"labels": {"app": "web"}})
    assert where("ambiguous-port-name", stream(service("http"), named)) == ["initContainers[0].ports[0].name"]
    assert where("ambiguous-port-name", stream(service("other"), named)) == []
    assert where("ambiguous-port-name", named) == []


def test_finds_host_ip_without_host_port() -> None:
    assert where("host-ip-without-host-port", pod(ports(80, hostIP="127.0.0.1"))) == ["containers[0].ports[0].hostIP"]
    assert where("host-ip-without-host-port", pod(ports(80, hostIP="127.0.0.1", hostPort=80))) == []
    assert where("host-ip-without-host-port", pod(ports(80, hostIP="127.0.0.1"), hostNetwork=True)) == []


def asks(port: object, field: str = "readinessProbe", action: str = "httpGet", **more: Any) -> dict[str, Any]:
    return {field: {action: {"port": port, **more}}}


@pytest.mark.parametrize("field", ["livenessProbe", "readinessProbe", "startupProbe"])
@pytest.mark.parametrize("role", ["app", "native", "classic"])
def test_finds_probe_of_unknown_port_name(field: str, role: str) -> None:
    own = {**ports(80, name="http"), **asks("web", field)}
    parts: dict[str, Any] = {"native": {"native": (own,)}, "classic": {"classic": own}, "app": {}}[role]
    (finding,) = found("unknown-port-name", pod(own, **parts) if role == "app" else pod({}, **parts))
    assert finding.path[-3:] == (field, "httpGet", "port")
    assert finding.message == f'unknown port name "web" in {field} (known: http)'


def test_finds_hook_of_unknown_port_name() -> None:
    hook = {"lifecycle": {"preStop": {"httpGet": {"port": "web"}}}}
    assert where("unknown-port-name", pod(hook)) == ["containers[0].lifecycle.preStop.httpGet.port"]


def test_port_name_of_other_container_is_unknown() -> None:
    assert where("unknown-port-name", pod(asks("http"), ports(80, name="http"))) != []


@pytest.mark.parametrize(
    "container",
    [
        {**ports(80, name="http"), **asks("http")},
        asks("8080"),
        asks(8080),
        asks("web", host="10.0.0.1"),
        {"readinessProbe": {"exec": {"command": ["true"]}}},
    ],
)
def test_accepts_known_probe_ports(container: dict[str, Any]) -> None:
    assert where("unknown-port-name", pod(container)) == []


def test_undeclared_port_number_is_info() -> None:
    (finding,) = found("probe-port-unexposed", pod({**ports(80), **asks(81, action="grpc")}))
    assert (finding.severity, finding.path[-1]) == (Severity.INFO, "port")
    assert where("probe-port-unexposed", pod({**ports(80), **asks(80)})) == []
    assert where("probe-port-unexposed", pod(asks(81))) == []


class TestServersOnLocalhost:
    NAME = "probe-on-localhost-server"

    @pytest.mark.parametrize(
        "told",
        [
            {"args": ["--http-address=127.0.0.1:80"]},
            {"args": ["--listen-address", "localhost:80"]},
            {"command": ["serve", "--bind=[::1]:80"]},
            {"env": [{"name": "LISTEN_ADDR", "value": "127.0.0.1:80"}]},
            {"image": "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.25.3"},
            {"image": "quay.io/oauth2-proxy/oauth2-proxy:v7.15.0"},
        ],
    )
    def test_finds_configured_and_default_localhost_servers(self, told: dict[str, Any]) -> None:
        port = {"cloud-sql-proxy": 9090, "oauth2-proxy": 4180}.get(
            str(told.get("image")).rpartition("/")[2].partition(":")[0], 80
        )
        assert where(self.NAME, pod({**told, **asks(port)})) == ["containers[0].readinessProbe.httpGet.port"]

    def test_finds_localhost_server_by_port_name(self) -> None:
        own = {**ports(80, name="http"), **asks("http"), "args": ["--listen=127.0.0.1:80"]}
        assert where(self.NAME, pod(own)) == ["containers[0].readinessProbe.httpGet.port"]

    @pytest.mark.parametrize(
        "container",
        [
            {"args": ["--http-address=0.0.0.0:80"], **asks(80)},
            {"args": ["--upstream=http://127.0.0.1:80"], **asks(80)},
            {"args": ["--listen=127.0.0.1:81"], **asks(80)},
            {"args": ["--listen=127.0.0.1:80"], **asks(80, host="127.0.0.1")},
            {"args": ["--listen=127.0.0.1:80"], "readinessProbe": {"exec": {"command": ["check"]}}},
            {"image": "gcr.io/x/cloud-sql-proxy:2.25.3", "args": ["--http-address", "0.0.0.0"], **asks(9090)},
            {
                "image": "gcr.io/x/cloud-sql-proxy:2.25.3",
                "env": [{"name": "CSQL_PROXY_HTTP_ADDRESS", "value": "0.0.0.0"}],
                **asks(9090),
            },
        ],
    )
    def test_ignores_other_servers(self, container: dict[str, Any]) -> None:
        assert where(self.NAME, pod(container)) == []

    def test_lists_admin_ports_by_container(self) -> None:
        told = {self.NAME: {"sidecar": (9901,)}}
        probed = pod(asks(9901), native=(asks(9901),))
        assert where(self.NAME, probed, options=told) == ["initContainers[0].readinessProbe.httpGet.port"]
        assert where(self.NAME, probed) == []
