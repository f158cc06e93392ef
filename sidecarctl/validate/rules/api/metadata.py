"""Rules about names and namespaces of objects, and about what else metadata hold; labels have a module of their own."""

from __future__ import annotations

from collections.abc import Callable

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.kinds import GroupKind
from sidecarctl.kube.versions import at_least
from sidecarctl.validate.fields import all_metadata, blank, label_faults, listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView, PodView

_Fault = Callable[[str, str], "str | None"]

# The ones whose names are DNS subdomains, by group.
_SUBDOMAIN = """
- ConfigMap Endpoints LimitRange Node PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController
- ResourceQuota Secret ServiceAccount
admissionregistration.k8s.io MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration
admissionregistration.k8s.io ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
apps ControllerRevision DaemonSet Deployment ReplicaSet
autoscaling HorizontalPodAutoscaler
batch CronJob Job
certificates.k8s.io ClusterTrustBundle PodCertificateRequest
coordination.k8s.io Lease
discovery.k8s.io EndpointSlice
events.k8s.io Event
flowcontrol.apiserver.k8s.io FlowSchema PriorityLevelConfiguration
networking.k8s.io Ingress IngressClass NetworkPolicy ServiceCIDR
node.k8s.io RuntimeClass
resource.k8s.io DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
scheduling.k8s.io PriorityClass
storage.k8s.io CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass
storagemigration.k8s.io StorageVersionMigration
"""
_SEGMENT = """
policy PodDisruptionBudget
rbac.authorization.k8s.io ClusterRole ClusterRoleBinding Role RoleBinding
"""
_OTHERS = """
- Event
apiextensions.k8s.io CustomResourceDefinition
certificates.k8s.io CertificateSigningRequest
"""
# The controller of CronJobs appends eleven characters to make the name of a Job.
_CRON_JOB_LENGTH = 52
_STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))


def _subdomain(name: str, version: str) -> str | None:
    return names.dns_subdomain(name)


def _label(name: str, version: str) -> str | None:
    return names.dns_label(name)


def _stateful_set(name: str, version: str) -> str | None:
    """A StatefulSet's name is part of its pods' host names; before 1.27 nobody checked."""
    return names.dns_label(name) if at_least(version, "1.27") else names.dns_subdomain(name)


def _cron_job(name: str, version: str) -> str | None:
    if len(name) > _CRON_JOB_LENGTH:
        return f"must have at most {_CRON_JOB_LENGTH} characters, since its Jobs' names get eleven more"
    return names.dns_subdomain(name)


def _segment(name: str, version: str) -> str | None:
    """The name has to stand in an address."""
    if name in (".", ".."):
        return f"must not be {quote(name)}"
    bad = [char for char in "/%" if char in name]
    return f"must not contain {quote(bad[0])}" if bad else None


def _table(text: str, fault: _Fault) -> dict[GroupKind, _Fault]:
    lines = (line.split() for line in text.strip().splitlines())
    return {("" if group == "-" else group, kind): fault for group, *kinds in lines for kind in kinds}


_NAMES: dict[GroupKind, _Fault] = {
    **_table(_SUBDOMAIN, _subdomain),
    **_table(_SEGMENT, _segment),
    **_table(_OTHERS, lambda name, version: None),
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "CronJob"): _cron_job,
    ("", "Namespace"): _label,
    ("", "Service"): names.service_name,
}


