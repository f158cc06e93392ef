"""The exporters' flags, ports, credentials and scraping agree with each other, for each exporter."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("metrics")
FLAGS = {
    "nginx/nginx-prometheus-exporter": {
        "web.listen-address", "web.telemetry-path", "log.level", "log.format", "nginx.scrape-uri", "nginx.timeout",
        "nginx.plus", "nginx.proxy-protocol", "nginx.ssl-verify", "nginx.ssl-ca-cert", "nginx.ssl-client-cert",
        "nginx.ssl-client-key", "prometheus.const-label",
    },
    "oliver006/redis_exporter": {
        "web.listen-address", "web.telemetry-path", "log-level", "log-format", "redis.addr", "redis.user", "check-keys",
        "check-single-keys", "check-streams", "count-keys", "connection-timeout", "config-command", "namespace",
        "is-cluster", "include-system-metrics", "include-config-metrics", "export-client-list",
        "skip-tls-verification", "disable-scrape-endpoint", "tls-ca-cert-file", "tls-client-cert-file",
        "tls-client-key-file",
    },
    "quay.io/prometheuscommunity/postgres-exporter": {
        "web.listen-address", "web.telemetry-path", "log.level", "log.format", "collection-timeout", "metric-prefix",
        "collector.stat_statements", "collector.stat_bgwriter",
    },
    "prom/mysqld-exporter": {
        "web.listen-address", "web.telemetry-path", "log.level", "log.format", "mysqld.address", "mysqld.username",
        "collect.info_schema.tables", "collect.slave_status",
    },
    "percona/mongodb_exporter": {
        "web.listen-address", "web.telemetry-path", "log.level", "collect-all", "compatible-mode",
        "collector.diagnosticdata", "collector.replicasetstatus",
    },
    "prom/blackbox-exporter": {"web.listen-address", "log.level", "log.format", "config.file"},
    "prom/statsd-exporter": {
        "web.listen-address", "web.telemetry-path", "log.level", "log.format", "statsd.listen-udp",
        "statsd.listen-tcp", "statsd.cache-size", "statsd.event-flush-interval", "statsd.mapping-config",
    },
}  # fmt: skip
"""Flags of each exporter, from its source at the pinned version."""


def pod(*ports: dict[str, Any], **labels: str) -> dict[str, Any]:
    container = {"name": "app", "image": "app:1", "ports": list(ports)}
    return {"kind": "Pod", "metadata": {"name": "web", "labels": labels}, "spec": {"containers": [container]}}


def metrics(exporter: str, *ports: dict[str, Any], mode: str = "native", **params: Any) -> Fragment:
    return rendered("metrics", params={"exporter": exporter, **params}, manifest=pod(*ports), mode=mode)


def env(fragment: Fragment) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in fragment.containers[0].get("env", [])}


def port(fragment: Fragment, name: str = "metrics-web") -> dict[str, Any]:
    return next(each for each in fragment.containers[0]["ports"] if each["name"] == name)


def monitor(fragment: Fragment) -> dict[str, Any]:
    return next(dict(doc) for doc in fragment.documents if doc["kind"] == "PodMonitor")


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("metrics", case)) == []


@pytest.mark.parametrize("case", [each for each in CASES if each != "jmx"])
def test_only_flags_that_the_exporter_has_are_given(case: str) -> None:
    (container,) = rendered("metrics", case).containers
    known = FLAGS[container["image"].rsplit(":", 1)[0]]
    given = {arg.removeprefix("--").removeprefix("no-").split("=")[0] for arg in container["args"]}
    assert given <= known


@pytest.mark.parametrize("case", CASES)
def test_it_listens_where_its_port_its_probes_and_prometheus_ask(case: str) -> None:
    fragment = rendered("metrics", case)
    (container,) = fragment.containers
    address, path = argument(container, "--web.listen-address"), argument(container, "--web.telemetry-path")
    number = port(fragment)["containerPort"]
    if case == "jmx":
        assert container["args"][-2] == str(number)
    else:
        assert address == f":{number}"
    assert container["livenessProbe"]["httpGet"]["port"] == number
    if fragment.annotations:
        assert fragment.annotations == {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(number),
            "prometheus.io/path": path or "/metrics",
        }
    for doc in fragment.documents:
        if doc["kind"] == "PodMonitor":
            for endpoint in doc["spec"]["podMetricsEndpoints"]:
                expected = "/probe" if case == "blackbox" else path or "/metrics"
                assert (endpoint["port"], endpoint["path"]) == ("metrics-web", expected)


@pytest.mark.parametrize("case", CASES)
def test_liveness_asks_the_exporter_and_not_the_app_behind_it(case: str) -> None:
    (container,) = rendered("metrics", case).containers
    path = argument(container, "--web.telemetry-path") or "/metrics"
    assert container["livenessProbe"]["httpGet"]["path"] not in (path, "/scrape", "/probe")
    assert "readinessProbe" not in container


@pytest.mark.parametrize("case", CASES)
def test_every_file_that_is_named_is_mounted(case: str) -> None:
    fragment = rendered("metrics", case)
    (container,) = fragment.containers
    values = [arg.split("=", 1)[-1] for arg in container["args"]] + [str(each) for each in env(fragment).values()]
    for value in values:
        if value.startswith("/etc/"):
            volume = mounted(container, fragment, value)
            assert volume is not None, value
            items = volume.get("secret", {}).get("items")
            assert items is None or value.rsplit("/", 1)[-1] in {each["path"] for each in items}


@pytest.mark.parametrize(
    ("exporter", "number"),
    [
        ("nginx", 9113), ("redis", 9121), ("postgres", 9187), ("mysql", 9104), ("mongodb", 9216), ("jmx", 9404),
        ("statsd", 9102), ("blackbox", 9115),
    ],
)  # fmt: skip
def test_each_exporter_has_its_usual_port(exporter: str, number: int) -> None:
    needed = {
        "postgres": {"user": "exporter"},
        "mysql": {"user": "exporter"},
        "jmx": {"image": "example.com/jmx:1.6.0"},
    }
    fragment = metrics(exporter, **needed)
    assert port(fragment)["containerPort"] == number
    assert breaches(fragment) == []


# --- where the app is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ports", "found"),
    [
        ([], 8080),
        ([{"containerPort": 81}], 81),
        ([{"containerPort": 8443}, {"containerPort": 8080}], 8080),
        ([{"containerPort": 8443}, {"containerPort": 81, "name": "http"}], 81),
        ([{"containerPort": 81}, {"containerPort": 53, "protocol": "UDP"}], 81),
    ],
)
def test_nginx_is_asked_on_the_port_that_the_app_declares(ports: list[dict[str, Any]], found: int) -> None:
    (container,) = metrics("nginx", *ports).containers
    assert argument(container, "--nginx.scrape-uri") == f"http://127.0.0.1:{found}/stub_status"


@pytest.mark.parametrize(("exporter", "setting"), [("nginx", "nginx.scrape-uri"), ("redis", "redis.addr")])
def test_a_port_that_can_not_be_known_is_asked_for(exporter: str, setting: str) -> None:
    with pytest.raises(LibraryError, match=f"declares 81, 82; set {setting}"):
        metrics(exporter, {"containerPort": 81}, {"containerPort": 82})


def test_postgres_is_asked_on_its_port_and_with_the_certificate_checked_where_there_is_a_ca() -> None:
    assert (
        env(rendered("metrics", "postgres-statefulset"))["DATA_SOURCE_URI"] == "127.0.0.1:5432/postgres?sslmode=disable"
    )
    checked = env(rendered("metrics", "postgres-tls"))
    assert checked["DATA_SOURCE_URI"].endswith("?sslmode=verify-full")
    assert checked["PGSSLROOTCERT"] == "/etc/metrics/tls/ca.crt"


def test_redis_is_spoken_to_over_tls_where_there_is_a_ca() -> None:
    (container,) = rendered("metrics", "redis-tls").containers
    assert argument(container, "--redis.addr") == "rediss://127.0.0.1:6379"
    assert argument(container, "--tls-ca-cert-file") == "/etc/metrics/tls/root.pem"


# --- credentials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["redis-pod", "redis-tls", "postgres-statefulset", "postgres-tls"])
def test_passwords_are_references_to_a_secret(case: str) -> None:
    fragment = rendered("metrics", case)
    found = env(fragment)
    if "redis" in case:
        assert set(found["REDIS_PASSWORD"]) == {"secretKeyRef"}
    else:
        assert found["DATA_SOURCE_PASS_FILE"] == "/etc/metrics/credentials/password"
        assert not {"DATA_SOURCE_NAME", "DATA_SOURCE_PASS"} & set(found)


def test_of_a_secret_only_the_keys_that_are_needed_are_mounted() -> None:
    volume = next(each for each in rendered("metrics", "postgres-tls").volumes if each["name"] == "metrics-credentials")
    assert volume["secret"]["items"] == [
        {"key": "pass", "path": "password"},
        {"key": "username", "path": "user"},
    ]


# --- scraping ---------------------------------------------------------------------------------------------------------


def test_the_pod_monitor_selects_the_pods_that_it_belongs_to() -> None:
    fragment = rendered("metrics", "nginx-podmonitor")
    found = monitor(fragment)
    assert found["spec"]["selector"]["matchLabels"].items() <= fragment.labels.items()
    assert found["metadata"]["labels"] == {"release": "prometheus"}
    (endpoint,) = found["spec"]["podMetricsEndpoints"]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("15s", "10s")
    assert not fragment.annotations


def test_prometheus_asks_blackbox_for_each_target() -> None:
    endpoints = monitor(rendered("metrics", "blackbox"))["spec"]["podMetricsEndpoints"]
    targets = ["http://127.0.0.1:8080/healthz", "http://127.0.0.1:8080/login"]
    assert [each["params"] for each in endpoints] == [{"module": ["http_2xx"], "target": [each]} for each in targets]
    annotations = metrics("blackbox", {"containerPort": 3000}).annotations
    assert annotations["prometheus.io/path"] == "/probe"
    assert annotations["prometheus.io/param-target"] == "http://127.0.0.1:3000/"


def test_nobody_is_told_when_scraping_is_off() -> None:
    fragment = metrics("nginx", scrape="none")
    assert not (fragment.annotations or fragment.labels or fragment.documents)


# --- statsd -----------------------------------------------------------------------------------------------------------


def test_the_app_learns_where_statsd_listens_and_waits_for_it() -> None:
    fragment = rendered("metrics", "statsd-mapping")
    (container,) = fragment.containers
    address = argument(container, "--statsd.listen-udp")
    assert {each["name"]: each["value"] for each in fragment.env} == {
        "STATSD_HOST": "127.0.0.1",
        "STATSD_PORT": "8125",
    }
    assert address == "127.0.0.1:8125" and port(fragment, "metrics-udp")["containerPort"] == 8125
    assert argument(container, "--statsd.listen-tcp") == ""
    assert container["startupProbe"]["httpGet"]["port"] == port(fragment)["containerPort"]
    assert not metrics("statsd", statsd={"setAppEnv": False}).env


def test_the_mapping_is_the_file_that_the_flag_names() -> None:
    fragment = rendered("metrics", "statsd-mapping")
    (container,) = fragment.containers
    config = next(doc for doc in fragment.documents if doc["kind"] == "ConfigMap")
    path = argument(container, "--statsd.mapping-config") or ""
    volume = mounted(container, fragment, path)
    assert volume is not None and volume["configMap"]["name"] == config["metadata"]["name"]
    mapping = yaml.safe_load(config["data"][path.rsplit("/", 1)[-1]])
    assert mapping["mappings"][0]["labels"] == {"step": "$1", "outcome": "$2"}
    assert mapping["defaults"]["histogram_options"]["buckets"] == [0.01, 0.1, 1, 10]


# --- misuse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exporter", "params", "said"),
    [
        ("postgres", {}, "set postgres.user"),
        ("mysql", {}, "set mysql.user"),
        ("mongodb", {"credentials": {"secretName": "x"}}, "set mongodb.user"),
        ("mongodb", {"logFormat": "json"}, "remove logFormat"),
        ("jmx", {}, "set jmx.image"),
        ("mysql", {"mysql": {"user": "a"}, "tls": {"secretName": "x"}}, "remove tls"),
        ("blackbox", {"blackbox": {"targets": ["a", "b"]}}, "set scrape=podmonitor"),
        ("nginx", {"credentials": {"secretName": "x"}}, "remove credentials"),
        ("statsd", {"tls": {"secretName": "x"}}, "remove tls"),
        ("redis", {"credentials": {"userKey": "user"}}, "set credentials.secretName"),
        (
            "redis",
            {"redis": {"user": "a"}, "credentials": {"secretName": "x", "userKey": "u"}},
            "cannot combine redis.user and credentials.userKey",
        ),
        ("redis", {"tls": {"clientCertificate": True}}, "set tls.secretName"),
        (
            "postgres",
            {"postgres": {"user": "a"}, "tls": {"secretName": "x", "clientCertificate": True}},
            "private key",
        ),
        ("statsd", {"statsd": {"listen-udp": "", "listen-tcp": ""}}, "set statsd.listen-udp"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(
    exporter: str, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(LibraryError) as caught:
        metrics(exporter, **params)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"exporter": "mssql"},
        {"exporter": "mongodb", "mongodb": {"uri": "mongodb://user:secret@host/db"}},
        {"exporter": "redis", "redis": {"addr": "redis://user:secret@host:6379"}},
        {"exporter": "postgres", "postgres": {"uri": "user:secret@host/db"}},
        {"exporter": "nginx", "telemetry-path": "/"},
        {"exporter": "nginx", "port": 80},
    ],
)
def test_wrong_parameters_and_passwords_in_addresses_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        rendered("metrics", params=params, manifest=pod())


def test_it_is_no_init_container() -> None:
    with pytest.raises(LibraryError, match="mode native or classic"):
        metrics("nginx", mode="init")


@pytest.mark.parametrize("labels", [{"a": "/x"}, {"a": "z z"}, {"a b": "x"}, {"/a": "x"}])
def test_label_of_the_pod_monitor_that_the_api_server_rejects_is_refused(labels: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"podMonitor\.labels"):
        metrics("nginx", scrape="podmonitor", podMonitor={"labels": labels})
