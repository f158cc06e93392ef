"""Rules about Endpoints and EndpointSlices: addresses, ports and hints. Whoever writes them by hand has no controller."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import address_fault, endpoint_fault, is_ipv4
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import entries, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_KINDS = {("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice")}
_ADDRESSES, _ENDPOINTS, _PORTS, _HINTS = 100, 1000, 20000, 8
_LAST_PORT = 65535


def _applies(one: ObjectView) -> bool:
    return (one.group, one.kind) in _KINDS


@rule(
    "invalid-endpoint-address",
    Severity.ERROR,
    scope="object",
    kinds=("Endpoints", "EndpointSlice"),
    fix="Give addresses that other machines can reach, of the one family that addressType names.",
)
def invalid_endpoint_address(one: ObjectView, ctx: Context) -> Problems:
    """An endpoint has no address, or one that nobody can reach.

    The API server refuses addresses of the machine itself (loopback), of a single network (link-local) and those that
    mean all addresses; more than 100 in an endpoint, and more than 1,000 endpoints in a slice. Host names of endpoints
    are DNS labels.
    """
    if not _applies(one):
        return
    strict = ctx.since("1.36")
    if one.kind == "EndpointSlice":
        yield from _of_slice(one, strict)
        return
    for subset, where in _items(one.value, "subsets", one.path):
        if not as_list(subset.get("addresses")) and not as_list(subset.get("notReadyAddresses")):
            yield problem(where, "the subset has neither addresses nor notReadyAddresses")
        for field in ("addresses", "notReadyAddresses"):
            for address, at in _items(subset, field, where):
                ip, host = address.get("ip"), address.get("hostname")
                if isinstance(ip, str) and ip and (fault := _ip_fault(ip, strict)):
                    yield problem((*at, "ip"), f"{quote(ip)} {fault}")
                if isinstance(host, str) and host and (fault := names.dns_label(host)):
                    yield problem((*at, "hostname"), f"{quote(host)} is no host name: it {fault}")
                yield from _node(address, at)


def _of_slice(one: ObjectView, strict: bool) -> Problems:
    family, endpoints = one.value.get("addressType"), as_list(one.value.get("endpoints"))
    if len(endpoints) > _ENDPOINTS:
        message = f"there may be {_ENDPOINTS} endpoints at most, and there are {len(endpoints)}"
        yield problem(one.at("endpoints"), message, on_key=True)
        return
    for endpoint, where in _items(one.value, "endpoints", one.path):
        addresses = as_list(endpoint.get("addresses"))
        if endpoint.get("addresses") == []:
            yield problem((*where, "addresses"), "the endpoint has no address")
        elif len(addresses) > _ADDRESSES:
            message = f"there may be {_ADDRESSES} addresses at most, and there are {len(addresses)}"
            yield problem((*where, "addresses"), message, on_key=True)
        for index, text in texts(endpoint, "addresses"):
            if fault := _fault_of(text, family, strict):
                yield problem((*where, "addresses", index), f"{quote(text)} {fault}")
        host = endpoint.get("hostname")
        if isinstance(host, str) and (fault := names.dns_label(host)):
            yield problem((*where, "hostname"), f"{quote(host)} is no host name: it {fault}")
        yield from _node(endpoint, where)


def _fault_of(text: str, family: object, strict: bool) -> str | None:
    """Say why a text is no address of a slice's addressType; an unknown type is the structure's to name."""
    if family == "FQDN":
        return _domain_fault(text)
    if family not in ("IPv4", "IPv6"):
        return None
    # Slices for IPv6 came when addresses were read strictly already.
    if fault := _ip_fault(text, strict or family == "IPv6"):
        return fault
    return None if is_ipv4(text) is (family == "IPv4") else f"is no {family} address"


def _ip_fault(text: str, strict: bool) -> str | None:
    return address_fault(text, strict=strict) or endpoint_fault(text)


def _domain_fault(text: str) -> str | None:
    name = text.removesuffix(".")
    if fault := names.dns_subdomain(name):
        return f"is no domain: it {fault}"
    if "." not in name:
        return "is no full domain: it must have a dot between two names"
    faults = (names.dns_label(label) for label in name.split("."))
    return next((f"is no domain: each part {fault}" for fault in faults if fault), None)


def _node(holder: Data, where: PathTuple) -> Problems:
    node = holder.get("nodeName")
    if isinstance(node, str) and (fault := names.dns_subdomain(node)):
        yield problem((*where, "nodeName"), f"{quote(node)} is no name of a node: it {fault}")


@rule(
    "invalid-endpoint-port",
    Severity.ERROR,
    scope="object",
    kinds=("Endpoints", "EndpointSlice"),
    fix="Give each port a name of its own, as in the Service, of lower-case letters, digits and dashes.",
)
def invalid_endpoint_port(one: ObjectView, ctx: Context) -> Problems:
    """Ports of endpoints can't be told apart, or have names or numbers that none can have.

    A Service finds its endpoints' ports by their names. In a slice each name is there once, an empty one too; in
    Endpoints with several ports each has a name.
    """
    if not _applies(one):
        return
    if one.kind == "EndpointSlice":
        yield from _ports(one.value, one.path, named=False, once=True)
        return
    for subset, where in _items(one.value, "subsets", one.path):
        yield from _ports(subset, where, named=len(as_list(subset.get("ports"))) > 1, once=False)


def _ports(holder: Data, where: PathTuple, *, named: bool, once: bool) -> Problems:
    count = len(as_list(holder.get("ports")))
    if once and count > _PORTS:
        yield problem((*where, "ports"), f"there may be {_PORTS} ports at most, and there are {count}", on_key=True)
        return
    seen: dict[str, PathTuple] = {}
    for port, at in _items(holder, "ports", where):
        name, number, protocol = port.get("name") or "", port.get("port"), port.get("appProtocol")
        if isinstance(name, str):
            if name and (fault := names.dns_label(name)):
                yield problem((*at, "name"), f"{quote(name)} is no name of a port: it {fault}")
            elif not name and named:
                yield problem((*at, "name"), "with several ports each needs a name")
            first = seen.setdefault(name, at)
            if once and first is not at:
                said = f"another port is called {quote(name)}" if name else "another port has no name either"
                yield problem((*at, "name"), said, related=(Related("the first", first),))
        if not once and isinstance(number, int) and not isinstance(number, bool) and not 1 <= number <= _LAST_PORT:
            yield problem((*at, "port"), f"{number} is no port: it has to be from 1 to {_LAST_PORT}")
        if isinstance(protocol, str) and (fault := names.qualified_name(protocol)):
            yield problem((*at, "appProtocol"), f"{quote(protocol)} is no protocol: it {fault}")


@rule(
    "invalid-endpoint-hint",
    Severity.ERROR,
    scope="object",
    kinds=("EndpointSlice",),
    fix="Name each zone or node once, eight at most.",
)
def invalid_endpoint_hint(one: ObjectView, ctx: Context) -> Problems:
    """An endpoint's hints name a zone or node twice, or one that there can't be.

    Proxies keep traffic near by them. There may be eight of each; zones are values of labels, nodes have DNS names.
    """
    if not _applies(one):
        return
    for endpoint, where in _items(one.value, "endpoints", one.path):
        hints = as_mapping(endpoint.get("hints"))
        for field, fault_of in (("forZones", names.label_value), ("forNodes", names.dns_subdomain)):
            at = (*where, "hints", field)
            count = len(as_list(hints.get(field)))
            if count > _HINTS:
                yield problem(at, f"there may be {_HINTS} hints at most, and there are {count}", on_key=True)
                break
            seen: set[str] = set()
            for hint, place in _items(hints, field, (*where, "hints")):
                name = hint.get("name") or ""
                if not isinstance(name, str):
                    continue
                if name in seen:
                    yield problem((*place, "name"), f"{quote(name)} is named already")
                elif fault := fault_of(name):
                    yield problem((*place, "name"), f"{quote(name)} is no name of a {field[3:-1].lower()}: it {fault}")
                seen.add(name)


def _items(holder: Data, field: str, where: PathTuple) -> Iterator[tuple[Data, PathTuple]]:
    """Yield the mappings of a list with their paths; null is an empty one, as to the API server."""
    for index, item in entries(holder, field):
        yield item, (*where, field, index)
