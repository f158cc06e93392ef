"""Logstash's pipeline and settings agree with its container, and every value that a user can give is escaped."""

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

CASES = cases("logstash")
LOGSTASH = shutil.which("logstash") or ""
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}},
}
SECRET = {"secretName": "s"}


def logstash(mode: str = "native", kube: str = "1.34", instance: str = "", **params: Any) -> Fragment:
    return rendered("logstash", params=params, manifest=MANIFEST, mode=mode, kube=kube, instance=instance)


TOKEN = re.compile(
    r"""\s+|(?P<string>"(?:\\.|[^"\\])*")|(?P<regex>/(?:\\.|[^/\\])*/)|(?P<word>[^\s"{}\[\],=]+)|=>|=~|==|[{}\[\],=]"""
)


def tokens(pipeline: str) -> list[str]:
    """The pipeline's words and signs; strings as Logstash reads them, with a quotation mark in front."""
    found, at = [], 0
    while at < len(pipeline):
        token = TOKEN.match(pipeline, at)
        assert token, f"not understood: {pipeline[at : at + 40]!r}"
        at = token.end()
        if token["string"]:
            found.append('"' + re.sub(r"\\([\"'\\])", r"\1", token["string"][1:-1]))
        elif token[0].strip():
            found.append(token[0])
    return found


Block = list[tuple[str, Any]]


def parsed(pipeline: str) -> dict[str, Block]:
    """Sections of the pipeline: plugins and their settings, in order. Knows no conditions."""
    rest = tokens(pipeline)

    def take(*expected: str) -> str:
        token = rest.pop(0)
        assert not expected or token in expected, f"{token} where {expected} should be"
        return token

    def value() -> Any:
        token = take()
        if token == "[":
            return items()
        if token == "{":
            return dict(pairs())
        if token[0] != '"' and rest[:1] == ["{"]:
            take("{")
            return (token, dict(pairs()))
        return token[1:] if token[0] == '"' else yaml.safe_load(token)

    def items() -> list[Any]:
        found = []
        while rest[0] != "]":
            found.append(value())
            if take(",", "]") == "]":
                return found
        take("]")
        return found

    def pairs() -> Block:
        found: Block = []
        while rest[0] != "}":
            key = take()
            take("=>")
            found.append((key.lstrip('"'), value()))
            assert key.lstrip('"') not in dict(found[:-1]), f"{key} stands there twice"
        take("}")
        return found

    def plugins() -> Block:
        take("{")
        found: Block = []
        while rest[0] != "}":
            name = take()
            take("{")
            found.append((name, dict(pairs())))
        take("}")
        return found

    sections = {}
    while rest:
        name = take("input", "filter", "output")
        sections[name] = plugins()
    return sections


def text_of(fragment: Fragment) -> str:
    (companion,) = fragment.documents
    return str(companion["data"]["pipeline.conf"])


def settings(fragment: Fragment) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(fragment.documents[0]["data"]["logstash.yml"])
    return found


def pipeline(**params: Any) -> dict[str, Block]:
    return parsed(text_of(logstash(**params)))


def source(**params: Any) -> dict[str, Any]:
    ((name, found),) = pipeline(**params)["input"]
    assert name == "file"
    return dict(found)


def filters(**params: Any) -> list[str]:
    return [name for name, _ in pipeline(**params)["filter"]]


def step(name: str, **params: Any) -> dict[str, Any]:
    return dict([found for each, found in pipeline(**params)["filter"] if each == name][-1])


def sending(output: str, **params: Any) -> dict[str, Any]:
    given = {"host": "h", **params.pop(output, {})}
    ((name, found),) = pipeline(output=output, **{output: given}, **params)["output"]
    assert name == output
    return dict(found)


def files(text: str) -> set[str]:
    return set(re.findall(r"/etc/logstash-tls/[\w.]+", text))


# --- what holds in every case ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("logstash", case, mode=mode)) == []


@pytest.mark.parametrize("case", CASES)
def test_the_container_reads_the_files_of_the_config_map(case: str) -> None:
    fragment = rendered("logstash", case)
    (container,), (companion,) = fragment.containers, fragment.documents
    path = PurePosixPath(argument(container, "--path.config") or "")
    own = PurePosixPath("/usr/share/logstash/config/logstash.yml")
    for each in (path, own):
        volume = mounted(container, fragment, str(each))
        assert volume and volume["configMap"]["name"] == companion["metadata"]["name"]
    assert set(companion["data"]) == {path.name, own.name}


@pytest.mark.parametrize("case", CASES)
def test_the_start_script_that_writes_to_the_settings_is_left_out(case: str) -> None:
    (container,) = rendered("logstash", case).containers
    script = 'mkdir -p -m 0700 "$TMPDIR" && exec /usr/share/logstash/bin/logstash "$@"'
    assert container["command"] == ["/bin/sh", "-c", script, "logstash"]


