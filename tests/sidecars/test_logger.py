"""The logger's configuration agrees with its container, and every setting that a user can give is in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("logger")
FLUENT_BIT = shutil.which("fluent-bit") or ""
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}},
}
REMOTE = ["loki", "elasticsearch", "opensearch", "http", "otlp"]
REQUIRED: dict[str, dict[str, Any]] = {
    "kafka": {"brokers": "kafka:9092"},
    "s3": {"bucket": "logs", "region": "eu-central-1"},
    "cloudwatch": {"log_group_name": "/shop", "region": "eu-central-1"},
    "splunk": {"host": "logs.example.com"},
    "forward": {"host": "logs.example.com"},
}
SECRET = {"secretName": "s"}
TLS = {"enabled": True}


def logger(mode: str = "native", kube: str = "1.34", instance: str = "", **params: Any) -> Fragment:
    return rendered("logger", params=params, manifest=MANIFEST, mode=mode, kube=kube, instance=instance)


def sending(output: str, **params: Any) -> dict[str, Any]:
    """The settings of the output, when the logger sends to a host with `params`."""
    settings = {**REQUIRED.get(output, {"host": "logs.example.com"}), **params.pop(output, {})}
    return only(config(logger(output=output, **{output: settings}, **params)), "outputs")


def config(fragment: Fragment) -> dict[str, Any]:
    (companion,) = fragment.documents
    found: dict[str, Any] = yaml.safe_load(companion["data"]["fluent-bit.yaml"])
    return found


def only(settings: dict[str, Any], section: str) -> dict[str, Any]:
    (found,) = settings["pipeline"][section]
    return dict(found)


def tail(**params: Any) -> dict[str, Any]:
    return only(config(logger(**params)), "inputs")


def added(settings: dict[str, Any]) -> dict[str, str]:
    """Names and values that the input's processors add to a record or resource."""
    steps = only(settings, "inputs").get("processors", {}).get("logs", [])
    return {step["key"]: step["value"] for step in steps if step["name"] == "content_modifier"}


def environment(fragment: Fragment) -> dict[str, Any]:
    return {each["name"]: each["valueFrom"] for each in fragment.containers[0].get("env", [])}


# --- what holds in every case ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("logger", case, mode=mode)) == []


@pytest.mark.parametrize("case", CASES)
def test_the_container_reads_the_file_of_the_config_map(case: str) -> None:
    fragment = rendered("logger", case)
    (container,), (companion,) = fragment.containers, fragment.documents
    path = PurePosixPath(argument(container, "--config") or "")
    volume = mounted(container, fragment, str(path))
    assert volume and volume["configMap"]["name"] == companion["metadata"]["name"]
    assert list(companion["data"]) == [path.name]


