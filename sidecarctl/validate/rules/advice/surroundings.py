"""Rules about objects around a pod that lead around a sidecar in front of the app, or that the sidecar blocks."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube.fronts import find_chain, read_fronts
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.surroundings import Bypass, find_bypasses, resolve_number
from sidecarctl.validate.views import ContainerView, PodView, StreamView


@rule(
    "service-bypasses-sidecar",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Set targetPort to the port of the sidecar. `add`, `upgrade`, and `render` do it with `--retarget`.",
)
def service_bypasses_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """A Service leads to a port of the app for which a sidecar takes traffic.

    Clients of the Service bypass the sidecar: its login, its TLS, or its limits. The record of the workload tells for
    which ports a sidecar takes traffic.

    This rule compares objects of the same input: the Service and the workloads that it selects.
    """
    for one in find_bypasses(stream):
        if one.reference.object.kind == "Service":
            headless = one.reference.object.get("spec", "clusterIP") == "None"
            note = " (headless: clients choose the port themselves)" if headless else ""
            yield _bypass(
                one,
                f"{one.reference.object.label} leads to {_app_port(one)}, around {_chain_names(one)}{note}",
                f"set targetPort: {one.front.port}",
            )


@rule(
    "network-policy-blocks-sidecar",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Allow the port of the sidecar. `add`, `upgrade`, and `render` do it with `--retarget`.",
)
def network_policy_blocks_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """A NetworkPolicy allows a port of the app, but not the port of the sidecar that takes traffic for it.

    Connections to the sidecar time out, and clients can still connect to the app directly.

    This rule compares objects of the same input: the NetworkPolicy and the workloads that it selects.
    """
    for one in find_bypasses(stream):
        if one.reference.object.kind == "NetworkPolicy":
            yield _bypass(
                one,
                f"{one.reference.object.label} allows {_app_port(one)}, but not port {one.front.port} of "
                f"{one.front.instance}",
                f"set port: {one.front.port}",
            )


@rule(
    "monitor-bypasses-sidecar",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Scrape the port of the sidecar, or a port of the app that no sidecar takes traffic for.",
)
def monitor_bypasses_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """A PodMonitor scrapes a port of the app for which a sidecar takes traffic.

    The scrape bypasses the sidecar, and fails once the app listens on 127.0.0.1 only.

    This rule compares objects of the same input: the PodMonitor and the workloads that it selects.
    """
    for one in find_bypasses(stream):
        if one.reference.object.kind == "PodMonitor":
            yield _bypass(
                one,
                f"{one.reference.object.label} scrapes {_app_port(one)}, around {_chain_names(one)}",
                _monitor_help(one),
            )


def _monitor_help(one: Bypass) -> str:
    port = one.front.port
    if all(each.stage == "proxy" for each in one.chain):
        return f"set portNumber: {port}"
    stage = "a login" if any(each.stage == "login" for each in one.chain) else "TLS"
    return f"port {port} expects {stage}: scrape a port of the app that no sidecar takes traffic for"


def _bypass(one: Bypass, message: str, help: str) -> Problem:
    place = one.reference.path if one.reference.value is not None else one.reference.holder.path
    front = next((each for each in one.pod.containers if each.name == one.front.instance), None)
    related = (Related("sidecar", (*front.path, "name")),) if front is not None else ()
    return problem(place, message, help=help, related=related)


def _app_port(one: Bypass) -> str:
    """Return `port 8080 of container "web"`, or of the pod if no container lists the port."""
    holder = _find_holder(one.pod, one.port)
    return f"port {one.port} of " + (f"container {quote(holder.name)}" if holder else one.pod.object.label)


def _find_holder(pod: PodView, port: int) -> ContainerView | None:
    return next((each for each in pod.containers for p in each.each("ports") if p.get("containerPort") == port), None)


def _chain_names(one: Bypass) -> str:
    return " and ".join(each.instance for each in reversed(one.chain))


@rule(
    "probe-bypasses-sidecar",
    Severity.WARNING,
    layer="advice",
    fix="Point the probe at the port of the sidecar, or let the app listen on the pod IP for the probe.",
)
def probe_bypasses_sidecar(pod: PodView, ctx: Context) -> Problems:
    """A probe of the app asks a port for which a sidecar takes traffic.

    The kubelet connects to the pod IP. So the probe fails once the app listens on 127.0.0.1 only, which is what keeps
    clients from bypassing the sidecar.
    """
    fronts = read_fronts(pod.workload)
    if not fronts:
        return
    instances = {front.instance for front in fronts}
    for container in pod.by_role("app"):
        if container.name in instances:
            continue
        for kind, field, port in _probed_ports(container):
            chain = find_chain(fronts, resolve_number(port, pod))
            if chain:
                outer = chain[-1]
                login = any(each.stage == "login" for each in chain)
                help = f"set port: {outer.port}"
                help += ", and scheme: HTTPS" if outer.stage == "tls" and field == "httpGet" else ""
                yield problem(
                    container.at(kind, field, "port"),
                    f"{kind} asks port {port}, around {outer.instance}: it fails once the app listens on 127.0.0.1 only",
                    help=f"{help}, and let {_login(chain)} pass its path" if login and field == "httpGet" else help,
                )


def _login(chain: tuple) -> str:  # type: ignore[type-arg]
    return next(each.instance for each in chain if each.stage == "login")


def _probed_ports(container: ContainerView) -> Iterator[tuple[str, str, int | str]]:
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        for field in ("httpGet", "tcpSocket", "grpc"):
            port = container.get(kind, field, "port")
            if isinstance(port, (int, str)) and not isinstance(port, bool) and not container.get(kind, field, "host"):
                yield kind, field, port
