"""Rules about the ports that probes and hooks ask: whether somebody can be there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data

# Ordinary init and ephemeral containers can't have any: other rules say so.
_ROLES = ("app", "classic", "sidecar")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_ACTIONS = ("httpGet", "tcpSocket", "grpc")
_LOCAL = r"(?:127\.0\.0\.1|localhost|\[::1\])"
# A flag or variable that says where to listen; one that says where to connect to has another name.
_LISTENS = re.compile(r"listen|bind|addr|http-address|health[-_]?(?:host|addr)|endpoint", re.IGNORECASE)

# Servers that listen on localhost unless told otherwise: the port, and what tells them otherwise (flag or variable).
_LOCAL_BY_DEFAULT = {
    "cloud-sql-proxy": ((9090, "http-address"), (9091, "")),
    "oauth2-proxy": ((4180, "http-address"),),
    "envoy": ((9901, "admin"),),
    "proxyv2": ((15000, ""),),
}


Asked = tuple[str, Any, PathTuple]


def _asked(container: ContainerView) -> list[Asked]:
    """Return what probes ask the pod itself for: field, port and the port's path."""
    out: list[Asked] = []
    for field in _PROBES:
        probe = container.value.get(field)
        if probe and isinstance(probe, dict):
            _add_ports(out, field, probe, (*container.path, field))
    return out


def _hooks(container: ContainerView) -> list[Asked]:
    """Return what hooks ask the pod itself for."""
    out: list[Asked] = []
    for field, hook in as_mapping(container.value.get("lifecycle")).items():
        if isinstance(hook, dict):
            _add_ports(out, field, hook, container.at("lifecycle", field))
    return out


def _add_ports(out: list[Asked], field: str, handler: Data, path: PathTuple) -> None:
    for action in _ACTIONS:
        asked = handler.get(action)
        if asked and isinstance(asked, dict) and asked.get("port") is not None and not asked.get("host"):
            out.append((field, asked["port"], (*path, action, "port")))


@rule(
    "unknown-port-name",
    Severity.ERROR,
    layer="advice",
    scope="container",
    roles=_ROLES,
    fix="Use the name of one of the container's own ports, or a number.",
)
def unknown_port_name(container: ContainerView, ctx: Context) -> Problems:
    """A probe or hook asks a port by a name that none of the container's ports has.

    The API server accepts it; the kubelet finds no port, so the probe always fails. It only looks among the ports of
    the container itself, not among those of the pod.
    """
    value = container.value
    asked = _asked(container)
    if value.get("lifecycle"):
        asked += _hooks(container)
    asked = [one for one in asked if isinstance(one[1], str)]
    if not asked:
        return
    own = {name for _, port in listed(value, "ports") if isinstance(name := port.get("name"), str)}
    for field, port, path in asked:
        # A number in quotes is read as that number.
        if port and port not in own and not port.isdecimal():
            there = f"; it has {', '.join(sorted(own))}" if own else ""
            yield problem(path, f"the {field} asks the port {quote(port)}, which the container does not have{there}")


@rule(
    "probe-port-unexposed",
    Severity.INFO,
    layer="advice",
    scope="container",
    roles=_ROLES,
    fix="Correct the number, or list the port.",
)
def probe_port_unexposed(container: ContainerView, ctx: Context) -> Problems:
    """A probe asks a port that the container does not list.

    The list of ports is for people and tools, so the probe may well work; often the number is an old one. A container
    that lists no port at all is left alone.
    """
    value = container.value
    asked = _asked(container) if value.get("ports") else []
    if not asked:
        return
    own = [port.get("containerPort") for _, port in listed(value, "ports")]
    for field, port, path in asked:
        if port.__class__ is int and port not in own:
            yield problem(path, f"the {field} asks the port {port}, which is not among the container's ports")


@rule(
    "probe-on-localhost-server",
    Severity.ERROR,
    layer="advice",
    scope="container",
    roles=_ROLES,
    fix="Let it listen on 0.0.0.0, or probe another port, or use an exec probe.",
)
def probe_on_localhost_server(container: ContainerView, ctx: Context) -> Problems:
    """A probe asks a port that only listens on localhost.

    The kubelet asks from outside the pod, by the pod's address: the probe always fails, and the container never
    becomes ready or is restarted for ever.

    It is known from the container's own flags and variables, from what well-known servers do unless told otherwise
    (cloud-sql-proxy, oauth2-proxy, Envoy's admin port), and from the `adminPorts` of the sidecars in use.
    """
    value = container.value
    admin = as_mapping(ctx.options.get("probe-on-localhost-server")).get(container.name, ())
    asked = _asked(container) if admin or _hints(value) else []
    if not asked:
        return
    numbers = {
        name: port.get("containerPort")
        for _, port in listed(value, "ports")
        if isinstance(name := port.get("name"), str)
    }
    told = list(_told(container))
    for field, port, path in asked:
        number = numbers.get(port) if isinstance(port, str) else port
        if number.__class__ is int and (number in admin or _local(container, told, number)):
            yield problem(path, f"the {field} asks the port {number}, which listens on localhost only")


def _hints(value: Data) -> bool:
    """True where anything says that the container may listen on localhost; most containers are done here."""
    image = value.get("image")
    if isinstance(image, str) and any(name in image for name in _LOCAL_BY_DEFAULT):
        return True
    words = [word for field in ("command", "args") if value.get(field) for word in as_list(value[field])]
    words += [variable.get("value") for _, variable in listed(value, "env")]
    return any(
        isinstance(word, str) and ("127.0.0.1" in word or "localhost" in word or "::1" in word) for word in words
    )


def _told(container: ContainerView) -> Iterator[tuple[str, str]]:
    """Yield what the container is told, as name and value of flags and variables."""
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


def _local(container: ContainerView, told: list[tuple[str, str]], port: int) -> bool:
    here = re.compile(rf"^(?:https?://)?{_LOCAL}:{port}/?$")
    if any(_LISTENS.search(name) and here.match(text) for name, text in told):
        return True
    image = names.parse_image(container.text("image")).name
    return any(
        own == port and not (flag and any(flag in name.lower().replace("_", "-") for name, _ in told))
        for own, flag in _LOCAL_BY_DEFAULT.get(image, ())
    )
