"""The proxy's configuration agrees with its container, and every setting that a user can give is in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError
from tests.programs import INSTALL_FOR_SIDECARS, program

CASES = cases("proxy")
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"containers": [{"name": "shop", "image": "shop:1", "ports": [{"containerPort": 8080}]}]},
        }
    },
}
TLS = {"secretName": "shop-tls"}
OPENSSL = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2"]
SERVICES = {"jwks", "ext-authz", "tracing"}
"""Clusters that filters refer to, not routes."""
OUT = {"direction": "outbound", "upstreamHost": "api.example.com", "upstreamPort": 443}


def proxy(mode: str = "native", kube: str = "1.34", instance: str = "", **params: Any) -> Fragment:
    return rendered("proxy", params=params, manifest=MANIFEST, mode=mode, kube=kube, instance=instance)


def files(fragment: Fragment) -> dict[str, Any]:
    (config,) = fragment.documents
    return {name: yaml.safe_load(text) for name, text in config["data"].items()}


def bootstrap(fragment: Fragment) -> dict[str, Any]:
    found: dict[str, Any] = files(fragment)["envoy.yaml"]
    return found


def named(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(item for item in items if item["name"] == name)


def listener(fragment: Fragment, name: str) -> dict[str, Any]:
    return named(bootstrap(fragment)["static_resources"]["listeners"], name)


def cluster(fragment: Fragment, name: str = "upstream") -> dict[str, Any]:
    return named(bootstrap(fragment)["static_resources"]["clusters"], name)


def chain(fragment: Fragment, direction: str = "inbound") -> dict[str, Any]:
    (found,) = listener(fragment, direction)["filter_chains"]
    return dict(found)


def last_filter(fragment: Fragment, direction: str = "inbound") -> dict[str, Any]:
    config: dict[str, Any] = chain(fragment, direction)["filters"][-1]["typed_config"]
    return config


def route(fragment: Fragment, direction: str = "inbound") -> dict[str, Any]:
    (host,) = last_filter(fragment, direction)["route_config"]["virtual_hosts"]
    (only,) = host["routes"]
    found: dict[str, Any] = only["route"]
    return found


def socket(config: Mapping[str, Any]) -> tuple[str, int]:
    address = config["address"]["socket_address"]
    return address["address"], address["port_value"]


def endpoint(fragment: Fragment, name: str = "upstream") -> tuple[str, int]:
    (locality,) = cluster(fragment, name)["load_assignment"]["endpoints"]
    (only,) = locality["lb_endpoints"]
    return socket(only["endpoint"])


def filenames(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["filename"]] if isinstance(value.get("filename"), str) else []
        return own + [name for inner in value.values() for name in filenames(inner)]
    return [name for inner in value for name in filenames(inner)] if isinstance(value, list) else []


# --- the configuration and the container ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("proxy", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_every_listener_has_a_declared_port_and_every_declared_port_a_listener(case: str) -> None:
    fragment = rendered("proxy", case)
    (container,) = fragment.containers
    config = bootstrap(fragment)
    listening = {socket(each)[1] for each in [*config["static_resources"]["listeners"], config["admin"]]}
    assert listening == {port["containerPort"] for port in container["ports"]}


@pytest.mark.parametrize("case", CASES)
def test_the_configuration_is_read_from_where_the_companion_is_mounted(case: str) -> None:
    fragment = rendered("proxy", case)
    (container,) = fragment.containers
    path = argument(container, "--config-path")
    assert path is not None
    volume = mounted(container, fragment, path)
    assert volume is not None and volume["configMap"]["name"] == fragment.documents[0]["metadata"]["name"]
    assert Path(path).name in fragment.documents[0]["data"]


@pytest.mark.parametrize("case", CASES)
def test_every_file_the_configuration_names_comes_from_a_secret_or_from_the_image(case: str) -> None:
    fragment = rendered("proxy", case)
    (container,) = fragment.containers
    for name in filenames(files(fragment)):
        volume = mounted(container, fragment, name)
        assert name == "/etc/ssl/certs/ca-certificates.crt" or (volume and "secret" in volume), name


@pytest.mark.parametrize("case", CASES)
def test_the_admin_interface_listens_on_localhost_and_no_probe_asks_it(case: str) -> None:
    fragment = rendered("proxy", case)
    (container,) = fragment.containers
    address, port = socket(bootstrap(fragment)["admin"])
    assert address == "127.0.0.1"
    probed = {container[probe]["httpGet"]["port"] for probe in container if probe.endswith("Probe")}
    assert probed and port not in probed


@pytest.mark.parametrize("case", CASES)
def test_the_kubelet_reaches_a_listener_that_shows_of_the_admin_interface_only_what_reads(case: str) -> None:
    fragment = rendered("proxy", case)
    (container,) = fragment.containers
    address, port = socket(listener(fragment, "kubelet"))
    assert address == "0.0.0.0"
    (host,) = last_filter(fragment, "kubelet")["route_config"]["virtual_hosts"]
    paths = {each["match"]["path"] for each in host["routes"]}
    assert paths == {"/ready", "/live", "/stats/prometheus"}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port
        assert container[probe]["httpGet"]["path"] in paths
    assert endpoint(fragment, "admin") == socket(bootstrap(fragment)["admin"])


@pytest.mark.parametrize("case", CASES)
def test_probes_go_through_when_the_limit_of_connections_is_reached(case: str) -> None:
    fragment = rendered("proxy", case)
    assert listener(fragment, "kubelet")["ignore_global_conn_limit"] is True
    assert bootstrap(fragment)["admin"]["ignore_global_conn_limit"] is True


@pytest.mark.parametrize("case", CASES)
def test_every_cluster_that_is_routed_to_exists(case: str) -> None:
    fragment = rendered("proxy", case)
    clusters = {each["name"] for each in bootstrap(fragment)["static_resources"]["clusters"]}

    def routed(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["cluster"]} if isinstance(value.get("cluster"), str) else set()
            return own.union(*(routed(inner) for inner in value.values()))
        return set().union(*(routed(inner) for inner in value)) if isinstance(value, list) else set()

    assert routed(bootstrap(fragment)["static_resources"]["listeners"]) | SERVICES == clusters | SERVICES
    assert {"upstream", "admin"} <= clusters


# --- inbound ----------------------------------------------------------------------------------------------------------


def test_without_parameters_it_forwards_to_the_only_port_of_the_app() -> None:
    fragment = rendered("proxy", "deployment")
    assert socket(listener(fragment, "inbound")) == ("0.0.0.0", 10000)
    assert endpoint(fragment) == ("127.0.0.1", 8080)


def test_of_several_ports_the_one_named_http_is_taken() -> None:
    assert endpoint(rendered("proxy", "pod-restricted")) == ("127.0.0.1", 3000)


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ([], "declares no TCP port; set upstreamPort"),
        ([{"containerPort": 53, "protocol": "UDP"}], "declares no TCP port"),
        ([{"containerPort": 80}, {"containerPort": 81}], "declares 80, 81; set upstreamPort"),
    ],
)
def test_a_port_that_can_not_be_known_is_asked_for(ports: list[dict[str, Any]], said: str) -> None:
    manifest = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "app", "image": "app:1", "ports": ports}]},
    }
    with pytest.raises(LibraryError, match="upstreamPort") as caught:
        rendered("proxy", params={}, manifest=manifest)
    assert said in str(caught.value) and "app" in str(caught.value)


def test_the_port_that_the_app_has_is_no_port_for_the_proxy() -> None:
    with pytest.raises(LibraryError, match="set port to another number"):
        proxy(port=8080)


def test_tls_ends_at_the_proxy_and_a_renewed_certificate_is_noticed() -> None:
    fragment = proxy(tls=TLS)
    assert socket(listener(fragment, "inbound")) == ("0.0.0.0", 8443)
    context = chain(fragment)["transport_socket"]["typed_config"]["common_tls_context"]
    (reference,) = context["tls_certificate_sds_secret_configs"]
    (container,) = fragment.containers
    path = reference["sds_config"]["path_config_source"]["path"]
    (resource,) = files(fragment)[Path(path).name]["resources"]
    assert resource["name"] == reference["name"]
    certificate = resource["tls_certificate"]
    folder = certificate["watched_directory"]["path"]
    volume = mounted(container, fragment, folder)
    assert volume is not None and volume["secret"]["secretName"] == "shop-tls"
    assert certificate["certificate_chain"]["filename"] == f"{folder}/tls.crt"
    assert certificate["private_key"]["filename"] == f"{folder}/tls.key"
    assert context["alpn_protocols"] == ["h2", "http/1.1"]
    assert "validation_context_sds_secret_config" not in context


def test_client_certificates_are_asked_for_when_there_is_a_ca() -> None:
    fragment = rendered("proxy", "tls-client-certificates")
    tls = chain(fragment)["transport_socket"]["typed_config"]
    assert tls["require_client_certificate"] is True
    assert tls["common_tls_context"]["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_3"}
    (resource,) = files(fragment)["tls-client-ca.yaml"]["resources"]
    assert resource["validation_context"]["trusted_ca"]["filename"] == "/etc/proxy/tls/ca.crt"


@pytest.mark.parametrize(("params", "trusted"), [({}, False), ({"tls": TLS}, True), ({"useRemoteAddress": True}, True)])
def test_forwarding_headers_are_set_anew_only_where_clients_connect(params: dict[str, Any], trusted: bool) -> None:
    assert last_filter(proxy(**params))["use_remote_address"] is trusted


def test_the_rate_limit_is_a_token_bucket_that_is_enforced() -> None:
    first = last_filter(rendered("proxy", "rate-limit"))["http_filters"][0]["typed_config"]
    assert first["token_bucket"] == {"max_tokens": 200, "tokens_per_fill": 100, "fill_interval": "0.500s"}
    for part in ("filter_enabled", "filter_enforced"):
        assert first[part]["default_value"] == {"numerator": 100, "denominator": "HUNDRED"}
    assert [each["name"] for each in last_filter(proxy())["http_filters"]] == ["envoy.filters.http.router"]


def test_tcp_is_forwarded_with_its_own_rate_limit_and_no_http_settings() -> None:
    fragment = rendered("proxy", "tcp")
    assert [each["name"].split(".")[-1] for each in chain(fragment)["filters"]] == [
        "local_ratelimit",
        "tcp_proxy",
    ]
    assert "typed_extension_protocol_options" not in cluster(fragment)
    assert "alpn_protocols" not in chain(fragment)["transport_socket"]["typed_config"]["common_tls_context"]


def test_http2_upstreams_are_spoken_to_in_http2() -> None:
    options = cluster(rendered("proxy", "http2"))["typed_extension_protocol_options"]
    (only,) = options.values()
    assert only["explicit_http_config"] == {"http2_protocol_options": {}}


def test_timeouts_retries_and_circuit_breaking_are_taken_over() -> None:
    fragment = rendered("proxy", "pod-restricted")
    assert route(fragment)["timeout"] == "30s"
    assert route(fragment)["retry_policy"] == {
        "retry_on": "connect-failure,refused-stream,5xx",
        "num_retries": 3,
        "per_try_timeout": "8s",
        "retriable_request_headers": route(fragment)["retry_policy"]["retriable_request_headers"],
    }
    assert cluster(fragment)["connect_timeout"] == "0.250s"
    for threshold in cluster(fragment)["circuit_breakers"]["thresholds"]:
        assert (threshold["max_connections"], threshold["max_requests"]) == (64, 128)


def test_no_retries_means_no_retry_policy() -> None:
    assert "retry_policy" not in route(proxy(retries={"numRetries": 0}))


@pytest.mark.parametrize(
    ("given", "written"),
    [("0s", "0s"), ("1500ms", "1.500s"), ("2m", "120s"), ("1.5h", "5400s"), ("45s", "45s")],
)
def test_durations_become_the_seconds_that_envoy_reads(given: str, written: str) -> None:
    assert last_filter(proxy(timeouts={"streamIdle": given}))["stream_idle_timeout"] == written


@pytest.mark.parametrize(("log", "found"), [("json", 1), ("text", 1), ("off", 0)])
@pytest.mark.parametrize("protocol", ["http1", "tcp"])
def test_the_access_log_goes_to_stdout_or_nowhere(log: str, found: int, protocol: str) -> None:
    logs = last_filter(proxy(accessLog=log, protocol=protocol)).get("access_log", [])
    assert len(logs) == found
    assert all(each["name"] == "envoy.access_loggers.stdout" for each in logs)
    assert all(("log_format" in each["typed_config"]) == (log == "json") for each in logs)


# --- outbound ---------------------------------------------------------------------------------------------------------


def test_outbound_listens_on_localhost_only_and_tells_the_app() -> None:
    fragment = rendered("proxy", "outbound-https")
    assert socket(listener(fragment, "outbound")) == ("127.0.0.1", 10443)
    assert {each["name"]: each["value"] for each in fragment.env} == {
        "API_HOST": "127.0.0.1",
        "API_PORT": "10443",
        "API_URL": "http://127.0.0.1:10443",
    }


@pytest.mark.parametrize(("remote", "local"), [(443, 10443), (80, 10080), (5432, 5432), (1023, 11023), (1024, 1024)])
def test_the_local_port_is_the_remote_one_where_that_is_free_to_take(remote: int, local: int) -> None:
    assert socket(listener(proxy(**{**OUT, "upstreamPort": remote}), "outbound")) == ("127.0.0.1", local)


def test_the_upstream_certificate_is_checked_for_the_name_that_is_asked_for() -> None:
    fragment = rendered("proxy", "outbound-https")
    tls = cluster(fragment)["transport_socket"]["typed_config"]
    validation = tls["common_tls_context"]["validation_context"]
    assert tls["sni"] == "api.example.com"
    assert validation["match_typed_subject_alt_names"] == [{"san_type": "DNS", "matcher": {"exact": "api.example.com"}}]
    assert validation["trusted_ca"]["filename"] == "/etc/proxy/upstream-ca/ca.crt"


@pytest.mark.parametrize(
    ("port", "tls", "authority"),
    [(443, True, "api.example.com"), (80, False, "api.example.com"), (8443, True, "api.example.com:8443")],
)
def test_the_remote_host_sees_its_own_name_as_the_host(port: int, tls: bool, authority: str) -> None:
    fragment = proxy(**{**OUT, "upstreamPort": port}, upstreamTls={"enabled": tls})
    assert route(fragment, "outbound")["host_rewrite_literal"] == authority


def test_names_are_resolved_and_addresses_are_not() -> None:
    by_name = cluster(proxy(**OUT))
    assert by_name["cluster_type"]["name"] == "envoy.cluster.dns" and "type" not in by_name
    assert by_name["wait_for_warm_on_init"] is False
    by_address = cluster(proxy(**{**OUT, "upstreamHost": "10.0.0.7"}))
    assert by_address["type"] == "STATIC" and "cluster_type" not in by_address


def test_failing_addresses_are_taken_out_when_asked() -> None:
    assert cluster(rendered("proxy", "outbound-https"))["outlier_detection"]["consecutive_5xx"] == 5
    assert "outlier_detection" not in cluster(proxy(**OUT))


# --- misuse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"direction": "outbound"}, "set upstreamHost"),
        ({"direction": "outbound", "upstreamHost": "db.example.com"}, "set upstreamPort"),
        ({**OUT, "tls": TLS}, "set upstreamTls.enabled"),
        ({"appEnv": {"port": "DB_PORT"}}, "set direction to outbound"),
        ({"upstreamTls": {"sni": "x.example.com"}}, "set upstreamTls.enabled"),
        ({"upstreamTls": {"enabled": True}}, "set upstreamTls.sni"),
        ({"timeouts": {"connect": "0s"}}, "timeouts.connect"),
        ({"timeouts": {"connect": "0.0m"}}, "timeouts.connect"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        proxy(**params)
    assert said in str(caught.value)


def test_it_is_no_init_container() -> None:
    with pytest.raises(LibraryError, match="mode native or classic"):
        proxy(mode="init")


@pytest.mark.parametrize(
    "params",
    [
        {"port": 80},
        {"timeouts": {"idle": "5"}},
        {"protocol": "udp"},
        {"tls": {"secret": "x"}},
        {"upstreamHost": "a b"},
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        proxy(**params)


# --- modes, instances, and Envoy itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "kube", "sleeps"),
    [("classic", "1.34", True), ("classic", "1.28", False), ("native", "1.34", False)],
)
def test_it_serves_on_while_its_endpoint_goes_where_kubernetes_can_sleep(mode: str, kube: str, sleeps: bool) -> None:
    (container,) = proxy(mode=mode, kube=kube).containers
    assert ("lifecycle" in container) is sleeps


def test_two_instances_share_no_name() -> None:
    one, two = proxy(), proxy(instance="edge-of-the-payments-api", adminPort=9911, readyPort=9912, port=10001)
    assert breaches(two) == []
    for part in ("containers", "volumes"):
        assert not {each["name"] for each in getattr(one, part)} & {each["name"] for each in getattr(two, part)}
    assert one.documents[0]["metadata"]["name"] != two.documents[0]["metadata"]["name"]


@pytest.mark.parametrize("instance", ["proxy", "envoy", "ssl"])
def test_no_mount_lies_inside_another_which_may_be_read_only(instance: str) -> None:
    (container,) = proxy(instance=instance, tls=TLS).containers
    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert not [(one, two) for one in paths for two in paths if two.startswith(f"{one}/")]


FIELDS: dict[str, Any] = {
    "node": {"id": 0, "cluster": 0},
    "admin": {"address": {"socket_address": {"address": 0, "port_value": 0}}, "ignore_global_conn_limit": 0},
    "overload_manager": {
        "resource_monitors": {"name": 0, "typed_config": {"@type": 0, "max_active_downstream_connections": 0}}
    },
    "dynamic_resources": {"lds_config": {"resource_api_version": 0, "path_config_source": {"path": 0}}},
    "static_resources": {
        "listeners": {
            "name": 0,
            "listener_filters": {"name": 0, "typed_config": 0},
            "address": {"socket_address": {"address": 0, "port_value": 0}},
            "per_connection_buffer_limit_bytes": 0,
            "ignore_global_conn_limit": 0,
            "filter_chains": {
                "filters": {"name": 0, "typed_config": 0},
                "transport_socket": {"name": 0, "typed_config": 0},
            },
        },
        "clusters": {
            "name": 0,
            "type": 0,
            "cluster_type": {"name": 0, "typed_config": 0},
            "connect_timeout": 0,
            "wait_for_warm_on_init": 0,
            "circuit_breakers": {
                "thresholds": {
                    "priority": 0,
                    "max_connections": 0,
                    "max_pending_requests": 0,
                    "max_requests": 0,
                    "max_retries": 0,
                }
            },
            "outlier_detection": {
                "consecutive_5xx": 0,
                "interval": 0,
                "base_ejection_time": 0,
                "max_ejection_percent": 0,
            },
            "typed_extension_protocol_options": 0,
            "transport_socket": {"name": 0, "typed_config": 0},
            "load_assignment": {
                "cluster_name": 0,
                "endpoints": {"lb_endpoints": {"endpoint": {"address": 0}}},
            },
        },
    },
}
TYPED: dict[str, set[str]] = {
    "HttpConnectionManager": {
        "stat_prefix", "codec_type", "server_header_transformation", "use_remote_address", "xff_num_trusted_hops",
        "stream_idle_timeout", "request_headers_timeout", "common_http_protocol_options", "upgrade_configs",
        "access_log", "route_config", "http_filters", "tracing",
    },
    "Listener": {
        "name", "address", "per_connection_buffer_limit_bytes", "ignore_global_conn_limit", "listener_filters",
        "filter_chains",
    },
    "ProxyProtocol": set(),
    "Cors": set(),
    "CorsPolicy": {
        "allow_origin_string_match", "allow_methods", "allow_headers", "expose_headers", "max_age", "allow_credentials",
    },
    "JwtAuthentication": {"bypass_cors_preflight", "providers", "rules"},
    "ExtAuthz": {"transport_api_version", "failure_mode_allow", "allowed_headers", "http_service"},
    "Compressor": {"response_direction_config", "compressor_library"},
    "Gzip": set(),
    "OpenTelemetryConfig": {"service_name", "grpc_service"},
    "TcpProxy": {"stat_prefix", "cluster", "idle_timeout", "max_connect_attempts", "access_log"},
    "LocalRateLimit": {"stat_prefix", "token_bucket", "filter_enabled", "filter_enforced"},
    "Router": set(),
    "StdoutAccessLog": {"log_format"},
    "DownstreamTlsContext": {"common_tls_context", "require_client_certificate"},
    "UpstreamTlsContext": {"common_tls_context", "sni"},
    "DnsCluster": {"dns_lookup_family", "respect_dns_ttl", "all_addresses_in_single_endpoint"},
    "HttpProtocolOptions": {"common_http_protocol_options", "explicit_http_config"},
    "DownstreamConnectionsConfig": {"max_active_downstream_connections"},
    "Secret": {"name", "tls_certificate", "validation_context"},
}  # fmt: skip
"""Fields of Envoy's v3 API that the templates may use: published ones that Envoy 1.40 does not warn of."""


