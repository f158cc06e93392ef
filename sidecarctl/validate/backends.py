"""What leads to a Service: backends of Ingresses and HTTPRoutes, and endpoints that ServiceMonitors scrape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecarctl.kube.fronts import Front, find_app_port, read_fronts
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.surroundings import (
    MONITORING,
    PodIndex,
    Reference,
    find_references,
    matches_label_selector,
    resolve_port,
)
from sidecarctl.validate.views import ObjectView, PodView, StreamView, View

_GATEWAY = "gateway.networking.k8s.io"
# Parts of the annotations by which ingress controllers and Services choose HTTPS to the backend.
_BACKEND_PROTOCOL = ("backend-protocol", "secure-backends", "server-scheme", "serversscheme", "appprotocol")


@dataclass(frozen=True)
class Backend:
    """A use of a Service port in another object, and the front of a pod that the port leads to."""

    object: ObjectView
    view: View
    service: ObjectView
    port: View
    pod: PodView
    front: Front
    fronts: tuple[Front, ...]

    @property
    def chain(self) -> tuple[Front, ...]:
        """The fronts that a request passes, from the client to the app."""
        found, port = list[Front](), self.front.port
        while inner := next((each for each in self.fronts if each.port == port and each not in found), None):
            found.append(inner)
            port = inner.upstream
        return tuple(found)

    @property
    def app_port(self) -> int:
        """The port of the app at the end of the chain."""
        return find_app_port(self.fronts, self.front.port)


def find_plain_backends(stream: StreamView) -> Iterator[Backend]:
    """Yield the backends of Ingresses and HTTPRoutes that send plain HTTP to a front that expects TLS."""
    led = list(_led_ports(stream))
    for one in stream.objects:
        if one.kind == "Ingress" and one.group == "networking.k8s.io" and not _chooses_https(one.metadata):
            views = _ingress_backends(one)
        elif one.kind == "HTTPRoute" and one.group == _GATEWAY:
            views = _route_backends(one)
        else:
            continue
        for view, name, port in views:
            for reference, pod, front, fronts in led:
                service = reference.object
                if (
                    front.stage == "tls"
                    and (service.name, service.namespace) == (name, one.namespace)
                    and port in (reference.holder.get("name"), reference.port)
                    and not _chooses_https(service.metadata, reference.holder)
                    and not (one.kind == "HTTPRoute" and _has_tls_policy(stream, service))
                ):
                    yield Backend(one, view, service, reference.holder, pod, front, fronts)


def find_scrapes(stream: StreamView) -> Iterator[Backend]:
    """Yield the endpoints of ServiceMonitors that lead to fronts."""
    led = list(_led_ports(stream))
    for one in stream.objects:
        if one.kind == "ServiceMonitor" and one.group == MONITORING:
            for reference, pod, front, fronts in led:
                if _monitors(one, reference.object):
                    for endpoint in one.each("spec", "endpoints"):
                        if endpoint.get("port") == reference.holder.get("name") is not None:
                            yield Backend(one, endpoint, reference.object, reference.holder, pod, front, fronts)


def _led_ports(stream: StreamView) -> Iterator[tuple[Reference, PodView, Front, tuple[Front, ...]]]:
    """Yield the Service ports that lead to a front, with the pod and its fronts."""
    index = PodIndex([pod for pod in stream.pods if read_fronts(pod.workload)])
    for reference in find_references(stream, "Service"):
        for pod in index.find_selected(reference.object):
            port, fronts = resolve_port(reference, pod), read_fronts(pod.workload)
            yield from ((reference, pod, front, fronts) for front in fronts if front.port == port)


def _ingress_backends(one: ObjectView) -> Iterator[tuple[View, str, Any]]:
    """Yield the backends of an Ingress: view, Service, and port (a name or number)."""
    views = [one.child("spec", "defaultBackend")]
    views += [path.child("backend") for each in one.each("spec", "rules") for path in each.each("http", "paths")]
    for view in views:
        service = view.child("service")
        yield service, service.text("name"), service.get("port", "name") or service.get("port", "number")


def _route_backends(one: ObjectView) -> Iterator[tuple[View, str, Any]]:
    for each in one.each("spec", "rules"):
        for view in each.each("backendRefs"):
            if view.get("kind") in (None, "Service"):
                yield view, view.text("name"), view.get("port")


def _chooses_https(metadata: dict[str, Any], port: View | None = None) -> bool:
    """Return True if an annotation, or the appProtocol of a port, chooses HTTPS for the backend."""
    if port is not None and port.text("appProtocol").lower() in ("https", "kubernetes.io/wss"):
        return True
    annotations = as_mapping(metadata.get("annotations"))
    return any(
        any(part in str(key).lower().replace("_", "") for part in _BACKEND_PROTOCOL)
        and any(word in str(value).lower() for word in ("https", "grpcs", "true"))
        for key, value in annotations.items()
    )


def _has_tls_policy(stream: StreamView, service: ObjectView) -> bool:
    return any(
        one.kind == "BackendTLSPolicy"
        and any(ref.get("name") == service.name for ref in one.each("spec", "targetRefs"))
        for one in stream.objects
    )


def _monitors(monitor: ObjectView, service: ObjectView) -> bool:
    """Return True if a ServiceMonitor selects a Service: by its labels, in its namespaces."""
    chosen = monitor.child("spec", "namespaceSelector")
    names = chosen.get("matchNames")
    here = names is None and monitor.namespace == service.namespace
    inside = chosen.get("any") is True or here or (isinstance(names, list) and service.namespace in names)
    selector = monitor.get("spec", "selector")
    labels = as_mapping(service.metadata.get("labels"))
    return inside and isinstance(selector, dict) and matches_label_selector(selector, labels)
