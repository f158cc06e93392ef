"""Rules about Endpoints and EndpointSlices: addresses, ports, and hints."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import check_endpoint_address, check_ip_address, is_ipv4
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import entries, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.containers import LARGEST_PORT
from sidecarctl.validate.views import Data, ObjectView

_KINDS = {("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice")}
_MAX_ADDRESSES, _MAX_ENDPOINTS, _MAX_PORTS, _MAX_HINTS = 100, 1000, 20000, 8


def _is_endpoints(obj: ObjectView) -> bool:
    return (obj.group, obj.kind) in _KINDS


@rule(
    "invalid-endpoint-address",
    Severity.ERROR,
    scope="object",
    kinds=("Endpoints", "EndpointSlice"),
    fix="Use addresses that other hosts can reach, of the IP family in addressType.",
)
def invalid_endpoint_address(obj: ObjectView, ctx: Context) -> Problems:
    """An endpoint has no address, or an invalid one.

    The API server rejects loopback, link-local, and unspecified addresses, more than 100 addresses in an endpoint, and
    more than 1,000 endpoints in a slice. Host names of endpoints must be DNS labels.
    """
    if not _is_endpoints(obj):
        return
    strict = ctx.since("1.36")
    if obj.kind == "EndpointSlice":
        yield from _check_slice(obj, strict)
        return
    for subset, where in _items(obj.value, "subsets", obj.path):
        if not as_list(subset.get("addresses")) and not as_list(subset.get("notReadyAddresses")):
            yield problem(where, "missing addresses or notReadyAddresses")
        for field in ("addresses", "notReadyAddresses"):
            for address, at in _items(subset, field, where):
                ip, host = address.get("ip"), address.get("hostname")
                if isinstance(ip, str) and ip and (fault := _check_ip(ip, strict)):
                    yield problem((*at, "ip"), f"invalid endpoint address {quote(ip)}: {fault}")
                if isinstance(host, str) and host and (fault := names.check_dns_label(host)):
                    yield problem((*at, "hostname"), f"invalid host name {quote(host)}: {fault}")
                yield from _check_node(address, at)


def _check_slice(obj: ObjectView, strict: bool) -> Problems:
    family, endpoints = obj.value.get("addressType"), as_list(obj.value.get("endpoints"))
    if len(endpoints) > _MAX_ENDPOINTS:
        message = f"too many endpoints: {len(endpoints)} (limit: {_MAX_ENDPOINTS})"
        yield problem(obj.at("endpoints"), message, on_key=True)
        return
    for endpoint, where in _items(obj.value, "endpoints", obj.path):
        addresses = as_list(endpoint.get("addresses"))
        if endpoint.get("addresses") == []:
            yield problem((*where, "addresses"), "endpoint has no addresses")
        elif len(addresses) > _MAX_ADDRESSES:
            message = f"too many addresses: {len(addresses)} (limit: {_MAX_ADDRESSES})"
            yield problem((*where, "addresses"), message, on_key=True)
        for index, text in texts(endpoint, "addresses"):
            if fault := _check_slice_address(text, family, strict):
                yield problem((*where, "addresses", index), f"invalid endpoint address {quote(text)}: {fault}")
        host = endpoint.get("hostname")
        if isinstance(host, str) and (fault := names.check_dns_label(host)):
            yield problem((*where, "hostname"), f"invalid host name {quote(host)}: {fault}")
        yield from _check_node(endpoint, where)


def _check_slice_address(text: str, family: object, strict: bool) -> str | None:
    """Return why a text is not an address of the slice's addressType; the schema reports unknown types."""
    if family == "FQDN":
        return _check_domain(text)
    if family not in ("IPv4", "IPv6"):
        return None
    # IPv6 slices are newer than strict parsing.
    if fault := _check_ip(text, strict or family == "IPv6"):
        return fault
    return None if is_ipv4(text) is (family == "IPv4") else f"not an {family} address"


def _check_ip(text: str, strict: bool) -> str | None:
    return check_ip_address(text, strict=strict) or check_endpoint_address(text)


def _check_domain(text: str) -> str | None:
    name = text.removesuffix(".")
    if fault := names.check_dns_subdomain(name):
        return fault
    if "." not in name:
        return "use a domain name with at least one dot"
    faults = (names.check_dns_label(label) for label in name.split("."))
    return next((fault for fault in faults if fault), None)