def unknown_fields(value: object, fields: Any, path: str = "") -> list[str]:
    if isinstance(value, list):
        return [text for inner in value for text in unknown_fields(inner, fields, path)]
    if not isinstance(value, dict) or not isinstance(fields, dict):
        return []
    wrong = [f"{path}.{key}" for key in value if key not in fields]
    return wrong + [t for k, v in value.items() for t in unknown_fields(v, fields.get(k), f"{path}.{k}")]


def unknown_typed(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for inner in value for text in unknown_typed(inner)]
    if not isinstance(value, dict):
        return []
    kind = str(value.get("@type", "")).rsplit(".", 1)[-1]
    wrong = sorted(set(value) - TYPED[kind] - {"@type"}) if kind else []
    return [f"{kind}.{key}" for key in wrong] + [text for inner in value.values() for text in unknown_typed(inner)]


@pytest.mark.parametrize("case", CASES)
def test_only_fields_that_envoy_has_are_used(case: str) -> None:
    fragment = rendered("proxy", case)
    assert unknown_fields(bootstrap(fragment), FIELDS) == []
    assert unknown_typed(files(fragment)) == []


@pytest.mark.parametrize("case", CASES)
def test_the_listeners_on_ipv6_are_those_on_ipv4(case: str) -> None:
    fragment = rendered("proxy", case)
    found = bootstrap(fragment)
    path = found["dynamic_resources"]["lds_config"]["path_config_source"]["path"]
    others = {each["name"]: each for each in files(fragment)[Path(path).name]["resources"]}
    for each in found["static_resources"]["listeners"]:
        address, port = socket(each)
        if address != "127.0.0.1":
            other = others.pop(f"{each['name']}-ipv6")
            assert socket(other) == ("::", port)
            assert {**each, "name": 0, "address": 0, "@type": 0} == {**other, "name": 0, "address": 0, "@type": 0}
    assert others == {}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"protocol": "tcp", "gzip": {"enabled": True}}, "gzip requires HTTP"),
        ({"protocol": "tcp", "routes": [{"prefix": "/a", "upstreamPort": 9000}]}, "routes requires HTTP"),
        ({**OUT, "proxyProtocol": True}, "remove proxyProtocol"),
        ({"cors": {"allowOrigins": ["*"], "allowCredentials": True}}, "list the origins in cors.allowOrigins"),
        ({"jwtAuthn": {"issuer": "https://login.example.com/"}}, "set jwtAuthn.jwksUri or jwtAuthn.jwksSecretName"),
        ({"jwtAuthn": {"jwksSecretName": "keys"}}, "set jwtAuthn.issuer"),
        ({"routes": [{"prefix": "/a", "path": "/a", "upstreamPort": 9000}]}, "set one of prefix, path, and safeRegex"),
        ({"routes": [{"upstreamPort": 9000}]}, "set one of prefix, path, and safeRegex"),
        ({"routes": [{"safeRegex": "/a", "prefixRewrite": "/", "upstreamPort": 9000}]}, "remove prefixRewrite"),
        ({"routes": [{"prefix": "/a", "upstreamPort": 10000}]}, "forward requests to itself"),
    ],
)
def test_policies_that_make_no_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError) as caught:
        proxy(**params)
    assert said in str(caught.value)


