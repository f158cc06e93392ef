"""Rules about probes and lifecycle hooks."""

from __future__ import annotations

import pytest
from pod_helpers import LISTS, container, findings, list_findings, manifest, places

ROLES = ("app", "classic", "sidecar")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
TCP = "tcpSocket: {port: 80}"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("handler", "where"),
    [
        ("{}", [""]),
        ("{periodSeconds: 5}", [""]),
        ("{exec: null}", [""]),
        ("{tcpSocket: {port: 80}, grpc: {port: 80}}", [".grpc"]),
        ("{grpc: {port: 80}, exec: {command: [a]}, httpGet: {port: 80}}", [".grpc", ".httpGet"]),
        ("{httpget: {port: 80}}", []),
        ("{grpc: {port: 80}}", []),
        ("null", []),
    ],
)
def test_probe_needs_exactly_one_handler(role: str, probe: str, handler: str, where: list[str]) -> None:
    found = list_findings(container(f"{probe}: {handler}", role), "invalid-probe-handler")
    assert found == [f"invalid-probe-handler {LISTS[role]}[0].{probe}{one}" for one in where]


@pytest.mark.parametrize("role", ["init", "ephemeral"])
def test_ignores_probes_on_unsupported_roles(role: str) -> None:
    assert (
        list_findings(
            container("livenessProbe: {}, lifecycle: {preStop: {}}", role),
            "invalid-probe-handler",
            "invalid-hook-handler",
        )
        == []
    )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("hook", ["postStart", "preStop"])
@pytest.mark.parametrize(
    ("handler", "where"),
    [
        ("{}", [""]),
        ("{sleep: {seconds: 1}, exec: {command: [a]}}", [".sleep"]),
        ("{sleep: {seconds: 1}}", []),
        ("{tcpSocket: {port: 80}}", []),
        ("{command: [a]}", []),
    ],
)
def test_hook_needs_exactly_one_handler(role: str, hook: str, handler: str, where: list[str]) -> None:
    found = list_findings(container(f"lifecycle: {{{hook}: {handler}}}", role), "invalid-hook-handler")
    assert found == [f"invalid-hook-handler {LISTS[role]}[0].lifecycle.{hook}{one}" for one in where]


@pytest.mark.parametrize("holder", ["livenessProbe: ", "lifecycle: {preStop: "])
@pytest.mark.parametrize(
    ("handler", "want"),
    [
        ("{exec: {}}", ["missing-handler-command exec.command"]),
        ("{exec: {command: []}}", ["missing-handler-command exec.command"]),
        ("{exec: {command: [a]}}", []),
        ("{exec: {cmd: [a]}}", []),
        ("{httpGet: {port: 0}}", ["invalid-handler-port httpGet.port"]),
        ("{httpGet: {port: 65536}}", ["invalid-handler-port httpGet.port"]),
        ("{httpGet: {port: ''}}", ["invalid-handler-port httpGet.port"]),
        ("{httpGet: {port: '80'}}", ["invalid-handler-port httpGet.port"]),
        ("{httpGet: {port: web_1}}", ["invalid-handler-port httpGet.port"]),
        ("{httpGet: {port: http}}", []),
        ("{httpGet: {}}", []),
        ("{tcpSocket: {port: -1}}", ["invalid-handler-port tcpSocket.port"]),
        ("{httpGet: {port: 80, httpHeaders: [{name: X-A, value: b}]}}", []),
        (
            "{httpGet: {port: 80, httpHeaders: [{name: X-A, value: b}, {name: 'X A', value: b}]}}",
            ["invalid-handler-header httpGet.httpHeaders[1].name"],
        ),
        (
            "{httpGet: {port: 80, httpHeaders: [{name: '', value: b}]}}",
            ["invalid-handler-header httpGet.httpHeaders[0].name"],
        ),
    ],
)
def test_rejects_invalid_handler_fields(holder: str, handler: str, want: list[str]) -> None:
    text = container(holder + handler + "}" * holder.count("{"))
    place = holder.replace(": {", ".").removesuffix(": ")
    assert list_findings(text) == [one.replace(" ", f" containers[0].{place}.", 1) for one in want]


