"""Rules about object metadata: names, namespaces, labels, annotations, finalizers, and owner references."""

from __future__ import annotations

from collections.abc import Callable

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.kinds import GroupKind
from sidecarctl.kube.versions import at_least
from sidecarctl.validate.fields import all_metadata, blank, check_labels, listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView, PodView

_Check = Callable[[str, str], "str | None"]

# Kinds whose names are DNS subdomains, by group; "-" is the core group.
_SUBDOMAIN_KINDS = """
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
_PATH_SEGMENT_KINDS = """
policy PodDisruptionBudget
rbac.authorization.k8s.io ClusterRole ClusterRoleBinding Role RoleBinding
"""
_UNCHECKED_KINDS = """
- Event
apiextensions.k8s.io CustomResourceDefinition
certificates.k8s.io CertificateSigningRequest
"""
# The CronJob controller appends 11 characters to make a Job name.
_CRON_JOB_LENGTH = 52
_STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))


def _check_subdomain(name: str, version: str) -> str | None:
    return names.check_dns_subdomain(name)


def _check_label(name: str, version: str) -> str | None:
    return names.check_dns_label(name)


def _check_stateful_set(name: str, version: str) -> str | None:
    """Check the name of a StatefulSet: since 1.27 a DNS label, because it becomes part of host names of pods."""
    return names.check_dns_label(name) if at_least(version, "1.27") else names.check_dns_subdomain(name)


def _check_cron_job(name: str, version: str) -> str | None:
    if len(name) > _CRON_JOB_LENGTH:
        return f"{len(name)} characters long (limit: {_CRON_JOB_LENGTH}, since Job names get an 11-character suffix)"
    return names.check_dns_subdomain(name)


def _check_path_segment(name: str, version: str) -> str | None:
    """Check a name that is used as a URL path segment."""
    if name in (".", ".."):
        return f"{quote(name)} is not allowed"
    return next((f"{quote(char)} is not allowed" for char in "/%" if char in name), None)


def _table(text: str, check: _Check) -> dict[GroupKind, _Check]:
    lines = (line.split() for line in text.strip().splitlines())
    return {("" if group == "-" else group, kind): check for group, *kinds in lines for kind in kinds}


_NAME_CHECKS: dict[GroupKind, _Check] = {
    **_table(_SUBDOMAIN_KINDS, _check_subdomain),
    **_table(_PATH_SEGMENT_KINDS, _check_path_segment),
    **_table(_UNCHECKED_KINDS, lambda name, version: None),
    ("apps", "StatefulSet"): _check_stateful_set,
    ("batch", "CronJob"): _check_cron_job,
    ("", "Namespace"): _check_label,
    ("", "Service"): names.check_service_name,
}


@rule(
    "invalid-object-name",
    Severity.ERROR,
    scope="object",
    fix="Use lowercase letters, digits, and hyphens.",
)
def invalid_object_name(obj: ObjectView, ctx: Context) -> Problems:
    """An object has no name, or an invalid one.

    Names become part of URLs and host names. Most kinds require a DNS subdomain (at most 253 lowercase letters, digits,
    hyphens, and dots). Namespaces, Services, and StatefulSets require a DNS label (at most 63 characters, no dots), and
    CronJobs allow at most 52 characters. With `generateName` the API server appends 5 characters.
    """
    check = _NAME_CHECKS.get((obj.group, obj.kind))
    if check is None:
        return
    if not obj.metadata and obj.value.get("metadata"):
        return
    name, prefix = obj.metadata.get("name"), obj.metadata.get("generateName")
    if isinstance(name, str) and name:
        if broken := check(name, ctx.kube_version):
            yield problem(obj.at("metadata", "name"), f"invalid {obj.kind} name {quote(name)}: {broken}")
    elif blank(name) and blank(prefix) and obj.kind != "LimitRange":
        yield problem(obj.at("metadata", "name"), f"{obj.kind} has no name", help="Set metadata.name.")
    if isinstance(prefix, str) and prefix and obj.kind != "CronJob":
        # The API server appends a suffix after a trailing hyphen, and truncates long prefixes.
        whole = (prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix)[: 253 if name else 58]
        if broken := check(whole, ctx.kube_version):
            where, message = obj.at("metadata", "generateName"), f"invalid {obj.kind} generateName {quote(prefix)}"
            yield problem(where, f"{message}: {broken}")


@rule(
    "invalid-namespace-name",
    Severity.ERROR,
    scope="object",
    fix="Use the name of an existing namespace: at most 63 lowercase letters, digits, and hyphens.",
)
def invalid_namespace_name(obj: ObjectView, ctx: Context) -> Problems:
    """A namespace name is not a DNS label.

    No namespace can have such a name, so the API server rejects the object.
    """
    if obj.namespace and (fault := names.check_dns_label(obj.namespace)):
        yield problem(obj.at("metadata", "namespace"), f"invalid namespace name {quote(obj.namespace)}: {fault}")


@rule(
    "invalid-finalizer",
    Severity.ERROR,
    scope="object",
    fix="Add a domain that you own, as in example.com/cleanup.",
)
def invalid_finalizer(obj: ObjectView, ctx: Context) -> Problems:
    """A finalizer has no domain, or two finalizers conflict.

    A finalizer blocks the deletion of an object until its controller removes the finalizer, so it must name its owner
    by a domain. Only the finalizers of Kubernetes itself have no domain, and of these, `orphan` and
    `foregroundDeletion` exclude each other.
    """
    found = obj.metadata.get("finalizers")
    if not isinstance(found, list):
        return
    built_in = (obj.group, obj.kind) in _NAME_CHECKS
    for index, name in texts(obj.metadata, "finalizers"):
        where = obj.at("metadata", "finalizers", index)
        if fault := names.check_qualified_name(name):
            yield problem(where, f"invalid finalizer {quote(name)}: {fault}")
        elif built_in and "/" not in name and name not in _STANDARD_FINALIZERS:
            yield problem(where, f"invalid finalizer {quote(name)}: no domain")
    if "orphan" in found and "foregroundDeletion" in found:
        where, message = obj.at("metadata", "finalizers"), "both orphan and foregroundDeletion are set"
        yield problem(where, message, help="Keep only one of them.", on_key=True)


@rule(
    "invalid-owner-reference",
    Severity.ERROR,
    scope="object",
    fix="Remove ownerReferences from the manifest. Controllers set them.",
)
def invalid_owner_reference(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid owner reference.

    The garbage collector deletes an object together with its owners. The API server rejects an invalid apiVersion, an
    Event as owner, and a second owner with `controller: true`.
    """
    if "ownerReferences" not in obj.metadata:
        return
    controllers: list[PathTuple] = []
    for index, reference in listed(obj.metadata, "ownerReferences"):
        where = obj.at("metadata", "ownerReferences", index)
        version = reference.get("apiVersion")
        if isinstance(version, str) and version and (version.count("/") > 1 or version.endswith("/")):
            yield problem(
                (*where, "apiVersion"), f"invalid apiVersion {quote(version)}: use a form such as apps/v1 or v1"
            )
        elif version == "v1" and reference.get("kind") == "Event":
            yield problem(where, "an Event can't be an owner")
        if reference.get("controller") is True:
            controllers.append((*where, "controller"))
    if len(controllers) > 1:
        message = f"{len(controllers)} owner references have controller: true, expected at most 1"
        yield problem(controllers[1], message, related=(Related("first set here", controllers[0]),))