@pytest.mark.parametrize("case", CASES)
def test_every_path_in_the_configuration_lies_in_the_volume_meant_for_it(case: str) -> None:
    fragment = rendered("logger", case)
    (container,), settings = fragment.containers, config(fragment)
    readable = {mount["name"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    source = only(settings, "inputs")
    (app_mount,) = fragment.volume_mounts
    for pattern in [*source["path"].split(","), *source.get("exclude_path", "").split(",")]:
        volume = mounted(container, fragment, pattern) if pattern else None
        assert not pattern or (volume and volume["name"] == app_mount["name"])
    assert app_mount["name"] in readable and not app_mount.get("readOnly")
    for path in [source["db"], settings["service"].get("storage.path", source["db"])]:
        volume = mounted(container, fragment, path)
        assert volume and "emptyDir" in volume and volume["name"] not in readable | {app_mount["name"]}
    target = settings["pipeline"]["outputs"][0]
    for key in ("tls.ca_file", "tls.crt_file", "tls.key_file"):
        if key in target:
            volume = mounted(container, fragment, target[key])
            sources = volume["projected"]["sources"] if volume else []
            items = [item for each in sources for kind in each.values() for item in kind["items"]]
            assert PurePosixPath(target[key]).name in {item["path"] for item in items}


@pytest.mark.parametrize("case", CASES)
def test_the_probes_ask_the_address_that_the_configuration_opens(case: str) -> None:
    fragment = rendered("logger", case)
    (container,), service = fragment.containers, config(fragment)["service"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/", "port": service["http_port"]}
    assert [port["containerPort"] for port in container["ports"]] == [service["http_port"]]
    assert (service["http_server"], service["http_listen"]) == ("on", "${POD_IP}")
    assert "readinessProbe" not in container


@pytest.mark.parametrize("case", CASES)
def test_every_variable_of_the_configuration_is_set_in_the_container(case: str) -> None:
    fragment = rendered("logger", case)
    (companion,) = fragment.documents
    used = {part.split("}")[0] for part in companion["data"]["fluent-bit.yaml"].split("${")[1:]}
    given = set(environment(fragment))
    assert {name for name in used if name.isupper()} <= given
    assert {name for name in given if not name.startswith(("OUTPUT_", "AWS_"))} <= used, "nothing uses the others"


@pytest.mark.parametrize("case", CASES)
def test_every_parser_that_is_asked_for_is_there(case: str) -> None:
    settings = config(rendered("logger", case))
    asked = [each.get("parser") for each in [*settings["pipeline"]["inputs"], *settings["pipeline"].get("filters", [])]]
    own = {each["name"] for each in settings.get("parsers", [])}
    assert all(name in own or "parsers_file" in settings["service"] for name in asked if name)


@pytest.mark.parametrize("case", CASES)
def test_names_follow_the_instance_so_that_two_loggers_fit_into_one_pod(case: str) -> None:
    first, second = (rendered("logger", case, instance=name) for name in ("logger", "audit-log-shipper-two"))
    for names in (lambda f: {each["name"] for each in f.containers}, lambda f: {each["name"] for each in f.volumes}):
        assert not names(first) & names(second)
    assert first.documents[0]["metadata"]["name"] != second.documents[0]["metadata"]["name"]
    assert breaches(second) == []


@pytest.mark.e2e
@pytest.mark.skipif(not FLUENT_BIT, reason="needs fluent-bit")
@pytest.mark.parametrize("case", CASES)
def test_fluent_bit_itself_accepts_the_configuration(case: str, tmp_path: Path) -> None:
    fragment = rendered("logger", case)
    (companion,) = fragment.documents
    text = companion["data"]["fluent-bit.yaml"].replace("/fluent-bit/data", str(tmp_path))
    file = tmp_path / "fluent-bit.yaml"
    file.write_text("\n".join(line for line in text.split("\n") if "parsers_file" not in line), encoding="utf-8")
    done = subprocess.run(
        [FLUENT_BIT, "--dry-run", f"--config={file}"],
        env=dict.fromkeys(environment(fragment), "x"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


# --- reading ---------------------------------------------------------------------------------------------------------


def test_with_no_parameter_the_files_of_the_shared_directory_go_to_stdout_as_json_lines() -> None:
    fragment = logger()
    settings = config(fragment)
    assert only(settings, "inputs")["path"] == "/var/log/app/*.log"
    assert fragment.volume_mounts == ({"name": "logger-logs", "mountPath": "/var/log/app"},)
    target = only(settings, "outputs")
    assert (target["name"], target["format"]) == ("stdout", "json_lines")
    assert added(settings) == {}


def test_the_first_line_of_a_file_that_appears_late_is_not_missed() -> None:
    source = tail()
    assert source["read_from_head"] == "true"
    assert source["refresh_interval"] <= 5


def test_a_long_line_does_not_end_the_reading_of_its_file() -> None:
    assert tail()["skip_long_lines"] == "true"


def test_patterns_are_relative_to_the_log_directory_or_inside_it() -> None:
    source = tail(logDir="/srv/log", path="a.log, sub/*.log,/srv/log/b.txt", exclude_path="*.gz")
    assert source["path"] == "/srv/log/a.log,/srv/log/sub/*.log,/srv/log/b.txt"
    assert source["exclude_path"] == "/srv/log/*.gz"


@pytest.mark.parametrize("path", ["/var/log/other/*.log", "../*.log", "a.log,,b.log", "/var/log/app2/x"])
def test_a_pattern_outside_of_the_log_directory_is_refused(path: str) -> None:
    with pytest.raises(LibraryError, match="must be inside logDir"):
        logger(path=path)


@pytest.mark.parametrize("folder", ["logs", "/", "/var/log/", "/a b", "/a:b"])
def test_a_log_directory_that_cannot_be_mounted_is_refused(folder: str) -> None:
    with pytest.raises(UsageError, match="logDir"):
        logger(logDir=folder)


def test_a_simple_parser_is_defined_in_the_configuration_with_its_time() -> None:
    settings = config(logger(parser="json", time_key="ts", time_format="%s"))
    (parser,) = settings["parsers"]
    assert parser["name"] == parser["format"] == only(settings, "inputs")["parser"] == "json"
    assert (parser["time_key"], parser["time_format"]) == ("ts", "%s")


def test_a_regular_expression_arrives_as_it_was_written() -> None:
    regex = r"""^(?<a>\S+) "(?<b>[^"]*)" '(?<c>\d{1,3})' {{ x }} # \\ $"""
    (parser,) = config(logger(parser="regex", regex=regex))["parsers"]
    assert parser["regex"] == regex


def test_own_parsers_keep_their_keys() -> None:
    mine = {"name": "mine", "format": "regex", "regex": "^(?<n>.)$", "types": "n:integer", "time_keep": True}
    settings = config(logger(parser="mine", parsers=[mine]))
    assert settings["parsers"] == [{**mine, "time_keep": "true"}]


def test_parsers_that_come_with_the_image_are_loaded_from_it() -> None:
    assert "parsers_file" not in config(logger())["service"]
    assert config(logger(parser="nginx"))["service"]["parsers_file"] == "/fluent-bit/etc/parsers.conf"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"parser": "ngnix"}, 'unknown parser "ngnix"'),
        ({"parser": "regex"}, "parser=regex and the parameter regex require each other"),
        ({"regex": "^x"}, "parser=regex and the parameter regex require each other"),
        ({"parsers": [{"name": "json", "format": "json"}]}, 'duplicate parser name "json"'),
        ({"multiline": {"parser": "java", "firstline": "^x"}}, "cannot combine multiline.parser, multiline.firstline"),
    ],
)
def test_parsers_that_make_no_sense_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        logger(**params)


def test_built_in_multiline_parsers_are_named_on_the_input() -> None:
    assert tail(multiline={"parser": "java,go"})["multiline.parser"] == "java,go"


def test_a_first_line_starts_a_record_and_every_other_line_continues_it() -> None:
    settings = config(logger(multiline={"firstline": r"^\d{4}-", "flush_timeout": 500}))
    (parser,) = settings["multiline_parsers"]
    assert only(settings, "inputs")["multiline.parser"] == parser["name"]
    assert [(rule["state"], rule["regex"]) for rule in parser["rules"]] == [
        ("start_state", r"/^\d{4}-/"),
        ("cont", r"/^(?!^\d{4}-).*/"),
    ]
    assert parser["flush_timeout"] == 500


def test_a_multiline_record_is_parsed_after_it_was_put_together() -> None:
    settings = config(logger(multiline={"parser": "java"}, parser="json"))
    assert "parser" not in only(settings, "inputs")
    step = only(settings, "filters")
    assert (step["name"], step["key_name"], step["parser"]) == ("parser", "log", "json")


def test_own_filters_come_last_and_take_lists() -> None:
    filters = [{"name": "grep", "exclude": "log x"}, {"name": "modify", "match": "a*", "add": ["a b", "c d"]}]
    settings = config(logger(filters=filters, multiline={"parser": "go"}, parser="json"))
    assert settings["pipeline"]["filters"][1:] == [{**filters[0], "match": "*"}, filters[1]]


# --- sending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", REMOTE)
def test_an_output_without_a_host_is_refused(output: str) -> None:
    with pytest.raises(LibraryError, match=f"set {output}.host"):
        logger(output=output)


@pytest.mark.parametrize(
    ("output", "plugin", "port"),
    [
        ("loki", "loki", 3100),
        ("elasticsearch", "es", 9200),
        ("opensearch", "opensearch", 9200),
        ("http", "http", 80),
        ("otlp", "opentelemetry", 4318),
    ],
)
def test_each_output_uses_its_plugin_and_port(output: str, plugin: str, port: int) -> None:
    target = sending(output)
    assert (target["name"], target["host"], target["port"]) == (plugin, "logs.example.com", port)
    assert target["retry_limit"] == 20


def test_default_ports_follow_tls_and_grpc() -> None:
    assert sending("http", tls=TLS)["port"] == 443
    assert sending("otlp", otlp={"grpc": True})["port"] == 4317
    assert sending("otlp", otlp={"grpc": True, "port": 443})["port"] == 443


@pytest.mark.parametrize(("limit", "written"), [(0, "no_retries"), (-1, "no_limits"), (3, 3)])
def test_the_retry_limit_is_written_in_fluent_bits_words(limit: int, written: object) -> None:
    assert sending("http", retry_limit=limit)["retry_limit"] == written


def test_elasticsearch_and_opensearch_get_no_mapping_type() -> None:
    assert [sending(name)["suppress_type_name"] for name in ("elasticsearch", "opensearch")] == ["true", "true"]


def test_a_daily_index_replaces_the_index() -> None:
    target = sending("elasticsearch", elasticsearch={"logstash_format": True, "logstash_prefix": "shop"})
    assert (target["logstash_format"], target["logstash_prefix"], "index" in target) == ("on", "shop", False)


def test_headers_keep_values_with_spaces() -> None:
    assert sending("http", http={"header": {"X-A": "b c: d"}})["header"] == ["X-A b c: d"]


def test_labels_become_what_each_output_calls_them() -> None:
    labels = {"team": "a b"}
    loki = sending("loki", labels=labels)["labels"].split(",")
    assert loki == ["job=shop", "namespace=${POD_NAMESPACE}", "pod=${POD_NAME}", "team=a b"]
    record = added(config(logger(output="http", http={"host": "h"}, labels=labels)))
    assert record == {
        "workload": "shop",
        "namespace": "${POD_NAMESPACE}",
        "pod": "${POD_NAME}",
        "node": "${NODE_NAME}",
        "team": "a b",
    }
    resource = added(config(logger(output="otlp", otlp={"host": "h"}, labels=labels)))
    assert resource["service.name"] == "shop" and resource["team"] == "a b"


def test_a_label_wins_over_the_pod_metadata_of_its_name() -> None:
    assert sending("loki", labels={"job": "x"})["labels"].startswith("namespace=")
    assert added(config(logger(output="otlp", otlp={"host": "h"}, labels={"service.name": "x"})))["service.name"] == "x"


def test_pod_metadata_can_be_asked_for_and_left_out() -> None:
    assert "pod" in added(config(logger(podMetadata="always")))
    assert "labels" not in sending("loki", podMetadata="never")


def test_a_label_that_loki_does_not_take_is_refused() -> None:
    with pytest.raises(LibraryError, match=r'invalid label name "app\.name"'):
        sending("loki", labels={"app.name": "x"})


@pytest.mark.parametrize("output", REMOTE)
def test_user_and_password_come_from_the_secret(output: str) -> None:
    fragment = logger(output=output, **{output: {"host": "h"}}, credentials={**SECRET, "usernameKey": "u"})
    target = only(config(fragment), "outputs")
    assert (target["http_user"], target["http_passwd"]) == ("${OUTPUT_USERNAME}", "${OUTPUT_PASSWORD}")
    assert environment(fragment)["OUTPUT_USERNAME"] == {"secretKeyRef": {"name": "s", "key": "u"}}
    assert environment(fragment)["OUTPUT_PASSWORD"] == {"secretKeyRef": {"name": "s", "key": "password"}}


def test_a_token_goes_where_each_output_takes_it() -> None:
    bearer, api_key = {**SECRET, "type": "bearer"}, {**SECRET, "type": "api_key"}
    assert sending("loki", credentials=bearer)["bearer_token"] == "${OUTPUT_TOKEN}"
    assert sending("http", credentials=bearer)["header"] == ["Authorization Bearer ${OUTPUT_TOKEN}"]
    assert sending("otlp", credentials=bearer)["header"] == ["Authorization Bearer ${OUTPUT_TOKEN}"]
    assert sending("elasticsearch", credentials=api_key)["http_api_key"] == "${OUTPUT_TOKEN}"


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("opensearch", "bearer"),
        ("elasticsearch", "bearer"),
        ("loki", "api_key"),
        ("http", "api_key"),
        ("kafka", "bearer"),
        ("s3", "bearer"),
        ("cloudwatch", "api_key"),
        ("splunk", "basic"),
        ("forward", "basic"),
    ],
)
def test_credentials_that_an_output_does_not_know_are_refused(output: str, kind: str) -> None:
    with pytest.raises(LibraryError, match=f'invalid credentials.type "{kind}": not supported by output'):
        sending(output, credentials={**SECRET, "type": kind})


