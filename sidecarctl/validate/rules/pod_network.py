"""Rules about the names by which a pod is known and knows others: host names, host aliases, DNS."""

from __future__ import annotations

import re

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.addresses import address_fault
from sidecarctl.validate.controllers import STATEFUL_SET
from sidecarctl.validate.parts import blank, listed, texts
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
    "pod-host-name",
    Severity.ERROR,
    needs=("hostname", "subdomain"),
    fix='Use one part of a name in each, without dots: at most 63 of a-z, 0-9 and "-".',
)
def pod_host_name(pod: PodView, ctx: Context) -> Problems:
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
    "host-name-override",
    Severity.ERROR,
    needs=("hostnameOverride",),
    since="1.35",
    fix="Use a DNS name of at most 64 characters, without hostNetwork and setHostnameAsFQDN.",
)
def host_name_override(pod: PodView, ctx: Context) -> Problems:
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
    "host-alias",
    Severity.ERROR,
    needs=("hostAliases",),
    fix="Write an IPv4 or IPv6 address, and host names in lower case.",
)
def host_alias(pod: PodView, ctx: Context) -> Problems:
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
    "dns-config",
    Severity.ERROR,
    needs=("dnsConfig", "dnsPolicy"),
    fix="Give one to three addresses of nameservers, and domains to search in lower case.",
)
def dns_config(pod: PodView, ctx: Context) -> Problems:
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
