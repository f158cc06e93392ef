"""Vault Agent runs as the manifest says: it logs in, renders secrets, runs commands, renews, and stops on SIGTERM.

OpenBao stands in for Vault, as the server and as the agent.
"""

from __future__ import annotations

import base64
import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.programs import INSTALL_FOR_SIDECARS, program
from tests.sidecars.sandbox.certificates import make_certificate
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.probes import ProbeFailure
from tests.sidecars.sandbox.servers import Answer, Request, url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e
SECRET = {"db-password": "s3cret", "user": "shop"}
POLICY = 'path "kv/data/*" { capabilities = ["read"] }'
SUBJECT = {"namespace": "web", "serviceaccount": {"name": "default", "uid": "1"}}
TOKEN = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
    for part in (
        {"alg": "RS256"},
        {"iss": "kubernetes", "sub": "system:serviceaccount:web:default", "aud": ["vault"], "nbf": 1600000000, "iat": 1600000000, "exp": 4102444800,
         "kubernetes.io": SUBJECT},
        "signature",
    )
)  # fmt: skip


class Vault:
    """A server in development mode, outside the pod, with a secret at kv/shop."""

    def __init__(self, pod: Pod, folder: Path) -> None:
        self.folder, self.pod, self.address = folder, pod, pod.addresses.outside[0]
        listen = url(self.address, 8200, "").removeprefix("http://")
        bao = program("bao", INSTALL_FOR_SIDECARS)
        pod.background([bao, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address={listen}"], HOME="/tmp")
        self._wait()
        self.call("sys/mounts/kv", {"type": "kv-v2"})
        self.call("sys/policy/shop", {"policy": POLICY})
        self.write(SECRET)

    def _wait(self) -> None:
        end = time.monotonic() + 30
        while True:
            try:
                if self.pod.get(url(self.address, 8200, "/v1/sys/health")).status == 200:
                    return
            except OSError:
                pass
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.1)

    def call(self, path: str, value: Any = None, method: str = "POST") -> Any:
        body, headers = json.dumps(value or {}).encode(), {"X-Vault-Token": "root"}
        answer = self.pod.get(url(self.address, 8200, f"/v1/{path}"), method=method, body=body, headers=headers)
        assert answer.status in (200, 204), (path, answer)
        return json.loads(answer.body) if answer.body else None

    def write(self, secret: dict[str, str]) -> None:
        end = time.monotonic() + 10
        while True:
            try:  # a new mount of version 2 is being upgraded for a moment
                self.call("kv/data/shop", {"data": secret})
                return
            except AssertionError:
                assert time.monotonic() < end
                time.sleep(0.2)

    def allow_app_role(self) -> dict[str, bytes]:
        self.call("sys/auth/approle", {"type": "approle"})
        self.call("auth/approle/role/shop", {"token_policies": "shop"})
        role = self.call("auth/approle/role/shop/role-id", method="GET")["data"]["role_id"]
        secret = self.call("auth/approle/role/shop/secret-id")["data"]["secret_id"]
        return {"role-id": role.encode(), "secret-id": secret.encode()}

    def allow_kubernetes(self) -> None:
        def review(_: Request) -> Answer:
            status = {"authenticated": True, "audiences": ["vault"],
                      "user": {"username": "system:serviceaccount:web:default", "uid": "1"}}  # fmt: skip
            value = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}
            return Answer(201, {"content-type": "application/json"}, json.dumps(value).encode())

        self.pod.serve(6443, review, self.address)
        ca = make_certificate(self.folder / "ca")["tls.crt"].decode()
        self.call("sys/auth/kubernetes", {"type": "kubernetes"})
        host = url(self.address, 6443, "")
        self.call(
            "auth/kubernetes/config",
            {
                "kubernetes_host": host,
                "token_reviewer_jwt": TOKEN,
                "disable_local_ca_jwt": True,
                "kubernetes_ca_cert": ca,
            },
        )
        role = {
            "bound_service_account_names": "default",
            "bound_service_account_namespaces": "web",
            "audience": "vault",
        }
        self.call("auth/kubernetes/role/shop", {**role, "token_policies": "shop"})


