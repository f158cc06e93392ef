"""Fluentd's configuration agrees with its container, and every value that a user can give arrives as it was written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from sidecar_cases import argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("fluentd")
FLUENTD = shutil.which("fluentd") or ""
OPENSSL = shutil.which("openssl") or ""
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}},
}
REMOTE: dict[str, dict[str, Any]] = {"forward": {"host": "h"}, "http": {"host": "h"}, "custom": {"type": "null"}}
SECRET = {"secretName": "s"}


def fluentd(mode: str = "native", kube: str = "1.34", instance: str = "", **params: Any) -> Fragment:
    return rendered("fluentd", params=params, manifest=MANIFEST, mode=mode, kube=kube, instance=instance)


@dataclass
class Section:
    """A section of the configuration: its settings as they are written, and the sections in it."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    inside: list[Section] = field(default_factory=list)

    def find(self, name: str, kind: str = "") -> Section:
        (found,) = [each for each in self.inside if each.name == name and kind in ("", each.settings.get("@type"))]
        return found

    def has(self, name: str) -> bool:
        return any(each.name == name for each in self.inside)

    def __getitem__(self, name: str) -> str:
        """The value without its quotes."""
        value = self.settings[name]
        return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] in ("'", '"') else value

    def __contains__(self, name: str) -> bool:
        return name in self.settings


def parsed(text: str) -> Section:
    stack = [Section("")]
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("</"):
            assert line[2:-1] == stack.pop().name.split(" ")[0]
        elif line.startswith("<"):
            stack.append(Section(line[1:-1]))
            stack[-2].inside.append(stack[-1])
        elif line:
            name, _, value = line.partition(" ")
            assert name not in stack[-1], f"{name} stands there twice"
            stack[-1].settings[name] = value
    assert len(stack) == 1
    return stack[0]


def text_of(fragment: Fragment) -> str:
    (companion,) = fragment.documents
    return str(companion["data"]["fluent.conf"])


def config(fragment: Fragment) -> Section:
    return parsed(text_of(fragment))


def tail(fragment: Fragment) -> Section:
    return config(fragment).find("source", "tail")


def lines(fragment: Fragment) -> Section:
    return config(fragment).find("label @LINES")


def match(fragment: Fragment) -> Section:
    return lines(fragment).find("match **")


def sending(output: str, **params: Any) -> Section:
    settings = {**REMOTE[output], **params.pop(output, {})}
    return match(fluentd(output=output, **{output: settings}, **params))


def environment(fragment: Fragment) -> set[str]:
    return {each["name"] for each in fragment.containers[0]["env"]}


# --- what holds in every case ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("fluentd", case, mode=mode)) == []


@pytest.mark.parametrize("case", CASES)
def test_the_container_reads_the_file_of_the_config_map(case: str) -> None:
    fragment = rendered("fluentd", case)
    (container,), (companion,) = fragment.containers, fragment.documents
    path = PurePosixPath(argument(container, "--config") or "")
    volume = mounted(container, fragment, str(path))
    assert volume and volume["configMap"]["name"] == companion["metadata"]["name"]
    assert list(companion["data"]) == [path.name]