@pytest.mark.parametrize("case", CASES)
def test_temporary_files_go_to_a_directory_that_only_logstash_can_write_to(case: str) -> None:
    (container,) = rendered("logstash", case).containers
    env = {each["name"]: each.get("value", "") for each in container["env"]}
    (mount,) = [each for each in container["volumeMounts"] if env["TMPDIR"].startswith(each["mountPath"] + "/")]
    assert not mount.get("readOnly")
    assert f"-Djava.io.tmpdir={env['TMPDIR']} " in env["LS_JAVA_OPTS"]


@pytest.mark.parametrize("case", CASES)
def test_every_path_in_the_configuration_lies_in_the_volume_meant_for_it(case: str) -> None:
    fragment = rendered("logstash", case)
    (container,), text = fragment.containers, text_of(fragment)
    readable = {mount["name"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    (app_mount,) = fragment.volume_mounts
    paths = re.findall(r'"([^"]+)"', re.findall(r"^ +path => \[(.*)\]$", text, re.M)[0])
    assert paths
    for path in paths:
        volume = mounted(container, fragment, path)
        assert volume and volume["name"] == app_mount["name"]
    assert app_mount["name"] in readable and not app_mount.get("readOnly")
    for path in [settings(fragment)["path.data"], *re.findall(r'sincedb_path => "(.*)"', text), "/tmp/jffi"]:
        volume = mounted(container, fragment, path)
        assert volume and "emptyDir" in volume and volume["name"] not in readable | {app_mount["name"]}
    for path in files(text):
        volume = mounted(container, fragment, path)
        sources = volume["projected"]["sources"] if volume else []
        items = [item for each in sources for kind in each.values() for item in kind["items"]]
        assert PurePosixPath(path).name in {item["path"] for item in items}


@pytest.mark.parametrize("case", CASES)
def test_the_probe_asks_the_address_that_the_settings_open(case: str) -> None:
    fragment = rendered("logstash", case)
    (container,), found = fragment.containers, settings(fragment)
    assert container["livenessProbe"]["httpGet"] == {"path": "/", "port": found["api.http.port"]}
    assert [each["containerPort"] for each in container["ports"]] == [found["api.http.port"]]
    assert found["api.http.host"] == "${POD_IP}"
    assert "startupProbe" not in container, "the app need not wait for it"


@pytest.mark.parametrize("case", CASES)
def test_every_variable_of_the_pipeline_is_set_in_the_container(case: str) -> None:
    fragment = rendered("logstash", case)
    used = {"POD_IP", *re.findall(r"\$\{(\w+)", text_of(fragment))}
    given = {each["name"] for each in fragment.containers[0]["env"]} - {"LS_JAVA_OPTS", "TMPDIR"}
    assert used <= given
    assert {name for name in given if not name.startswith("OUTPUT_")} <= used, "nothing uses the others"


def test_further_outputs_stand_after_the_output() -> None:
    text = text_of(logstash(outputs='stdout { codec => json_lines }\nfile { path => "/tmp/x" }'))
    assert text.rstrip().endswith('  stdout { codec => json_lines }\n  file { path => "/tmp/x" }\n}')


@pytest.mark.parametrize("case", CASES)
def test_names_follow_the_instance_so_that_two_fit_into_one_pod(case: str) -> None:
    first, second = (rendered("logstash", case, instance=name) for name in ("logstash", "audit-log-shipper-two"))
    for names in (lambda f: {each["name"] for each in f.containers}, lambda f: {each["name"] for each in f.volumes}):
        assert not names(first) & names(second)
    assert breaches(second) == []


# --- reading ---------------------------------------------------------------------------------------------------------


def test_with_no_parameter_the_files_of_the_shared_directory_go_to_stdout_as_json_lines() -> None:
    assert source()["path"] == ["/var/log/app/*.log"]
    assert logstash().volume_mounts == ({"name": "logstash-logs", "mountPath": "/var/log/app"},)
    assert pipeline()["output"] == [("stdout", {"codec": "json_lines"})]
    assert filters() == ["mutate", "mutate"]


def test_the_first_line_of_a_file_that_appears_late_is_not_missed() -> None:
    found = source()
    assert found["start_position"] == "beginning"
    assert found["stat_interval"] * found["discover_interval"] <= 5


@pytest.mark.parametrize("path", ["/var/log/other/*.log", "../*.log", "a.log,,b.log", "/var/log/app2/x"])
def test_a_pattern_outside_of_the_log_directory_is_refused(path: str) -> None:
    with pytest.raises(LibraryError, match="must be inside logDir"):
        logstash(path=path)


REGEX = r"""^(?<a>\S+) "(?<b>[^"]*)" it's '(?<c>\d{1,3})' # \\ $"""


def test_an_expression_arrives_as_it_was_written_because_escapes_are_on() -> None:
    assert settings(logstash())["config.support_escapes"] is True
    assert step("grok", parser="regex", regex=REGEX)["match"] == {"message": REGEX}
    assert source(multiline={"firstline": REGEX})["codec"][1]["pattern"] == REGEX


def test_a_first_line_starts_a_record_and_every_other_line_continues_it() -> None:
    name, found = source(multiline={"firstline": r"^\d{4}-", "flush_timeout": 3000})["codec"]
    assert name == "multiline"
    assert found == {"pattern": r"^\d{4}-", "negate": True, "what": "previous", "auto_flush_interval": 3}


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"parser": "json"}, "json"),
        ({"parser": "kv"}, "kv"),
        ({"parser": "csv", "keys": ["a", "b"]}, "csv"),
        ({"parser": "grok", "grok": "%{COMMONAPACHELOG}"}, "grok"),
        ({"parser": "json", "time_key": "ts"}, "date"),
    ],
)
def test_each_parser_is_a_filter(params: dict[str, Any], name: str) -> None:
    assert filters(**params)[-1] == name


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"mode": "init"}, "next to the app"),
        ({"output": "http"}, "set http.host"),
        ({"output": "custom"}, "set custom.config"),
        ({"credentials": SECRET}, "does not support credentials or tls"),
        ({"output": "http", "http": {"host": "h"}, "credentials": {**SECRET, "type": "api_key"}}, "basic or bearer"),
        ({"parser": "grok"}, "parser=grok and the parameter grok require each other"),
        ({"regex": "^x"}, "parser=regex and the parameter regex require each other"),
        ({"parser": "csv"}, "the parameter keys require each other"),
        ({"exclude_path": "old/*.log"}, "without their directory"),
        ({"parser": "regex", "regex": "^${x}"}, "as a variable"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        logstash(**params)


@pytest.mark.parametrize("params", [{"multiline": {"firstline": "^x", "flush_timeout": 1500}}, {"heap": "lots"}])
def test_values_that_logstash_would_refuse_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        logstash(**params)


# --- sending ---------------------------------------------------------------------------------------------------------


def test_labels_and_the_pods_name_become_fields() -> None:
    fields = step("mutate", output="http", http={"host": "h"}, labels={"team": 'a "b" \\d'})["replace"]
    assert fields == {
        "workload": "shop",
        "namespace": "${POD_NAMESPACE}",
        "pod": "${POD_NAME}",
        "node": "${NODE_NAME}",
        "team": 'a "b" \\d',
    }


def test_elasticsearch_gets_lines_and_no_templates() -> None:
    found = sending("elasticsearch", credentials={**SECRET, "type": "api_key"})
    assert (found["hosts"], found["index"], found["action"]) == (["http://h:9200"], "logstash", "create")
    assert (found["data_stream"], found["manage_template"], found["ilm_enabled"]) == ("false", False, False)
    assert found["api_key"] == "${OUTPUT_TOKEN}"
    daily = sending("elasticsearch", elasticsearch={"logstash_format": True, "logstash_prefix": "shop"})
    assert daily["index"] == "shop-%{+YYYY.MM.dd}"


def test_default_ports_follow_tls() -> None:
    assert sending("http")["url"] == "http://h:80/"
    found = sending("http", tls={"enabled": True, "verify": False})
    assert (found["url"], found["ssl_verification_mode"]) == ("https://h:443/", "none")


def test_what_waits_on_disk_is_bounded() -> None:
    found = settings(logstash(storage={"type": "filesystem"}))
    assert (found["queue.type"], found["queue.max_bytes"], found["queue.page_capacity"]) == (
        "persisted",
        "128mb",
        "8mb",
    )
    assert settings(logstash())["queue.type"] == "memory"


def test_the_heap_leaves_room_below_the_memory_limit() -> None:
    (container,) = logstash().containers
    (options,) = [each["value"] for each in container["env"] if each["name"] == "LS_JAVA_OPTS"]
    assert options.startswith("-Xms400m -Xmx400m ")
    assert container["resources"]["limits"]["memory"] == "1Gi"


def test_the_pod_gets_the_time_that_logstash_needs_to_stop() -> None:
    assert logstash().termination_grace_period_seconds == 40
    assert logstash(grace=10).termination_grace_period_seconds is None
    assert logstash(kube="1.29").termination_grace_period_seconds == 35


@pytest.mark.e2e
@pytest.mark.skipif(not LOGSTASH, reason="needs logstash")
@pytest.mark.parametrize("case", CASES)
def test_logstash_itself_accepts_the_pipeline(case: str, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.conf"
    text = text_of(rendered("logstash", case))
    for path in files(text):
        text = text.replace(path, str(tmp_path / PurePosixPath(path).name))
        (tmp_path / PurePosixPath(path).name).touch()
    file.write_text(text, encoding="utf-8")
    given = settings(rendered("logstash", case)) | {"path.data": str(tmp_path)}
    (tmp_path / "logstash.yml").write_text(yaml.safe_dump(given), encoding="utf-8")
    command = [LOGSTASH, "--config.test_and_exit", f"--path.config={file}", f"--path.settings={tmp_path}"]
    env = dict.fromkeys(re.findall(r"\$\{(\w+)", text), "x") | {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