_ANNOTATIONS_SIZE = 256 * 1024
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_MIRROR = "kubernetes.io/config.mirror"


@rule(
    "invalid-label",
    Severity.ERROR,
    scope="object",
    fix="Put the data into an annotation, which allows any value.",
)
def invalid_label(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid label key or value.

    A value is empty or at most 63 letters, digits, hyphens, underscores, and dots, and starts and ends with a letter or
    digit. A key has the same form and is not empty, with an optional prefix of a domain and "/". The API server rejects
    other labels because selectors and URLs contain them.
    """
    for metadata in all_metadata(obj):
        labels = metadata.value.get("labels")
        if labels:
            yield from check_labels(labels, (*metadata.path, "labels"))


@rule(
    "invalid-annotation-key",
    Severity.ERROR,
    scope="object",
    fix="Use at most 63 letters, digits, hyphens, underscores, and dots, with an optional prefix such as example.com/.",
)
def invalid_annotation_key(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid annotation key.

    An annotation key has the form of a label key, but its prefix can contain uppercase letters. Annotation values can
    be any text.
    """
    for metadata in all_metadata(obj):
        annotations = metadata.value.get("annotations")
        if not annotations or not isinstance(annotations, dict):
            continue
        for key in annotations:
            if isinstance(key, str) and names.check_qualified_name(key):
                if fault := names.check_qualified_name(key.lower()):
                    message = f"invalid annotation key {quote(key)}: {fault}"
                    yield problem((*metadata.path, "annotations", key), message, on_key=True)


@rule(
    "annotations-too-large",
    Severity.ERROR,
    scope="object",
    given=Context(options={"annotations-too-large": 80}),
    fix="Put large values into a ConfigMap.",
)
def annotations_too_large(obj: ObjectView, ctx: Context) -> Problems:
    """The annotations of an object are larger than 256 KiB in total.

    Keys and values count, in bytes of UTF-8. `kubectl apply` stores a copy of the manifest in an annotation, so you can
    set a lower limit in bytes with the option `annotations-too-large`.
    """
    limit = ctx.options.get("annotations-too-large", _ANNOTATIONS_SIZE)
    for metadata in all_metadata(obj):
        annotations = metadata.value.get("annotations")
        if not annotations or not isinstance(annotations, dict):
            continue
        texts = [text for text in (*annotations, *annotations.values()) if isinstance(text, str)]
        if sum(map(len, texts)) * 4 <= limit:
            continue
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        if size > limit:
            message = f"annotations too large: {size} bytes (limit: {limit})"
            yield problem((*metadata.path, "annotations"), message, on_key=True)


@rule(
    "invalid-pod-annotation",
    Severity.ERROR,
    fix="Set the pod deletion cost to an integer in quotes. Leave the mirror annotation to the kubelet.",
)
def invalid_pod_annotation(pod: PodView, ctx: Context) -> Problems:
    """Invalid value of an annotation that Kubernetes reads.

    The pod deletion cost is a 32-bit integer without "+" or leading zeros. Only the kubelet creates mirror pods, and
    they have a nodeName.
    """
    annotations = pod.metadata.value.get("annotations")
    if not annotations or not isinstance(annotations, dict):
        return
    cost = annotations.get(_DELETION_COST, "0") or ""
    if isinstance(cost, str) and not _is_deletion_cost(cost):
        message = f"invalid pod deletion cost {quote(cost)}: use a 32-bit integer"
        yield problem((*pod.metadata.path, "annotations", _DELETION_COST), message)
    if _MIRROR in annotations and not pod.text("nodeName"):
        yield problem((*pod.metadata.path, "annotations", _MIRROR), "a mirror pod requires nodeName", on_key=True)


def _is_deletion_cost(text: str) -> bool:
    digits = text[1:] if text.startswith("-") else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 100 or not -(2**31) <= int(text) < 2**31:
        return False
    return text in ("0", digits.lstrip("0")) or text[0] == "-"
