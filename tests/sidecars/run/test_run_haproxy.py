"""HAProxy runs as the manifest says: probes, traffic, both address families, and SIGUSR1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sidecars.sandbox.certificates import client_context, make_certificate
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("family", FAMILIES)
def test_it_serves_on_every_address_of_the_pod(family: str, tmp_path: Path) -> None:
    manifest = added("haproxy", deployment(8080), tmp_path)
    with Pod(manifest, tmp_path, addresses=FAMILIES[family]) as pod:
        pod.serve(8080)
        haproxy = pod.start("haproxy")
        for address in (*pod.addresses.pod, "127.0.0.1"):
            answer = pod.get(url(address, 10080, "/path"))
            assert answer.status == 200
            assert answer.json()["headers"]["x-forwarded-for"] == address
        assert pod.probe("haproxy", "livenessProbe") == ""
        assert pod.stop("haproxy") < 5
        assert haproxy.exit_code() == 0


def test_headers_of_31_kilobytes_pass_and_the_app_down_is_503(tmp_path: Path) -> None:
    with Pod(added("haproxy", deployment(8080), tmp_path), tmp_path) as pod:
        pod.start("haproxy")
        assert pod.get(url(pod.ip, 10080), method="POST", body=b"x" * (1 << 20)).status == 503
        app = pod.serve(8080)
        assert pod.get(url(pod.ip, 10080), headers={"Cookie": "x" * 31000}).status == 200
        assert len(app.requests[0].headers["cookie"]) == 31000


def test_tls_ends_at_haproxy_and_clients_need_a_certificate(tmp_path: Path) -> None:
    secret = make_certificate(tmp_path / "tls")
    values = {"haproxy": {"tls": {"secretName": "tls", "clientCa": "ca.crt"}}}
    with Pod(added("haproxy", deployment(8080), tmp_path, values), tmp_path, secrets={"tls": secret}) as pod:
        app = pod.serve(8080)
        pod.start("haproxy")
        own = (tmp_path / "tls" / "tls.crt", tmp_path / "tls" / "tls.key")
        more = {"server_name": "shop.example.com"}
        assert (
            pod.get(url(pod.ip, 8443, "/", "https"), context=client_context(secret["ca.crt"], own), **more).status
            == 200
        )
        assert app.requests[0].headers["x-forwarded-proto"] == "https"
        with pytest.raises(OSError):
            pod.get(url(pod.ip, 8443, "/", "https"), context=client_context(secret["ca.crt"]), **more)


def test_a_client_over_the_rate_limit_gets_429(tmp_path: Path) -> None:
    with Pod(added("haproxy --set rateLimit=5", deployment(8080), tmp_path), tmp_path) as pod:
        pod.serve(8080)
        pod.start("haproxy")
        statuses = [pod.get(url(pod.ip, 10080)).status for _ in range(10)]
        assert statuses[:5] == [200] * 5 and 429 in statuses
