"""The exporters run as the manifest says: probes on every address, metrics with and without the app, and SIGTERM."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e
STATUS = b"Active connections: 1 \nserver accepts handled requests\n 4 4 7 \nReading: 0 Writing: 1 Waiting: 0 \n"
SECRETS = {"login": {"password": b"secret", "user": b"exporter"}}
EXPORTERS: dict[str, tuple[int, dict[str, Any], bytes]] = {
    "nginx": (9113, {}, b"nginx_up 0"),
    "redis": (9121, {"credentials": {"secretName": "login"}}, b"redis_up 0"),
    "postgres": (9187, {"credentials": {"secretName": "login", "userKey": "user"}}, b"pg_up 0"),
    "mysql": (9104, {"credentials": {"secretName": "login", "userKey": "user"}}, b"mysql_up 0"),
    "mongodb": (9216, {"credentials": {"secretName": "login", "userKey": "user"}}, b"mongodb_up"),
    "statsd": (9102, {}, b"statsd_exporter_"),
    "blackbox": (9115, {"blackbox": {"modules": {"http_2xx": {"prober": "http"}}}}, b"blackbox_exporter_"),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("exporter", EXPORTERS)
def test_it_serves_metrics_on_every_address_also_while_the_app_is_down(
    exporter: str, family: str, tmp_path: Path
) -> None:
    port, values, metric = EXPORTERS[exporter]
    manifest = added("metrics", deployment(8080), tmp_path, {"metrics": {"exporter": exporter, **values}})
    with Pod(manifest, tmp_path, addresses=FAMILIES[family], secrets=SECRETS) as pod:
        running = pod.start("metrics")
        end = time.monotonic() + 10
        while reason := pod.probe("metrics", "livenessProbe"):
            assert time.monotonic() < end and running.exit_code() is None, (reason, running.log())
            time.sleep(0.1)
        for address in (*pod.addresses.pod, "127.0.0.1"):
            assert metric in pod.get(url(address, port, "/metrics"), timeout=20).body
        assert running.resident_memory() < 48 << 20
        assert pod.stop("metrics") < 5


def test_nginx_is_asked_for_its_status(tmp_path: Path) -> None:
    manifest = added("metrics --set exporter=nginx", deployment(8080), tmp_path)
    with Pod(manifest, tmp_path) as pod:
        pod.serve(8080, lambda _: Answer(200, {"content-type": "text/plain"}, STATUS))
        pod.start("metrics")
        time.sleep(0.5)
        found = pod.get(url(pod.ip, 9113, "/metrics")).body
        assert b"nginx_up 1" in found and b"nginx_http_requests_total 7" in found


def test_statsd_counts_what_the_app_sends(tmp_path: Path) -> None:
    mapping = {"mappings": [{"match": "shop.*.hits", "name": "hits", "labels": {"page": "$1"}}]}
    values = {"metrics": {"exporter": "statsd", "statsd": {"mapping-config": mapping}}}
    with Pod(added("metrics", deployment(8080), tmp_path, values), tmp_path) as pod:
        pod.start("metrics")
        with pod.network.connect("127.0.0.1", 9125, "udp") as udp:
            udp.send(b"shop.start.hits:3|c")
        time.sleep(1)
        assert b'hits{page="start"} 3' in pod.get(url(pod.ip, 9102, "/metrics")).body


def test_blackbox_probes_the_app(tmp_path: Path) -> None:
    values = {"metrics": {"exporter": "blackbox", "blackbox": {"modules": {"http_2xx": {"prober": "http"}}}}}
    with Pod(added("metrics", deployment(8080), tmp_path, values), tmp_path) as pod:
        pod.start("metrics")
        time.sleep(0.5)
        path = "/probe?module=http_2xx&target=http://127.0.0.1:8080/"
        assert b"probe_success 0" in pod.get(url(pod.ip, 9115, path)).body
        pod.serve(8080)
        assert b"probe_success 1" in pod.get(url(pod.ip, 9115, path)).body
