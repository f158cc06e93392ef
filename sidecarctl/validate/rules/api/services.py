"""Rules about Services: their ports and what depends on their type."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import address_fault
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import blank, listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_LAST_PORT = 65535
_LONGEST_AFFINITY = 86400
_ONLY_BALANCERS = ("loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts")


def _is_service(one: ObjectView) -> bool:
    return one.kind == "Service" and one.group == ""


@rule(
    "invalid-service-port",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Give each port a number from 1 to 65535 and, where there are several, a name of its own.",
)
def invalid_service_port(one: ObjectView, ctx: Context) -> Problems:
    """A Service has no port, or one without the name or number it needs.

    A Service has a port unless it is headless or of type ExternalName. With several ports each needs a name, which is a
    DNS label; a targetPort is a number or the name of a container's port. No two have the same number and protocol, or
    the same name.
    """
    if not _is_service(one) or not isinstance(one.value.get("spec"), dict):
        return
    ports = listed(one.spec, "ports")
    headless = one.spec.get("clusterIP") == "None" or one.spec.get("type") == "ExternalName"
    if one.spec.get("ports") in (None, []) and not headless:
        yield problem(one.at("spec", "ports"), "the Service has no ports")
    named: set[str] = set()
    numbered: set[tuple[object, object]] = set()
    for index, port in ports:
        where = one.at("spec", "ports", index)
        name, number = port.get("name"), port.get("port")
        if isinstance(name, str) and name:
            if fault := names.dns_label(name):
                yield problem((*where, "name"), f"{quote(name)} is no name for a port of a Service: it {fault}")
            elif name in named:
                yield problem((*where, "name"), f"another port is called {quote(name)} too")
            named.add(name)
        elif blank(name) and len(ports) > 1:
            yield problem((*where, "name"), "with several ports each needs a name")
        yield from _port_fault(number, (*where, "port"))
        target = port.get("targetPort")
        yield from _port_fault(target, (*where, "targetPort"))
        if isinstance(target, str) and target and (fault := names.port_name(target)):
            yield problem((*where, "targetPort"), f"{quote(target)} is no name of a port: it {fault}")
        protocol = port.get("appProtocol")
        if isinstance(protocol, str) and (fault := names.qualified_name(protocol)):
            yield problem((*where, "appProtocol"), f"{quote(protocol)} is no protocol: it {fault}")
        transport = port.get("protocol") or "TCP"
        if isinstance(number, int) and isinstance(transport, str):
            if (number, transport) in numbered:
                yield problem(where, f"there is a port {number} for {transport} already")
            numbered.add((number, transport))


def _port_fault(number: object, where: PathTuple) -> Problems:
    if isinstance(number, int) and not isinstance(number, bool) and not 1 <= number <= _LAST_PORT:
        yield problem(where, f"{number} is no number of a port")


@rule(
    "invalid-service-type",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Choose the type that has what you need, or remove what it does not have.",
)
def invalid_service_type(one: ObjectView, ctx: Context) -> Problems:
    """A Service has what only Services of another type have, or lacks what its own type needs.

    A nodePort needs type NodePort or LoadBalancer, a range of sources or a class LoadBalancer. ExternalName needs the
    name and has no address; a headless Service is of no other type than ClusterIP.
    """
    if not _is_service(one) or not isinstance(one.value.get("spec"), dict):
        return
    spec, own = one.spec, one.spec.get("type") or "ClusterIP"
    if own == "ExternalName":
        name = spec.get("externalName")
        if blank(name):
            yield problem(one.at("spec", "externalName"), "a Service of type ExternalName needs the name")
        elif isinstance(name, str) and (fault := names.dns_subdomain(name.removesuffix("."))):
            yield problem(one.at("spec", "externalName"), f"{quote(name)} is no external name: it {fault}")
        if not blank(spec.get("clusterIP")):
            where = one.at("spec", "clusterIP")
            yield problem(where, "a Service of type ExternalName has no address", on_key=True)
    elif own in ("NodePort", "LoadBalancer") and spec.get("clusterIP") == "None":
        yield problem(one.at("spec", "clusterIP"), f"a Service of type {own} can't be headless")
    else:
        address = spec.get("clusterIP")
        if isinstance(address, str) and address not in ("", "None"):
            if fault := address_fault(address, strict=ctx.since("1.36")):
                yield problem(one.at("spec", "clusterIP"), f"{quote(address)} {fault}", help="Leave it out.")
    if own != "LoadBalancer":
        for field in _ONLY_BALANCERS:
            if spec.get(field) not in (None, []):
                message = f"{field} is for Services of type LoadBalancer"
                yield problem(one.at("spec", field), message, on_key=True)
    if own in ("ClusterIP", "NodePort", "LoadBalancer"):
        yield from _node_ports(one, own)
    seconds = as_mapping(as_mapping(spec.get("sessionAffinityConfig")).get("clientIP")).get("timeoutSeconds")
    if spec.get("sessionAffinity") == "ClientIP" and isinstance(seconds, int) and not isinstance(seconds, bool):
        if not 1 <= seconds <= _LONGEST_AFFINITY:
            where = one.at("spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds")
            yield problem(where, f"{seconds} seconds are not from 1 to {_LONGEST_AFFINITY}")


def _node_ports(one: ObjectView, own: str) -> Problems:
    seen: set[tuple[int, object]] = set()
    for index, port in listed(one.spec, "ports"):
        number = port.get("nodePort")
        if not isinstance(number, int) or isinstance(number, bool) or number == 0:
            continue
        where = one.at("spec", "ports", index, "nodePort")
        key = (number, _text(port, "protocol") or "TCP")
        if own == "ClusterIP":
            yield problem(where, "a Service of type ClusterIP has no nodePort", on_key=True)
        elif key in seen:
            yield problem(where, f"the nodePort {number} is used by another port already")
        seen.add(key)


def _text(data: Data, key: str) -> str:
    found = data.get(key)
    return found if isinstance(found, str) else ""


_INSIDE = ("//", "/./", "/../", "%2f", "%2F")
_AT_END = ("/..", "/.")
_HIGHEST_PORT = 65535


def _is_ingress(one: ObjectView) -> bool:
    return one.group == "networking.k8s.io"


@rule(
    "invalid-ingress-host",
    Severity.ERROR,
    scope="object",
    kinds=("Ingress",),
    fix='Use a DNS name in lower case, with "*." in front for all names below it.',
)
def invalid_ingress_host(one: ObjectView, ctx: Context) -> Problems:
    """A host, secret or class of an Ingress has a name that none can have.

    Hosts are DNS names, not addresses, with at most one wildcard as their first part.
    """
    if not _is_ingress(one):
        return
    for index, entry in listed(one.spec, "rules"):
        host = entry.get("host")
        if isinstance(host, str) and host:
            where = one.at("spec", "rules", index, "host")
            if address_fault(host, strict=False) is None:
                yield problem(where, f"{quote(host)} is an address and no name")
            elif fault := _host_fault(host):
                yield problem(where, f"{quote(host)} is no name of a host: it {fault}")
    for index, entry in listed(one.spec, "tls"):
        where = one.at("spec", "tls", index)
        for number, host in texts(entry, "hosts"):
            if fault := _host_fault(host):
                yield problem((*where, "hosts", number), f"{quote(host)} is no name of a host: it {fault}")
        secret = entry.get("secretName")
        if isinstance(secret, str) and secret and (fault := names.dns_subdomain(secret)):
            yield problem((*where, "secretName"), f"{quote(secret)} is no name of a Secret: it {fault}")
    own = one.spec.get("ingressClassName")
    if isinstance(own, str) and (fault := names.dns_subdomain(own)):
        yield problem(one.at("spec", "ingressClassName"), f"{quote(own)} is no name of a class: it {fault}")


def _host_fault(host: str) -> str | None:
    return names.wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host)


@rule(
    "invalid-ingress-backend",
    Severity.ERROR,
    scope="object",
    kinds=("Ingress",),
    fix="Name a Service and one of its ports, by number or by name; let paths begin with a slash.",
)
def invalid_ingress_backend(one: ObjectView, ctx: Context) -> Problems:
    """A path of an Ingress leads nowhere.

    An Ingress has rules or a default backend. A backend is a Service with a port, by number or by name, or another
    resource; a path is absolute and has nothing to resolve in it, such as "/../".
    """
    if not _is_ingress(one) or not isinstance(one.value.get("spec"), dict):
        return
    spec = one.spec
    if spec.get("rules") in (None, []) and spec.get("defaultBackend") is None:
        if spec.keys() <= {"rules", "defaultBackend", "tls", "ingressClassName"}:
            yield problem(one.at("spec"), "the Ingress has neither rules nor a defaultBackend", on_key=True)
    default = spec.get("defaultBackend")
    if isinstance(default, dict):
        yield from _backend(default, one.at("spec", "defaultBackend"), ctx)
    for index, entry in listed(spec, "rules"):
        http = as_mapping(entry.get("http"))
        where = one.at("spec", "rules", index, "http", "paths")
        if http.get("paths") == []:
            yield problem(where, "the rule has no paths", on_key=True)
        for number, path in listed(http, "paths"):
            if blank(path.get("pathType")):
                continue
            yield from _path(path, (*where, number))
            backend = path.get("backend")
            if isinstance(backend, dict):
                yield from _backend(backend, (*where, number, "backend"), ctx)


def _path(path: Data, where: PathTuple) -> Problems:
    kind, text = path.get("pathType"), path.get("path")
    text = "" if text is None else text
    if not isinstance(text, str):
        return
    bad = [part for part in _INSIDE if part in text] + [part for part in _AT_END if text.endswith(part)]
    if not text.startswith("/") and (text or kind in ("Exact", "Prefix")):
        said = quote(text) if text else "it"
        yield problem((*where, "path"), f"the path has to begin with a slash, and {said} does not")
    elif kind in ("Exact", "Prefix") and bad:
        yield problem((*where, "path"), f"{quote(text)} has {quote(bad[0])} in it")


def _backend(backend: Data, where: PathTuple, ctx: Context) -> Problems:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield problem(where, "the backend has a service and a resource")
        return
    if service is None and resource is None:
        if backend.keys() <= {"service", "resource"}:
            yield problem(where, "the backend has neither a service nor a resource")
        return
    if not isinstance(service, dict):
        return
    name, port = service.get("name"), as_mapping(service.get("port"))
    if isinstance(name, str) and name and (fault := names.service_name(name, ctx.kube_version)):
        yield problem((*where, "service", "name"), f"{quote(name)} is no name of a Service: it {fault}")
    by_name, by_number = port.get("name"), port.get("number")
    if by_name and by_number:
        yield problem(where, "the backend's port has a name and a number")
    elif isinstance(by_name, str) and by_name and (fault := names.port_name(by_name)):
        yield problem((*where, "service", "port", "name"), f"{quote(by_name)} is no name of a port: it {fault}")
    elif isinstance(by_number, int) and by_number and not 1 <= by_number <= _HIGHEST_PORT:
        yield problem((*where, "service", "port", "number"), f"{by_number} is no number of a port")
    elif not by_name and not by_number:
        yield problem(where, "the backend's Service has no port")