def test_grpc_port_is_a_number() -> None:
    assert list_findings(container("livenessProbe: {grpc: {port: 0}}")) == [
        "invalid-handler-port containers[0].livenessProbe.grpc.port"
    ]


def test_quoted_port_number_gets_help() -> None:
    (one,) = findings(container("livenessProbe: {httpGet: {port: '8080'}}"))
    assert one.help == "remove the quotes: 8080"


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    "field", ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
)
def test_rejects_negative_probe_numbers(probe: str, field: str) -> None:
    assert list_findings(container(f"{probe}: {{{TCP}, {field}: -1}}")) == [
        f"invalid-probe-number containers[0].{probe}.{field}"
    ]
    assert list_findings(container(f"{probe}: {{{TCP}, {field}: 0}}")) == []


@pytest.mark.parametrize(("probe", "most"), [("livenessProbe", 1), ("startupProbe", 1), ("readinessProbe", 5)])
def test_only_readiness_probes_support_success_threshold(probe: str, most: int) -> None:
    for threshold in (0, 1, 2, 5):
        want = [f"invalid-success-threshold containers[0].{probe}.successThreshold"] * (threshold > most)
        assert list_findings(container(f"{probe}: {{{TCP}, successThreshold: {threshold}}}")) == want


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_rejects_invalid_probe_grace_periods(probe: str, seconds: int) -> None:
    found = list_findings(container(f"{probe}: {{{TCP}, terminationGracePeriodSeconds: {seconds}}}"))
    bad = probe == "readinessProbe" or seconds < 1
    assert found == [f"invalid-probe-grace-period containers[0].{probe}.terminationGracePeriodSeconds"] * bad


@pytest.mark.parametrize(
    ("sleep", "more", "version", "bad"),
    [
        ("{seconds: 30}", "", "1.37", False),
        ("{seconds: 31}", "", "1.37", True),
        ("{seconds: 31}", "terminationGracePeriodSeconds: 31", "1.37", False),
        ("{seconds: 31}", "terminationGracePeriodSeconds: null", "1.37", True),
        ("{seconds: 2}", "terminationGracePeriodSeconds: -1", "1.37", True),
        ("{seconds: 1}", "terminationGracePeriodSeconds: -1", "1.37", False),
        ("{seconds: 1}", "terminationGracePeriodSeconds: soon", "1.37", False),
        ("{seconds: -1}", "", "1.37", True),
        ("{seconds: 0}", "", "1.33", False),
        ("{seconds: 0}", "", "1.32", True),
        ("{}", "", "1.32", True),
        ("{}", "", "1.33", False),
        ("{seconds: 31}", "", "1.29", False),
    ],
)
def test_rejects_sleep_longer_than_grace_period(sleep: str, more: str, version: str, bad: bool) -> None:
    text = container(f"lifecycle: {{preStop: {{sleep: {sleep}}}}}", more=more)
    found = list_findings(text, "hook-sleep-too-long", version=version)
    assert found == ["hook-sleep-too-long containers[0].lifecycle.preStop.sleep.seconds"] * bad


@pytest.mark.parametrize(("version", "found"), [("1.32", False), ("1.33", True), ("1.37", True)])
def test_warns_about_dropped_stop_signal(version: str, found: bool) -> None:
    text = container("lifecycle: {stopSignal: SIGUSR1}")
    assert list_findings(text, version=version) == ["stop-signal-disabled containers[0].lifecycle.stopSignal"] * found


def test_finding_is_at_number() -> None:
    text = manifest("containers:\n- name: a\n  image: a\n  livenessProbe:\n    grpc: {port: 1}\n    periodSeconds: -3")
    assert places(text) == ["invalid-probe-number 10:22"]
