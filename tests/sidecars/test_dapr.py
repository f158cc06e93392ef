"""Dapr's annotations are those that its injector knows; a daprd of one's own reads what it is given, and is reachable."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from injected import assert_only_the_pods_are_marked
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("dapr")
STANDALONE = ["pod-restricted", "standalone-cronjob"]
INJECTED = [case for case in CASES if case not in STANDALONE]
STATE = {"name": "cache", "type": "state.in-memory"}
SECRET = {"name": "redisPassword", "secretName": "redis", "secretKey": "password"}
KNOWN = {
    f"dapr.io/{each}"
    for each in (
        *("enabled", "app-id", "app-port", "app-protocol", "app-max-concurrency", "config", "log-level", "log-as-json"),
        *("enable-app-health-check", "app-health-check-path", "app-health-probe-interval", "app-health-probe-timeout"),
        *("app-health-threshold", "api-token-secret", "app-token-secret", "enable-api-logging", "enable-metrics"),
        *("metrics-port", "max-body-size", "graceful-shutdown-seconds", "block-shutdown-duration"),
        *("enable-native-sidecar", "sidecar-seccomp-profile-type", "sidecar-cpu-request", "sidecar-cpu-limit"),
        *("sidecar-memory-request", "sidecar-memory-limit"),
    )
}


def dapr(case: str = "deployment", kube: str = "1.34", mode: str = "native", **params: Any) -> Fragment:
    return rendered("dapr", case, params=params, kube=kube, mode=mode)


def files(fragment: Fragment) -> dict[str, Any]:
    (document,) = fragment.documents
    return {name: yaml.safe_load(text) for name, text in document["data"].items()}


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("dapr", case)) == []


@pytest.mark.parametrize("case", INJECTED)
def test_injected_it_adds_nothing_but_what_the_injector_reads(case: str) -> None:
    fragment = rendered("dapr", case)
    assert not (fragment.containers or fragment.init_containers or fragment.volumes or fragment.documents)
    assert fragment.annotations.keys() <= KNOWN and not fragment.labels
    assert assert_only_the_pods_are_marked("dapr", case, "dapr.io")["dapr.io/enabled"] == "true"


@pytest.mark.parametrize("case", STANDALONE)
def test_standalone_nothing_asks_for_an_injector(case: str) -> None:
    fragment = rendered("dapr", case)
    assert not fragment.annotations and not fragment.labels
    assert argument(fragment.containers[0], "--mode") == "standalone"


@pytest.mark.parametrize("case", STANDALONE)
def test_the_apis_listen_on_localhost_and_the_kubelet_asks_the_public_port(case: str) -> None:
    (container,) = rendered("dapr", case).containers
    assert argument(container, "--dapr-listen-addresses") == "127.0.0.1"
    assert argument(container, "--dapr-internal-grpc-listen-address") == "127.0.0.1"
    public = int(argument(container, "--dapr-public-port") or 0)
    assert container["livenessProbe"]["tcpSocket"]["port"] == public
    assert container["startupProbe"]["httpGet"] == {"path": "/v1.0/healthz/outbound", "port": public}
    flags = ["--dapr-http-port", "--dapr-public-port", "--dapr-grpc-port", "--dapr-internal-grpc-port"]
    if argument(container, "--enable-metrics") == "true":
        flags.append("--metrics-port")
    assert [port["containerPort"] for port in container["ports"]] == [
        int(argument(container, each) or 0) for each in flags
    ]


@pytest.mark.parametrize("case", STANDALONE)
def test_the_app_learns_the_ports(case: str) -> None:
    fragment = rendered("dapr", case)
    env = {each["name"]: each.get("value") for each in fragment.env}
    (container,) = fragment.containers
    assert env["DAPR_HTTP_PORT"] == argument(container, "--dapr-http-port")
    assert env["DAPR_GRPC_PORT"] == argument(container, "--dapr-grpc-port")


@pytest.mark.parametrize("case", STANDALONE)
def test_components_are_where_daprd_looks_for_them(case: str) -> None:
    fragment = rendered("dapr", case)
    (container,) = fragment.containers
    volume = mounted(container, fragment, argument(container, "--resources-path") or "")
    assert volume is not None and volume["configMap"]["name"] == fragment.documents[0]["metadata"]["name"]
    for name, component in files(fragment).items():
        assert (component["apiVersion"], component["kind"]) == ("dapr.io/v1alpha1", "Component")
        assert name == f"{component['metadata']['name']}.yaml"


def test_every_secret_of_a_component_is_in_the_environment_and_none_in_a_file() -> None:
    fragment = rendered("dapr", "pod-restricted")
    env = {each["name"]: each["valueFrom"] for each in fragment.containers[0]["env"]}
    found = files(fragment)
    assert found["secretenv.yaml"]["spec"]["type"] == "secretstores.local.env"
    for name in ("sessions.yaml", "orders.yaml"):
        assert found[name]["auth"] == {"secretStore": "secretenv"}
        (reference,) = [each["secretKeyRef"] for each in found[name]["spec"]["metadata"] if "secretKeyRef" in each]
        assert reference["name"] == reference["key"] and "secretKeyRef" in env[reference["name"]]
    assert "secretenv.yaml" not in files(dapr(hosting="standalone", components=[STATE]))


def test_settings_that_look_like_other_types_stay_strings() -> None:
    component = {**STATE, "metadata": {"enableTLS": "true", "db": "0", "note": "a: b"}}
    (file,) = files(dapr(hosting="standalone", components=[component])).values()
    assert {each["name"]: each["value"] for each in file["spec"]["metadata"]} == component["metadata"]


@pytest.mark.parametrize("hosting", ["injected", "standalone"])
def test_the_app_gets_the_tokens_that_daprd_has(hosting: str) -> None:
    fragment = dapr(hosting=hosting, apiTokenSecret="api", appTokenSecret="app")
    env = {each["name"]: each.get("valueFrom") for each in fragment.env}
    assert env["DAPR_API_TOKEN"] == {"secretKeyRef": {"name": "api", "key": "token"}}
    assert env["APP_API_TOKEN"] == {"secretKeyRef": {"name": "app", "key": "token"}}
    for container in fragment.containers:
        assert [each for each in container["env"] if each["name"].endswith("API_TOKEN")] == [
            {"name": name, "valueFrom": env[name]} for name in ("DAPR_API_TOKEN", "APP_API_TOKEN")
        ]


def test_the_app_is_known_by_its_workloads_name_unless_it_has_another() -> None:
    assert dapr().annotations["dapr.io/app-id"] == "shop"
    assert dapr(appId="store").annotations["dapr.io/app-id"] == "store"
    assert argument(dapr(hosting="standalone").containers[0], "--app-id") == "shop"


def test_a_job_asks_for_a_native_sidecar_and_others_leave_it_to_the_injector() -> None:
    key = "dapr.io/enable-native-sidecar"
    assert dapr("cronjob").annotations[key] == "true"
    assert key not in dapr().annotations
    assert dapr(nativeSidecar=False).annotations[key] == "false"


@pytest.mark.parametrize("hosting", ["injected", "standalone"])
@pytest.mark.parametrize(("graceful", "block", "grace"), [(5, 0, None), (25, 0, None), (5, 30, 40)])
def test_the_pod_lives_long_enough_to_stop(hosting: str, graceful: int, block: int, grace: int | None) -> None:
    fragment = dapr(hosting=hosting, gracefulShutdownSeconds=graceful, blockShutdownSeconds=block)
    assert fragment.termination_grace_period_seconds == grace


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hosting": "standalone", "config": "tracing"}, "leave it unset"),
        ({"hosting": "standalone", "nativeSidecar": True}, "set the mode"),
        ({"components": [STATE]}, "set hosting to standalone"),
        ({"hosting": "standalone", "components": [STATE, STATE]}, 'duplicate component name "cache"'),
        (
            {"hosting": "standalone", "components": [{**STATE, "name": "secretenv"}]},
            'invalid component name "secretenv"',
        ),
        ({"hosting": "standalone", "metricsPort": 3500}, "set another"),
        ({"appHealthCheck": {"enabled": True}}, "set appPort"),
        ({"appHealthCheck": {"probeTimeout": 5000}}, "lower appHealthCheck.probeTimeout"),
        ({"case": "cronjob", "nativeSidecar": False}, "leave nativeSidecar unset"),
        ({"case": "cronjob", "kube": "1.28", "mode": "classic"}, "do not add Dapr to the Job"),
        ({"kube": "1.28", "mode": "classic", "nativeSidecar": True}, "leave nativeSidecar unset"),
        ({"mode": "init"}, "use mode auto"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(given: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        dapr(**given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"appId": "Shop"},
        {"appProtocol": "tcp"},
        {"components": [{"name": "cache"}]},
        {"components": [{**STATE, "metadata": {"db": 0}}]},
        {"components": [{**STATE, "secrets": [{**SECRET, "value": "hunter2"}]}]},
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        dapr(**given)