@pytest.mark.e2e
@pytest.mark.parametrize("case", CASES)
def test_envoy_itself_takes_the_configuration_without_a_warning(case: str, tmp_path: Path) -> None:
    fragment = rendered("proxy", case)
    subprocess.run(
        [*OPENSSL, "-keyout", "tls.key", "-out", "tls.crt"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "jwks.json").write_text('{"keys": [{"kty": "oct", "alg": "HS256", "k": "c2VjcmV0"}]}', encoding="utf-8")
    for copy, source in {"ca.crt": "tls.crt", "server.pem": "tls.crt", "server.key": "tls.key"}.items():
        shutil.copy(tmp_path / source, tmp_path / copy)
    places = [
        "/etc/proxy/config",
        "/etc/proxy/tls",
        "/etc/proxy/upstream-ca",
        "/etc/proxy/upstream-client",
        "/etc/proxy/jwks",
    ]
    for name, text in fragment.documents[0]["data"].items():
        for place in places:
            text = text.replace(place, str(tmp_path))
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [
        program("envoy", INSTALL_FOR_SIDECARS),
        "--mode",
        "validate",
        "--config-path",
        str(tmp_path / "envoy.yaml"),
        "--log-level",
        "warning",
    ]
    done = subprocess.run([*command, "--disable-hot-restart"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
