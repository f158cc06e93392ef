"""HAProxy runs as the manifest says: probes, traffic, both address families, and SIGUSR1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("family", FAMILIES)
def test_it_serves_on_every_address_of_the_pod(family: str, tmp_path: Path) -> None:
    manifest = added("haproxy", deployment(8080), tmp_path)
    with Pod(manifest, tmp_path, addresses=FAMILIES[family]) as pod:
        pod.serve(8080)
        haproxy = pod.start("haproxy")
        for address in (*pod.addresses.pod, "127.0.0.1"):
            answer = pod.get(f"http://[{address}]:10080/path" if ":" in address else f"http://{address}:10080/path")
            assert answer.status == 200
            assert answer.json()["headers"]["x-forwarded-for"] == address
        assert pod.probe("haproxy", "livenessProbe") == ""
        assert pod.stop("haproxy") < 5
        assert haproxy.exit_code() == 0
