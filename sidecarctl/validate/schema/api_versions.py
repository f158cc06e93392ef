"""The API versions of the kinds: removed, deprecated, not served by default, and their replacements.

The schema data contain the API versions since Kubernetes 1.25. The tables here add the API versions that were removed
before, and those that are deprecated. Source: the lifecycle that the API types declare.
"""

from __future__ import annotations

import re
from functools import cache

from sidecarctl.errors import did_you_mean
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.kube.versions import NEWEST_MINOR
from sidecarctl.validate.schema.data import kind_spans, schemas

# apiVersion, kinds ("*" for any), minor version that removed it, replacement: a version of the same group, an
# apiVersion, or "-" for none.
_REMOVED = """
extensions/v1beta1 Deployment,DaemonSet,ReplicaSet,ControllerRevision 16 apps/v1
extensions/v1beta1 NetworkPolicy 16 networking.k8s.io/v1
extensions/v1beta1 PodSecurityPolicy 16 -
extensions/v1beta1 Ingress 22 networking.k8s.io/v1
apps/v1beta1 * 16 v1
apps/v1beta2 * 16 v1
settings.k8s.io/v1alpha1 PodPreset 20 -
batch/v2alpha1 CronJob 21 v1
admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration 22 v1
admissionregistration.k8s.io/v1beta1 ValidatingWebhookConfiguration 22 v1
apiextensions.k8s.io/v1beta1 CustomResourceDefinition 22 v1
apiregistration.k8s.io/v1beta1 APIService 22 v1
authentication.k8s.io/v1beta1 TokenReview 22 v1
authorization.k8s.io/v1beta1 * 22 v1
certificates.k8s.io/v1beta1 CertificateSigningRequest 22 v1
coordination.k8s.io/v1beta1 Lease 22 v1
networking.k8s.io/v1beta1 Ingress,IngressClass 22 v1
rbac.authorization.k8s.io/v1beta1 * 22 v1
rbac.authorization.k8s.io/v1alpha1 * 22 v1
scheduling.k8s.io/v1beta1 PriorityClass 22 v1
scheduling.k8s.io/v1alpha1 PriorityClass 22 v1
storage.k8s.io/v1beta1 CSIDriver,CSINode,StorageClass,VolumeAttachment 22 v1
autoscaling/v2beta1 HorizontalPodAutoscaler 25 v2
batch/v1beta1 CronJob 25 v1
discovery.k8s.io/v1beta1 EndpointSlice 25 v1
events.k8s.io/v1beta1 Event 25 v1
node.k8s.io/v1beta1 RuntimeClass 25 v1
policy/v1beta1 PodDisruptionBudget,Eviction 25 v1
policy/v1beta1 PodSecurityPolicy 25 -
"""

# apiVersion, kinds, minor version that deprecated it, replacement, kind of the replacement if it differs.
_DEPRECATED = """
v1 ComponentStatus 19 -
v1 Endpoints 33 discovery.k8s.io/v1 EndpointSlice
autoscaling/v2beta2 HorizontalPodAutoscaler 23 v2
flowcontrol.apiserver.k8s.io/v1beta1 * 23 v1
flowcontrol.apiserver.k8s.io/v1beta2 * 26 v1
flowcontrol.apiserver.k8s.io/v1beta3 * 29 v1
storage.k8s.io/v1beta1 CSIStorageCapacity 24 v1
storage.k8s.io/v1beta1 VolumeAttributesClass 34 v1
storage.k8s.io/v1alpha1 VolumeAttributesClass 32 v1
admissionregistration.k8s.io/v1alpha1 ValidatingAdmissionPolicy 29 v1
admissionregistration.k8s.io/v1alpha1 ValidatingAdmissionPolicyBinding 29 v1
admissionregistration.k8s.io/v1beta1 ValidatingAdmissionPolicy 31 v1
admissionregistration.k8s.io/v1beta1 ValidatingAdmissionPolicyBinding 31 v1
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicy 35 v1
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicyBinding 35 v1
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicy 37 v1
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicyBinding 37 v1
authentication.k8s.io/v1alpha1 SelfSubjectReview 29 v1
authentication.k8s.io/v1beta1 SelfSubjectReview 30 v1
certificates.k8s.io/v1alpha1 ClusterTrustBundle 34 v1
certificates.k8s.io/v1beta1 ClusterTrustBundle,PodCertificateRequest 37 v1
networking.k8s.io/v1beta1 IPAddress,ServiceCIDR 34 v1
resource.k8s.io/v1beta1 * 35 v1
resource.k8s.io/v1beta2 DeviceClass,ResourceClaim,ResourceClaimTemplate,ResourceSlice 36 v1
storagemigration.k8s.io/v1beta1 StorageVersionMigration 37 v1
"""