@pytest.mark.parametrize("case", CASES)
def test_every_path_in_the_configuration_lies_in_the_volume_meant_for_it(case: str) -> None:
    fragment = rendered("fluentd", case)
    (container,), source, target = fragment.containers, tail(fragment), match(fragment)
    readable = {mount["name"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    (app_mount,) = fragment.volume_mounts
    excluded = json.loads(source["exclude_path"]) if "exclude_path" in source else []
    for pattern in [*source["path"].split(","), *excluded]:
        volume = mounted(container, fragment, pattern)
        assert volume and volume["name"] == app_mount["name"]
    assert app_mount["name"] in readable and not app_mount.get("readOnly")
    buffer = target.find("buffer") if target.has("buffer") else Section("")
    for path in [source["pos_file"], *([buffer["path"]] if "path" in buffer else []), "/tmp/lock"]:
        volume = mounted(container, fragment, path)
        assert volume and "emptyDir" in volume and volume["name"] not in readable | {app_mount["name"]}
    for name, path in target.settings.items():
        if path.startswith("/fluentd/tls/"):
            volume = mounted(container, fragment, path)
            sources = volume["projected"]["sources"] if volume else []
            items = {item["path"] for each in sources for kind in each.values() for item in kind["items"]}
            assert PurePosixPath(path).name in items, name


@pytest.mark.parametrize("case", CASES)
def test_the_probe_asks_the_port_that_the_configuration_opens(case: str) -> None:
    fragment = rendered("fluentd", case)
    (container,), monitor = fragment.containers, config(fragment).find("source", "monitor_agent")
    port = int(monitor["port"])
    assert container["livenessProbe"]["httpGet"] == {"path": "/api/plugins.json", "port": port}
    assert [each["containerPort"] for each in container["ports"]] == [port]
    assert "ENV['POD_IP']" in monitor["bind"] and monitor["include_config"] == "false", "settings may hold secrets"
    assert "readinessProbe" not in container


@pytest.mark.parametrize("case", CASES)
def test_every_variable_of_the_configuration_is_set_in_the_container(case: str) -> None:
    fragment = rendered("fluentd", case)
    used = set(re.findall(r"ENV\['(\w+)'\]", text_of(fragment)))
    given = environment(fragment) - {"TMPDIR"}
    assert used <= given
    assert {name for name in given if not name.startswith("OUTPUT_")} <= used, "nothing uses the others"
    assert "${" not in text_of(fragment).replace("${time.", "")


@pytest.mark.parametrize("case", CASES)
def test_temporary_files_go_to_a_directory_that_only_fluentd_can_write_to(case: str) -> None:
    fragment = rendered("fluentd", case)
    (container,) = fragment.containers
    (directory,) = [each["value"] for each in container["env"] if each["name"] == "TMPDIR"]
    (mount,) = [each for each in container["volumeMounts"] if directory.startswith(each["mountPath"] + "/")]
    assert not mount.get("readOnly")
    assert 'mkdir -p -m 0700 "$TMPDIR" && exec /bin/entrypoint.sh "$@"' in container["command"]
    assert container["args"][0] == "fluentd"


def test_the_address_of_the_health_endpoint_has_brackets_where_a_url_needs_them() -> None:
    def bind(**params: Any) -> str:
        return config(fluentd(**params)).find("source", "monitor_agent")["bind"]

    assert bind() == "#{ENV['POD_IP'].include?(':') ? '[' + ENV['POD_IP'] + ']' : ENV['POD_IP']}"
    assert (bind(http_listen="::"), bind(http_listen="0.0.0.0")) == ("[::]", "0.0.0.0")


def test_further_stores_get_every_line_that_the_output_gets() -> None:
    stores = "<store>\n  @type stdout\n  <format>\n    @type json\n  </format>\n</store>\n"
    found = match(fluentd(output="forward", forward={"host": "h"}, stores=stores))
    assert found["@type"] == "copy"
    assert [each["@type"] for each in found.inside] == ["forward", "stdout"]
    assert found.inside[0].has("buffer") and found.inside[0].has("server")
    assert match(fluentd())["@type"] == "stdout"


@pytest.mark.parametrize("case", CASES)
def test_what_fluentd_says_about_itself_is_not_sent_as_a_line_of_the_app(case: str) -> None:
    settings = config(rendered("fluentd", case))
    assert settings.find("source", "tail")["@label"] == "@LINES"
    assert not any(each.name.startswith(("match", "filter")) for each in settings.inside)


@pytest.mark.parametrize("case", CASES)
def test_names_follow_the_instance_so_that_two_fit_into_one_pod(case: str) -> None:
    first, second = (rendered("fluentd", case, instance=name) for name in ("fluentd", "audit-log-shipper-two"))
    for names in (lambda f: {each["name"] for each in f.containers}, lambda f: {each["name"] for each in f.volumes}):
        assert not names(first) & names(second)
    assert first.documents[0]["metadata"]["name"] != second.documents[0]["metadata"]["name"]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_with_no_parameter_the_files_of_the_shared_directory_go_to_stdout_as_json_lines() -> None:
    fragment = fluentd()
    assert tail(fragment)["path"] == "/var/log/app/*.log"
    assert fragment.volume_mounts == ({"name": "fluentd-logs", "mountPath": "/var/log/app"},)
    target = match(fragment)
    assert (target["@type"], target["use_logger"], target.find("format")["@type"]) == ("stdout", "false", "json")
    assert not lines(fragment).has("filter **")
    assert "@log_level" not in tail(fragment)


def test_the_first_line_of_a_file_that_appears_late_is_not_missed() -> None:
    source = tail(fluentd())
    assert source["read_from_head"] == "true" and int(source["refresh_interval"]) <= 5


@pytest.mark.parametrize("path", ["/var/log/other/*.log", "../*.log", "a.log,,b.log", "/var/log/app2/x"])
def test_a_pattern_outside_of_the_log_directory_is_refused(path: str) -> None:
    with pytest.raises(LibraryError, match="must be inside logDir"):
        fluentd(path=path)


REGEX = r"""^(?<a>\S+) "(?<b>[^"]*)" it's '(?<c>\d{1,3})' #{x} # \\ $"""


def test_a_regular_expression_arrives_as_it_was_written() -> None:
    assert tail(fluentd(parser="regex", regex=REGEX)).find("parse")["expression"] == f"/{REGEX}/"


def test_a_line_has_the_time_of_its_field_only_where_that_is_named() -> None:
    assert tail(fluentd(parser="json")).find("parse")["time_key"] == ""
    section = tail(fluentd(parser="json", time_key="ts", time_format="%s")).find("parse")
    assert (section["time_key"], section["time_type"], section["time_format"]) == ("ts", "string", "%s")
    section = tail(fluentd(parser="json", time_key="ts", time_format="%unixtime")).find("parse")
    assert section["time_type"] == "unixtime" and "time_format" not in section


def test_a_first_line_starts_a_record_and_every_other_line_continues_it() -> None:
    source = tail(fluentd(multiline={"firstline": r"^\d{4}-", "flush_timeout": 500}))
    section = source.find("parse")
    assert (section["@type"], section["format_firstline"], section["format1"]) == (
        "multiline",
        r"/^\d{4}-/",
        "/(?<log>.*)/",
    )
    assert float(source["multiline_flush_interval"]) == 0.5


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"mode": "init"}, "next to the app"),
        ({"output": "http"}, "set http.host"),
        ({"output": "custom"}, "set custom.type"),
        ({"credentials": SECRET}, "does not support credentials or tls"),
        ({"output": "http", "http": {"host": "h"}, "credentials": {**SECRET, "type": "shared_key"}}, "basic or bearer"),
        ({"output": "forward", "forward": {"host": "h"}, "credentials": SECRET}, "shared_key"),
        ({"parser": "regex"}, "parser=regex and the parameter regex require each other"),
        ({"parser": "csv"}, "the parameter keys require each other"),
        ({"parser": "json", "keys": ["a"]}, "the parameter keys require each other"),
        ({"parser": "json", "multiline": {"firstline": "^x"}}, "parser=none or parser=regex"),
        ({"labels": {"a": "${POD_NAME"}}, "without closing }"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        fluentd(**params)


def test_a_plugin_that_the_image_does_not_have_is_no_output() -> None:
    with pytest.raises(UsageError):
        fluentd(output="loki")


# --- sending ---------------------------------------------------------------------------------------------------------


def test_labels_and_the_pods_name_become_fields() -> None:
    record = lines(
        fluentd(output="forward", forward={"host": "h"}, labels={"team": "a 'b' #{c}", "x": "<${POD_NAME}>"})
    )
    fields = record.find("filter **").find("record")
    assert fields["team"] == "a 'b' #{c}"
    assert fields.settings["x"] == "\"<#{ENV['POD_NAME']}>\""
    assert fields["workload"] == "shop" and "namespace" in fields and "node" in fields


def test_default_ports_follow_tls() -> None:
    assert sending("http")["endpoint"] == "http://h:80/"
    assert sending("http", tls={"enabled": True})["endpoint"] == "https://h:443/"


def test_a_refused_block_of_lines_is_dropped_and_a_server_that_is_away_is_asked_again() -> None:
    buffer = sending("http").find("buffer")
    assert (buffer["retry_max_times"], buffer["retry_max_interval"], buffer["disable_chunk_backup"]) == (
        "20",
        "60",
        "true",
    )
    assert "503" in sending("http")["retryable_response_codes"]
    assert sending("http", retry_limit=-1).find("buffer")["retry_forever"] == "true"


def test_a_name_that_cannot_be_resolved_yet_does_not_keep_fluentd_from_starting() -> None:
    assert sending("forward")["ignore_network_errors_at_startup"] == "true"


def test_reading_pauses_when_too_much_waits() -> None:
    assert sending("forward").find("buffer")["overflow_action"] == "block"


def test_headers_are_json_and_hold_no_code() -> None:
    section = sending("http", http={"header": {"X-A": 'b "c" #{d}'}}, credentials={**SECRET, "type": "bearer"})
    given = section["headers"].replace("#{ENV['OUTPUT_TOKEN']}", "T")
    assert json.loads(given) == {"X-A": 'b "c" #{d}', "Authorization": "Bearer T"}
    assert "#{d}" not in section["headers"]


def test_the_pod_gets_the_time_that_fluentd_needs_to_stop() -> None:
    assert fluentd().termination_grace_period_seconds is None
    assert fluentd(preStopSleep=30).termination_grace_period_seconds == 45
    assert fluentd(preStopSleep=30, kube="1.29").termination_grace_period_seconds is None


# --- Fluentd itself --------------------------------------------------------------------------------------------------


def at_work(test: Any) -> Any:
    """Mark a test that runs Fluentd."""
    return pytest.mark.e2e(pytest.mark.skipif(not FLUENTD, reason="needs fluentd")(test))


def here(fragment: Fragment, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command and environment for the configuration with its directories inside of `folder`."""
    for name in ("logs", "data", "tls"):
        (folder / name).mkdir(exist_ok=True)
    text = text_of(fragment).replace("/var/log/app", str(folder / "logs"))
    for name in ("data", "tls"):
        text = text.replace(f"/fluentd/{name}/", f"{folder / name}/")
    file = folder / "fluent.conf"
    file.write_text(text, encoding="utf-8")
    env = dict.fromkeys(environment(fragment), "") | {"POD_NAME": "pod-1"}
    return [FLUENTD, f"--config={file}"], {**os.environ, **env, "TMPDIR": str(folder)}


def certificates(folder: Path) -> None:
    request = [
        OPENSSL,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=h",
        "-keyout",
        "tls.key",
        "-out",
        "tls.crt",
    ]
    subprocess.run(request, cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "tls.crt", folder / "ca.crt")


@at_work
@pytest.mark.skipif(not OPENSSL, reason="needs openssl")
@pytest.mark.parametrize("case", [each for each in CASES if each != "custom-output"])
def test_fluentd_itself_accepts_the_configuration(case: str, tmp_path: Path) -> None:
    command, env = here(rendered("fluentd", case), tmp_path)
    certificates(tmp_path / "tls")
    done = subprocess.run([*command, "--dry-run"], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    warnings = [line for line in done.stdout.splitlines() if "[warn]" in line and "failed to resolve" not in line]
    assert warnings == []


def shipped(folder: Path, logged: str, wanted: int | Callable[[], bool], **params: Any) -> list[dict[str, Any]]:
    """What Fluentd prints for the lines of a file, until there are as many as wanted; then it is told to stop."""
    command, env = here(fluentd(http_port=24299, **params), folder)
    (folder / "logs/app.log").write_text(logged, encoding="utf-8")
    output = folder / "printed"

    def done(printed: Path) -> bool:
        return printed.read_text().count("\n") >= wanted if isinstance(wanted, int) else wanted()

    with output.open("w", encoding="utf-8") as stream, subprocess.Popen(command, env=env, stdout=stream) as process:
        try:
            deadline = time.monotonic() + 30
            while not done(output) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(20)
    return [json.loads(line) for line in output.read_text().splitlines()]


@at_work
def test_lines_are_printed_as_json_with_time_file_and_labels(tmp_path: Path) -> None:
    labels = {"team": "a 'b' #{c} \\d", "pod": "<${POD_NAME}>"}
    (first, second) = shipped(tmp_path, 'one "x"\ntwo\n', 2, labels=labels)
    assert (first["log"], second["log"]) == ('one "x"', "two")
    assert first["team"] == labels["team"] and first["pod"] == "<pod-1>"
    assert first["file"].endswith("logs/app.log")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["date"])


@at_work
@pytest.mark.parametrize(("form", "body_is_array"), [("json", True), ("json_lines", False)])
@pytest.mark.parametrize(("written", "kind"), [("iso8601", str), ("epoch", int), ("epoch_ms", int), ("double", float)])
def test_records_reach_a_server_with_their_time_and_the_headers(
    form: str, body_is_array: bool, written: str, kind: type, tmp_path: Path
) -> None:
    received: list[tuple[dict[str, str], str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((dict(self.headers.items()), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    settings = {"host": "127.0.0.1", "port": server.server_port, "format": form, "json_date_format": written}
    settings["header"] = {"X-Pod": "<${POD_NAME}>", "X-Odd": 'a "b" #{c}'}
    try:
        params = {"output": "http", "http": settings, "credentials": {**SECRET, "type": "bearer"}}
        shipped(tmp_path, "one\ntwo\n", lambda: len(received) > 0, **params)
    finally:
        server.shutdown()
        server.server_close()
    headers, body = received[0]
    assert (headers["X-Pod"], headers["X-Odd"], headers["Authorization"]) == ("<pod-1>", 'a "b" #{c}', "Bearer ")
    records = json.loads(body) if body_is_array else [json.loads(line) for line in body.splitlines()]
    assert [each["log"] for each in records] == ["one", "two"]
    assert all(type(each["date"]) is kind and each["pod"] == "pod-1" for each in records)


@at_work
def test_a_regular_expression_is_understood_as_it_was_written(tmp_path: Path) -> None:
    line = """one "two" it's '3' #x} # \\ """
    regex = r"""^(?<a>\S+) "(?<b>[^"]*)" it's '(?<time>\d{1,3})' #x} # \\ $"""
    (fields, odd) = shipped(tmp_path, f"{line}\nother\n", 2, parser="regex", regex=regex)
    assert (fields["a"], fields["b"], fields["time"]) == ("one", "two", "3")
    assert odd["unmatched_line"] == "other"


@at_work
def test_lines_that_belong_together_become_one_record(tmp_path: Path) -> None:
    logged = "2026-01-01 a\n  at b\n  at c\n2026-01-02 d\n"
    printed = shipped(tmp_path, logged, 2, multiline={"firstline": r"^\d{4}-", "flush_timeout": 500})
    assert [each["log"] for each in printed] == ["2026-01-01 a\n  at b\n  at c", "2026-01-02 d"]


@at_work
def test_json_keeps_its_fields_and_takes_its_time(tmp_path: Path) -> None:
    logged = '{"ts":"2026-01-02T03:04:05.678+0000","a":{"b":1}}\n{"time":"whenever"}\n'
    (first, second) = shipped(tmp_path, logged, 2, parser="json", time_key="ts")
    assert (first["a"], first["date"], first["ts"]) == (
        {"b": 1},
        "2026-01-02T03:04:05.678000Z",
        "2026-01-02T03:04:05.678+0000",
    )
    assert second["time"] == "whenever"
