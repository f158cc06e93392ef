"""Fluentd runs as the manifest says: it starts without a directory that Ruby trusts, follows the files, and ends."""

from __future__ import annotations

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

STORE = "<store>\n  @type stdout\n  <format>\n    @type json\n  </format>\n</store>\n"


def shipped(folder: Path, **parameters: Any) -> str:
    return added("fluentd", deployment(8080), folder, {"fluentd": {"preStopSleep": 2, **parameters}})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_of_the_app_is_printed_until_the_end(family: str, tmp_path: Path) -> None:
    with Pod(shipped(tmp_path), tmp_path, addresses=FAMILIES[family]) as pod:
        logs = pod.volumes["fluentd-logs"]
        (logs / "app.log").write_text("first\n")
        fluentd = pod.start("fluentd")
        eventually(lambda: pod.probe("fluentd", "livenessProbe") == "")
        eventually(lambda: "first" in fluentd.log())
        (logs / "app.log").rename(logs / "app.log.1")
        (logs / "app.log").write_text("last\n")
        assert pod.stop("fluentd") < 20
        assert fluentd.exit_code() == 0
        lines = [json.loads(line) for line in fluentd.log().splitlines() if line.startswith("{")]
        assert [each["log"] for each in lines] == ["first", "last"]
        private = pod.volumes["fluentd-tmp"] / "fluentd"
        assert private.stat().st_mode & 0o777 == 0o700


def test_a_container_that_restarts_finds_its_directory_and_its_position(tmp_path: Path) -> None:
    with Pod(shipped(tmp_path), tmp_path) as pod:
        file = pod.volumes["fluentd-logs"] / "app.log"
        file.write_text("first\n")
        first = pod.start("fluentd")
        eventually(lambda: "first" in first.log())
        pod.stop("fluentd")
        with file.open("a") as more:
            more.write("second\n")
        second = pod.start("fluentd")
        eventually(lambda: "second" in second.log())
        assert "first" not in second.log()


def test_the_output_and_a_further_store_get_every_line(tmp_path: Path) -> None:
    requests: list[Request] = []

    def backend(request: Request) -> Answer:
        requests.append(request)
        return Answer(200, {}, b"")

    manifest = shipped(
        tmp_path, output="http", http={"host": "logs.example.com", "port": 8000, "uri": "/in"}, stores=STORE,
        credentials={"secretName": "out", "type": "bearer"},
    )  # fmt: skip
    with Pod(manifest, tmp_path, hosts={"logs.example.com": "192.0.2.10"}, secrets={"out": {"token": b"t0ken"}}) as pod:
        pod.serve(8000, backend, "192.0.2.10")
        (pod.volumes["fluentd-logs"] / "app.log").write_text("one\n")
        fluentd = pod.start("fluentd")
        eventually(lambda: requests, 30)
        (record,) = json.loads(requests[0].body)
        assert (record["log"], record["pod"], record["workload"]) == ("one", "shop-0", "shop")
        assert requests[0].headers["authorization"] == "Bearer t0ken"
        eventually(lambda: '"log":"one"' in fluentd.log())