def agent(folder: Path, family: str = "dual-stack", mode: str = "native", **parameters: Any) -> Pod:
    values = {
        "startupTimeout": 20,
        "address": url(FAMILIES[family].outside[0], 8200, ""), "auth": {"role": "shop"},
        "templates": [{"name": "shop.json", "secret": "kv/data/shop"}], **parameters,
    }  # fmt: skip
    manifest = added(f"vault-agent --mode {mode}", deployment(8080), folder, {"vault-agent": values})
    return Pod(
        manifest,
        folder,
        addresses=FAMILIES[family],
        secrets={"login": {"role-id": b"", "secret-id": b""}},
        token=TOKEN.encode(),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_secrets_become_files_before_the_app_starts(family: str, tmp_path: Path) -> None:
    templates = [
        {"name": "shop.json", "secret": "kv/data/shop"},
        {"name": "password", "secret": "kv/data/shop", "key": "db-password", "perms": "0640"},
        {"name": "user", "secret": "kv/data/shop", "key": "user"},
    ]
    with agent(tmp_path, family, templates=templates, static_secret_render_interval="1s") as pod:
        vault = Vault(pod, tmp_path)
        vault.allow_kubernetes()
        running = pod.start("vault-agent")
        files = pod.volumes["vault-agent-secrets"]
        assert json.loads((files / "shop.json").read_text()) == SECRET
        assert ((files / "password").read_text(), (files / "user").read_text()) == ("s3cret", "shop")
        assert stat.S_IMODE((files / "password").stat().st_mode) == 0o640 and (files / "user").stat().st_uid == 100
        vault.write({**SECRET, "user": "next"})
        end = time.monotonic() + 20
        while (files / "user").read_text() != "next":
            assert time.monotonic() < end, running.log()
            time.sleep(0.1)
        assert pod.stop("vault-agent") < 10
        assert running.exit_code() == 0


def test_a_role_id_and_a_secret_id_log_in_and_a_command_follows_each_rendering(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "wget -qO- --post-data= http://127.0.0.1:8080/reload"]
    templates = [{"name": "user", "secret": "kv/data/shop", "key": "user", "command": command}]
    with agent(tmp_path, auth={"type": "approle", "secretName": "login"}, templates=templates) as pod:
        app = pod.serve(8080)
        pod.update("vault-agent-approle", Vault(pod, tmp_path).allow_app_role())
        running = pod.start("vault-agent")
        assert (pod.volumes["vault-agent-secrets"] / "user").read_text() == "shop"
        end = time.monotonic() + 10
        while not app.requests:
            assert time.monotonic() < end, running.log()
            time.sleep(0.1)
        assert [(each.method, each.path) for each in app.requests] == [("POST", "/reload")]


def test_a_missing_key_is_an_error_and_writes_no_file(tmp_path: Path) -> None:
    for key in ("no-such-key", "none"):
        templates = [{"name": "file", "secret": "kv/data/shop", "key": key}]
        with agent(
            tmp_path, auth={"type": "approle", "secretName": "login"}, templates=templates, startupTimeout=10
        ) as pod:
            pod.update("vault-agent-approle", Vault(pod, tmp_path).allow_app_role())
            with pytest.raises(ProbeFailure):
                pod.start("vault-agent")
            assert not (pod.volumes["vault-agent-secrets"] / "file").exists()


def test_a_classic_sidecar_has_an_init_container_that_renders_first(tmp_path: Path) -> None:
    with agent(tmp_path, mode="classic") as pod:
        Vault(pod, tmp_path).allow_kubernetes()
        pod.finish("vault-agent-init")
        assert json.loads((pod.volumes["vault-agent-secrets"] / "shop.json").read_text()) == SECRET
        pod.start("vault-agent")
        time.sleep(1)
        assert pod.stop("vault-agent") < 10
