"""Rules about the ports that probes and lifecycle hooks connect to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data

# Init and ephemeral containers cannot have probes: other rules report those.
_ROLES = ("app", "classic", "sidecar")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ACTIONS = ("httpGet", "tcpSocket", "grpc")
_LOCAL = r"(?:127\.0\.0\.1|localhost|\[::1\])"
# Names of flags and variables with an address to listen on, as opposed to one to connect to.
_LISTEN_NAMES = lazy_pattern(r"listen|bind|addr|http-address|health[-_]?(?:host|addr)|endpoint", re.IGNORECASE)

# Images of servers that listen on localhost by default: ports, and the flag or variable that changes the address.
_LOCAL_BY_DEFAULT = {
    "cloud-sql-proxy": ((9090, "http-address"), (9091, "")),
    "oauth2-proxy": ((4180, "http-address"),),
    "envoy": ((9901, "admin"),),
    "proxyv2": ((15000, ""),),
}


# Field of the probe or hook, port, and path of the port.
PortUse = tuple[str, Any, PathTuple]


def _probe_ports(container: ContainerView) -> list[PortUse]:
    """Return the ports of the pod that the probes of a container connect to."""
    out: list[PortUse] = []
    for field in _PROBES:
        probe = container.value.get(field)
        if probe and isinstance(probe, dict):
            _add_ports(out, field, probe, (*container.path, field))
    return out


def _hook_ports(container: ContainerView) -> list[PortUse]:
    """Return the ports of the pod that the lifecycle hooks of a container connect to."""
    out: list[PortUse] = []
    for field, hook in as_mapping(container.value.get("lifecycle")).items():
        if isinstance(hook, dict):
            _add_ports(out, field, hook, container.at("lifecycle", field))
    return out


def _add_ports(out: list[PortUse], field: str, handler: Data, path: PathTuple) -> None:
    for action in _ACTIONS:
        target = handler.get(action)
        if target and isinstance(target, dict) and target.get("port") is not None and not target.get("host"):
            out.append((field, target["port"], (*path, action, "port")))


@rule(
    "unknown-port-name",
    Severity.ERROR,
    layer="advice",
    scope="container",
    roles=_ROLES,
    fix="Use the name of a port of the same container, or a port number.",
)
def unknown_port_name(container: ContainerView, ctx: Context) -> Problems:
    """A probe or hook refers to a port name that the container does not have.

    The API server accepts the name, but the kubelet cannot resolve it, so the probe always fails. The kubelet resolves
    names only in the ports of the same container.
    """
    value = container.value
    uses = _probe_ports(container)
    if value.get("lifecycle"):
        uses += _hook_ports(container)
    uses = [one for one in uses if isinstance(one[1], str)]
    if not uses:
        return
    own = {name for _, port in listed(value, "ports") if isinstance(name := port.get("name"), str)}
    for field, port, path in uses:
        # The kubelet reads a quoted number as a number.
        if port and port not in own and not port.isdecimal():
            known = f" (known: {', '.join(sorted(own))})" if own else ""
            yield problem(path, f"unknown port name {quote(port)} in {field}{known}")


@rule(
    "probe-port-unexposed",
    Severity.INFO,
    layer="advice",
    scope="container",
    roles=_ROLES,
    on=False,
    fix="Correct the port number, or add the port to the container.",
)
def probe_port_unexposed(container: ContainerView, ctx: Context) -> Problems:
    """A probe uses a port that the container does not list.

    The list of ports is informational, so the probe can work. Often the port number is out of date. Containers without
    any listed port are not reported.
    """
    value = container.value
    uses = _probe_ports(container) if value.get("ports") else []
    if not uses:
        return
    own = [port.get("containerPort") for _, port in listed(value, "ports")]
    for field, port, path in uses:
        if port.__class__ is int and port not in own:
            yield problem(path, f"{field} uses port {port}, which the container does not list")


@rule(
    "probe-on-localhost-server",
    Severity.ERROR,
    layer="advice",
    scope="container",
    roles=_ROLES,
    fix="Listen on all addresses (0.0.0.0), probe another port, or use an exec probe.",
)
def probe_on_localhost_server(container: ContainerView, ctx: Context) -> Problems:
    """A probe uses a port that is bound to localhost.

    The kubelet connects to the IP address of the pod, so the probe always fails: the container never becomes ready, or
    the kubelet restarts it again and again.

    The address comes from the flags and environment variables of the container, from the defaults of well-known servers
    (cloud-sql-proxy, oauth2-proxy, the Envoy admin port), and from `adminPorts` of the sidecars in the pod.
    """
    value = container.value
    admin = as_mapping(ctx.options.get("probe-on-localhost-server")).get(container.name, ())
    uses = _probe_ports(container) if admin or _may_use_localhost(value) else []
    if not uses:
        return
    numbers = {
        name: port.get("containerPort")
        for _, port in listed(value, "ports")
        if isinstance(name := port.get("name"), str)
    }
    settings = list(_settings(container))
    for field, port, path in uses:
        number = numbers.get(port) if isinstance(port, str) else port
        if number.__class__ is int and (number in admin or _binds_to_localhost(container, settings, number)):
            yield problem(path, f"{field} uses port {number}, which is bound to localhost")


def _may_use_localhost(value: Data) -> bool:
    """Return True if the image, a word of the command line, or a variable mentions localhost: a fast filter."""
    image = value.get("image")
    if isinstance(image, str) and any(name in image for name in _LOCAL_BY_DEFAULT):
        return True
    words = [word for field in ("command", "args") if value.get(field) for word in as_list(value[field])]
    words += [variable.get("value") for _, variable in listed(value, "env")]
    return any(
        isinstance(word, str) and ("127.0.0.1" in word or "localhost" in word or "::1" in word) for word in words
    )


def _settings(container: ContainerView) -> Iterator[tuple[str, str]]:
    """Yield name and value of each flag and environment variable of a container."""
    words = [str(word) for field in ("command", "args") for word in as_list(container.value.get(field))]
    for index, word in enumerate(words):
        name, equals, text = word.partition("=")
        if equals:
            yield name, text
        elif word.startswith("-") and index + 1 < len(words):
            yield word, words[index + 1]
    for _, variable in listed(container.value, "env"):
        if isinstance(variable.get("value"), str):
            yield str(variable.get("name")), variable["value"]


def _binds_to_localhost(container: ContainerView, settings: list[tuple[str, str]], port: int) -> bool:
    here = re.compile(rf"^(?:https?://)?{_LOCAL}:{port}/?$")
    if any(_LISTEN_NAMES.search(name) and here.match(text) for name, text in settings):
        return True
    image = names.parse_image(container.text("image")).name
    return any(
        own == port and not (flag and any(flag in name.lower().replace("_", "-") for name, _ in settings))
        for own, flag in _LOCAL_BY_DEFAULT.get(image, ())
    )
