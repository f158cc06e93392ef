"""Fluent Bit runs as the manifest says: it follows the app's files, sends every line, and resumes where it stopped."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.sidecars.run.eventually import eventually
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, Request
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e

HOSTS = {"logs.example.com": "192.0.2.10"}


def shipped(folder: Path, **parameters: Any) -> str:
    return added("logger", deployment(8080), folder, {"logger": {"preStopSleep": 1, **parameters}})


def records(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_of_the_app_is_printed_until_the_end(family: str, tmp_path: Path) -> None:
    with Pod(shipped(tmp_path), tmp_path, addresses=FAMILIES[family]) as pod:
        logs = pod.volumes["logger-logs"]
        (logs / "early.log").write_text("before the start\n")
        logger = pod.start("logger")
        eventually(lambda: pod.probe("logger", "livenessProbe") == "")
        (logs / "app.log").write_text("first\n")
        eventually(lambda: "first" in logger.log())
        (logs / "app.log").rename(logs / "app.log.1")
        with (logs / "app.log").open("w") as file:
            file.write("second\nlast\n")
        assert pod.stop("logger") < 15
        assert logger.exit_code() == 0
        assert sorted(each["log"] for each in records(logger.log())) == ["before the start", "first", "last", "second"]
        assert {each["file"] for each in records(logger.log())} == {"/var/log/app/early.log", "/var/log/app/app.log"}


def test_a_restarted_container_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with Pod(shipped(tmp_path), tmp_path) as pod:
        file = pod.volumes["logger-logs"] / "app.log"
        file.write_text("first\n")
        eventually(
            lambda: (
                "first" in pod.containers["logger"].log()
                if "logger" in pod.containers
                else pod.start("logger") and None
            )
        )
        pod.stop("logger")
        with file.open("a") as more:
            more.write("second\n")
        logger = pod.start("logger")
        eventually(lambda: "second" in logger.log())
        assert [each["log"] for each in records(logger.log())] == ["second"]


class Backend:
    """A server that takes every request."""

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        self.requests: list[Request] = []
        self._answer = Answer(status, {"content-type": "application/json"}, body)

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        return self._answer

    def bodies(self) -> list[bytes]:
        return [
            gzip.decompress(each.body) if each.headers.get("content-encoding") == "gzip" else each.body
            for each in self.requests if each.body
        ]  # fmt: skip


SENT: list[tuple[dict[str, Any], str, bytes]] = [
    ({"output": "http", "http": {"host": "logs.example.com", "port": 8000, "uri": "/in"}}, "/in", b'"log":"one"'),
    (
        {"output": "loki", "loki": {"host": "logs.example.com", "port": 8000, "compress": "gzip"}},
        "/loki/api/v1/push",
        b"one",
    ),
    (
        {"output": "elasticsearch", "elasticsearch": {"host": "logs.example.com", "port": 8000}},
        "/_bulk",
        b'"log":"one"',
    ),
    ({"output": "otlp", "otlp": {"host": "logs.example.com", "port": 8000}}, "/v1/logs", b"one"),
    (
        {
            "output": "splunk",
            "splunk": {"host": "logs.example.com", "port": 8000, "event_index": "main", "compress": "gzip"},
            "credentials": {"secretName": "out", "type": "bearer"},
        },
        "/services/collector/event",
        b'"index":"main"',
    ),
    (
        {
            "output": "s3",
            "s3": {
                "bucket": "logs",
                "region": "eu-central-1",
                "endpoint": "http://logs.example.com:8000",
                "compression": "none",
            },
            "credentials": {"secretName": "out"},
        },
        "/logs/shop/",
        b'"log":"one"',
    ),
]


@pytest.mark.parametrize(("parameters", "path", "text"), SENT, ids=[each[0]["output"] for each in SENT])
def test_every_output_reaches_its_server(parameters: dict[str, Any], path: str, text: bytes, tmp_path: Path) -> None:
    secrets = {"out": {"username": b"AKIA", "password": b"s3cret", "token": b"t0ken"}}
    backend = Backend()
    manifest = shipped(tmp_path, outputs=[{"name": "stdout", "format": "json_lines"}], **parameters)
    with Pod(manifest, tmp_path, hosts=HOSTS, secrets=secrets) as pod:
        pod.serve(8000, backend, "192.0.2.10")
        (pod.volumes["logger-logs"] / "app.log").write_text("one\n")
        logger = pod.start("logger")
        eventually(lambda: "one" in logger.log())
        assert pod.stop("logger") < 15
        assert any(each.path.startswith(path) for each in backend.requests), logger.log()
        assert any(text in body for body in backend.bodies()), backend.bodies()
        if parameters["output"] == "splunk":
            assert backend.requests[0].headers["authorization"] == "Splunk t0ken"
        if parameters["output"] == "s3":
            assert "Credential=AKIA/" in backend.requests[0].headers["authorization"]
        assert logger.exit_code() == 0
