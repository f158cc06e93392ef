"""What leads to a Service: backends of Ingresses and HTTPRoutes, and endpoints that ServiceMonitors scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sidecarctl.kube.fronts import Front, find_app_port
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.label_index import LabelIndex
from sidecarctl.validate.pod_selection import MONITORING, PodIndex, selected_namespaces
from sidecarctl.validate.surroundings import Reference, find_references, parse_port, port_keys
from sidecarctl.validate.views import ObjectView, PodView, StreamView, View

_GATEWAY = "gateway.networking.k8s.io"
# Parts of the annotations by which ingress controllers and Services choose HTTPS to the backend.
_BACKEND_PROTOCOL = ("backend-protocol", "secure-backends", "server-scheme", "serversscheme", "appprotocol")


@dataclass(frozen=True)
class FrontedPort:
    """A Service port that leads to a front of a pod."""

    reference: Reference
    pod: PodView
    front: Front

    @property
    def service(self) -> ObjectView:
        """The Service."""
        return self.reference.object

    @property
    def port(self) -> View:
        """The entry of the Service port."""
        return self.reference.holder

    @property
    def chain(self) -> tuple[Front, ...]:
        """The fronts that a request passes, from the client to the app."""
        return _passed(self.pod, self.front)

    @property
    def app_port(self) -> int:
        """The port of the app at the end of the chain."""
        return find_app_port(self.pod.fronts, self.front.port)


def _passed(pod: PodView, front: Front) -> tuple[Front, ...]:
    found, port = list[Front](), front.port
    while inner := next((each for each in pod.fronts if each.port == port and each not in found), None):
        found.append(inner)
        port = inner.upstream
    return tuple(found)


@dataclass(frozen=True)
class Backend:
    """A use of a Service port in another object."""

    object: ObjectView
    view: View
    fronted: FrontedPort


@dataclass(frozen=True)
class Scrape:
    """An endpoint of a ServiceMonitor that scrapes Services with fronts.

    fronted   the first Service port
    services  the labels of all Services with a front of this stage
    login     the instance that asks for a login, "" if none does
    """

    monitor: ObjectView
    endpoint: View
    fronted: FrontedPort
    services: tuple[str, ...]
    login: str


def find_plain_backends(stream: StreamView) -> Iterator[Backend]:
    """Yield the backends of Ingresses and HTTPRoutes that send plain HTTP to a front that expects TLS, each once."""
    fronted: dict[tuple[str, str, str | int], FrontedPort] = {}
    for each in _find_fronted(stream):
        if each.front.stage == "tls" and not _chooses_https(each.service.metadata, each.port):
            for port in (each.port.get("name"), each.reference.port):
                if isinstance(port, (str, int)):
                    fronted.setdefault((each.service.namespace, each.service.name, port), each)
    if not fronted:
        return
    secured = set(_services_with_tls_policy(stream))
    for one in stream.objects:
        if one.kind == "Ingress" and one.group == "networking.k8s.io" and not _chooses_https(one.metadata):
            views = _ingress_backends(one)
        elif one.kind == "HTTPRoute" and one.group == _GATEWAY:
            views = (each for each in _route_backends(one) if each[1] not in secured)
        else:
            continue
        for view, name, port in views:
            if isinstance(port, (str, int)) and (found := fronted.get((one.namespace, name, port))):
                yield Backend(one, view, found)


def find_scrapes(stream: StreamView) -> Iterator[Scrape]:
    """Yield the endpoints of ServiceMonitors that scrape Service ports with fronts."""
    monitors = [
        (one, selector)
        for one in stream.objects
        if one.kind == "ServiceMonitor" and one.group == MONITORING
        if isinstance(selector := one.get("spec", "selector"), dict)
    ]
    if not monitors:
        return
    fronted: dict[int, list[FrontedPort]] = {}
    for each in _find_fronted(stream):
        fronted.setdefault(id(each.service), []).append(each)
    services = [one for one in stream.objects if id(one) in fronted]
    index = LabelIndex(
        ((one, one.namespace, as_mapping(one.metadata.get("labels"))) for one in services),
        (selector for _, selector in monitors),
    )
    groups: dict[tuple[int, str], list[_Group]] = {}
    for monitor, selector in monitors:
        chosen = index.find(selector, selected_namespaces(monitor))
        for endpoint in monitor.each("spec", "endpoints"):
            key = (id(chosen), endpoint.text("port"))
            if key not in groups:
                groups[key] = _group([each for one in chosen for each in fronted[id(one)]], key[1])
            yield from (Scrape(monitor, endpoint, *group) for group in groups[key])


_Group = tuple[FrontedPort, tuple[str, ...], str]


def _group(fronted: Iterable[FrontedPort], port: str) -> list[_Group]:
    """Return the first Service port with a name for each stage, a login first, with all Services of this stage."""
    groups: dict[str, list[tuple[FrontedPort, str]]] = {}
    for each in fronted:
        if port and each.port.get("name") == port:
            login = next((front.instance for front in each.chain if front.stage == "login"), "")
            groups.setdefault("login" if login else each.front.stage, []).append((each, login))
    return [
        (group[0][0], tuple(dict.fromkeys(each.service.label for each, _ in group)), group[0][1])
        for group in groups.values()
    ]


_PodFront = tuple[PodView, Front]


def _find_fronted(stream: StreamView) -> Iterator[FrontedPort]:
    """Yield the Service ports that lead to fronts: one pod for each combination of stages."""
    index = PodIndex([pod for pod in stream.pods if pod.fronts], stream.objects)
    found: dict[int, dict[int | str, dict[object, _PodFront]]] = {}
    for reference in find_references(stream, "Service"):
        pods = index.find_selected(reference.object)
        if pods and id(pods) not in found:
            found[id(pods)] = _listening(pods)
        port = parse_port(reference.port if reference.value is None else reference.value)
        for pod, front in found.get(id(pods), {}).get(port, {}).values():
            yield FrontedPort(reference, pod, front)


def _listening(pods: Sequence[PodView]) -> dict[int | str, dict[object, _PodFront]]:
    """Return the fronts of pods by the number and the names of the port on which they listen."""
    found: dict[int | str, dict[object, _PodFront]] = {}
    for pod in pods:
        for front in pod.fronts:
            stages = front.stage, frozenset(each.stage for each in _passed(pod, front))
            for key in port_keys(pod, front.port):
                found.setdefault(key, {}).setdefault(stages, (pod, front))
    return found


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


def _services_with_tls_policy(stream: StreamView) -> Iterator[str]:
    for one in stream.objects:
        if one.kind == "BackendTLSPolicy":
            yield from (ref.text("name") for ref in one.each("spec", "targetRefs"))
