"""Rules about objects around a pod that bypass a sidecar in front of the app, or that the sidecar blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sidecarctl.findings import Related, Severity, list_some, quote
from sidecarctl.kube.fronts import Front, find_chain
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView, StreamView

if TYPE_CHECKING:
    from sidecarctl.validate.surroundings import Bypass


def _find_bypasses(stream: StreamView, kind: str) -> Iterator[Bypass]:
    """Yield the references of a kind of object that bypass fronts."""
    if any(pod.fronts for pod in stream.pods):
        from sidecarctl.validate.surroundings import find_bypasses

        yield from find_bypasses(stream, kind)


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
    for one in _find_bypasses(stream, "Service"):
        headless = one.reference.object.get("spec", "clusterIP") == "None"
        note = " (headless: clients choose the port themselves)" if headless else ""
        yield _bypass(
            one,
            f"{one.reference.object.label} leads to {_app_port(one)}, around {_chain_names(one)}{_in_pods(one)}{note}",
            _port_help(one, "targetPort"),
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
    for one in _find_bypasses(stream, "NetworkPolicy"):
        yield _bypass(
            one,
            f"{one.reference.object.label} allows {_app_port(one)}, but not port {one.front.port} of "
            f"{one.front.instance}{_in_pods(one)}",
            _port_help(one, "port"),
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
    for one in _find_bypasses(stream, "PodMonitor"):
        yield _bypass(
            one,
            f"{one.reference.object.label} scrapes {_app_port(one)}, around {_chain_names(one)}{_in_pods(one)}",
            _monitor_help(one),
        )


def _port_help(one: Bypass, field: str) -> str:
    if not one.agree:
        return "let the sidecars of the selected workloads listen on one port, or select only workloads that agree"
    return f"set {field}: {one.front.port}, or use --retarget"


def _monitor_help(one: Bypass) -> str:
    port = one.front.port
    if all(each.stage == "proxy" for each in one.chain):
        return f"set portNumber: {port}"
    stage = "a login" if any(each.stage == "login" for each in one.chain) else "TLS"
    return f"port {port} expects {stage}: scrape a port of the app that no sidecar takes traffic for"


def _bypass(one: Bypass, message: str, help: str) -> Problem:
    place = one.reference.path if one.reference.value is not None else one.reference.holder.at("port")
    front = next((each for each in one.pod.containers if each.name == one.front.instance), None)
    related = (Related("sidecar", (*front.path, "name")),) if front is not None else ()
    return problem(place, message, help=help, related=related)


def _in_pods(one: Bypass) -> str:
    """Return ` in Deployment/a and Deployment/b` if a reference bypasses the sidecars of several workloads."""
    labels = list(dict.fromkeys(pod.object.label for pod in one.pods))
    return f" in {list_some(labels)}" if len(labels) > 1 else ""


def _app_port(one: Bypass) -> str:
    """Return `port 8080 of container "web"`, or of the pod if no container lists the port."""
    holder = _find_holder(one.pod, one.port)
    return f"port {one.port} of " + (f"container {quote(holder.name)}" if holder else one.pod.object.label)


def _find_holder(pod: PodView, port: int) -> ContainerView | None:
    return next((each for each in pod.containers for p in each.each("ports") if p.get("containerPort") == port), None)


def _chain_names(one: Bypass) -> str:
    return " and ".join(each.instance for each in reversed(one.chain))


@rule(
    "plain-http-to-tls-port",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Let the ingress controller or gateway connect with TLS, or end TLS there and remove the sidecar.",
)
def plain_http_to_tls_port(stream: StreamView, ctx: Context) -> Problems:
    """An Ingress or HTTPRoute sends plain HTTP to a Service port that leads to a sidecar that expects TLS.

    The sidecar answers with 400, or closes the connection. Ingress controllers choose the protocol by an annotation, and
    gateways by a BackendTLSPolicy.

    This rule compares objects of the same input: the Ingress or HTTPRoute, the Service, and the workloads that it selects.
    """
    if any(pod.fronts for pod in stream.pods):
        from sidecarctl.validate.backends import find_plain_backends

        for one in find_plain_backends(stream):
            yield problem(
                one.view.at("name"),
                f"{one.object.label} sends plain HTTP to {one.fronted.service.label}, which leads to the TLS port "
                f"{one.fronted.front.port} of {one.fronted.front.instance}",
                help="set the annotation nginx.ingress.kubernetes.io/backend-protocol: HTTPS, or that of your controller"
                if one.object.kind == "Ingress"
                else f"add a BackendTLSPolicy for Service {one.fronted.service.name}",
                related=(Related("Service port", one.fronted.port.path),),
            )


@rule(
    "monitor-blocked-by-sidecar",
    Severity.WARNING,
    layer="advice",
    scope="stream",
    fix="Scrape through a port without a login, or exempt the path from the login; use `scheme: https` for TLS.",
)
def monitor_blocked_by_sidecar(stream: StreamView, ctx: Context) -> Problems:
    """A ServiceMonitor scrapes a Service port that leads to a sidecar that asks for a login, or for TLS.

    Prometheus gets the login page, or an error, instead of metrics.

    This rule compares objects of the same input: the ServiceMonitor, the Service, and the workloads that it selects.
    """
    if any(pod.fronts for pod in stream.pods):
        from sidecarctl.validate.backends import find_scrapes

        for one in find_scrapes(stream):
            front = one.fronted.front
            if one.login:
                what = f"the login of {one.login}"
                help = f"let {one.login} pass the path without a login, or add a Service port to port {one.fronted.app_port}"
            elif front.stage == "tls" and one.endpoint.get("scheme") not in ("https", "HTTPS"):
                what = f"the TLS port {front.port} of {front.instance}"
                help = "set scheme: https, and tlsConfig"
            else:
                continue
            leads = "leads" if len(one.services) == 1 else "lead"
            yield problem(
                one.endpoint.at("port"),
                f"{one.monitor.label} scrapes {list_some(one.services)}, which {leads} to {what}",
                help=help,
                related=(Related("Service port", one.fronted.port.path),),
            )


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
    fronts = pod.fronts
    if not fronts:
        return
    from sidecarctl.validate.surroundings import resolve_number

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


def _login(chain: Sequence[Front]) -> str:
    return next(each.instance for each in chain if each.stage == "login")


def _probed_ports(container: ContainerView) -> Iterator[tuple[str, str, int | str]]:
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        for field in ("httpGet", "tcpSocket", "grpc"):
            port = container.get(kind, field, "port")
            if isinstance(port, (int, str)) and not isinstance(port, bool) and not container.get(kind, field, "host"):
                yield kind, field, port
