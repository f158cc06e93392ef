"""nginx runs as the manifest says: TLS on every address, large requests and responses, reload, and SIGQUIT."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.programs import INSTALL_FOR_SIDECARS, program
from tests.sidecars.sandbox.certificates import client_context, make_certificate
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e
NAME = "shop.example.com"


def secured(folder: Path, secret: dict[str, bytes], family: str = "dual-stack", **parameters: Any) -> Pod:
    values = {"nginx-tls": {"tls": {"secretName": "shop-tls"}, "redirectPort": 8080, **parameters}}
    manifest = added("nginx-tls", deployment(3000), folder, values)
    if not has_status_page():
        manifest = manifest.replace("stub_status;", 'return 200 "left out";')
    return Pod(manifest, folder, addresses=FAMILIES[family], secrets={"shop-tls": secret})


def has_status_page() -> bool:
    """Return whether nginx has the module stub_status. The image has it; the wheel on PyPI does not."""
    return "http_stub_status_module" in described()


def described() -> str:
    """Return the version and the modules of nginx."""
    nginx = program("nginx", INSTALL_FOR_SIDECARS)
    return subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr


@pytest.fixture(autouse=True)
def _recent_nginx() -> None:
    found = re.search(r"nginx/(\d+)\.(\d+)", described())
    if found is None or (int(found[1]), int(found[2])) < (1, 26):
        pytest.skip(f"nginx 1.26 or later, which has the directive http2, is not installed: run {INSTALL_FOR_SIDECARS}")


@pytest.mark.parametrize("family", FAMILIES)
def test_it_serves_on_every_address_of_the_pod(family: str, tmp_path: Path) -> None:
    secret = make_certificate(tmp_path / "tls")
    context = client_context(secret["ca.crt"])
    with secured(tmp_path, secret, family) as pod:
        pod.serve(3000)
        nginx = pod.start("nginx-tls")
        for address in (*pod.addresses.pod, "127.0.0.1"):
            answer = pod.get(
                url(address, 8443, "/path", "https"), context=context, server_name=NAME, headers={"Host": NAME}
            )
            assert (answer.status, answer.json()["path"]) == (200, "/path")
            assert answer.json()["headers"]["x-forwarded-for"] == address
            assert pod.get(url(address, 8080, "/a"), headers={"Host": NAME}).headers["location"] == f"https://{NAME}/a"
            assert pod.get(url(address, 8444, "/healthz")).status == 200
        assert pod.get(url("127.0.0.1", 8444, "/stub_status")).status == 200
        assert pod.get(url(pod.ip, 8444, "/stub_status")).status == (403 if has_status_page() else 200)
        assert pod.stop("nginx-tls") < 5
        assert nginx.exit_code() == 0


def test_large_bodies_pass_and_nothing_is_stored(tmp_path: Path) -> None:
    secret, large = make_certificate(tmp_path / "tls"), b"x" * (8 << 20)
    with secured(tmp_path, secret) as pod:
        pod.serve(3000, lambda request: Answer(200, {}, request.body))
        pod.start("nginx-tls")
        more = {"context": client_context(secret["ca.crt"]), "server_name": NAME}
        assert pod.get(url(pod.ip, 8443, "/", "https"), method="POST", body=large, **more).body == large
        assert not [
            each for each in pod.volumes["nginx-tls-tmp"].rglob("*") if each.is_file() and each.stat().st_size > 100
        ]


def test_a_renewed_certificate_is_used_after_hup(tmp_path: Path) -> None:
    secret, renewed = make_certificate(tmp_path / "tls"), make_certificate(tmp_path / "new")
    with secured(tmp_path, secret) as pod:
        pod.serve(3000)
        nginx = pod.start("nginx-tls")
        pod.update("nginx-tls-tls", renewed)
        nginx.signal("HUP")
        end = time.monotonic() + 10
        while True:
            try:
                context = client_context(renewed["ca.crt"])
                assert (
                    pod.get(url(pod.addresses.pod[1], 8443, "/", "https"), context=context, server_name=NAME).status
                    == 200
                )
                return
            except OSError:
                assert time.monotonic() < end, nginx.log()
                time.sleep(0.1)


def test_502_is_the_answer_while_the_app_is_down(tmp_path: Path) -> None:
    secret = make_certificate(tmp_path / "tls")
    with secured(tmp_path, secret) as pod:
        pod.start("nginx-tls")
        more = {"context": client_context(secret["ca.crt"]), "server_name": NAME}
        assert pod.get(url(pod.ip, 8443, "/", "https"), method="POST", body=b"x" * (1 << 20), **more).status == 502
