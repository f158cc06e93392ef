"""The proxy's flags agree with its ports, probes and mounts, and with what the app is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("cloud-sql-proxy")
ONE, TWO = "shop:europe-west1:main", "shop:europe-west1:audit"


def proxy(*, mode: str = "native", **params: Any) -> Fragment:
    return rendered("cloud-sql-proxy", "deployment", params={"instances": [ONE], **params}, mode=mode)


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("cloud-sql-proxy", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_each_database_has_a_port_that_only_the_pod_reaches(case: str) -> None:
    (container,) = rendered("cloud-sql-proxy", case).containers
    instances = [arg for arg in container["args"] if not arg.startswith("--")]
    first = int(argument(container, "--port") or 0)
    declared = [port["containerPort"] for port in container["ports"]]
    assert declared[: len(instances)] == list(range(first, first + len(instances)))
    assert argument(container, "--address") == "127.0.0.1"


@pytest.mark.parametrize("case", CASES)
def test_it_is_probed_where_the_kubelet_reaches_it(case: str) -> None:
    (container,) = rendered("cloud-sql-proxy", case).containers
    assert "--health-check" in container["args"]
    assert argument(container, "--http-address") == ""  # every address of the pod
    port = int(argument(container, "--http-port") or 0)
    assert container["startupProbe"]["httpGet"] == {"path": "/startup", "port": port}
    assert container["livenessProbe"]["httpGet"] == {"path": "/liveness", "port": port}


@pytest.mark.parametrize("case", CASES)
def test_its_readiness_does_not_hang_on_the_database(case: str) -> None:
    (container,) = rendered("cloud-sql-proxy", case).containers
    assert "readinessProbe" not in container


@pytest.mark.parametrize("mode", ["native", "classic"])
def test_nothing_stops_it_while_the_app_still_ends(mode: str) -> None:
    (container,) = proxy(mode=mode).containers
    assert "lifecycle" not in container


def test_the_app_is_told_the_first_database() -> None:
    fragment = rendered("cloud-sql-proxy", "pod-restricted")
    told = {each["name"]: each["value"] for each in fragment.env}
    assert told == {"DB_HOST": "127.0.0.1", "DB_PORT": argument(fragment.containers[0], "--port")}
    assert proxy(setAppEnv=False).env == ()


def test_the_key_file_is_where_its_flag_says() -> None:
    fragment = rendered("cloud-sql-proxy", "pod-restricted")
    (container,) = fragment.containers
    file = argument(container, "--credentials-file") or ""
    volume = mounted(container, fragment, file)
    assert volume and volume["secret"]["secretName"] == "portal-cloud-sql"
    assert volume["secret"]["items"] == [{"key": "service_account.json", "path": file.rsplit("/", 1)[1]}]


def test_the_pod_has_time_for_what_the_proxy_waits_for() -> None:
    assert proxy().termination_grace_period_seconds is None
    assert proxy(**{"max-sigterm-delay": 45}).termination_grace_period_seconds == 75


def test_the_admin_port_is_open_only_when_asked() -> None:
    ports = [port["containerPort"] for port in proxy().containers[0]["ports"]]
    asked = proxy(quitquitquit=True).containers[0]
    assert ports == [5432, 9090]
    assert [port["containerPort"] for port in asked["ports"]] == [5432, 9090, 9091]
    assert argument(asked, "--admin-port") == "9091" and "--quitquitquit" in asked["args"]


def test_further_flags_stand_before_the_instances() -> None:
    args = proxy(extraArgs=["--quiet"], instances=[ONE, TWO]).containers[0]["args"]
    assert args[-3:] == ["--quiet", ONE, TWO]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mode": "init"}, "mode native or classic"),
        ({"instances": [ONE, ONE]}, "remove one of them"),
        ({"private-ip": True, "psc": True}, "cannot combine private-ip and psc"),
        ({"port": 9089, "instances": [ONE, TWO]}, "range of database ports (9089 to 9090)"),
        ({"admin-port": 9090, "quitquitquit": True}, "http-port and admin-port must differ"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(said)):
        proxy(**params)


@pytest.mark.parametrize(
    "params",
    [{"instances": []}, {"instances": ["main"]}, {"instances": ["shop:europe-west1:main?port=1"]}, {"port": 80}],
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        proxy(**params)