def _check_node(holder: Data, where: PathTuple) -> Problems:
    node = holder.get("nodeName")
    if isinstance(node, str) and (fault := names.check_dns_subdomain(node)):
        yield problem((*where, "nodeName"), f"invalid node name {quote(node)}: {fault}")


@rule(
    "invalid-endpoint-port",
    Severity.ERROR,
    scope="object",
    kinds=("Endpoints", "EndpointSlice"),
    fix="Give each port the name it has in the Service, with lowercase letters, digits, and hyphens.",
)
def invalid_endpoint_port(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid, missing, or duplicate port of an endpoint.

    A Service finds the ports of its endpoints by name. In an EndpointSlice, port names are unique, including the empty
    name. In Endpoints with several ports, each port needs a name.
    """
    if not _is_endpoints(obj):
        return
    if obj.kind == "EndpointSlice":
        yield from _check_ports(obj.value, obj.path, names_required=False, unique=True)
        return
    for subset, where in _items(obj.value, "subsets", obj.path):
        yield from _check_ports(subset, where, names_required=len(as_list(subset.get("ports"))) > 1, unique=False)


def _check_ports(holder: Data, where: PathTuple, *, names_required: bool, unique: bool) -> Problems:
    count = len(as_list(holder.get("ports")))
    if unique and count > _MAX_PORTS:
        yield problem((*where, "ports"), f"too many ports: {count} (limit: {_MAX_PORTS})", on_key=True)
        return
    seen: dict[str, PathTuple] = {}
    for port, at in _items(holder, "ports", where):
        name, number, protocol = port.get("name") or "", port.get("port"), port.get("appProtocol")
        if isinstance(name, str):
            if name and (fault := names.check_dns_label(name)):
                yield problem((*at, "name"), f"invalid port name {quote(name)}: {fault}")
            elif not name and names_required:
                yield problem((*at, "name"), "missing port name, required with several ports")
            first = seen.setdefault(name, at)
            if unique and first is not at:
                message = f"duplicate port name {quote(name)}" if name else "multiple ports without a name"
                yield problem((*at, "name"), message, related=(Related("first defined here", first),))
        if not unique and isinstance(number, int) and not isinstance(number, bool) and not 1 <= number <= LARGEST_PORT:
            yield problem((*at, "port"), f"invalid port {number}: use a number from 1 to {LARGEST_PORT}")
        if isinstance(protocol, str) and (fault := names.check_qualified_name(protocol)):
            yield problem((*at, "appProtocol"), f"invalid appProtocol {quote(protocol)}: {fault}")


@rule(
    "invalid-endpoint-hint",
    Severity.ERROR,
    scope="object",
    kinds=("EndpointSlice",),
    fix="Name each zone or node once, and at most eight of each.",
)
def invalid_endpoint_hint(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid or duplicate hint of an endpoint.

    kube-proxy uses hints to keep traffic in the same zone or on the same node. An endpoint has at most eight hints of
    each kind. Zones are label values, and nodes are DNS subdomains.
    """
    if not _is_endpoints(obj):
        return
    for endpoint, where in _items(obj.value, "endpoints", obj.path):
        hints = as_mapping(endpoint.get("hints"))
        for field, check in (("forZones", names.check_label_value), ("forNodes", names.check_dns_subdomain)):
            at = (*where, "hints", field)
            count = len(as_list(hints.get(field)))
            if count > _MAX_HINTS:
                yield problem(at, f"too many hints: {count} (limit: {_MAX_HINTS})", on_key=True)
                break
            seen: set[str] = set()
            for hint, place in _items(hints, field, (*where, "hints")):
                name = hint.get("name") or ""
                if not isinstance(name, str):
                    continue
                if name in seen:
                    yield problem((*place, "name"), f"duplicate hint {quote(name)}")
                elif fault := check(name):
                    yield problem((*place, "name"), f"invalid {field[3:-1].lower()} name {quote(name)}: {fault}")
                seen.add(name)


def _items(holder: Data, field: str, where: PathTuple) -> Iterator[tuple[Data, PathTuple]]:
    """Yield the mappings of a list with their paths; null counts as an empty mapping, as in the API server."""
    for index, item in entries(holder, field):
        yield item, (*where, field, index)
