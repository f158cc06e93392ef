"""Rules about the addresses and traffic policies of Services."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import check_cidr, check_endpoint_address, check_ip_address, is_ipv4
from sidecarctl.validate.fields import blank, check_labels, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.containers import LARGEST_PORT
from sidecarctl.validate.views import ObjectView

_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
_TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
_RANGES = "loadBalancerSourceRanges"
_EXTERNAL_TYPES = ("NodePort", "LoadBalancer")
# The first version that checks addresses strictly.
_STRICT = "1.36"


@rule(
    "invalid-service-address",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Use IPv4 or IPv6 addresses without leading zeros. Let Kubernetes choose clusterIP and clusterIPs.",
)
def invalid_service_address(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid IP address, address range, or IP family of a Service.

    External addresses are not local to a host or network. clusterIPs starts with clusterIP, and has at most one address
    of each family. Two addresses or two families require a dual-stack ipFamilyPolicy. Source ranges are blocks of
    addresses, and their annotation requires type LoadBalancer.
    """
    if obj.group != "":
        return
    strict = ctx.since(_STRICT)
    for index, text in texts(obj.spec, "externalIPs"):
        if fault := check_ip_address(text, strict=strict) or check_endpoint_address(text):
            yield problem(obj.at("spec", "externalIPs", index), f"invalid IP address {quote(text)}: {fault}")
    for text, where in _source_ranges(obj):
        if fault := check_cidr(text.strip(), strict=strict):
            yield problem(where, f"invalid CIDR {quote(text.strip())}: {fault}")
    annotation = obj.get("metadata", "annotations", _SOURCE_RANGES)
    if isinstance(annotation, str) and not obj.spec.get(_RANGES) and obj.spec.get("type") != "LoadBalancer":
        where = obj.at("metadata", "annotations", _SOURCE_RANGES)
        yield problem(where, "source ranges require type LoadBalancer", on_key=True, help="Remove the annotation.")
    yield from _check_families(obj)
    yield from _check_cluster_ips(obj, strict)


def _source_ranges(obj: ObjectView) -> Iterator[tuple[str, PathTuple]]:
    """Yield the source ranges of the field, or of the annotation that precedes it, with their paths."""
    found = [(text, obj.at("spec", _RANGES, index)) for index, text in texts(obj.spec, _RANGES)]
    annotation = obj.get("metadata", "annotations", _SOURCE_RANGES)
    if not found and isinstance(annotation, str) and annotation.strip():
        where = obj.at("metadata", "annotations", _SOURCE_RANGES)
        found = [(text, where) for text in annotation.strip().split(",")]
    yield from found


def _check_families(obj: ObjectView) -> Problems:
    families = [text for _, text in texts(obj.spec, "ipFamilies")]
    if obj.spec.get("type") == "ExternalName":
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if obj.spec.get(field) not in (None, []):
                yield problem(obj.at("spec", field), f"{field} is not supported with type ExternalName", on_key=True)
    elif "" in families:
        yield problem(obj.at("spec", "ipFamilies"), "IP family is empty", help="Use IPv4 or IPv6.")
    elif len(set(families)) < len(families):
        yield problem(obj.at("spec", "ipFamilies"), "duplicate IP family", help="List each IP family once.")
    elif obj.spec.get("ipFamilyPolicy") == "SingleStack":
        for field in ("ipFamilies", "clusterIPs"):
            if len([*texts(obj.spec, field)]) == 2:
                message = f"{field} has two values, but ipFamilyPolicy is SingleStack"
                help = "Set ipFamilyPolicy to PreferDualStack or RequireDualStack."
                yield problem(obj.at("spec", "ipFamilyPolicy"), message, help=help)


