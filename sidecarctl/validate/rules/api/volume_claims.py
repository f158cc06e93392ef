"""Rules about volume claims: PersistentVolumeClaims, ephemeral volumes, and claim templates of StatefulSets."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.quantity import parse_quantity
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate.fields import (
    STATEFUL_SET,
    blank,
    check_labels,
    check_selector,
    entries,
    has_unknown_keys,
    pod_volumes,
    volume_sources,
)
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView, PodView

_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
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
    fix="Set accessModes and resources.requests.storage.",
)
def invalid_ephemeral_claim(pod: PodView, ctx: Context) -> Problems:
    """Invalid claim template of an ephemeral volume.

    The API server requires compatible access modes, a storage request, valid class and data source names, and allows
    only labels and annotations in the metadata.
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
                message = f"{field} is not supported in the metadata of a claim template"
                yield problem((*where, "metadata", field), message, on_key=True)
        yield from check_labels(metadata.get("labels"), (*where, "metadata", "labels"))
        spec = template.get("spec")
        if isinstance(spec, dict):
            yield from claim_faults(spec, (*where, "spec"))
    if found:
        yield from _made_for_pod(pod)


def claim_faults(spec: Data, where: PathTuple) -> Iterator[Problem]:
    """Yield what the API server rejects in a claim spec beyond its schema (ValidatePersistentVolumeClaimSpec)."""
    modes = spec.get("accessModes")
    if (modes is None or modes == []) and not has_unknown_keys(spec, _CLAIM_FIELDS):
        yield problem(
            (*where, "accessModes"),
            "missing required field: accessModes",
            help=f"Use one or more of {', '.join(_ACCESS_MODES)}.",
        )
    if None in as_list(modes):
        yield problem(
            (*where, "accessModes"), "access mode is empty", help=f"Use one or more of {', '.join(_ACCESS_MODES)}."
        )
    if "ReadWriteOncePod" in as_list(modes) and any(mode in _ACCESS_MODES[:3] for mode in as_list(modes)):
        yield problem((*where, "accessModes"), "ReadWriteOncePod can't be combined with other access modes")
    resources = spec.get("resources")
    requests = as_mapping(resources).get("requests")
    storage = as_mapping(requests).get("storage")
    amount = parse_quantity(storage)
    at = (*where, "resources", "requests", "storage")
    if storage is None and isinstance(resources, (dict, type(None))) and isinstance(requests, (dict, type(None))):
        yield problem(at, "missing required field: resources.requests.storage")
    elif amount is not None and amount <= 0:
        yield problem(at, f"invalid storage request {quote(storage)}: must be positive")
    for field in ("storageClassName", "volumeAttributesClassName"):
        name = spec.get(field)
        if name and isinstance(name, str) and (fault := names.check_dns_subdomain(name)):
            yield problem((*where, field), f"invalid {field} {quote(name)}: {fault}")
    yield from check_selector(spec.get("selector"), (*where, "selector"))
    yield from _data_sources(spec, where)


def _data_sources(spec: Data, where: PathTuple) -> Iterator[Problem]:
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    for field in ("dataSource", "dataSourceRef"):
        found = spec.get(field)
        if isinstance(found, dict):
            yield from _data_source(found, (*where, field))
    if isinstance(source, dict) and isinstance(ref, dict):
        if ref.get("namespace"):
            yield problem(where, "dataSource conflicts with dataSourceRef.namespace")
        elif any((source.get(key) or "") != (ref.get(key) or "") for key in ("apiGroup", "kind", "name")):
            yield problem(where, "dataSource and dataSourceRef refer to different objects")


def _data_source(source: Data, where: PathTuple) -> Iterator[Problem]:
    group, kind = source.get("apiGroup"), source.get("kind")
    for field in ("name", "kind"):
        if blank(source.get(field)):
            yield problem((*where, field), f"missing required field: {field}")
    if blank(group) and kind and isinstance(kind, str) and kind != "PersistentVolumeClaim":
        message = f"invalid data source kind {quote(kind)}: must be PersistentVolumeClaim without an apiGroup"
        yield problem(where, message)
    elif group and isinstance(group, str) and (fault := names.check_dns_subdomain(group)):
        yield problem((*where, "apiGroup"), f"invalid apiGroup {quote(group)}: {fault}")
    namespace = source.get("namespace")
    if namespace and isinstance(namespace, str) and (fault := names.check_dns_label(namespace)):
        yield problem((*where, "namespace"), f"invalid namespace name {quote(namespace)}: {fault}")


