"""The Cloud SQL proxy runs as the manifest says, as far as it can without Google's API: probes, ports, and SIGTERM."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e


def service_account(folder: Path) -> bytes:
    words = [
        "openssl",
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        str(folder / "key.pem"),
    ]
    subprocess.run(words, check=True, capture_output=True)
    key = {
        "type": "service_account", "project_id": "shop", "private_key_id": "1", "private_key": (folder / "key.pem").read_text(),
        "client_email": "shop@shop.iam.gserviceaccount.com", "client_id": "1",
        "token_uri": "http://127.0.0.1:1/token",
    }  # fmt: skip
    return json.dumps(key).encode()


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_healthy_and_opens_the_ports_of_its_databases(family: str, tmp_path: Path) -> None:
    values = {
        "instances": ["shop:europe-west1:main", "shop:europe-west1:other"], "credentials": {"secretName": "account"},
        "lazy-refresh": True, "quitquitquit": True, "prometheus": True,
    }  # fmt: skip
    manifest = added("cloud-sql-proxy", deployment(8080), tmp_path, {"cloud-sql-proxy": values})
    secrets = {"account": {"service_account.json": service_account(tmp_path)}}
    with Pod(manifest, tmp_path, addresses=FAMILIES[family], secrets=secrets) as pod:
        proxy = pod.start("cloud-sql-proxy")
        for address in pod.addresses.pod:
            assert pod.get(url(address, 9090, "/startup")).status == 200
            assert pod.get(url(address, 9090, "/metrics")).status == 200
            for port in (5432, 5433, 9091):
                with pytest.raises(OSError):
                    pod.network.connect(address, port)
        for port in (5432, 5433):
            pod.network.connect("127.0.0.1", port).close()
        assert pod.probe("cloud-sql-proxy", "livenessProbe") == ""
        assert pod.stop("cloud-sql-proxy") < 25
        assert proxy.exit_code() == 0


def test_a_request_to_quitquitquit_ends_it(tmp_path: Path) -> None:
    values = {
        "instances": ["shop:europe-west1:main"], "credentials": {"secretName": "account"}, "lazy-refresh": True,
        "quitquitquit": True,
    }  # fmt: skip
    manifest = added("cloud-sql-proxy", deployment(8080), tmp_path, {"cloud-sql-proxy": values})
    with Pod(manifest, tmp_path, secrets={"account": {"service_account.json": service_account(tmp_path)}}) as pod:
        proxy = pod.start("cloud-sql-proxy")
        assert pod.get(url("127.0.0.1", 9091, "/quitquitquit"), method="POST").status == 200
        proxy.wait(30)
        assert proxy.exit_code() == 0
