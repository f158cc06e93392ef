"""Rules about the names by which a pod is known and knows others: host names, host aliases, DNS."""

from __future__ import annotations

import re

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import address_fault
from sidecarctl.kube.names import container_resource_fault
from sidecarctl.kube.quantity import nano
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
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
_SEARCH = re.compile(rf"{_PART}(?:\.{_PART})*")


@rule(
    "invalid-pod-hostname",
    Severity.ERROR,
    needs=("hostname", "subdomain"),
    fix='Use one part of a name in each, without dots: at most 63 of a-z, 0-9 and "-".',
)
def invalid_pod_hostname(pod: PodView, ctx: Context) -> Problems:
    """A pod's hostname or subdomain is no DNS label.

    Together with the namespace they make the pod's full name, each as one part of it. A StatefulSet replaces both.
    """
    if (pod.object.group, pod.object.kind) == STATEFUL_SET:
        return
    for field in ("hostname", "subdomain"):
        name = pod.value.get(field)
        if isinstance(name, str) and name and (fault := names.dns_label(name)):
            yield problem(pod.at(field), f"{quote(name)} is no {field}: it {fault}")


@rule(
    "invalid-hostname-override",
    Severity.ERROR,
    needs=("hostnameOverride",),
    since="1.35",
    fix="Use a DNS name of at most 64 characters, without hostNetwork and setHostnameAsFQDN.",
)
def invalid_hostname_override(pod: PodView, ctx: Context) -> Problems:
    """A pod's hostnameOverride is no name that a host can have, or there is another name already.

    It is what the pod calls itself: a DNS subdomain of at most 64 characters. With `hostNetwork` the pod has its host's
    name, with `setHostnameAsFQDN` its full one.
    """
    name = pod.value.get("hostnameOverride")
    if not isinstance(name, str) or not enabled("hostname-override", ctx.kube_version):
        return
    where = pod.at("hostnameOverride")
    for field in ("setHostnameAsFQDN", "hostNetwork"):
        if pod.value.get(field) is True:
            yield problem(where, f"hostnameOverride and {field} exclude each other", on_key=True)
    fault = names.dns_subdomain(name)
    if not fault and len(name) > _HOST_NAME_LENGTH:
        fault = f"must have at most {_HOST_NAME_LENGTH} characters, and has {len(name)}"
    if fault:
        yield problem(where, f"{quote(name)} is no host name: it {fault}")


@rule(
    "invalid-host-alias",
    Severity.ERROR,
    needs=("hostAliases",),
    fix="Write an IPv4 or IPv6 address, and host names in lower case.",
)
def invalid_host_alias(pod: PodView, ctx: Context) -> Problems:
    """An entry for the pod's hosts file has no address or no host name.

    They are written into /etc/hosts of each container as they stand. Since Kubernetes 1.36 an address may have no
    leading zeros and be no IPv4 address inside IPv6.
    """
    for index, one in listed(pod.value, "hostAliases"):
        where = pod.at("hostAliases", index)
        address = one.get("ip")
        if isinstance(address, str) and address and (fault := address_fault(address, strict=ctx.since("1.36"))):
            yield problem((*where, "ip"), f"{quote(address)} {fault}")
        for number, name in texts(one, "hostnames"):
            if fault := names.dns_subdomain(name):
                yield problem((*where, "hostnames", number), f"{quote(name)} is no host name: it {fault}")


@rule(
    "invalid-dns-config",
    Severity.ERROR,
    needs=("dnsConfig", "dnsPolicy"),
    fix="Give one to three addresses of nameservers, and domains to search in lower case.",
)
def invalid_dns_config(pod: PodView, ctx: Context) -> Problems:
    """A pod's DNS settings leave it without a nameserver, or can't be written into its resolv.conf.

    With `dnsPolicy: None` all comes from dnsConfig, so it needs a nameserver. There can be three of them, and 32
    domains to search with 2048 characters together.
    """
    config = pod.value.get("dnsConfig")
    where = pod.at("dnsConfig")
    if pod.value.get("dnsPolicy") == "None":
        if config is None:
            yield problem(pod.at("dnsPolicy"), "with dnsPolicy: None the pod needs a dnsConfig")
            return
        if isinstance(config, dict) and not config.get("nameservers"):
            yield problem((*where, "nameservers"), "with dnsPolicy: None the pod needs a nameserver")
            return
    config = as_mapping(config)
    servers, searches = as_list(config.get("nameservers")), as_list(config.get("searches"))
    if len(servers) > _NAMESERVERS:
        message = f"there may be {_NAMESERVERS} nameservers at most, and there are {len(servers)}"
        yield problem((*where, "nameservers"), message, on_key=True)
    for index, server in texts(config, "nameservers"):
        if fault := address_fault(server, strict=ctx.since("1.36")):
            yield problem((*where, "nameservers", index), f"{quote(server)} {fault}")
    most, longest = _SEARCHES, _SEARCH_LENGTH
    if not ctx.since("1.26"):
        most, longest = _SEARCHES_BEFORE_126, _SEARCH_LENGTH_BEFORE_126
    if len(searches) > most:
        message = f"there may be {most} domains to search at most, and there are {len(searches)}"
        yield problem((*where, "searches"), message, on_key=True)
    elif len(" ".join(domain for _, domain in texts(config, "searches"))) > longest:
        yield problem((*where, "searches"), f"the domains to search have more than {longest} characters", on_key=True)
    for index, domain in texts(config, "searches"):
        if _search_fault(domain, relaxed=ctx.since("1.33")):
            yield problem((*where, "searches", index), f"{quote(domain)} is no domain to search")
    for index, option in listed(config, "options"):
        if blank(option.get("name")):
            yield problem((*where, "options", index), "the option has no name")


