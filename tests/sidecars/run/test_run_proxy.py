"""Envoy runs as the manifest says: probes, traffic on every address, limits, certificates, and SIGTERM."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, Request, url
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e


def proxied(folder: Path, family: str = "dual-stack", secrets: Any = None, **parameters: Any) -> Pod:
    manifest = added("proxy", deployment(8080), folder, {"proxy": {"logLevel": "warning", **parameters}})
    return Pod(manifest, folder, addresses=FAMILIES[family], secrets=secrets)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_serves_on_every_address_of_the_pod(family: str, tmp_path: Path) -> None:
    with proxied(tmp_path, family) as pod:
        pod.serve(8080)
        envoy = pod.start("proxy")
        for address in (*pod.addresses.pod, "127.0.0.1"):
            answer = pod.get(url(address, 10000, "/path"))
            assert (answer.status, answer.json()["path"]) == (200, "/path")
            assert pod.get(url(address, 9902, "/live")).status == 200
            assert b"envoy_server_live{} 1" in pod.get(url(address, 9902, "/stats/prometheus")).body
        assert pod.probe("proxy", "livenessProbe") == ""
        assert pod.stop("proxy") < 5
        assert envoy.exit_code() == 0


def test_a_large_request_gets_503_while_the_app_is_down(tmp_path: Path) -> None:
    with proxied(tmp_path) as pod:
        pod.start("proxy")
        for method, size in (("POST", 1 << 20), ("POST", 10), ("GET", 0)):
            for _ in range(5):
                answer = pod.get(url(pod.ip, 10000), method=method, body=b"x" * size)
                assert answer.status == 503, (method, size, answer)


def test_routes_lead_to_their_ports_and_rewrite_the_path(tmp_path: Path) -> None:
    routes = [
        {"prefix": "/api/", "upstreamPort": 9000, "prefixRewrite": "/v2/"},
        {"safeRegex": "/items/[0-9]+", "upstreamPort": 9000},
        {"domains": ["*.example.com"], "upstreamPort": 9000},
    ]
    with proxied(tmp_path, routes=routes) as pod:
        app, other = pod.serve(8080), pod.serve(9000)
        pod.start("proxy")
        for path, host in (
            ("/api/a", "x"),
            ("/items/7", "x"),
            ("/a", "shop.example.com:80"),
            ("/items/x", "x"),
            ("/a", "x"),
        ):
            assert pod.get(url(pod.ip, 10000, path), headers={"Host": host}).status == 200
        assert [each.path for each in other.requests] == ["/v2/a", "/items/7", "/a"]
        assert [each.path for each in app.requests] == ["/items/x", "/a"]


def test_headers_are_added_and_removed_and_responses_compressed(tmp_path: Path) -> None:
    parameters = {
        "requestHeadersToAdd": {"X-Client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
        "requestHeadersToRemove": ["X-Debug"],
        "responseHeadersToAdd": {"X-Frame-Options": "DENY"},
        "responseHeadersToRemove": ["server"],
        "gzip": {"enabled": True},
    }
    body = json.dumps(["text"] * 1000).encode()
    with proxied(tmp_path, **parameters) as pod:
        app = pod.serve(8080, lambda _: Answer(200, {"content-type": "application/json"}, body))
        pod.start("proxy")
        sent = {"Accept-Encoding": "gzip", "X-Debug": "1", "X-Client": "forged"}
        answer = pod.get(url(pod.ip, 10000), headers=sent)
        assert gzip.decompress(answer.body) == body
        assert answer.headers["x-frame-options"] == "DENY" and "server" not in answer.headers
        (request,) = app.requests
        assert request.headers["x-client"] == pod.ip and "x-debug" not in request.headers


def test_other_origins_are_allowed_as_the_policy_says(tmp_path: Path) -> None:
    cors = {"allowOrigins": ["https://*.example.com"], "allowMethods": ["PUT"], "maxAge": "1h"}
    with proxied(tmp_path, cors=cors) as pod:
        app = pod.serve(8080)
        pod.start("proxy")
        for origin, allowed in (("https://shop.example.com", True), ("https://example.org", False)):
            headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
            answer = pod.get(url(pod.ip, 10000), method="OPTIONS", headers=headers)
            assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
            assert (answer.headers.get("access-control-max-age") == "3600") is allowed
        assert [each.headers["origin"] for each in app.requests] == ["https://example.org"]


def token(claims: dict[str, Any], secret: bytes) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in ({"alg": "HS256"}, claims)]
    signature = hmac.new(secret, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_requests_need_a_token_of_the_issuer(tmp_path: Path) -> None:
    secret = b"a secret of at least 32 bytes for HMAC"
    key = {"kty": "oct", "alg": "HS256", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode()}
    secrets = {"token-keys": {"jwks.json": json.dumps({"keys": [key]}).encode()}}
    jwt = {
        "issuer": "https://login.example.com/", "audiences": ["shop"], "jwksSecretName": "token-keys", "forward": False,
        "claimToHeaders": {"x-user": "sub"}, "skipPrefixes": ["/healthz"],
    }  # fmt: skip
    claims = {"iss": "https://login.example.com/", "aud": "shop", "sub": "kim", "exp": 4102444800}
    with proxied(tmp_path, secrets=secrets, jwtAuthn=jwt) as pod:
        app = pod.serve(8080)
        pod.start("proxy")
        tries = {
            "": 401,
            token(claims, secret): 200,
            token(claims, b"another secret of the same length for HMAC"): 401,
            token({**claims, "exp": 1}, secret): 401,
            token({**claims, "aud": "other"}, secret): 403,
            token({**claims, "iss": "https://example.org/"}, secret): 401,
        }
        for sent, status in tries.items():
            headers = {"X-User": "forged", **({"Authorization": f"Bearer {sent}"} if sent else {})}
            assert pod.get(url(pod.ip, 10000), headers=headers).status == status
        (request,) = app.requests
        assert request.headers["x-user"] == "kim" and "authorization" not in request.headers
        assert pod.get(url(pod.ip, 10000, "/healthz")).status == 200


def test_a_service_decides_about_each_request(tmp_path: Path) -> None:
    def decide(request: Request) -> Answer:
        if request.headers.get("cookie") == "session=1":
            return Answer(200, {"X-User": "kim"}, b"")
        return Answer(302, {"Location": "https://login.example.com/"}, b"log in")

    authz = {"port": 8000, "pathPrefix": "/check", "allowedUpstreamHeaders": ["X-User"]}
    with proxied(tmp_path, extAuthz=authz) as pod:
        app = pod.serve(8080)
        pod.start("proxy")
        assert pod.get(url(pod.ip, 10000)).status == 403
        service = pod.serve(8000, decide)
        answer = pod.get(url(pod.ip, 10000, "/a"))
        assert (answer.status, answer.headers["location"]) == (302, "https://login.example.com/")
        assert pod.get(url(pod.ip, 10000, "/a"), headers={"Cookie": "session=1", "X-User": "forged"}).status == 200
        assert [each.path for each in service.requests] == ["/check/a", "/check/a"]
        (request,) = app.requests
        assert request.headers["x-user"] == "kim"


def test_the_proxy_protocol_tells_the_address_of_the_client(tmp_path: Path) -> None:
    with proxied(tmp_path, proxyProtocol=True, useRemoteAddress=True) as pod:
        app = pod.serve(8080)
        pod.start("proxy")
        preface = b"PROXY TCP4 203.0.113.9 10.244.3.7 51234 10000\r\n"
        assert pod.get(url(pod.ip, 10000), preface=preface).status == 200
        assert app.requests[0].headers["x-forwarded-for"] == "203.0.113.9"
        with pytest.raises((OSError, ValueError)):
            pod.get(url(pod.ip, 10000))


def test_traces_are_sent_to_the_collector(tmp_path: Path) -> None:
    with proxied(tmp_path, tracing={"port": 4317}) as pod:
        app = pod.serve(8080)
        pod.start("proxy")
        collector = pod.network.listen("127.0.0.1", 4317)
        collector.settimeout(20)
        assert pod.get(url(pod.ip, 10000)).status == 200
        assert "traceparent" in app.requests[0].headers
        connection, _ = collector.accept()
        with connection, collector:
            assert connection.recv(24).startswith(b"PRI * HTTP/2.0")
