"""cert-renewer runs as the manifest says: it gets a certificate from step-ca, renews it, and only the right users read the key."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs import INSTALL_FOR_SIDECARS, program
from tests.sidecars.run.eventually import eventually
from tests.sidecars.sandbox.network import FAMILIES, Addresses
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e

PASSWORD = b"s3cret"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a CA that step-ca can run with."""
    step, folder = program("step", INSTALL_FOR_SIDECARS), tmp_path_factory.mktemp("ca")
    (folder / "password").write_bytes(PASSWORD)
    words = [step, "ca", "init", "--name=test", "--dns=ca.example.com", "--address=:9000", "--provisioner=pods"]
    words += [
        f"--password-file={folder}/password",
        f"--provisioner-password-file={folder}/password",
        "--deployment-type=standalone",
    ]
    subprocess.run(words, env={"STEPPATH": str(folder), "HOME": str(folder)}, check=True, capture_output=True)
    return folder


class Authority:
    """step-ca, at an address outside of the pod."""

    def __init__(self, pod: Pod, folder: Path) -> None:
        config = folder / "config" / "ca.json"
        outside = pod.addresses.outside[0]
        host = f"[{outside}]" if ":" in outside else outside
        text = re.sub(r'"address": "[^"]*"', f'"address": "{host}:9000"', config.read_text())
        text = text.replace('"minTLSCertDuration"', '"min"')
        claims = '"authority": {"claims": {"minTLSCertDuration": "5s", "defaultTLSCertDuration": "30s"}, '
        config.write_text(text if '"claims"' in text else text.replace('"authority": {', claims))
        words = [program("step-ca", INSTALL_FOR_SIDECARS), str(config), f"--password-file={folder}/password"]
        self.process = subprocess.Popen(
            [*pod.network.enter(), *words],
            env={"STEPPATH": str(folder), "HOME": str(folder)},
            stdout=(folder / "log").open("wb"),
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Authority:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def parameters(folder: Path, **more: Any) -> dict[str, Any]:
    root = folder / "certs" / "root_ca.crt"
    step = program("step", INSTALL_FOR_SIDECARS)
    done = subprocess.run([step, "certificate", "fingerprint", str(root)], check=True, capture_output=True, text=True)
    return {
        "cert-renewer": {
            "ca-url": "https://ca.example.com:9000", "fingerprint": done.stdout.strip(), "subject": "shop.web.svc",
            "provisioner": "pods", "provisioner-password-file": {"secretName": "step"}, **more,
        }
    }  # fmt: skip


@pytest.fixture
def started(authority: Path, tmp_path: Path) -> Iterator[Any]:
    """Return what starts a pod beside step-ca."""
    open_pods: list[Any] = []

    def start(
        words: str = "cert-renewer", addresses: Addresses | None = None, user: int | None = 10001, **more: Any
    ) -> Pod:
        app = {"securityContext": {"runAsUser": user}} if user else {}
        manifest = added(words, deployment(8080, **app), tmp_path, parameters(authority, **more))
        where = addresses or Addresses()
        pod = Pod(
            manifest, tmp_path, addresses=where, secrets={"step": {"password": PASSWORD}},
            hosts={"ca.example.com": where.outside[0]},
        )  # fmt: skip
        open_pods.extend([pod, Authority(pod, authority)])
        time.sleep(0.5)
        return pod

    yield start
    for each in reversed(open_pods):
        each.__exit__(None, None, None)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_app_waits_for_a_certificate_that_is_then_renewed(family: str, started: Any) -> None:
    pod = started(addresses=FAMILIES[family], **{"renew-period": "2s"})
    renewer = pod.start("cert-renewer")
    files = pod.volumes["cert-renewer-certificates"]
    certificate, key = files / "tls.crt", files / "tls.key"
    assert {each.name: each.stat().st_mode & 0o777 for each in files.iterdir()} == {
        "tls.crt": 0o644, "tls.key": 0o600, "ca.crt": 0o644,
    }  # fmt: skip
    assert key.stat().st_uid == 10001, "the user of the app can read the key"
    first, before = certificate.read_text(), key.read_text()
    eventually(lambda: certificate.read_text() != first)
    assert key.read_text() == before
    assert pod.probe("cert-renewer", "livenessProbe") == ""
    assert pod.stop("cert-renewer") < 5
    assert renewer.exit_code() is not None


def test_a_group_of_the_pod_reads_the_key_where_the_user_of_the_app_is_unknown(started: Any) -> None:
    pod = started(user=None, fsGroup=2000)
    pod.start("cert-renewer")
    key = pod.volumes["cert-renewer-certificates"] / "tls.key"
    found = key.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1000, 2000, 0o640)


def test_a_classic_sidecar_has_the_certificate_before_the_app_starts(started: Any) -> None:
    pod = started(
        "cert-renewer --mode classic", notify="http", **{"renew-period": "2s", "reload-url": "http://127.0.0.1:8080/"}
    )
    app = pod.serve(8080)
    pod.finish("cert-renewer-init")
    assert (pod.volumes["cert-renewer-certificates"] / "tls.crt").exists()
    pod.start("cert-renewer")
    eventually(lambda: app.requests)
    assert app.requests[0].method == "POST"
    assert pod.stop("cert-renewer") < 5