# Beta versions that the API server serves by default. It serves no alpha version, and no other beta version since 1.24.
_SERVED_BETAS = """
autoscaling/v2beta1 *
autoscaling/v2beta2 *
batch/v1beta1 *
discovery.k8s.io/v1beta1 *
events.k8s.io/v1beta1 *
flowcontrol.apiserver.k8s.io/v1beta1 *
flowcontrol.apiserver.k8s.io/v1beta2 *
flowcontrol.apiserver.k8s.io/v1beta3 *
node.k8s.io/v1beta1 *
policy/v1beta1 *
storage.k8s.io/v1beta1 CSIStorageCapacity
"""

# Kinds that OpenShift 3 served in "v1". `oc` still reads them: `oc process -f` requires a Template.
_OPENSHIFT_KINDS = frozenset({"Template", "DeploymentConfig", "BuildConfig", "ImageStream", "ImageStreamTag", "Route"})
_NOT_VALIDATED = ": fields are not validated"
_WHY_REMOVED = "The API server no longer serves this API version and rejects the object."


def find_deprecation(api_version: str, kind: str, version: str, path: PathTuple) -> Finding | None:
    """Return a warning if an apiVersion is deprecated in a Kubernetes version ("1.34"), else None."""
    row = _row(_DEPRECATED, api_version, kind)
    here = schemas(version)
    if row is None or row[0] > here.minor:
        return None
    since, replacement, replacement_kind = row
    if (replacement, replacement_kind) in here.kinds:
        help_text = f"use {_named(replacement, replacement_kind, kind)}"
    else:
        help_text = "no replacement yet" if replacement != "-" else "there is no replacement"
    span = kind_spans().get((api_version, kind))
    removal = f" and removed in 1.{span.last + 1}" if span and span.last < NEWEST_MINOR else ""
    return Finding(
        "deprecated-api",
        f"{api_version} {kind} is deprecated since Kubernetes 1.{since}{removal}",
        Severity.WARNING,
        (*path, "apiVersion"),
        help=help_text,
    )


def find_disabled_api(api_version: str, kind: str, version: str, path: PathTuple) -> Finding | None:
    """Return an error if the API server has an apiVersion but does not serve it by default, else None."""
    name = api_version.rpartition("/")[2]
    served = (line.split() for line in _SERVED_BETAS.strip().splitlines())
    if not ("alpha" in name or "beta" in name) or any(own == api_version and of in ("*", kind) for own, of in served):
        return None
    other = find_replacement(api_version, kind, version)
    better = bool(other) and "alpha" not in other and "beta" not in other
    return Finding(
        "disabled-api",
        f"{api_version} {kind} is not served by default",
        path=(*path, "apiVersion"),
        help=f"use {other}" if better else f"enable it in the API server: --runtime-config={api_version}=true",
    )


