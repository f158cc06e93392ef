"""HTTP servers and requests inside the network of a pod."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from sidecarctl.kube.quantity import parse_quantity
from tests.sidecars.sandbox.network import Network


@dataclass(frozen=True)
class Request:
    """A request that a server of a test received."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    client: str


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as a value."""
        return json.loads(self.body)


def url(address: str, port: int, path: str = "/", scheme: str = "http") -> str:
    """Return a URL with an address of either family."""
    return f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}{path}"


Handler = Callable[[Request], Answer]


def echo(request: Request) -> Answer:
    """Answer with what was received."""
    value = {
        "method": request.method, "path": request.path, "headers": dict(request.headers),
        "size": len(request.body), "client": request.client,
    }  # fmt: skip
    return Answer(200, {"content-type": "application/json"}, json.dumps(value).encode())


class Server:
    """An HTTP server on a socket that listens already."""

    def __init__(self, listening: socket.socket, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        received = self.requests

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body, self.client_address[0])
                received.append(request)
                answer = handler(request)
                self.send_response(answer.status)
                for key, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_OPTIONS = do_PATCH = _answer

            def log_message(self, *_: Any) -> None:
                pass

        class _Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:  # a client that closes its connection is no event
                pass

        self._server = _Server(("", 0), _Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = context.wrap_socket(listening, server_side=True) if context else listening
        self._server.server_name, self._server.server_port = "app", self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def request(
    network: Network, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None,
    context: ssl.SSLContext | None = None, timeout: float = 10, server_name: str = "", preface: bytes = b"",
) -> Answer:  # fmt: skip
    """Send a request from inside the pod, with `context` over TLS to `server_name`, after the bytes of `preface`."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    connection = network.connect(host, port)
    connection.settimeout(timeout)
    if preface:
        connection.sendall(preface)
    if parts.scheme == "https":
        assert context is not None
        connection = context.wrap_socket(connection, server_hostname=server_name or host)
    client = http.client.HTTPConnection(host, port, timeout=timeout)
    client.sock = connection
    with connection:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        client.request(method, path, body=body, headers=dict(headers or {}))
        got = client.getresponse()
        return Answer(got.status, {key.lower(): value for key, value in got.getheaders()}, got.read())


def quantity(resources: Mapping[str, Any], ref: Mapping[str, Any]) -> str:
    """Return the value of a resourceFieldRef: the resource divided by the divisor, rounded up."""
    part, resource = ref["resource"].split(".", 1)
    return str(-(-parse_quantity(str(resources[part][resource])) // parse_quantity(str(ref.get("divisor", "1")))))
