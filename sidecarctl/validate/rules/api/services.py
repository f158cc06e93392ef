"""Rules about Services and Ingresses: ports, types, hosts, and backends."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import check_ip_address
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import blank, listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.containers import LARGEST_PORT
from sidecarctl.validate.rules.api.object_names import check_path_segment
from sidecarctl.validate.views import Data, ObjectView

_MAX_AFFINITY_SECONDS = 86400
_LOAD_BALANCER_FIELDS = ("loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts")


def _is_service(obj: ObjectView) -> bool:
    return obj.kind == "Service" and obj.group == ""


@rule(
    "invalid-service-port",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Use a port number from 1 to 65535 and, if there are several ports, a unique name for each.",
)
def invalid_service_port(obj: ObjectView, ctx: Context) -> Problems:
    """Missing, invalid, or duplicate port of a Service.

    A Service has a port unless it is headless or of type ExternalName. If it has several ports, each needs a name that
    is a DNS label. A targetPort is a number or the name of a container port. Names are unique, and so are pairs of port
    number and protocol.
    """
    if not _is_service(obj) or not isinstance(obj.value.get("spec"), dict):
        return
    ports = listed(obj.spec, "ports")
    headless = obj.spec.get("clusterIP") == "None" or obj.spec.get("type") == "ExternalName"
    if obj.spec.get("ports") in (None, []) and not headless:
        yield problem(obj.at("spec", "ports"), "Service has no ports")
    named: set[str] = set()
    numbered: set[tuple[object, object]] = set()
    for index, port in ports:
        where = obj.at("spec", "ports", index)
        name, number = port.get("name"), port.get("port")
        if isinstance(name, str) and name:
            if fault := names.check_dns_label(name):
                yield problem((*where, "name"), f"invalid Service port name {quote(name)}: {fault}")
            elif name in named:
                yield problem((*where, "name"), f"duplicate port name {quote(name)}")
            named.add(name)
        elif blank(name) and len(ports) > 1:
            yield problem((*where, "name"), "missing port name, required with several ports")
        yield from _check_port(number, (*where, "port"))
        target = port.get("targetPort")
        if target:  # the API server replaces 0 by the port
            yield from _check_port(target, (*where, "targetPort"))
        if isinstance(target, str) and target and (fault := names.check_port_name(target)):
            yield problem((*where, "targetPort"), f"invalid port name {quote(target)}: {fault}")
        protocol = port.get("appProtocol")
        if isinstance(protocol, str) and (fault := names.check_qualified_name(protocol)):
            yield problem((*where, "appProtocol"), f"invalid appProtocol {quote(protocol)}: {fault}")
        transport = port.get("protocol") or "TCP"
        if isinstance(number, int) and isinstance(transport, str):
            if (number, transport) in numbered:
                yield problem(where, f"duplicate port {number} for protocol {transport}")
            numbered.add((number, transport))


def _check_port(number: object, where: PathTuple) -> Problems:
    if isinstance(number, int) and not isinstance(number, bool) and not 1 <= number <= LARGEST_PORT:
        yield problem(where, f"invalid port {number}: use a number from 1 to {LARGEST_PORT}")


@rule(
    "invalid-service-type",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Use a type that supports the field, or remove the field.",
)
def invalid_service_type(obj: ObjectView, ctx: Context) -> Problems:
    """A Service has fields that its type does not support, or lacks required ones.

    A nodePort requires type NodePort or LoadBalancer. loadBalancerSourceRanges and loadBalancerClass require type
    LoadBalancer. ExternalName requires externalName and has no clusterIP. A headless Service has type ClusterIP.
    """
    if not _is_service(obj) or not isinstance(obj.value.get("spec"), dict):
        return
    spec, service_type = obj.spec, obj.spec.get("type") or "ClusterIP"
    if service_type == "ExternalName":
        name = spec.get("externalName")
        if blank(name):
            yield problem(obj.at("spec", "externalName"), "type ExternalName requires externalName")
        elif isinstance(name, str) and (fault := names.check_dns_subdomain(name.removesuffix("."))):
            yield problem(obj.at("spec", "externalName"), f"invalid externalName {quote(name)}: {fault}")
        if not blank(spec.get("clusterIP")):
            where = obj.at("spec", "clusterIP")
            yield problem(where, "clusterIP is not supported with type ExternalName", on_key=True)
    elif service_type in ("NodePort", "LoadBalancer") and spec.get("clusterIP") == "None":
        yield problem(obj.at("spec", "clusterIP"), f"clusterIP: None is not supported with type {service_type}")
    else:
        address = spec.get("clusterIP")
        if isinstance(address, str) and address not in ("", "None"):
            if fault := check_ip_address(address, strict=ctx.since("1.36")):
                yield problem(
                    obj.at("spec", "clusterIP"),
                    f"invalid IP address {quote(address)}: {fault}",
                    help="Remove clusterIP.",
                )
    if service_type != "LoadBalancer":
        for field in _LOAD_BALANCER_FIELDS:
            if spec.get(field) not in (None, []):
                message = f"{field} requires type LoadBalancer"
                yield problem(obj.at("spec", field), message, on_key=True)
    if service_type in ("ClusterIP", "NodePort", "LoadBalancer"):
        yield from _check_node_ports(obj, service_type)
    seconds = as_mapping(as_mapping(spec.get("sessionAffinityConfig")).get("clientIP")).get("timeoutSeconds")
    if spec.get("sessionAffinity") == "ClientIP" and isinstance(seconds, int) and not isinstance(seconds, bool):
        if not 1 <= seconds <= _MAX_AFFINITY_SECONDS:
            where = obj.at("spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds")
            yield problem(where, f"invalid timeoutSeconds {seconds}: use a number from 1 to {_MAX_AFFINITY_SECONDS}")


def _check_node_ports(obj: ObjectView, service_type: str) -> Problems:
    seen: set[tuple[int, object]] = set()
    for index, port in listed(obj.spec, "ports"):
        number = port.get("nodePort")
        if not isinstance(number, int) or isinstance(number, bool) or number == 0:
            continue
        where = obj.at("spec", "ports", index, "nodePort")
        key = (number, _text(port, "protocol") or "TCP")
        if service_type == "ClusterIP":
            yield problem(where, "nodePort is not supported with type ClusterIP", on_key=True)
        elif key in seen:
            yield problem(where, f"duplicate nodePort {number}")
        seen.add(key)


def _text(data: Data, key: str) -> str:
    found = data.get(key)
    return found if isinstance(found, str) else ""


_INGRESS_CLASS = "kubernetes.io/ingress.class"
_UNSAFE_PATH_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_UNSAFE_PATH_ENDS = ("/..", "/.")


def _is_ingress(obj: ObjectView) -> bool:
    return obj.group == "networking.k8s.io"


@rule(
    "invalid-ingress-host",
    Severity.ERROR,
    scope="object",
    kinds=("Ingress",),
    fix='Use a lowercase DNS name. For all subdomains, use "*." as the first part.',
)
def invalid_ingress_host(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid host, Secret, or class name in an Ingress.

    A host is a DNS name, not an IP address, and can have a wildcard as its first part. The API server rejects other
    hosts, and invalid names of Secrets and ingress classes. The class in the annotation equals ingressClassName if both
    are set.
    """
    if not _is_ingress(obj):
        return
    for index, entry in listed(obj.spec, "rules"):
        host = entry.get("host")
        if isinstance(host, str) and host:
            where = obj.at("spec", "rules", index, "host")
            if check_ip_address(host, strict=False) is None:
                yield problem(where, f"invalid host {quote(host)}: IP addresses are not allowed")
            elif fault := _check_host(host):
                yield problem(where, f"invalid host {quote(host)}: {fault}")
    for index, entry in listed(obj.spec, "tls"):
        where = obj.at("spec", "tls", index)
        for number, host in texts(entry, "hosts"):
            if fault := _check_host(host):
                yield problem((*where, "hosts", number), f"invalid host {quote(host)}: {fault}")
        secret = entry.get("secretName")
        if isinstance(secret, str) and secret and (fault := names.check_dns_subdomain(secret)):
            yield problem((*where, "secretName"), f"invalid Secret name {quote(secret)}: {fault}")
    class_name = obj.spec.get("ingressClassName")
    if isinstance(class_name, str) and (fault := names.check_dns_subdomain(class_name)):
        yield problem(obj.at("spec", "ingressClassName"), f"invalid ingress class name {quote(class_name)}: {fault}")
    annotation = obj.get("metadata", "annotations", _INGRESS_CLASS)
    if isinstance(annotation, str) and isinstance(class_name, str) and annotation != class_name:
        message = f"class {quote(annotation)} differs from ingressClassName {quote(class_name)}"
        where = obj.at("metadata", "annotations", _INGRESS_CLASS)
        yield problem(where, message, help="Remove the annotation. ingressClassName replaces it.")