def test_tls_checks_certificate_and_name_unless_told_otherwise() -> None:
    target = sending("http", tls=TLS)
    assert {key: value for key, value in target.items() if key.startswith("tls")} == {
        "tls": "on",
        "tls.verify": "true",
        "tls.verify_hostname": "true",
        "tls.min_version": "TLSv1.2",
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tls": TLS}, "stdout does not support credentials or tls"),
        ({"credentials": SECRET}, "stdout does not support credentials or tls"),
        ({"output": "http", "http": {"host": "h"}, "tls": {"caKey": "ca.crt"}}, "tls.enabled=true"),
        (
            {"output": "http", "http": {"host": "h"}, "tls": {**TLS, "caKey": "ca.crt"}},
            "tls.caKey requires a ConfigMap or a Secret",
        ),
        ({"output": "http", "http": {"host": "h"}, "tls": {**TLS, "caConfigMap": "c"}}, "set tls.caKey"),
        ({"output": "http", "http": {"host": "h"}, "tls": {**TLS, **SECRET}}, "tls.secretName requires the keys"),
        ({"output": "http", "http": {"host": "h"}, "tls": {**TLS, **SECRET, "crtKey": "c"}}, "all three"),
        ({"output": "otlp", "otlp": {"host": "h", "grpc": True, "compress": "gzip"}}, "not supported over gRPC"),
        ({"output": "opensearch", "opensearch": {"host": "h", "aws_auth": True}}, "aws_region"),
        ({"output": "s3", "s3": REQUIRED["s3"], "tls": TLS}, "output s3 always uses TLS"),
        ({"output": "kafka", "kafka": REQUIRED["kafka"], "tls": {**TLS, "vhost": "x"}}, "does not support tls.vhost"),
        ({"output": "splunk", "splunk": {"host": "h"}}, "output splunk requires a token"),
        ({"output": "kafka"}, "set kafka.brokers"),
        ({"output": "s3", "s3": {"bucket": "logs"}}, "set s3.region"),
        ({"output": "cloudwatch", "cloudwatch": {"region": "x"}}, "set cloudwatch.log_group_name"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        logger(**params)


def test_kafka_gets_sasl_and_tls_as_settings_of_its_library() -> None:
    plain = sending("kafka")
    assert (plain["name"], plain["brokers"], plain["topics"]) == ("kafka", "kafka:9092", "logs")
    assert plain["rdkafka.security.protocol"] == "plaintext" and "tls" not in plain and "host" not in plain
    secure = sending(
        "kafka", credentials=SECRET, tls={**TLS, "verify_hostname": False, "caConfigMap": "c", "caKey": "k"}
    )
    assert {key.removeprefix("rdkafka."): value for key, value in secure.items() if key.startswith("rdkafka.")} == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "${OUTPUT_USERNAME}",
        "sasl.password": "${OUTPUT_PASSWORD}",
        "enable.ssl.certificate.verification": "true",
        "ssl.endpoint.identification.algorithm": "none",
        "ssl.ca.location": "/fluent-bit/tls/ca.crt",
    }
    assert "tls" not in secure and "http_user" not in secure


def test_settings_of_the_kafka_library_are_passed_on_and_win() -> None:
    given = {"compression.codec": "zstd", "security.protocol": "sasl_plaintext"}
    target = sending("kafka", kafka={"rdkafka": given})
    assert target["rdkafka.compression.codec"] == "zstd" and target["rdkafka.security.protocol"] == "sasl_plaintext"


def test_files_for_s3_are_collected_in_the_data_volume_and_named_after_the_pod() -> None:
    target = sending("s3", storage={"total_limit_size": "32M"})
    assert target["store_dir"].startswith("/fluent-bit/data/") and target["store_dir_limit_size"] == "32M"
    assert target["s3_key_format"] == "/shop/%Y/%m/%d/${POD_NAME}-%H%M%S-$UUID.gz"
    assert (target["compression"], target["use_put_object"]) == ("gzip", "on")
    assert sending("s3", s3={"compression": "none"})["s3_key_format"].endswith(".json")


@pytest.mark.parametrize("output", ["s3", "cloudwatch"])
def test_an_aws_access_key_is_set_where_the_aws_client_looks_for_it(output: str) -> None:
    fragment = logger(output=output, **{output: REQUIRED[output]}, credentials={**SECRET, "usernameKey": "id"})
    assert environment(fragment)["AWS_ACCESS_KEY_ID"] == {"secretKeyRef": {"name": "s", "key": "id"}}
    assert environment(fragment)["AWS_SECRET_ACCESS_KEY"] == {"secretKeyRef": {"name": "s", "key": "password"}}
    assert not {"http_user", "http_passwd"} & set(only(config(fragment), "outputs"))
    assert not {"AWS_ACCESS_KEY_ID"} & set(environment(logger(output=output, **{output: REQUIRED[output]})))


def test_a_log_stream_is_named_after_the_pod() -> None:
    target = sending("cloudwatch", cloudwatch={"auto_create_group": True, "log_retention_days": 7})
    assert (target["name"], target["log_stream_name"]) == ("cloudwatch_logs", "${POD_NAME}")
    assert (target["auto_create_group"], target["log_retention_days"]) == ("on", 7)


def test_splunk_gets_its_token_from_the_secret() -> None:
    target = sending("splunk", splunk={"event_index": "main"}, credentials={**SECRET, "type": "bearer"})
    assert (target["splunk_token"], target["port"], target["event_index"]) == ("${OUTPUT_TOKEN}", 8088, "main")
    assert "header" not in target


def test_forward_authenticates_with_a_shared_key() -> None:
    assert "shared_key" not in sending("forward")
    target = sending("forward", credentials={**SECRET, "type": "shared_key"})
    assert (target["shared_key"], target["self_hostname"]) == ("${OUTPUT_TOKEN}", "${POD_NAME}")
    assert target["require_ack_response"] == "true"


def test_further_outputs_get_every_line_and_their_variables() -> None:
    more = [{"name": "stdout"}, {"name": "http", "match": "a", "header": ["X-Node ${NODE_NAME}", "X-B c"]}]
    fragment = logger(outputs=more)
    assert config(fragment)["pipeline"]["outputs"][1:] == [{"name": "stdout", "match": "*"}, more[1]]
    assert set(environment(fragment)) == {"POD_IP", "NODE_NAME"}


def test_without_a_variable_in_the_configuration_the_container_has_none() -> None:
    assert set(environment(logger())) == {"POD_IP"}
    assert "env" not in logger(http_listen="0.0.0.0").containers[0]


# --- the pod ---------------------------------------------------------------------------------------------------------


def test_mode_init_is_refused() -> None:
    with pytest.raises(LibraryError, match="next to the app"):
        logger(mode="init")


def test_the_logger_reads_on_while_the_app_stops_where_kubernetes_can_wait() -> None:
    assert logger().containers[0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert "lifecycle" not in logger(kube="1.29").containers[0]
    assert "lifecycle" not in logger(preStopSleep=0).containers[0]


def test_the_pod_gets_the_time_that_the_logger_needs_to_stop() -> None:
    assert logger().termination_grace_period_seconds is None
    assert logger(grace=20, preStopSleep=30).termination_grace_period_seconds == 55
    assert logger(grace=20, preStopSleep=30, kube="1.29").termination_grace_period_seconds is None


def test_the_pods_group_is_left_alone_unless_asked_for() -> None:
    assert logger().security_context == {}
    assert logger(fsGroup=2000).security_context == {"fsGroup": 2000}


def test_waiting_lines_on_disk_are_bounded() -> None:
    settings = config(logger(output="http", http={"host": "h"}, storage={"type": "filesystem"}))
    assert only(settings, "inputs")["storage.type"] == "filesystem"
    assert only(settings, "outputs")["storage.total_limit_size"] == "64M"


def test_nobody_in_the_cluster_can_reload_the_logger() -> None:
    assert config(logger())["service"]["hot_reload"] == "off"