def _made_for_pod(pod: PodView) -> Problems:
    """Check the names of a Pod's generated claims, `<pod name>-<volume name>`."""
    name = pod.object.text("metadata", "name")
    if pod.object.kind != "Pod" or not name:
        return
    volumes = pod_volumes(pod)
    made = {f"{name}-{item.get('name')}" for _, item in volumes if item.get("ephemeral") is not None}
    for index, volume in volumes if made else ():
        own = volume.get("name")
        if volume.get("ephemeral") is not None and isinstance(own, str) and own:
            claim = f"{name}-{own}"
            if (
                not names.check_dns_subdomain(name)
                and not names.check_dns_label(own)
                and (fault := names.check_dns_subdomain(claim))
            ):
                yield problem(pod.at("volumes", index, "name"), f"invalid claim name {quote(claim)}: {fault}")
        used = as_mapping(volume.get("persistentVolumeClaim")).get("claimName")
        if isinstance(used, str) and used in made:
            where = pod.at("volumes", index, "persistentVolumeClaim", "claimName")
            yield problem(where, f"claim {quote(used)} belongs to an ephemeral volume of the pod")


@rule(
    "invalid-volume-claim",
    Severity.ERROR,
    scope="object",
    kinds=("PersistentVolumeClaim",),
    fix="Set accessModes and resources.requests.storage.",
)
def invalid_volume_claim(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid PersistentVolumeClaim.

    The API server requires compatible access modes, a storage request, and valid class and data source names.
    """
    if obj.group == "" and isinstance(obj.value.get("spec"), dict):
        spec = obj.spec
        if spec.get("dataSourceRef") is None and not _is_kept(as_mapping(spec.get("dataSource"))):
            spec = {**spec, "dataSource": None}
        yield from claim_faults(spec, obj.at("spec"))


def _is_kept(source: Data) -> bool:
    """Return True for a dataSource of a claim that the API server does not drop: a claim or a snapshot."""
    reference = (source.get("apiGroup") or "", source.get("kind"))
    return reference in (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))


@rule(
    "invalid-service-name",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    since="1.33",
    fix="Use the name of a headless Service in the same namespace, without a domain.",
)
def invalid_service_name(obj: ObjectView, ctx: Context) -> Problems:
    """The serviceName of a StatefulSet is not a valid Service name.

    The name becomes part of the pods' host names, so it must be a DNS label. Since Kubernetes 1.33 the API server
    rejects other names. In earlier versions the pods never start.
    """
    if (obj.group, obj.kind) != STATEFUL_SET:
        return
    name = obj.spec.get("serviceName")
    if name and isinstance(name, str) and (fault := names.check_dns_label(name)):
        yield problem(obj.at("spec", "serviceName"), f"invalid Service name {quote(name)}: {fault}")


@rule(
    "invalid-claim-template",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    fix="Set metadata.name, accessModes, and resources.requests.storage in each template.",
)
def invalid_claim_template(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid volumeClaimTemplates of a StatefulSet.

    Each pod gets a claim from each template, and a volume with the name of the template. Since Kubernetes 1.34 the API
    server rejects the StatefulSet. In earlier versions it rejects the claims, and no pod starts.
    """
    if (obj.group, obj.kind) != STATEFUL_SET:
        return
    for index, template in entries(obj.spec, "volumeClaimTemplates"):
        where = obj.at("spec", "volumeClaimTemplates", index)
        name = as_mapping(template.get("metadata")).get("name")
        if name is None or name == "":
            yield problem((*where, "metadata", "name"), "claim template has no name")
        elif isinstance(name, str) and (fault := names.check_dns_label(name)):
            yield problem((*where, "metadata", "name"), f"invalid claim template name {quote(name)}: {fault}")
        own = template.get("spec")
        if own is None or isinstance(own, dict):
            yield from claim_faults(as_mapping(own), (*where, "spec"))


@rule(
    "duplicate-claim-template",
    Severity.ERROR,
    scope="object",
    kinds=("StatefulSet",),
    layer="advice",
    fix="Give each claim template a unique name.",
)
def duplicate_claim_template(obj: ObjectView, ctx: Context) -> Problems:
    """Two claim templates of a StatefulSet have the same name.

    The API server accepts the StatefulSet, but a pod has only one volume with that name, and it is undefined which of
    the claims it uses.
    """
    if (obj.group, obj.kind) != STATEFUL_SET:
        return
    seen = set()
    for index, template in enumerate(as_list(obj.get("spec", "volumeClaimTemplates"))):
        name = as_mapping(as_mapping(template).get("metadata")).get("name")
        if isinstance(name, str) and name and name in seen:
            where = obj.at("spec", "volumeClaimTemplates", index, "metadata", "name")
            yield problem(where, f"duplicate claim template name {quote(name)}")
        elif isinstance(name, str):
            seen.add(name)
