"""oauth2-proxy runs as the manifest says: it sends users to the provider, lets a session through, and stops on SIGTERM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, Request, url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e
SECRETS = {"login": {"client-id": b"shop", "client-secret": b"secret", "cookie-secret": b"0123456789abcdef"}}


def with_login(folder: Path, family: str, **parameters: Any) -> Pod:
    values = {
        "secretName": "login", "email-domain": ["*"], "oidc-issuer-url": f"http://{FAMILIES[family].outside[0]}:5556",
        **parameters,
    }  # fmt: skip
    if ":" in FAMILIES[family].outside[0]:
        values["oidc-issuer-url"] = f"http://[{FAMILIES[family].outside[0]}]:5556"
    manifest = added("oauth2-proxy", deployment(8080), folder, {"oauth2-proxy": values})
    return Pod(manifest, folder, addresses=FAMILIES[family], secrets=SECRETS)


def serve_provider(pod: Pod) -> None:
    address = pod.addresses.outside[0]
    issuer = url(address, 5556, "")

    def discovery(request: Request) -> Answer:
        paths = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/keys"}
        value: dict[str, Any] = {"issuer": issuer, **{name: issuer + path for name, path in paths.items()}}
        value["code_challenge_methods_supported"] = ["S256"]
        return Answer(200, {"content-type": "application/json"}, json.dumps(value).encode())

    pod.serve(5556, discovery, address)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_asks_for_a_login_on_every_address_of_the_pod(family: str, tmp_path: Path) -> None:
    with with_login(tmp_path, family, **{"skip-auth-route": ["GET=^/public"], "skip-provider-button": True}) as pod:
        serve_provider(pod)
        app = pod.serve(8080)
        proxy = pod.start("oauth2-proxy")
        for address in (*pod.addresses.pod, "127.0.0.1"):
            answer = pod.get(url(address, 4180, "/private"))
            assert answer.status == 302 and answer.headers["location"].startswith(
                url(pod.addresses.outside[0], 5556, "/auth?")
            )
            assert pod.get(url(address, 4180, "/public/a")).status == 200
            assert b"oauth2_proxy" in pod.get(url(address, 44180, "/metrics")).body
        assert {each.path for each in app.requests} == {"/public/a"}
        assert pod.probe("oauth2-proxy", "livenessProbe") == ""
        assert pod.stop("oauth2-proxy") < 5
        assert proxy.exit_code() == 0
