"""Rules about the claims that ephemeral volumes make: what a PersistentVolumeClaim needs. Knows no other claims."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.quantity import nano
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import (
    STATEFUL_SET,
    blank,
    entries,
    label_faults,
    listed,
    selector_faults,
    strange,
    volume_sources,
)
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView, PodView

_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_CLAIM_FIELDS = frozenset(
    (
        "accessModes",
        "dataSource",
        "dataSourceRef",
        "resources",
        "selector",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
        "volumeName",
    )
)


@rule(
    "invalid-ephemeral-claim",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give the claim its access modes and a request of storage.",
)
def invalid_ephemeral_claim(pod: PodView, ctx: Context) -> Problems:
    """The claim of an ephemeral volume can't be made.

    The API server wants access modes that go together, a request of storage, well-formed names of classes and sources, and
    in the metadata labels and annotations alone.
    """
    found = volume_sources(pod).get("ephemeral", ())
    for source, at in found:
        template = as_mapping(source.get("volumeClaimTemplate"))
        if not template:
            continue
        where = (*at, "volumeClaimTemplate")
        metadata = as_mapping(template.get("metadata"))
        for field, value in metadata.items():
            if field not in ("labels", "annotations") and value not in (None, "", 0):
                message = f"the metadata of a claim's template can't have {field}"
                yield problem((*where, "metadata", field), message, on_key=True)
        yield from label_faults(metadata.get("labels"), (*where, "metadata", "labels"))
        spec = template.get("spec")
        if isinstance(spec, dict):
            yield from claim_faults(spec, (*where, "spec"))
    if found:
        yield from _made_for_pod(pod)


def claim_faults(spec: Data, where: PathTuple) -> Iterator[Problem]:
    """Yield what the API server refuses in the spec of a claim (ValidatePersistentVolumeClaimSpec).

    Of what the schema says, nothing.
    """
    modes = spec.get("accessModes")
    if (modes is None or modes == []) and not strange(spec, _CLAIM_FIELDS):
        yield problem((*where, "accessModes"), "a claim needs an access mode", help=f"Known are {', '.join(_MODES)}.")
    if None in as_list(modes):
        yield problem((*where, "accessModes"), "an access mode is empty", help=f"Known are {', '.join(_MODES)}.")
    if "ReadWriteOncePod" in as_list(modes) and any(mode in _MODES[:3] for mode in as_list(modes)):
        yield problem((*where, "accessModes"), "ReadWriteOncePod does not go together with other modes")
    resources = spec.get("resources")
    requests = as_mapping(resources).get("requests")
    storage = as_mapping(requests).get("storage")
    amount = nano(storage)
    at = (*where, "resources", "requests", "storage")
    if storage is None and isinstance(resources, (dict, type(None))) and isinstance(requests, (dict, type(None))):
        yield problem(at, "a claim needs a request of storage")
    elif amount is not None and amount <= 0:
        yield problem(at, f"a claim of {quote(storage)} is for nothing")
    for field in ("storageClassName", "volumeAttributesClassName"):
        name = spec.get(field)
        if name and isinstance(name, str) and (fault := names.dns_subdomain(name)):
            yield problem((*where, field), f"{quote(name)} is no name of a class: it {fault}")
    yield from selector_faults(spec.get("selector"), (*where, "selector"))
    yield from _data_sources(spec, where)


def _data_sources(spec: Data, where: PathTuple) -> Iterator[Problem]:
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    for field in ("dataSource", "dataSourceRef"):
        found = spec.get(field)
        if isinstance(found, dict):
            yield from _data_source(found, (*where, field))
    if isinstance(source, dict) and isinstance(ref, dict):
        if ref.get("namespace"):
            yield problem(where, "there can't be a dataSource beside a dataSourceRef with a namespace")
        elif any((source.get(key) or "") != (ref.get(key) or "") for key in ("apiGroup", "kind", "name")):
            yield problem(where, "dataSource and dataSourceRef must name the same")


def _data_source(source: Data, where: PathTuple) -> Iterator[Problem]:
    group, kind = source.get("apiGroup"), source.get("kind")
    for field in ("name", "kind"):
        if source.get(field) == "":
            yield problem((*where, field), f"the {field} is empty")
    if blank(group) and isinstance(kind, str) and kind != "PersistentVolumeClaim":
        message = f"without an apiGroup the source must be a PersistentVolumeClaim, and is {quote(kind)}"
        yield problem(where, message)
    elif group and isinstance(group, str) and (fault := names.dns_subdomain(group)):
        yield problem((*where, "apiGroup"), f"{quote(group)} is no API group: it {fault}")
    namespace = source.get("namespace")
    if namespace and isinstance(namespace, str) and (fault := names.dns_label(namespace)):
        yield problem((*where, "namespace"), f"{quote(namespace)} is no name of a namespace: it {fault}")


def _made_for_pod(pod: PodView) -> Problems:
    """In a Pod the names of the claims are known: the pod's, a dash, and the volume's."""
    name = pod.object.text("metadata", "name")
    if pod.object.kind != "Pod" or not name:
        return
    volumes = listed(pod.value, "volumes")
    made = {f"{name}-{one.get('name')}" for _, one in volumes if one.get("ephemeral") is not None}
    for index, volume in volumes if made else ():
        own = volume.get("name")
        if volume.get("ephemeral") is not None and isinstance(own, str) and own:
            claim = f"{name}-{own}"
            if not names.dns_subdomain(name) and not names.dns_label(own) and (fault := names.dns_subdomain(claim)):
                yield problem(pod.at("volumes", index, "name"), f"its claim is to be called {quote(claim)}: it {fault}")
        used = as_mapping(volume.get("persistentVolumeClaim")).get("claimName")
        if isinstance(used, str) and used in made:
            where = pod.at("volumes", index, "persistentVolumeClaim", "claimName")
            yield problem(where, f"the claim {quote(used)} is made for an ephemeral volume of this pod")


@rule(
    "invalid-volume-claim",
    Severity.ERROR,
    scope="object",
    kinds=("PersistentVolumeClaim",),
    fix="Give the claim its access modes and a request of storage.",
)
def invalid_volume_claim(one: ObjectView, ctx: Context) -> Problems:
    """A claim does not say what it claims.

    The API server wants access modes that go together, a request of storage, and well-formed names of classes and
    sources.
    """
    if one.group == "" and isinstance(one.value.get("spec"), dict):
        yield from claim_faults(one.spec, one.at("spec"))


@rule(
    "invalid-service-name",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    since="1.33",
    fix="Name a headless Service of the same namespace, without its domain.",
)
def invalid_service_name(one: ObjectView, ctx: Context) -> Problems:
    """The Service of a StatefulSet has a name that no Service can have.

    It becomes the domain of the pods' host names, so it has to be a DNS label. Since Kubernetes 1.33 the API server
    refuses others; before, the pods would never start.
    """
    if (one.group, one.kind) != STATEFUL_SET:
        return
    name = one.spec.get("serviceName")
    if name and isinstance(name, str) and (fault := names.dns_label(name)):
        yield problem(one.at("spec", "serviceName"), f"{quote(name)} is no name of a Service: it {fault}")


@rule(
    "invalid-claim-template",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    fix="Give each claim a name, its access modes and a request of storage.",
)
def invalid_claim_template(one: ObjectView, ctx: Context) -> Problems:
    """The claims that a StatefulSet makes can't be made.

    Each pod gets a claim from each of the volumeClaimTemplates, and a volume of the same name. Since Kubernetes 1.34
    the API server refuses the StatefulSet; before, it refuses the claims, and no pod starts.
    """
    if (one.group, one.kind) != STATEFUL_SET:
        return
    for index, template in entries(one.spec, "volumeClaimTemplates"):
        where = one.at("spec", "volumeClaimTemplates", index)
        name = as_mapping(template.get("metadata")).get("name")
        if name is None or name == "":
            yield problem((*where, "metadata", "name"), "the claim has no name")
        elif isinstance(name, str) and (fault := names.dns_label(name)):
            yield problem((*where, "metadata", "name"), f"{quote(name)} is no name for a volume: it {fault}")
        own = template.get("spec")
        if own is None or isinstance(own, dict):
            yield from claim_faults(as_mapping(own), (*where, "spec"))


@rule(
    "duplicate-claim-template",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    layer="advice",
    fix="Give each claim a name of its own.",
)
def duplicate_claim_template(one: ObjectView, ctx: Context) -> Problems:
    """Two claims of a StatefulSet have the same name.

    The API server takes it, but a pod can have only one volume of a name: which of the claims it gets is left to
    chance.
    """
    if (one.group, one.kind) != STATEFUL_SET:
        return
    seen = set()
    for index, template in enumerate(as_list(one.get("spec", "volumeClaimTemplates"))):
        name = as_mapping(as_mapping(template).get("metadata")).get("name")
        if isinstance(name, str) and name and name in seen:
            where = one.at("spec", "volumeClaimTemplates", index, "metadata", "name")
            yield problem(where, f"another claim is called {quote(name)} too")
        elif isinstance(name, str):
            seen.add(name)
