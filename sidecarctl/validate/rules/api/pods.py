"""Rules about the identity and references of a pod: host names, host aliases, DNS, gates, claims, and overhead."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import check_ip_address
from sidecarctl.kube.names import check_container_resource
from sidecarctl.kube.quantity import parse_quantity
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import STATEFUL_SET, blank, listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import PodView

_NAMESERVERS = 3
_SEARCHES = 32
_SEARCHES_BEFORE_126 = 6
_SEARCH_LENGTH = 2048
_SEARCH_LENGTH_BEFORE_126 = 256
_HOST_NAME_LENGTH = 64
_PART = "_?[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?"
_SEARCH = lazy_pattern(rf"{_PART}(?:\.{_PART})*")


@rule(
    "invalid-pod-hostname",
    Severity.ERROR,
    needs=("hostname", "subdomain"),
    fix="Use a single name part without dots: at most 63 lowercase letters, digits, and hyphens.",
)
def invalid_pod_hostname(pod: PodView, ctx: Context) -> Problems:
    """The hostname or subdomain of a pod is not a DNS label.

    Each becomes one part of the pod's fully qualified domain name, so the API server rejects other values. In a
    StatefulSet, the controller overwrites both.
    """
    if (pod.object.group, pod.object.kind) == STATEFUL_SET:
        return
    for field in ("hostname", "subdomain"):
        name = pod.value.get(field)
        if isinstance(name, str) and name and (fault := names.check_dns_label(name)):
            yield problem(pod.at(field), f"invalid {field} {quote(name)}: {fault}")


@rule(
    "invalid-hostname-override",
    Severity.ERROR,
    needs=("hostnameOverride",),
    since="1.35",
    fix="Use a DNS name of at most 64 characters, and remove hostNetwork and setHostnameAsFQDN.",
)
def invalid_hostname_override(pod: PodView, ctx: Context) -> Problems:
    """A hostnameOverride is not a valid host name, or another field also sets the host name.

    hostnameOverride sets the host name inside the pod: a DNS subdomain of at most 64 characters. With `hostNetwork` a
    pod uses the host name of its node, and with `setHostnameAsFQDN` its fully qualified domain name.
    """
    name = pod.value.get("hostnameOverride")
    if not isinstance(name, str) or not enabled("hostname-override", ctx.kube_version):
        return
    where = pod.at("hostnameOverride")
    for field in ("setHostnameAsFQDN", "hostNetwork"):
        if pod.value.get(field) is True:
            yield problem(where, f"both hostnameOverride and {field} are set", on_key=True)
    fault = names.check_dns_subdomain(name)
    if not fault and len(name) > _HOST_NAME_LENGTH:
        fault = f"{len(name)} characters long (limit: {_HOST_NAME_LENGTH})"
    if fault:
        yield problem(where, f"invalid host name {quote(name)}: {fault}")


@rule(
    "invalid-host-alias",
    Severity.ERROR,
    needs=("hostAliases",),
    fix="Use an IPv4 or IPv6 address, and lowercase host names.",
)
def invalid_host_alias(pod: PodView, ctx: Context) -> Problems:
    """Invalid IP address or host name in hostAliases.

    The kubelet writes these entries to /etc/hosts in each container. Since Kubernetes 1.36 leading zeros and
    IPv4-mapped IPv6 addresses are not allowed.
    """
    for index, item in listed(pod.value, "hostAliases"):
        where = pod.at("hostAliases", index)
        address = item.get("ip")
        if isinstance(address, str) and address and (fault := check_ip_address(address, strict=ctx.since("1.36"))):
            yield problem((*where, "ip"), f"invalid IP address {quote(address)}: {fault}")
        for number, name in texts(item, "hostnames"):
            if fault := names.check_dns_subdomain(name):
                yield problem((*where, "hostnames", number), f"invalid host name {quote(name)}: {fault}")


@rule(
    "invalid-dns-config",
    Severity.ERROR,
    needs=("dnsConfig", "dnsPolicy"),
    fix="Set one to three nameserver addresses, and lowercase search domains.",
)
def invalid_dns_config(pod: PodView, ctx: Context) -> Problems:
    """Invalid DNS settings of a pod.

    With `dnsPolicy: None` the pod's resolv.conf comes from dnsConfig alone, so dnsConfig needs a nameserver. It takes
    at most 3 nameservers and 32 search domains with 2048 characters in total.
    """
    config = pod.value.get("dnsConfig")
    where = pod.at("dnsConfig")
    if pod.value.get("dnsPolicy") == "None":
        if config is None:
            yield problem(pod.at("dnsPolicy"), "dnsPolicy: None requires dnsConfig")
            return
        if isinstance(config, dict) and not config.get("nameservers"):
            yield problem((*where, "nameservers"), "dnsPolicy: None requires a nameserver")
            return
    config = as_mapping(config)
    nameservers, searches = as_list(config.get("nameservers")), as_list(config.get("searches"))
    if len(nameservers) > _NAMESERVERS:
        message = f"too many nameservers: {len(nameservers)} (limit: {_NAMESERVERS})"
        yield problem((*where, "nameservers"), message, on_key=True)
    for index, server in texts(config, "nameservers"):
        if fault := check_ip_address(server, strict=ctx.since("1.36")):
            yield problem((*where, "nameservers", index), f"invalid IP address {quote(server)}: {fault}")
    most, longest = _SEARCHES, _SEARCH_LENGTH
    if not ctx.since("1.26"):
        most, longest = _SEARCHES_BEFORE_126, _SEARCH_LENGTH_BEFORE_126
    if len(searches) > most:
        message = f"too many search domains: {len(searches)} (limit: {most})"
        yield problem((*where, "searches"), message, on_key=True)
    elif len(" ".join(domain for _, domain in texts(config, "searches"))) > longest:
        yield problem(
            (*where, "searches"), f"search domains too long: more than {longest} characters in total", on_key=True
        )
    for index, domain in texts(config, "searches"):
        if _search_fault(domain, relaxed=ctx.since("1.33")):
            yield problem(
                (*where, "searches", index), f"invalid search domain {quote(domain)}: use a lowercase DNS name"
            )
    for index, option in listed(config, "options"):
        if blank(option.get("name")):
            yield problem((*where, "options", index), "DNS option has no name")


def _search_fault(domain: str, *, relaxed: bool) -> bool:
    if not relaxed:
        return names.check_dns_subdomain(domain.removesuffix(".")) is not None
    if domain == ".":
        return False
    domain = domain.removesuffix(".")
    return len(domain) > names.SUBDOMAIN_LENGTH or not _SEARCH.fullmatch(domain)


_NAMED = {
    "serviceAccountName": "service account",
    "nodeName": "node",
    "priorityClassName": "priority class",
    "runtimeClassName": "runtime class",
}
_CLAIM_FIELDS = frozenset(("name", "resourceClaimName", "resourceClaimTemplateName"))


@rule(
    "invalid-pod-reference",
    Severity.ERROR,
    needs=(*_NAMED, "serviceAccount"),
    fix="Use the name of an existing object: at most 253 lowercase letters, digits, hyphens, and dots.",
)
def invalid_pod_reference(pod: PodView, ctx: Context) -> Problems:
    """A pod refers to a service account, node, or class by an invalid name.

    The names of these objects are DNS subdomains, so the API server rejects any other reference.
    """
    for field, what in _NAMED.items():
        name = pod.value.get(field)
        if field == "serviceAccountName" and blank(name):
            field = "serviceAccount"
            name = pod.value.get(field)
        # An empty name counts as unset, except in runtimeClassName, which is a pointer.
        if (
            isinstance(name, str)
            and (name or field == "runtimeClassName")
            and (fault := names.check_dns_subdomain(name))
        ):
            yield problem(pod.at(field), f"invalid {what} name {quote(name)}: {fault}")


@rule(
    "invalid-pod-resource-claim",
    Severity.ERROR,
    needs=("resourceClaims",),
    fix="Give each claim a unique name and either resourceClaimName or resourceClaimTemplateName.",
)
def invalid_pod_resource_claim(pod: PodView, ctx: Context) -> Problems:
    """A resource claim of a pod names neither a claim nor a template, or both.

    Containers refer to the entries of `resourceClaims` by name, so the names must be unique DNS labels. Each entry
    refers to an existing claim, or to a template from which a claim is created for the pod.
    """
    seen = set()
    for index, item in listed(pod.value, "resourceClaims"):
        where = pod.at("resourceClaims", index)
        name = item.get("name")
        if isinstance(name, str) and name in seen:
            yield problem((*where, "name"), f"duplicate resource claim name {quote(name)}")
        elif isinstance(name, str) and name:
            seen.add(name)
            if fault := names.check_dns_label(name):
                yield problem((*where, "name"), f"invalid resource claim name {quote(name)}: {fault}")
        # Before 1.31 both fields were nested in `source`.
        if not ctx.since("1.31") or not item.keys() <= _CLAIM_FIELDS:
            continue
        names_set = [
            field for field in ("resourceClaimName", "resourceClaimTemplateName") if item.get(field) is not None
        ]
        if len(names_set) != 1:
            message = (
                "both resourceClaimName and resourceClaimTemplateName are set"
                if names_set
                else "missing resourceClaimName or resourceClaimTemplateName"
            )
            yield problem(where, message)
        for field in names_set:
            value = item[field]
            if isinstance(value, str) and (fault := names.check_dns_subdomain(value)):
                yield problem((*where, field), f"invalid {field} {quote(value)}: {fault}")


@rule(
    "invalid-readiness-gate",
    Severity.ERROR,
    needs=("readinessGates",),
    fix="Use the name of a condition that a controller sets.",
)
def invalid_readiness_gate(pod: PodView, ctx: Context) -> Problems:
    """Invalid condition type of a readiness gate.

    Condition types are qualified names, like label keys. The API server rejects other values.
    """
    for index, item in listed(pod.value, "readinessGates"):
        name = item.get("conditionType")
        if isinstance(name, str) and name and (fault := names.check_qualified_name(name)):
            where = pod.at("readinessGates", index, "conditionType")
            yield problem(where, f"invalid condition type {quote(name)}: {fault}")


@rule(
    "invalid-scheduling-gate",
    Severity.ERROR,
    since="1.27",
    needs=("schedulingGates",),
    fix="Name each gate once, in the form of a label key.",
)
def invalid_scheduling_gate(pod: PodView, ctx: Context) -> Problems:
    """Invalid or duplicate scheduling gate.

    A controller removes a gate by its name, which has the form of a label key. The API server rejects other names and
    duplicates.
    """
    seen = set()
    for index, item in listed(pod.value, "schedulingGates"):
        name = item.get("name")
        if not isinstance(name, str) or not name:
            continue
        if fault := names.check_qualified_name(name):
            yield problem(pod.at("schedulingGates", index), f"invalid scheduling gate name {quote(name)}: {fault}")
        elif name in seen:
            yield problem(pod.at("schedulingGates", index), f"duplicate scheduling gate {quote(name)}")
        seen.add(name)


@rule(
    "invalid-pod-overhead",
    Severity.ERROR,
    needs=("overhead",),
    fix="Remove overhead. The RuntimeClass sets it.",
)
def invalid_pod_overhead(pod: PodView, ctx: Context) -> Problems:
    """The overhead of a pod is negative or uses an unknown resource.

    The overhead is what the pod sandbox consumes in addition to the containers. The API server rejects negative
    quantities and unknown resources.
    """
    for name, value in as_mapping(pod.value.get("overhead")).items():
        if isinstance(name, str) and (fault := check_container_resource(name)):
            yield problem(pod.at("overhead", name), f"invalid resource name {quote(name)}: {fault}", on_key=True)
        amount = parse_quantity(value)
        if amount is not None and amount < 0:
            yield problem(pod.at("overhead", name), f"invalid {name} overhead {quote(value)}: must not be negative")