def _check_host(host: str) -> str | None:
    return names.check_wildcard_subdomain(host) if "*" in host else names.check_dns_subdomain(host)


@rule(
    "invalid-ingress-backend",
    Severity.ERROR,
    scope="object",
    kinds=("Ingress",),
    fix="Set a Service and one of its ports by number or name, and start paths with a slash.",
)
def invalid_ingress_backend(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid backend or path of an Ingress.

    An Ingress requires rules or a default backend. A backend is another resource, or a Service with a port number or
    name. A path is absolute and contains no relative parts such as "/../".
    """
    if not _is_ingress(obj) or not isinstance(obj.value.get("spec"), dict):
        return
    spec = obj.spec
    if spec.get("rules") in (None, []) and spec.get("defaultBackend") is None:
        if spec.keys() <= {"rules", "defaultBackend", "tls", "ingressClassName"}:
            yield problem(obj.at("spec"), "missing rules or defaultBackend", on_key=True)
    default = spec.get("defaultBackend")
    if isinstance(default, dict):
        yield from _check_backend(default, obj.at("spec", "defaultBackend"), ctx)
    for index, entry in listed(spec, "rules"):
        http = as_mapping(entry.get("http"))
        where = obj.at("spec", "rules", index, "http", "paths")
        if http.get("paths") == []:
            yield problem(where, "rule has no paths", on_key=True)
        for number, path in listed(http, "paths"):
            if blank(path.get("pathType")):
                continue
            yield from _check_path(path, (*where, number))
            backend = path.get("backend")
            if isinstance(backend, dict):
                yield from _check_backend(backend, (*where, number, "backend"), ctx)


def _check_path(path: Data, where: PathTuple) -> Problems:
    kind, text = path.get("pathType"), path.get("path")
    text = "" if text is None else text
    if not isinstance(text, str):
        return
    bad = [part for part in _UNSAFE_PATH_PARTS if part in text] + [
        part for part in _UNSAFE_PATH_ENDS if text.endswith(part)
    ]
    if not text.startswith("/") and (text or kind in ("Exact", "Prefix")):
        yield problem((*where, "path"), f"invalid path {quote(text)}: must start with a slash")
    elif kind in ("Exact", "Prefix") and bad:
        yield problem((*where, "path"), f"invalid path {quote(text)}: {quote(bad[0])} is not allowed")


def _check_backend(backend: Data, where: PathTuple, ctx: Context) -> Problems:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield problem(where, "both service and resource are set")
        return
    if service is None and resource is None:
        if backend.keys() <= {"service", "resource"}:
            yield problem(where, "missing service or resource")
        return
    if isinstance(resource, dict):
        yield from _check_resource(resource, (*where, "resource"))
    if not isinstance(service, dict):
        return
    name, port = service.get("name"), as_mapping(service.get("port"))
    if isinstance(name, str) and name and (fault := names.check_service_name(name, ctx.kube_version)):
        yield problem((*where, "service", "name"), f"invalid Service name {quote(name)}: {fault}")
    by_name, by_number = port.get("name"), port.get("number")
    if by_name and by_number:
        yield problem(where, "both port.name and port.number are set")
    elif isinstance(by_name, str) and by_name and (fault := names.check_port_name(by_name)):
        yield problem((*where, "service", "port", "name"), f"invalid port name {quote(by_name)}: {fault}")
    elif isinstance(by_number, int) and by_number and not 1 <= by_number <= LARGEST_PORT:
        yield problem(
            (*where, "service", "port", "number"), f"invalid port {by_number}: use a number from 1 to {LARGEST_PORT}"
        )
    elif not by_name and not by_number:
        yield problem(where, "backend Service has no port")


def _check_resource(resource: Data, where: PathTuple) -> Problems:
    for field in ("kind", "name"):
        text = resource.get(field)
        if blank(text):
            yield problem((*where, field), f"missing required field: {field}")
        elif isinstance(text, str) and (fault := check_path_segment(text, "")):
            yield problem((*where, field), f"invalid {field} {quote(text)}: {fault}")
    group = resource.get("apiGroup")
    if isinstance(group, str) and (fault := names.check_dns_subdomain(group)):
        yield problem((*where, "apiGroup"), f"invalid apiGroup {quote(group)}: {fault}")