def explain_missing_kind(api_version: str, kind: str, version: str, path: PathTuple) -> Finding:
    """Return the finding for a kind that a version does not have: removed, newer, misspelled, or custom (info)."""
    here = schemas(version)
    span = kind_spans().get((api_version, kind))
    at_version, at_kind = (*path, "apiVersion"), (*path, "kind")
    if span and span.first > here.minor:
        other = _best_version(api_version, kind, version)
        message = f"{api_version} {kind} requires Kubernetes 1.{span.first} (target: {version})"
        return Finding(
            "unknown-kind",
            message,
            path=at_version,
            help=f"use {other}" if other else f"target Kubernetes 1.{span.first} or later",
        )
    removed = _row(_REMOVED, api_version, kind)
    if span or removed:
        gone = span.last + 1 if span else removed[0] if removed else 0
        replacement = removed[1] if removed else _best_version(api_version, kind, version)
        message = f"{api_version} {kind} was removed in Kubernetes 1.{gone} (target: {version})"
        help_text = f"use {replacement}" if replacement and replacement != "-" else "there is no replacement"
        return Finding("removed-api", message, path=at_version, why=_WHY_REMOVED, help=help_text)
    homes = sorted(known for known, own in here.kinds if own == kind)
    foreign = not _is_built_in(api_version) and not (homes and "." not in api_version)
    if foreign or (api_version == "v1" and kind in _OPENSHIFT_KINDS):
        note = f'unknown kind "{kind}" in {api_version}{_NOT_VALIDATED}'
        return Finding("unknown-kind", note, Severity.INFO, at_kind)
    message = f'unknown kind "{kind}" in {api_version} for Kubernetes {version}'
    if homes:
        return Finding("unknown-kind", message, path=at_version, help=f"{kind} is in {' and '.join(homes)}")
    same_group = [own for known, own in here.kinds if known == api_version]
    help_text = did_you_mean(kind, same_group) or did_you_mean(kind, (own for _, own in here.kinds))
    return Finding("unknown-kind", message, path=at_kind, help=help_text)


def custom_kind(finding: Finding) -> str:
    """Return "Kind in group/version" from the finding for an object of a custom kind."""
    return finding.message.removeprefix("unknown kind ").removesuffix(_NOT_VALIDATED).replace('"', "")


def find_replacement(api_version: str, kind: str, version: str) -> str:
    """Return the apiVersion that replaces a removed or deprecated one for a kind, "" if there is none."""
    row = _row(_REMOVED, api_version, kind) or _row(_DEPRECATED, api_version, kind)
    known = schemas(version).kinds
    found = row[1] if row and row[2] == kind else _best_version(api_version, kind, version)
    return found if (found, kind) in known and found != api_version else ""


def _named(api_version: str, kind: str, old_kind: str) -> str:
    return api_version if kind == old_kind else f"{kind} in {api_version}"


def _best_version(api_version: str, kind: str, version: str) -> str:
    """Return the most stable apiVersion of the same group that has the kind, "" if there is none."""
    group = api_version.rpartition("/")[0]
    names = [known for known, own in schemas(version).kinds if own == kind]
    return max((known for known in names if known.rpartition("/")[0] == group), key=_stability, default="")


def _stability(api_version: str) -> tuple[bool, bool, list[int]]:
    """Return a sort key by stability, then by number: v1alpha1 < v1beta2 < v1 < v2."""
    name = api_version.rpartition("/")[2]
    return "alpha" not in name, "beta" not in name, [int(number) for number in re.findall(r"\d+", name)]


@cache
def _built_in_groups() -> frozenset[str]:
    rows = (line.split()[0] for line in _REMOVED.strip().splitlines())
    return frozenset(name.rpartition("/")[0] for name in (*rows, *(known for known, _ in kind_spans())))


def _is_built_in(api_version: str) -> bool:
    return api_version.rpartition("/")[0] in _built_in_groups()


def _row(table: str, api_version: str, kind: str) -> tuple[int, str, str] | None:
    """Return minor version, apiVersion of the replacement ("-" for none), and its kind from the first matching row."""
    for line in table.strip().splitlines():
        own, kinds, minor, replacement, *other_kind = line.split()
        if own == api_version and (kinds == "*" or kind in kinds.split(",")):
            if replacement != "-" and "/" not in replacement:
                replacement = f"{own.rpartition('/')[0]}/{replacement}"
            return int(minor), replacement, other_kind[0] if other_kind else kind
    return None
