"""The collector's configuration agrees with its ports, probes, mounts and variables, and with what the app is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("otel-collector")


def collector(*, mode: str = "native", **params: Any) -> Fragment:
    given = {"endpoint": "https://otlp.example.com:4318", **params}
    return rendered("otel-collector", "deployment", params=given, mode=mode)


def config(fragment: Fragment) -> dict[str, Any]:
    (container,) = fragment.containers
    file = argument(container, "--config")
    assert file
    volume = mounted(container, fragment, file)
    (document,) = fragment.documents
    assert volume and volume["configMap"]["name"] == document["metadata"]["name"]
    parsed: dict[str, Any] = yaml.safe_load(document["data"][file.rsplit("/", 1)[1]])
    return parsed


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("otel-collector", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_it_listens_where_its_ports_and_probes_say(case: str) -> None:
    fragment = rendered("otel-collector", case)
    parsed, (container,) = config(fragment), fragment.containers
    otlp = parsed["receivers"]["otlp"]["protocols"]
    (reader,) = parsed["service"]["telemetry"]["metrics"]["readers"]
    own = reader["pull"]["exporter"]["prometheus"]
    addresses = [otlp["grpc"]["endpoint"], otlp["http"]["endpoint"], parsed["extensions"]["health_check"]["endpoint"]]
    addresses.append(f"{own['host']}:{own['port']}")
    assert [address.split(":")[0] for address in addresses] == ["127.0.0.1", "127.0.0.1", "", ""]
    assert [int(address.split(":")[1]) for address in addresses] == [p["containerPort"] for p in container["ports"]]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/", "port": int(addresses[2].split(":")[1])}


@pytest.mark.parametrize("case", CASES)
def test_pipelines_use_what_is_defined_and_nothing_is_left_over(case: str) -> None:
    parsed = config(rendered("otel-collector", case))
    for kind in ("receivers", "processors", "exporters"):
        used = {name for pipeline in parsed["service"]["pipelines"].values() for name in pipeline[kind]}
        assert used == set(parsed[kind])
    assert parsed["service"]["extensions"] == list(parsed["extensions"])
    for pipeline in parsed["service"]["pipelines"].values():
        assert (pipeline["processors"][0], pipeline["processors"][-1]) == ("memory_limiter", "batch")


@pytest.mark.parametrize("case", CASES)
def test_every_variable_of_the_configuration_is_one_of_the_container(case: str) -> None:
    fragment = rendered("otel-collector", case)
    asked = set(re.findall(r"\$\{env:(\w+)}", fragment.documents[0]["data"]["config.yaml"]))
    assert asked == {each["name"] for each in fragment.containers[0].get("env", [])}


@pytest.mark.parametrize("case", CASES)
def test_the_app_is_told_a_port_that_takes_what_it_speaks(case: str) -> None:
    fragment = rendered("otel-collector", case)
    told = {each["name"]: each["value"] for each in fragment.env}
    protocol = "http" if told["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf" else "grpc"
    taken = config(fragment)["receivers"]["otlp"]["protocols"][protocol]["endpoint"]
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{taken}"


def test_headers_come_from_secrets_only() -> None:
    fragment = rendered("otel-collector", "deployment")
    assert config(fragment)["exporters"]["otlp_http"]["headers"] == {"Authorization": "${env:OTLP_HEADER_1}"}
    (header,) = [each for each in fragment.containers[0]["env"] if each["name"] == "OTLP_HEADER_1"]
    assert header["valueFrom"] == {"secretKeyRef": {"name": "shop-otlp", "key": "authorization"}}


def test_files_of_the_configuration_are_in_volumes_that_fit() -> None:
    fragment = rendered("otel-collector", "pod-restricted")
    parsed, (container,) = config(fragment), fragment.containers
    tls = parsed["exporters"]["otlp_grpc"]["tls"]
    for file in (tls["ca_file"], tls["cert_file"], tls["key_file"]):
        volume = mounted(container, fragment, file)
        assert volume and volume["secret"]["secretName"] == "portal-otlp-tls"
    volume = mounted(container, fragment, parsed["extensions"]["file_storage"]["directory"])
    assert volume and volume["emptyDir"] == {"sizeLimit": "256Mi"}
    assert parsed["exporters"]["otlp_grpc"]["sending_queue"]["storage"] in parsed["extensions"]


def test_a_processor_works_only_on_its_signals() -> None:
    pipelines = config(rendered("otel-collector", "pod-restricted"))["service"]["pipelines"]
    assert [name for name, each in pipelines.items() if "filter/health" in each["processors"]] == ["traces"]


def test_the_apps_own_metrics_go_into_the_metrics_pipeline_alone() -> None:
    parsed = config(rendered("otel-collector", "deployment"))
    (job,) = parsed["receivers"]["prometheus"]["config"]["scrape_configs"]
    assert (job["static_configs"], job["metrics_path"]) == ([{"targets": ["127.0.0.1:8080"]}], "/metrics")
    pipelines = parsed["service"]["pipelines"]
    assert [name for name, each in pipelines.items() if "prometheus" in each["receivers"]] == ["metrics"]


def test_a_dollar_sign_in_a_value_stays_one() -> None:
    fragment = collector(resourceAttributes={"price": "5$ ${env:HOME}"}, kubernetesAttributes=False, serviceName="$(A)")
    (attribute,) = config(fragment)["processors"]["resource/pod"]["attributes"]
    assert attribute["value"] == "5$$ $${env:HOME}"
    assert {each["name"]: each["value"] for each in fragment.env}["OTEL_SERVICE_NAME"] == "$$(A)"


def test_the_app_is_left_alone_when_asked() -> None:
    assert collector(setAppEnv=False).env == ()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mode": "init"}, "mode native or classic"),
        ({"endpoint": "otlp.example.com:4317"}, "use https://otlp.example.com:4317, or set protocol=grpc"),
        ({"tls": {"insecure": True}}, "use http:// in endpoint"),
        ({"tls": {"insecure": True}, "protocol": "grpc"}, "cannot combine tls.insecure and https://"),
        ({"tls": {"clientCertificate": True}}, "set tls.secretName"),
        ({"grpcPort": 4318}, "metricsPort must differ"),
        ({"scrape": {"port": 8888}}, "the collector itself listens on this port"),
        ({"scrape": {"port": 8080}, "signals": ["logs"]}, "add metrics to signals"),
        ({"processors": [{"name": "filter/a", "config": {}}] * 2}, 'duplicate processor name "filter/a"'),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(said)):
        collector(**params)


@pytest.mark.parametrize(
    "params",
    [
        {"endpoint": "https://user:password@otlp.example.com"},
        {"headers": {"Authorization": "Bearer abc"}},
        {"signals": []},
        {"signals": ["profiles"]},
        {"httpPort": 80},
        {"processors": [{"name": "batch", "config": {}}]},
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        collector(**params)