def _check_cluster_ips(obj: ObjectView, strict: bool) -> Problems:
    where, own = obj.at("spec", "clusterIPs"), obj.spec.get("clusterIP")
    addresses = [text for _, text in texts(obj.spec, "clusterIPs")]
    families = [text for _, text in texts(obj.spec, "ipFamilies")]
    if not addresses:
        if isinstance(own, str) and families and not check_ip_address(own, strict=strict):
            yield from _check_family(own, families[0], obj.at("spec", "clusterIP"))
        return
    if obj.spec.get("type") == "ExternalName":
        yield problem(where, "clusterIPs is not supported with type ExternalName", on_key=True)
        return
    if addresses[0] != (own or "") and (own is None or isinstance(own, str)):
        yield problem(where, "clusterIPs does not start with clusterIP")
    valid = [not check_ip_address(text, strict=strict) for text in addresses]
    for index, text in enumerate(addresses):
        if not valid[index] and not (index == 0 and text == "None"):
            yield problem((*where, index), f"invalid IP address {quote(text)}: use an IPv4 or IPv6 address")
    if addresses[0] == "None" and len(addresses) > 1:
        yield problem(where, "None can't be combined with addresses")
    elif len(addresses) > 2 or (all(valid) and len({is_ipv4(text) for text in addresses}) < len(addresses)):
        yield problem(where, "clusterIPs has more than one address of an IP family")
    for index, (text, family) in enumerate(zip(addresses, families)):
        if all(valid):
            yield from _check_family(text, family, (*where, index))


def _check_family(address: str, family: str, where: PathTuple) -> Problems:
    if family in ("IPv4", "IPv6") and is_ipv4(address) is not (family == "IPv4"):
        yield problem(where, f"address {quote(address)} is not of family {family}")


@rule(
    "invalid-traffic-policy",
    Severity.ERROR,
    scope="object",
    kinds=("Service",),
    fix="Remove the field, or set the type or policy that it requires.",
)
def invalid_traffic_policy(obj: ObjectView, ctx: Context) -> Problems:
    """A Service has a traffic setting that its type or another setting does not support.

    externalTrafficPolicy requires a type that is reachable from outside the cluster, or external addresses. A health
    check port requires type LoadBalancer and externalTrafficPolicy Local. The two annotations of the topology mode have
    the same value.
    """
    if obj.group != "" or not isinstance(obj.value.get("spec"), dict):
        return
    spec, service_type = obj.spec, obj.spec.get("type") or "ClusterIP"
    outside = service_type in _EXTERNAL_TYPES or (service_type == "ClusterIP" and bool(spec.get("externalIPs")))
    policy, port = spec.get("externalTrafficPolicy"), spec.get("healthCheckNodePort")
    if not blank(policy) and not outside:
        yield problem(
            obj.at("spec", "externalTrafficPolicy"), "externalTrafficPolicy requires type LoadBalancer or NodePort"
        )
    if port.__class__ is int and port:
        where = obj.at("spec", "healthCheckNodePort")
        if service_type != "LoadBalancer" or policy != "Local":
            yield problem(where, "healthCheckNodePort requires type LoadBalancer and externalTrafficPolicy: Local")
        elif not 1 <= port <= LARGEST_PORT:
            yield problem(where, f"invalid port {port}: use a number from 1 to {LARGEST_PORT}")
    hints, mode = (obj.get("metadata", "annotations", key) for key in (_TOPOLOGY_HINTS, _TOPOLOGY_MODE))
    if isinstance(hints, str) and isinstance(mode, str) and hints != mode:
        message = f"topology mode is {quote(mode)}, but {_TOPOLOGY_HINTS} is {quote(hints)}"
        yield problem(obj.at("metadata", "annotations", _TOPOLOGY_MODE), message, help=f"Remove {_TOPOLOGY_HINTS}.")
    name = spec.get("loadBalancerClass")
    if isinstance(name, str) and (fault := names.check_qualified_name(name)):
        yield problem(obj.at("spec", "loadBalancerClass"), f"invalid loadBalancerClass {quote(name)}: {fault}")
    yield from check_labels(spec.get("selector"), obj.at("spec", "selector"))
