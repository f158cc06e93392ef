"""Rules about ports of containers and of the node."""

from __future__ import annotations

import pytest
from pod_helpers import LISTS, container, findings, list_findings, manifest, places

ROLES = tuple(LISTS)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("port", "field"),
    [
        ("containerPort: 0", "containerPort"),
        ("containerPort: 65536", "containerPort"),
        ("containerPort: -1", "containerPort"),
        ("containerPort: 80, hostPort: 65536", "hostPort"),
        ("containerPort: 80, hostPort: -1", "hostPort"),
        ("containerPort: 65535, hostPort: 0", ""),
        ("containerPort: '80'", ""),
        ("containerPort: true", ""),
    ],
)
def test_rejects_invalid_port_numbers_in_every_role(role: str, port: str, field: str) -> None:
    found = list_findings(container(f"ports: [{{{port}}}]", role), "invalid-port-number")
    assert found == [f"invalid-port-number {LISTS[role]}[0].ports[0].{field}"] * bool(field)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("http", False),
        ("a23456789012345", False),
        ("a234567890123456", True),
        ("Http", True),
        ("http_admin", True),
        ("http--admin", True),
        ("-http", True),
        ("8080", True),
        ("8080a", False),
        ("", False),
    ],
)
def test_rejects_invalid_port_names(name: str, bad: bool) -> None:
    found = list_findings(container(f"ports: [{{containerPort: 1, name: '{name}'}}]"), "invalid-port-name")
    assert found == ["invalid-port-name containers[0].ports[0].name"] * bad


def test_rejects_duplicate_port_names_within_container() -> None:
    spec = """
        containers:
        - {name: a, image: a, ports: [{containerPort: 1, name: x}, {containerPort: 2, name: x}, {containerPort: 3}]}
        - {name: b, image: b, ports: [{containerPort: 5, name: x}]}
    """
    (one,) = findings(manifest(spec), "duplicate-port-name")
    assert one.path == ("spec", "containers", 0, "ports", 1, "name")
    assert one.related[0].path == ("spec", "containers", 0, "ports", 0, "name")


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (
            "hostNetwork: true\ncontainers: [{name: a, image: a, ports: [{containerPort: 1, hostPort: 2}]}]",
            ["containers[0].ports[0].hostPort"],
        ),
        (
            "hostNetwork: true\ncontainers: [{name: a, image: a, ports: [{containerPort: 1, hostPort: 1}, {containerPort: 2}]}]",
            [],
        ),
        ("hostNetwork: true\ninitContainers: [{name: a, image: a, ports: [{containerPort: 1, hostPort: 2}]}]", []),
        ("hostNetwork: false\ncontainers: [{name: a, image: a, ports: [{containerPort: 1, hostPort: 2}]}]", []),
    ],
)
def test_host_network_rejects_different_host_port(kind: str, spec: str, where: list[str]) -> None:
    assert list_findings(manifest(spec, kind=kind), "host-network-port-mismatch") == [
        f"host-network-port-mismatch {one}" for one in where
    ]


A, B = "{name: a, image: a, ports: [%s]}", "{name: b, image: b, ports: [%s]}"


@pytest.mark.parametrize(
    ("first", "second", "conflict"),
    [
        ("containerPort: 1, hostPort: 80", "containerPort: 2, hostPort: 80", True),
        ("containerPort: 1, hostPort: 80", "containerPort: 2, hostPort: 80, protocol: TCP", True),
        ("containerPort: 1, hostPort: 80", "containerPort: 2, hostPort: 80, protocol: UDP", False),
        ("containerPort: 1, hostPort: 80", "containerPort: 2, hostPort: 80, hostIP: 10.0.0.1", False),
        ("containerPort: 1, hostPort: 80", "containerPort: 2, hostPort: 81", False),
        ("containerPort: 1", "containerPort: 1", False),
        ("containerPort: 1, hostPort: 0", "containerPort: 2, hostPort: 0", False),
        ("containerPort: 1, hostPort: 80, protocol: {}", "containerPort: 2, hostPort: 80, protocol: {}", True),
    ],
)
def test_finds_host_port_conflicts(first: str, second: str, conflict: bool) -> None:
    ports = f"{{{first}}}, {{{second}}}"
    assert (
        list_findings(manifest(f"containers: [{A % ports}]"), "host-port-conflict")
        == ["host-port-conflict containers[0].ports[1].hostPort"] * conflict
    )
    two = f"containers: [{A % f'{{{first}}}'}, {B % f'{{{second}}}'}]"
    assert (
        list_findings(manifest(two), "host-port-conflict")
        == ["host-port-conflict containers[1].ports[0].hostPort"] * conflict
    )
    # Init containers run one after the other; the server looks at each alone, sidecars too.
    lists = f"initContainers: [{A % f'{{{first}}}'}]\ncontainers: [{B % f'{{{second}}}'}]"
    assert list_findings(manifest(lists), "host-port-conflict") == []
    init = f"initContainers: [{A % ports}]"
    assert (
        list_findings(manifest(init), "host-port-conflict")
        == ["host-port-conflict initContainers[0].ports[1].hostPort"] * conflict
    )


def test_host_network_makes_every_port_a_host_port() -> None:
    spec = "containers: [{name: a, image: a, ports: [{containerPort: 1}]}, {name: b, image: b, ports: [{containerPort: 1}]}]"
    assert list_findings(manifest(spec), "host-port-conflict") == []
    want = ["host-port-conflict containers[1].ports[0].containerPort"]
    assert list_findings(manifest("hostNetwork: true\n" + spec), "host-port-conflict") == want


def test_finding_is_at_port_name() -> None:
    text = manifest("containers:\n- name: a\n  image: a\n  ports:\n  - containerPort: 9090\n    name: Metrics")
    assert places(text) == ["invalid-port-name 10:13"]
