"""Rules about Services: their ports and what depends on their type."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.addresses import address_fault
from sidecarctl.validate.parts import blank, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_LAST_PORT = 65535
_LONGEST_AFFINITY = 86400
_ONLY_BALANCERS = ("loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts")


def _is_service(one: ObjectView) -> bool:
    return one.kind == "Service" and one.group == ""


@rule(
    "service-port",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Give each port a number from 1 to 65535 and, where there are several, a name of its own.",
)
def service_port(one: ObjectView, ctx: Context) -> Problems:
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
    "service-type",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Choose the type that has what you need, or remove what it does not have.",
)
def service_type(one: ObjectView, ctx: Context) -> Problems:
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