def _search_fault(domain: str, *, relaxed: bool) -> bool:
    if not relaxed:
        return names.dns_subdomain(domain.removesuffix(".")) is not None
    if domain == ".":
        return False
    domain = domain.removesuffix(".")
    return len(domain) > names.SUBDOMAIN_LENGTH or not _SEARCH.fullmatch(domain)


_NAMED = {
    "serviceAccountName": "a service account",
    "nodeName": "a node",
    "priorityClassName": "a priority class",
    "runtimeClassName": "a runtime class",
}
_CLAIM_FIELDS = frozenset(("name", "resourceClaimName", "resourceClaimTemplateName"))


@rule(
    "invalid-pod-reference",
    Severity.ERROR,
    needs=(*_NAMED, "serviceAccount"),
    fix='Name an existing object: at most 253 of a-z, 0-9, "-" and ".".',
)
def invalid_pod_reference(pod: PodView, ctx: Context) -> Problems:
    """A pod names a service account, node or class that can't exist.

    Their names are DNS subdomains, so the API server refuses any other.
    """
    for field, what in _NAMED.items():
        name = pod.value.get(field)
        if field == "serviceAccountName" and blank(name):
            field = "serviceAccount"
            name = pod.value.get(field)
        # An empty name is none, but for the one that is a pointer.
        if isinstance(name, str) and (name or field == "runtimeClassName") and (fault := names.dns_subdomain(name)):
            yield problem(pod.at(field), f"{quote(name)} is no name of {what}: it {fault}")


@rule(
    "invalid-pod-resource-claim",
    Severity.ERROR,
    needs=("resourceClaims",),
    fix="Give each a name of its own and either resourceClaimName or resourceClaimTemplateName.",
)
def invalid_pod_resource_claim(pod: PodView, ctx: Context) -> Problems:
    """A pod's claim of a device says neither which claim nor which template, or both.

    Containers name the entries of `resourceClaims`, which have DNS labels for names, each once. An entry is one claim
    that exists, or a template for a claim of the pod's own.
    """
    seen = set()
    for index, one in listed(pod.value, "resourceClaims"):
        where = pod.at("resourceClaims", index)
        name = one.get("name")
        if isinstance(name, str) and name in seen:
            yield problem((*where, "name"), f"there is a claim {quote(name)} already")
        elif isinstance(name, str) and name:
            seen.add(name)
            if fault := names.dns_label(name):
                yield problem((*where, "name"), f"{quote(name)} is no name for a claim: it {fault}")
        # Before 1.31 both stood in a mapping of their own.
        if not ctx.since("1.31") or not one.keys() <= _CLAIM_FIELDS:
            continue
        given = [field for field in ("resourceClaimName", "resourceClaimTemplateName") if one.get(field) is not None]
        if len(given) != 1:
            said = "both a claim and a template" if given else "neither a claim nor a template"
            yield problem(where, f"the entry names {said}")
        for field in given:
            value = one[field]
            if isinstance(value, str) and (fault := names.dns_subdomain(value)):
                yield problem((*where, field), f"{quote(value)} is no {field}: it {fault}")


@rule(
    "invalid-readiness-gate",
    Severity.ERROR,
    needs=("readinessGates",),
    fix="Name the condition that a controller sets, as it does.",
)
def invalid_readiness_gate(pod: PodView, ctx: Context) -> Problems:
    """A readiness gate waits for a condition that no pod can have.

    Types of conditions are qualified names, like keys of labels.
    """
    for index, one in listed(pod.value, "readinessGates"):
        name = one.get("conditionType")
        if isinstance(name, str) and name and (fault := names.qualified_name(name)):
            where = pod.at("readinessGates", index, "conditionType")
            yield problem(where, f"{quote(name)} is no type of a condition: it {fault}")


@rule(
    "invalid-scheduling-gate",
    Severity.ERROR,
    since="1.27",
    needs=("schedulingGates",),
    fix="Name each gate once, like the key of a label.",
)
def invalid_scheduling_gate(pod: PodView, ctx: Context) -> Problems:
    """A scheduling gate is there twice or has no possible name.

    A controller opens a gate by its name, which has the form of a label's key.
    """
    seen = set()
    for index, one in listed(pod.value, "schedulingGates"):
        name = one.get("name")
        if not isinstance(name, str) or not name:
            continue
        if fault := names.qualified_name(name):
            yield problem(pod.at("schedulingGates", index), f"{quote(name)} is no name of a gate: it {fault}")
        elif name in seen:
            yield problem(pod.at("schedulingGates", index), f"the gate {quote(name)} is there already")
        seen.add(name)


@rule(
    "invalid-pod-overhead",
    Severity.ERROR,
    needs=("overhead",),
    fix="Leave it out; it comes from the runtime class.",
)
def invalid_pod_overhead(pod: PodView, ctx: Context) -> Problems:
    """The overhead of a pod is negative, or of a resource that does not exist.

    It is what the sandbox around the containers takes, and adds to what they ask for.
    """
    for name, value in as_mapping(pod.value.get("overhead")).items():
        if isinstance(name, str) and (fault := container_resource_fault(name)):
            yield problem(pod.at("overhead", name), f"{quote(name)} {fault}", on_key=True)
        amount = nano(value)
        if amount is not None and amount < 0:
            yield problem(pod.at("overhead", name), f"the overhead of {value} {name} is less than zero")
