"""Rules about the names of objects and namespaces."""

from __future__ import annotations

from collections.abc import Callable

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.kinds import GroupKind
from sidecarctl.kube.versions import at_least
from sidecarctl.validate.fields import blank
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView

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


def check_path_segment(name: str, version: str) -> str | None:
    """Check a name that is used as a URL path segment."""
    if name in (".", ".."):
        return f"{quote(name)} is not allowed"
    return next((f"{quote(char)} is not allowed" for char in "/%" if char in name), None)


def _table(text: str, check: _Check) -> dict[GroupKind, _Check]:
    lines = (line.split() for line in text.strip().splitlines())
    return {("" if group == "-" else group, kind): check for group, *kinds in lines for kind in kinds}


NAME_CHECKS: dict[GroupKind, _Check] = {
    **_table(_SUBDOMAIN_KINDS, _check_subdomain),
    **_table(_PATH_SEGMENT_KINDS, check_path_segment),
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
    check = NAME_CHECKS.get((obj.group, obj.kind))
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
        # The API server appends a suffix after a trailing hyphen.
        whole = prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
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
