"""The collector runs as the manifest says: it exports what the app sends, and keeps its queue when asked."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e
SPAN = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "get", "kind": 2,
        "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000"}  # fmt: skip
TRACES = json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [SPAN]}]}]}).encode()


@pytest.mark.parametrize("family", FAMILIES)
def test_it_exports_the_spans_of_the_app(family: str, tmp_path: Path) -> None:
    addresses = FAMILIES[family]
    values = {
        "endpoint": url(addresses.outside[0], 4318, ""), "compression": "none", "signals": ["traces"],
        "headers": {"Authorization": {"secretName": "backend", "key": "token"}},
    }  # fmt: skip
    manifest = added("otel-collector", deployment(8080), tmp_path, {"otel-collector": values})
    with Pod(manifest, tmp_path, addresses=addresses, secrets={"backend": {"token": b"Bearer x"}}) as pod:
        backend = pod.serve(
            4318, lambda _: Answer(200, {"content-type": "application/x-protobuf"}, b""), addresses.outside[0]
        )
        collector = pod.start("otel-collector")
        sent = pod.get(
            url("127.0.0.1", 4318, "/v1/traces"),
            method="POST",
            body=TRACES,
            headers={"Content-Type": "application/json"},
        )
        assert sent.status == 200, sent
        for address in addresses.pod:
            assert pod.get(url(address, 13133)).status == 200
            assert b"otelcol_" in pod.get(url(address, 8888, "/metrics")).body
            with pytest.raises(OSError):
                pod.get(url(address, 4317))
        assert pod.probe("otel-collector", "livenessProbe") == ""
        assert pod.stop("otel-collector") < 10  # and sends what it holds
        assert collector.exit_code() == 0
        assert backend.requests, collector.log()[-2000:]
        (request,) = backend.requests
        assert request.path == "/v1/traces" and request.headers["authorization"] == "Bearer x"
        assert b"k8s.pod.name" in request.body and b"shop" in request.body


def test_it_stays_below_its_memory_request_when_idle(tmp_path: Path) -> None:
    values = {"otel-collector": {"endpoint": "http://192.0.2.10:4318"}}
    with Pod(added("otel-collector", deployment(8080), tmp_path, values), tmp_path) as pod:
        collector = pod.start("otel-collector")
        time.sleep(1)
        assert collector.resident_memory() < 64 << 20


def test_a_stored_queue_survives_a_restart(tmp_path: Path) -> None:
    values = {"endpoint": "http://192.0.2.10:4318", "compression": "none", "sending_queue": {"persistent": True}}
    manifest = added("otel-collector", deployment(8080), tmp_path, {"otel-collector": values})
    headers = {"Content-Type": "application/json"}
    with Pod(manifest, tmp_path) as pod:
        collector = pod.start("otel-collector")
        assert pod.get(url("127.0.0.1", 4318, "/v1/traces"), method="POST", body=TRACES, headers=headers).status == 200
        time.sleep(2)  # longer than the batch timeout
        collector.kill()
        backend = pod.serve(4318, lambda _: Answer(200, {"content-type": "application/x-protobuf"}, b""), "192.0.2.10")
        pod.start("otel-collector")
        end = time.monotonic() + 20
        while not backend.requests and time.monotonic() < end:
            time.sleep(0.1)
        assert b"get" in backend.requests[0].body
