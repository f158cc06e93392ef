"""Vector's configuration agrees with its container, and what Vector would replace or evaluate is escaped."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("vector")
VECTOR = shutil.which("vector") or ""
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}},
}
REMOTE = ["loki", "elasticsearch", "opensearch", "http", "otlp"]
PARSERS = [
    "json",
    "logfmt",
    "regex",
    "nginx",
    "nginx_error",
    "apache",
    "apache_common",
    "apache_error",
    "syslog",
    "klog",
]
SECRET = {"secretName": "s"}
TLS = {"enabled": True}


def vector(mode: str = "native", kube: str = "1.34", instance: str = "", **params: Any) -> Fragment:
    return rendered("vector", params=params, manifest=MANIFEST, mode=mode, kube=kube, instance=instance)


def text_of(fragment: Fragment) -> str:
    (companion,) = fragment.documents
    return str(companion["data"]["vector.yaml"])


def started(text: str) -> str:
    """The text after Vector has replaced the variables of its environment; each has `<NAME>` for its value."""
    return re.sub(r"\$\$|\$\{?(\w+)\}?", lambda found: "$" if found[0] == "$$" else f"<{found[1]}>", text)


def config(fragment: Fragment) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(started(text_of(fragment)))
    return found


def lines(**params: Any) -> dict[str, Any]:
    return dict(config(vector(**params))["sources"]["lines"])


def program(**params: Any) -> str:
    return str(config(vector(**params))["transforms"]["records"]["source"])


def sending(output: str, **params: Any) -> dict[str, Any]:
    """The settings of the output; for otlp those of its protocol, with the rest."""
    settings = {"host": "logs.example.com", **params.pop(output, {})}
    sink = dict(config(vector(output=output, **{output: settings}, **params))["sinks"]["output"])
    return {**sink, **sink.get("protocol", {})}


# --- what holds in every case ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("vector", case, mode=mode)) == []


@pytest.mark.parametrize("case", CASES)
def test_the_container_reads_the_file_of_the_config_map(case: str) -> None:
    fragment = rendered("vector", case)
    (container,), (companion,) = fragment.containers, fragment.documents
    path = PurePosixPath(argument(container, "--config") or "")
    volume = mounted(container, fragment, str(path))
    assert volume and volume["configMap"]["name"] == companion["metadata"]["name"]
    assert list(companion["data"]) == [path.name]


@pytest.mark.parametrize("case", CASES)
def test_every_path_in_the_configuration_lies_in_the_volume_meant_for_it(case: str) -> None:
    fragment = rendered("vector", case)
    (container,), settings = fragment.containers, config(fragment)
    readable = {mount["name"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    (app_mount,) = fragment.volume_mounts
    source = settings["sources"]["lines"]
    for pattern in [*source["include"], *source.get("exclude", [])]:
        volume = mounted(container, fragment, pattern)
        assert volume and volume["name"] == app_mount["name"]
    assert app_mount["name"] in readable and not app_mount.get("readOnly")
    data = mounted(container, fragment, settings["data_dir"])
    assert data and "emptyDir" in data and data["name"] not in readable | {app_mount["name"]}
    for key, path in settings["sinks"]["output"].get("tls", {}).items():
        if key.endswith("_file"):
            volume = mounted(container, fragment, path)
            sources = volume["projected"]["sources"] if volume else []
            items = [item for each in sources for kind in each.values() for item in kind["items"]]
            assert PurePosixPath(path).name in {item["path"] for item in items}


@pytest.mark.parametrize("case", CASES)
def test_every_secret_of_the_configuration_is_a_file_of_the_secret(case: str) -> None:
    fragment = rendered("vector", case)
    (container,), settings = fragment.containers, config(fragment)
    asked = set(re.findall(r"SECRET\[output\.(\w+)\]", text_of(fragment)))
    if not asked:
        assert "secret" not in settings
        return
    volume = mounted(container, fragment, settings["secret"]["output"]["path"])
    assert volume and {item["path"] for item in volume["secret"]["items"]} == asked


@pytest.mark.parametrize("case", CASES)
def test_the_probe_asks_the_port_that_the_configuration_opens_on_all_addresses(case: str) -> None:
    fragment = rendered("vector", case)
    (container,), sink = fragment.containers, config(fragment)["sinks"]["metrics"]
    address, port = sink["address"].rsplit(":", 1)
    assert container["livenessProbe"]["httpGet"] == {"path": "/metrics", "port": int(port)}
    assert [each["containerPort"] for each in container["ports"]] == [int(port)]
    assert address == "[::]" and "readinessProbe" not in container
    assert "api" not in config(fragment), "it would show the lines to everybody in the cluster"


@pytest.mark.parametrize("case", CASES)
def test_every_variable_of_the_configuration_is_set_and_vector_may_read_it(case: str) -> None:
    fragment = rendered("vector", case)
    env = {each["name"]: each.get("value") for each in fragment.containers[0]["env"]}
    used = {name for name in re.findall(r"\$\$|\$\{?(\w*)", text_of(fragment)) if name}
    assert used <= set(env)
    assert {name for name in env if not name.startswith("VECTOR_")} <= used, "nothing uses the others"
    assert env["VECTOR_DANGEROUSLY_ALLOW_ENV_VAR_INTERPOLATION"] == "true"
    assert not any(
        "valueFrom" in each and "secretKeyRef" in each["valueFrom"] for each in fragment.containers[0]["env"]
    )


@pytest.mark.parametrize("case", CASES)
def test_every_component_takes_its_input_from_one_that_is_there(case: str) -> None:
    settings = config(rendered("vector", case))
    there = {*settings["sources"], *settings["transforms"]}
    components = [*settings["transforms"].values(), *settings["sinks"].values()]
    asked = [name for each in components for name in each["inputs"]]
    assert set(asked) == there, "none is forgotten"
    last = settings["sinks"]["output"]["inputs"]
    assert all(asked.count(name) == 1 for name in there - set(last)), "each is used once, the last by every output"


@pytest.mark.parametrize("case", CASES)
def test_names_follow_the_instance_so_that_two_fit_into_one_pod(case: str) -> None:
    first, second = (rendered("vector", case, instance=name) for name in ("vector", "audit-log-shipper-two"))
    for names in (lambda f: {each["name"] for each in f.containers}, lambda f: {each["name"] for each in f.volumes}):
        assert not names(first) & names(second)
    assert breaches(second) == []


# --- reading ---------------------------------------------------------------------------------------------------------


def test_with_no_parameter_the_files_of_the_shared_directory_go_to_stdout_as_json_lines() -> None:
    fragment = vector()
    settings = config(fragment)
    assert settings["sources"]["lines"]["include"] == ["/var/log/app/*.log"]
    assert fragment.volume_mounts == ({"name": "vector-logs", "mountPath": "/var/log/app"},)
    target = settings["sinks"]["output"]
    assert (target["type"], target["encoding"]["codec"], target["inputs"]) == ("console", "json", ["records"])


def test_the_first_line_of_a_file_that_appears_late_is_not_missed() -> None:
    source = lines()
    assert source["read_from"] == "beginning" and source["glob_minimum_cooldown_ms"] <= 5000


def test_two_files_that_begin_alike_are_both_read() -> None:
    assert lines()["fingerprint"]["strategy"] == "device_and_inode"


@pytest.mark.parametrize("path", ["/var/log/other/*.log", "../*.log", "a.log,,b.log", "/var/log/app2/x"])
def test_a_pattern_outside_of_the_log_directory_is_refused(path: str) -> None:
    with pytest.raises(LibraryError, match="must be inside logDir"):
        vector(path=path)


def test_dollar_signs_are_no_variables_except_where_they_may_be() -> None:
    regex = r"^(?P<a>\S+) it's \$(?P<b>\d+)$"
    assert program(parser="regex", regex=regex).count(regex.replace("'", r"\x27")) == 1
    assert lines(multiline={"firstline": "^x$"})["multiline"]["start_pattern"] == "^x$"
    assert lines(path="a$POD_NAME.log")["include"] == ["/var/log/app/a$POD_NAME.log"]
    written = program(labels={"team": "a $POD_NAME {{ b }} ${POD_NAME}"})
    assert r'."team" = "a $POD_NAME \{\{ b }} <POD_NAME>"' in written


def test_a_first_line_starts_a_record_and_every_other_line_continues_it() -> None:
    found = lines(multiline={"firstline": r"^\d{4}-", "flush_timeout": 500})["multiline"]
    assert found == {
        "start_pattern": r"^\d{4}-",
        "mode": "halt_before",
        "condition_pattern": r"^\d{4}-",
        "timeout_ms": 500,
    }


def test_an_own_program_comes_after_parsing_and_before_the_output() -> None:
    settings = config(vector(output="otlp", otlp={"host": "h"}, remap='.x = "$1"'))
    chain = {name: each["inputs"] for name, each in settings["transforms"].items()}
    assert chain == {"records": ["lines"], "remapped": ["records"], "requests": ["remapped"]}
    assert settings["transforms"]["remapped"]["source"].strip() == '.x = "$1"'
    assert settings["sinks"]["output"]["inputs"] == ["requests"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"mode": "init"}, "next to the app"),
        ({"credentials": SECRET}, "does not support credentials or tls"),
        ({"output": "otlp", "otlp": {"host": "h"}, "credentials": {**SECRET, "type": "api_key"}}, "basic or bearer"),
        ({"output": "opensearch", "opensearch": {"host": "h", "aws_auth": True}}, "aws_region"),
        ({"output": "loki", "loki": {"host": "h"}, "labels": {"a.b": "c"}}, 'invalid label name "a.b"'),
        ({"output": "loki", "loki": {"host": "h"}, "podMetadata": "never"}, "at least one label"),
        ({"parser": "regex"}, "require each other"),
        ({"multiline": {"mode": "halt_with"}}, "either firstline"),
        ({"multiline": {"firstline": "^x", "mode": "halt_with"}}, "either firstline"),
        ({"tls": {"vhost": "x"}}, "tls has settings, but TLS is disabled"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        vector(**params)


@pytest.mark.parametrize("params", [{"storage": {"max_size": 1000}}, {"logDir": "logs"}, {"parser": "xml"}])
def test_values_that_vector_would_refuse_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        vector(**params)


# --- sending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", REMOTE)
def test_an_output_without_a_host_is_refused(output: str) -> None:
    with pytest.raises(LibraryError, match=f"set {output}.host"):
        vector(output=output)


@pytest.mark.parametrize(
    ("output", "kind", "key", "address"),
    [
        ("loki", "loki", "endpoint", "http://logs.example.com:3100"),
        ("elasticsearch", "elasticsearch", "endpoints", ["http://logs.example.com:9200"]),
        ("opensearch", "elasticsearch", "endpoints", ["http://logs.example.com:9200"]),
        ("http", "http", "uri", "http://logs.example.com:80/"),
        ("otlp", "http", "uri", "http://logs.example.com:4318/v1/logs"),
    ],
)
def test_each_output_uses_its_sink_and_port(output: str, kind: str, key: str, address: object) -> None:
    target = sending(output)
    assert (target["type"], target[key]) == (kind, address)
    assert target["request"]["retry_attempts"] == 20 and target["buffer"]["when_full"] == "block"


def test_https_follows_tls() -> None:
    assert sending("http", tls=TLS)["uri"] == "https://logs.example.com:443/"
    assert sending("loki", tls=TLS)["endpoint"] == "https://logs.example.com:3100"


def test_no_limit_of_retries_is_vectors_default() -> None:
    assert "retry_attempts" not in sending("http", retry_limit=-1)["request"]


def test_an_api_key_is_a_header_because_vector_knows_no_other_way() -> None:
    target = sending("elasticsearch", credentials={**SECRET, "type": "api_key"})
    assert "auth" not in target and target["request"]["headers"] == {"Authorization": "ApiKey SECRET[output.token]"}


def test_a_data_stream_gets_the_field_that_it_needs() -> None:
    assert sending("elasticsearch")["bulk"] == {"action": "create", "index": "vector"}
    assert '."@timestamp" = del(.timestamp)' in program(output="elasticsearch", elasticsearch={"host": "h"})


def test_labels_become_what_each_output_calls_them() -> None:
    labels = {"team": "a b"}
    assert sending("loki", labels=labels)["labels"] == {
        "job": "shop",
        "namespace": "<POD_NAMESPACE>",
        "pod": "<POD_NAME>",
        "team": "a b",
    }
    assert '."team" = "a b"' in program(labels=labels)
    requests = config(vector(output="otlp", otlp={"host": "h"}, labels=labels))["transforms"]["requests"]["source"]
    assert '{"key": "team", "value": {"stringValue": "a b"}}' in requests
    assert '{"key": "service.name", "value": {"stringValue": "shop"}}' in requests


def test_fields_become_labels_only_where_asked_for() -> None:
    assert "dangerously_allow_unconfined_template_resolution" not in sending("loki")
    target = sending("loki", loki={"label_keys": "$level,$stream"})
    assert (target["labels"]["level"], target["labels"]["stream"]) == ("{{ level }}", "{{ stream }}")
    assert target["dangerously_allow_unconfined_template_resolution"] is True


@pytest.mark.parametrize(("parser", "codec"), [("none", "text"), ("json", "json")])
def test_a_line_of_loki_is_what_the_app_wrote_unless_it_was_parsed(parser: str, codec: str) -> None:
    assert sending("loki", parser=parser)["encoding"]["codec"] == codec


def test_the_pod_gets_the_time_that_vector_needs_to_stop() -> None:
    assert vector().termination_grace_period_seconds is None
    fragment = vector(grace=20, preStopSleep=30)
    assert fragment.termination_grace_period_seconds == 55
    env = {each["name"]: each.get("value") for each in fragment.containers[0]["env"]}
    assert env["VECTOR_GRACEFUL_SHUTDOWN_LIMIT_SECS"] == "20"
    assert vector(grace=20, preStopSleep=30, kube="1.29").termination_grace_period_seconds is None


# --- Vector itself ---------------------------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.skipif(not VECTOR, reason="needs vector")
@pytest.mark.parametrize("case", CASES)
def test_vector_itself_accepts_the_configuration(case: str, tmp_path: Path) -> None:
    file = tmp_path / "vector.yaml"
    file.write_text(text_of(rendered("vector", case)).replace("/var/lib/vector", str(tmp_path)), encoding="utf-8")
    env = {
        "POD_NAME": "p",
        "POD_NAMESPACE": "n",
        "NODE_NAME": "o",
        "VECTOR_DANGEROUSLY_ALLOW_ENV_VAR_INTERPOLATION": "true",
    }
    command = [VECTOR, "validate", "--no-environment", str(file)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.e2e
@pytest.mark.parametrize("parser", ["none", *PARSERS])
@pytest.mark.parametrize("output", ["stdout", "loki", "elasticsearch", "otlp"])
def test_every_program_compiles(parser: str, output: str) -> None:
    compiler = pytest.importorskip("vector_vrl", reason="needs a VRL compiler", exc_type=ImportError)
    params: dict[str, Any] = {
        "parser": parser,
        "output": output,
        "time_key": 'a "b".c',
        "labels": {"odd": 'a "b" {{ c }} \\d $e'},
    }
    params |= {output: {"host": "h"}} if output != "stdout" else {}
    params |= {"regex": r"""^(?P<a>\S+) "it's" (?P<b>\d+)$"""} if parser == "regex" else {}
    for name, transform in config(vector(**params))["transforms"].items():
        outcome = compiler.validate_vrl(transform["source"])
        assert outcome.success, f"{name}: {outcome.error}"
