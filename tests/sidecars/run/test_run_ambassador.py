"""HAProxy as an ambassador runs as the manifest says: local ports lead to remote services, with TLS that is verified."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.sidecars.sandbox.certificates import make_certificate
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e
NAME = "shop.example.com"


def ambassador(folder: Path, family: str, secrets: Any = None, **service: Any) -> Pod:
    services = [{"name": "api", "host": NAME, "port": 443, "protocol": "http", **service}]
    manifest = added("ambassador", deployment(8080), folder, {"ambassador": {"services": services}})
    addresses = FAMILIES[family]
    return Pod(manifest, folder, addresses=addresses, secrets=secrets, hosts={NAME: addresses.outside[0]})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_local_port_leads_to_the_service(family: str, tmp_path: Path) -> None:
    with ambassador(tmp_path, family) as pod:
        service = pod.serve(443, address=pod.addresses.outside[0])
        haproxy = pod.start("ambassador")
        answer = pod.get(url("127.0.0.1", 10443, "/a"), method="POST", body=b"x" * 100_000)
        assert (answer.status, answer.json()["size"]) == (200, 100_000)
        assert service.requests[0].headers["host"] == f"{NAME}:443"
        for address in pod.addresses.pod:
            assert pod.get(url(address, 8405, "/healthz")).status == 200
            with pytest.raises(OSError):
                pod.get(url(address, 10443))
        assert pod.stop("ambassador") < 5
        assert haproxy.exit_code() == 0


def test_the_certificate_of_the_service_is_verified(tmp_path: Path) -> None:
    for name, status in ((NAME, 200), ("other.example.com", 503)):
        folder = tmp_path / name
        certificate = make_certificate(folder, name)
        tls = {"enabled": True, "caSecretName": "ca"}
        with ambassador(tmp_path, "dual-stack", {"ca": certificate}, tls=tls) as pod:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
            pod.serve(443, address=pod.addresses.outside[0], context=context)
            pod.start("ambassador")
            assert pod.get(url("127.0.0.1", 10443)).status == status