@rule(
    "invalid-object-name",
    Severity.ERROR,
    scope="object",
    fix='Give it a name of lower-case letters, digits and "-".',
)
def invalid_object_name(one: ObjectView, ctx: Context) -> Problems:
    """An object has no name, or one that its kind can't have.

    Names become parts of addresses and host names. Most kinds take DNS subdomains (at most 253 of a-z, 0-9, "-" and
    "."); Namespaces, Services and StatefulSets take DNS labels (63, no dots), a CronJob at most 52 characters. With
    `generateName` the API server appends five characters of its own.
    """
    fault = _NAMES.get((one.group, one.kind))
    if fault is None:
        return
    metadata = one.metadata
    if not metadata and one.value.get("metadata"):
        return
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if isinstance(name, str) and name:
        if said := fault(name, ctx.kube_version):
            yield problem(one.at("metadata", "name"), f"{quote(name)} is no name for a {one.kind}: it {said}")
    elif blank(name) and blank(prefix) and one.kind != "LimitRange":
        yield problem(one.at("metadata", "name"), f"the {one.kind} has no name", help="Give it a name.")
    if isinstance(prefix, str) and prefix and one.kind != "CronJob":
        # What comes after a dash at the end is the server's; the rest of a long name it cuts off.
        whole = (prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix)[: 253 if name else 58]
        if said := fault(whole, ctx.kube_version):
            yield problem(
                one.at("metadata", "generateName"), f"{quote(prefix)} begins no name for a {one.kind}: it {said}"
            )


@rule(
    "invalid-namespace-name",
    Severity.ERROR,
    scope="object",
    fix='Name an existing namespace: at most 63 of a-z, 0-9 and "-".',
)
def invalid_namespace_name(one: ObjectView, ctx: Context) -> Problems:
    """An object's namespace is no DNS label.

    No namespace can have such a name, so the object has nowhere to be.
    """
    if one.namespace and (fault := names.dns_label(one.namespace)):
        yield problem(one.at("metadata", "namespace"), f"{quote(one.namespace)} is no name of a namespace: it {fault}")


@rule(
    "invalid-finalizer",
    Severity.ERROR,
    scope="object",
    fix="Qualify it with a domain of yours, as in example.com/cleanup.",
)
def invalid_finalizer(one: ObjectView, ctx: Context) -> Problems:
    """A finalizer has no domain, or contradicts another one.

    A finalizer keeps an object from being deleted until its owner takes it off, so it has to say whose it is. Without
    a domain only Kubernetes' own are taken, and of these `orphan` and `foregroundDeletion` exclude each other.
    """
    found = one.metadata.get("finalizers")
    if not isinstance(found, list):
        return
    own = (one.group, one.kind) in _NAMES
    for index, name in texts(one.metadata, "finalizers"):
        where = one.at("metadata", "finalizers", index)
        if fault := names.qualified_name(name):
            yield problem(where, f"{quote(name)} is no finalizer: it {fault}")
        elif own and "/" not in name and name not in _STANDARD_FINALIZERS:
            yield problem(where, f"the finalizer {quote(name)} has no domain")
    if "orphan" in found and "foregroundDeletion" in found:
        message = "orphan and foregroundDeletion can't both be set"
        yield problem(one.at("metadata", "finalizers"), message, help="Keep one of them.", on_key=True)


@rule(
    "invalid-owner-reference",
    Severity.ERROR,
    scope="object",
    fix="Leave ownerReferences out of manifests; controllers set them.",
)
def invalid_owner_reference(one: ObjectView, ctx: Context) -> Problems:
    """An owner can't be one, or there are two that control the object.

    Owners decide what becomes of an object when they are deleted. The API server refuses an apiVersion that is none,
    Events as owners, and a second owner with `controller: true`.
    """
    if "ownerReferences" not in one.metadata:
        return
    controllers: list[PathTuple] = []
    for index, reference in listed(one.metadata, "ownerReferences"):
        where = one.at("metadata", "ownerReferences", index)
        version = reference.get("apiVersion")
        if isinstance(version, str) and version and (version.count("/") > 1 or version.endswith("/")):
            yield problem((*where, "apiVersion"), f"{quote(version)} is no apiVersion: it must be like apps/v1 or v1")
        elif version == "v1" and reference.get("kind") == "Event":
            yield problem(where, "an Event can't be an owner")
        if reference.get("controller") is True:
            controllers.append((*where, "controller"))
    if len(controllers) > 1:
        message = f"{len(controllers)} owners say that they are the controller"
        yield problem(controllers[1], message, related=(Related("the first", controllers[0]),))


