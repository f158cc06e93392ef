"""Probes and lifecycle handlers, executed as the kubelet executes them."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from tests.sidecars.sandbox.container import Container
from tests.sidecars.sandbox.network import Network


class ProbeFailure(AssertionError):
    """A probe that did not succeed in time."""


def wait_for(container: Container, network: Network, kind: str) -> int:
    """Execute a probe ("startupProbe"...) until it succeeds. Return the number of attempts; 0 if there is no such probe.

    Raises ProbeFailure after `failureThreshold` failures, or when the container exits.
    """
    probe = container.spec.get(kind)
    if not probe:
        return 0
    time.sleep(probe.get("initialDelaySeconds", 0))
    reasons = []
    for attempt in range(1, probe.get("failureThreshold", 3) + 1):
        reason = execute(probe, container, network)
        if not reason:
            return attempt
        reasons.append(reason)
        if container.exit_code() is not None:
            break
        time.sleep(probe.get("periodSeconds", 10))
    raise ProbeFailure(
        f"{kind} of {container.name}: {reasons[-1]}; exit code {container.exit_code()}\n{container.log()[-1500:]}"
    )


def execute(handler: Mapping[str, Any], container: Container, network: Network) -> str:
    """Execute a probe or a handler once. Return why it failed, or an empty text."""
    timeout = handler.get("timeoutSeconds", 1)
    try:
        if "exec" in handler:
            done = container.execute(handler["exec"]["command"], max(timeout, 1) if "timeoutSeconds" in handler else 30)
            return "" if done.returncode == 0 else f"exit code {done.returncode}: {(done.stdout + done.stderr)!r}"
        if "sleep" in handler:
            time.sleep(handler["sleep"]["seconds"])
            return ""
        action = handler.get("httpGet") or handler["tcpSocket"]
        host = action.get("host") or network.addresses.pod[0]
        with network.connect(host, _port(action["port"], container)) as connection:
            return _get(connection, host, action, timeout) if "httpGet" in handler else ""
    except (OSError, http.client.HTTPException, TimeoutError) as exc:
        return f"{type(exc).__name__}: {exc}"


def _port(port: int | str, container: Container) -> int:
    if isinstance(port, int):
        return port
    return next(int(each["containerPort"]) for each in container.spec["ports"] if each.get("name") == port)


def _get(connection: socket.socket, host: str, action: Mapping[str, Any], timeout: float) -> str:
    connection.settimeout(timeout)
    if action.get("scheme") == "HTTPS":
        context = ssl._create_unverified_context()
        connection = context.wrap_socket(connection)
    client = http.client.HTTPConnection(host, connection.getpeername()[1], timeout=timeout)
    client.sock = connection
    headers = {each["name"]: each["value"] for each in action.get("httpHeaders", [])}
    client.request("GET", action.get("path", "/"), headers={"User-Agent": "kube-probe/1.34", **headers})
    answer = client.getresponse()
    return "" if 200 <= answer.status < 400 else f"status {answer.status}: {answer.read(500)!r}"
