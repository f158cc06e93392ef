"""Rules about Ingresses: hosts, paths and what is behind them."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.addresses import address_fault
from sidecarctl.validate.parts import blank, listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView

_INSIDE = ("//", "/./", "/../", "%2f", "%2F")
_AT_END = ("/..", "/.")
_LAST_PORT = 65535


def _is_ingress(one: ObjectView) -> bool:
    return one.group == "networking.k8s.io"


@rule(
    "ingress-host",
    Severity.ERROR,
    scope="object",
    kinds=("Ingress",),
    fix='Use a DNS name in lower case, with "*." in front for all names below it.',
)
def ingress_host(one: ObjectView, ctx: Context) -> Problems:
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
    "ingress-backend",
    Severity.ERROR,
    scope="object",
    kinds=("Ingress",),
    fix="Name a Service and one of its ports, by number or by name; let paths begin with a slash.",
)
def ingress_backend(one: ObjectView, ctx: Context) -> Problems:
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
    elif isinstance(by_number, int) and by_number and not 1 <= by_number <= _LAST_PORT:
        yield problem((*where, "service", "port", "number"), f"{by_number} is no number of a port")
    elif not by_name and not by_number:
        yield problem(where, "the backend's Service has no port")