_ANNOTATIONS_SIZE = 256 * 1024
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_MIRROR = "kubernetes.io/config.mirror"


@rule(
    "invalid-label",
    Severity.ERROR,
    scope="object",
    fix="Put what does not fit into an annotation, whose value is free.",
)
def invalid_label(one: ObjectView, ctx: Context) -> Problems:
    """A label's key or value has characters or a length that labels can't have.

    Labels are written into selectors and addresses. A value is empty or at most 63 of letters, digits, "-", "_" and
    ".", with a letter or digit at both ends; a key is such a name, with an optional domain and "/" before it.
    """
    for metadata in all_metadata(one):
        labels = metadata.value.get("labels")
        if labels:
            yield from label_faults(labels, (*metadata.path, "labels"))


@rule(
    "invalid-annotation-key",
    Severity.ERROR,
    scope="object",
    fix="Use an optional domain, one \"/\" and a name of at most 63 letters, digits, '-', '_' and '.'.",
)
def invalid_annotation_key(one: ObjectView, ctx: Context) -> Problems:
    """The key of an annotation is no qualified name.

    Keys have the form of label keys, except that the domain may have capitals; their values are free.
    """
    for metadata in all_metadata(one):
        annotations = metadata.value.get("annotations")
        if not annotations or not isinstance(annotations, dict):
            continue
        for key in annotations:
            if isinstance(key, str) and names.qualified_name(key):
                if fault := names.qualified_name(key.lower()):
                    message = f"{quote(key)} is no key of an annotation: it {fault}"
                    yield problem((*metadata.path, "annotations", key), message, on_key=True)


@rule(
    "annotations-too-large",
    Severity.ERROR,
    scope="object",
    given=Context(options={"annotations-too-large": 80}),
    fix="Put large values into a ConfigMap.",
)
def annotations_too_large(one: ObjectView, ctx: Context) -> Problems:
    """The annotations of an object are larger than 256 KiB together.

    Keys and values count, in bytes of UTF-8. `kubectl apply` keeps a copy of the whole manifest among them, so the
    option `annotations-too-large` can set a lower limit, in bytes.
    """
    limit = ctx.options.get("annotations-too-large", _ANNOTATIONS_SIZE)
    for metadata in all_metadata(one):
        annotations = metadata.value.get("annotations")
        if not annotations or not isinstance(annotations, dict):
            continue
        texts = [text for text in (*annotations, *annotations.values()) if isinstance(text, str)]
        if sum(map(len, texts)) * 4 <= limit:
            continue
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        if size > limit:
            message = f"the annotations have {size} bytes, and may have {limit}"
            yield problem((*metadata.path, "annotations"), message, on_key=True)


@rule(
    "invalid-pod-annotation",
    Severity.ERROR,
    fix="Write the cost as an integer in quotes; leave the annotation of mirror pods to the kubelet.",
)
def invalid_pod_annotation(pod: PodView, ctx: Context) -> Problems:
    """An annotation that Kubernetes itself reads has a value that it can't read.

    The cost of deleting a pod is a 32-bit integer without "+" or leading zeros. Only the kubelet makes mirror pods,
    which are bound to a node.
    """
    annotations = pod.metadata.value.get("annotations")
    if not annotations or not isinstance(annotations, dict):
        return
    cost = annotations.get(_DELETION_COST, "0") or ""
    if isinstance(cost, str) and not _is_cost(cost):
        message = f"the cost {quote(cost)} is no integer of 32 bits"
        yield problem((*pod.metadata.path, "annotations", _DELETION_COST), message)
    if _MIRROR in annotations and not pod.text("nodeName"):
        message = "a mirror pod needs a nodeName"
        yield problem((*pod.metadata.path, "annotations", _MIRROR), message, on_key=True)


def _is_cost(text: str) -> bool:
    digits = text[1:] if text.startswith("-") else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 100 or not -(2**31) <= int(text) < 2**31:
        return False
    return text in ("0", digits.lstrip("0")) or text[0] == "-"
