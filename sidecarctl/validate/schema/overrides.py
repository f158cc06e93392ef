"""Constraints that the OpenAPI data lack: enums and additional required fields.

Source: the validation code of the API server. A value can have the minor version that added it ("FailIndex@28").
"""

from __future__ import annotations

from functools import cache

# Definition, field, allowed values. Lines of the same field are combined. "~" allows the empty string, which means
# the default.
_ENUMS = """
core.v1.PodSpec restartPolicy ~ Always OnFailure Never
core.v1.PodSpec dnsPolicy ~ ClusterFirst ClusterFirstWithHostNet Default None
core.v1.PodSpec preemptionPolicy PreemptLowerPriority Never
core.v1.PodOS name linux windows
core.v1.Container imagePullPolicy ~ Always IfNotPresent Never
core.v1.Container terminationMessagePolicy ~ File FallbackToLogsOnError
core.v1.Container restartPolicy Always OnFailure@35 Never@35
core.v1.EphemeralContainer imagePullPolicy ~ Always IfNotPresent Never
core.v1.EphemeralContainer terminationMessagePolicy ~ File FallbackToLogsOnError
core.v1.ContainerPort protocol ~ TCP UDP SCTP
core.v1.ContainerResizePolicy resourceName cpu memory
core.v1.ContainerResizePolicy restartPolicy NotRequired RestartContainer
core.v1.ContainerRestartRule action Restart RestartAllContainers@36
core.v1.ContainerRestartRuleOnExitCodes operator In NotIn
core.v1.ImageVolumeSource pullPolicy ~ Always IfNotPresent Never
core.v1.PodCertificateProjection keyType RSA3072 RSA4096 ECDSAP256 ECDSAP384 ECDSAP521 ED25519
core.v1.HTTPGetAction scheme ~ HTTP HTTPS
core.v1.VolumeMount mountPropagation None HostToContainer Bidirectional
core.v1.VolumeMount recursiveReadOnly Disabled IfPossible Enabled
core.v1.HostPathVolumeSource type ~ Directory DirectoryOrCreate File FileOrCreate Socket
core.v1.HostPathVolumeSource type BlockDevice CharDevice
core.v1.AzureDiskVolumeSource cachingMode None ReadOnly ReadWrite
core.v1.AzureDiskVolumeSource kind Shared Dedicated Managed
core.v1.PodSecurityContext fsGroupChangePolicy OnRootMismatch Always
core.v1.PodSecurityContext supplementalGroupsPolicy Merge Strict
core.v1.PodSecurityContext seLinuxChangePolicy Recursive MountOption@37
core.v1.SecurityContext procMount Default Unmasked
core.v1.SeccompProfile type RuntimeDefault Localhost Unconfined
core.v1.AppArmorProfile type RuntimeDefault Localhost Unconfined
core.v1.Toleration effect ~ NoSchedule PreferNoSchedule NoExecute
core.v1.Toleration operator ~ Exists Equal
core.v1.NodeSelectorRequirement operator In NotIn Exists DoesNotExist Gt Lt
meta.v1.LabelSelectorRequirement operator In NotIn Exists DoesNotExist
core.v1.TopologySpreadConstraint whenUnsatisfiable DoNotSchedule ScheduleAnyway
core.v1.TopologySpreadConstraint nodeAffinityPolicy Honor Ignore
core.v1.TopologySpreadConstraint nodeTaintsPolicy Honor Ignore
core.v1.PersistentVolumeClaimSpec accessModes ReadWriteOnce ReadOnlyMany ReadWriteMany ReadWriteOncePod
core.v1.PersistentVolumeClaimSpec volumeMode Filesystem Block
core.v1.PersistentVolumeSpec accessModes ReadWriteOnce ReadOnlyMany ReadWriteMany ReadWriteOncePod
core.v1.PersistentVolumeSpec persistentVolumeReclaimPolicy ~ Retain Delete Recycle
core.v1.PersistentVolumeSpec volumeMode Filesystem Block
apps.v1.DeploymentStrategy type ~ RollingUpdate Recreate
apps.v1.DaemonSetUpdateStrategy type ~ RollingUpdate OnDelete
apps.v1.StatefulSetUpdateStrategy type ~ RollingUpdate OnDelete
apps.v1.StatefulSetSpec podManagementPolicy ~ OrderedReady Parallel
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted ~ Retain Delete
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy whenScaled ~ Retain Delete
batch.v1.CronJobSpec concurrencyPolicy ~ Allow Forbid Replace
batch.v1.JobSpec completionMode NonIndexed Indexed
batch.v1.JobSpec podReplacementPolicy TerminatingOrFailed Failed
batch.v1.PodFailurePolicyRule action FailJob Ignore Count FailIndex@28
batch.v1.PodFailurePolicyOnExitCodesRequirement operator In NotIn
batch.v1.PodFailurePolicyOnPodConditionsPattern status ~ True False Unknown
autoscaling.v2.HPAScalingPolicy type Pods Percent
autoscaling.v2.HPAScalingRules selectPolicy Max Min Disabled
autoscaling.v2.MetricSpec type Resource ContainerResource Pods Object External
core.v1.ServiceSpec trafficDistribution PreferClose PreferSameZone@34 PreferSameNode@34
core.v1.ServiceSpec type ~ ClusterIP NodePort LoadBalancer ExternalName
core.v1.ServiceSpec sessionAffinity ~ None ClientIP
core.v1.ServiceSpec externalTrafficPolicy ~ Cluster Local
core.v1.ServiceSpec internalTrafficPolicy Cluster Local
core.v1.ServiceSpec ipFamilyPolicy SingleStack PreferDualStack RequireDualStack
core.v1.ServiceSpec ipFamilies IPv4 IPv6
core.v1.ServicePort protocol ~ TCP UDP SCTP
networking.v1.NetworkPolicyPort protocol TCP UDP SCTP
networking.v1.NetworkPolicySpec policyTypes Ingress Egress
networking.v1.HTTPIngressPath pathType Exact Prefix ImplementationSpecific
rbac.v1.Subject kind User Group ServiceAccount
rbac.v1.RoleRef apiGroup ~ rbac.authorization.k8s.io
rbac.v1.RoleRef kind Role ClusterRole
policy.v1.PodDisruptionBudgetSpec unhealthyPodEvictionPolicy IfHealthyBudget AlwaysAllow
storage.v1.StorageClass reclaimPolicy Retain Delete
storage.v1.StorageClass volumeBindingMode Immediate WaitForFirstConsumer
admissionregistration.v1.RuleWithOperations operations * CONNECT CREATE DELETE UPDATE
admissionregistration.v1.NamedRuleWithOperations operations * CONNECT CREATE DELETE UPDATE
admissionregistration.v1.ValidatingAdmissionPolicySpec failurePolicy Fail Ignore
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec validationActions Deny Warn Audit
admissionregistration.v1.ValidatingWebhook failurePolicy Fail Ignore
admissionregistration.v1.ValidatingWebhook matchPolicy Exact Equivalent
admissionregistration.v1.ValidatingWebhook sideEffects None NoneOnDryRun
admissionregistration.v1.MutatingWebhook failurePolicy Fail Ignore
discovery.v1.EndpointSlice addressType FQDN IPv4 IPv6
discovery.v1.EndpointPort protocol TCP UDP SCTP
core.v1.EndpointPort protocol ~ TCP UDP SCTP
admissionregistration.v1.MutatingWebhook matchPolicy Exact Equivalent
admissionregistration.v1.MutatingWebhook sideEffects None NoneOnDryRun
admissionregistration.v1.MutatingWebhook reinvocationPolicy Never IfNeeded
"""

# Fields that the data do not list as required, but without which the API server rejects the object.
REQUIRED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "core.v1.Pod",
            "core.v1.ReplicationController",
            "core.v1.Service",
            "core.v1.PersistentVolume",
            "core.v1.PersistentVolumeClaim",
            "apps.v1.Deployment",
            "apps.v1.ReplicaSet",
            "apps.v1.StatefulSet",
            "apps.v1.DaemonSet",
            "batch.v1.Job",
            "batch.v1.CronJob",
            "autoscaling.v1.HorizontalPodAutoscaler",
            "autoscaling.v2.HorizontalPodAutoscaler",
            "networking.v1.Ingress",
            "core.v1.PodTemplateSpec",
            "batch.v1.JobTemplateSpec",
        ),
        ("spec",),
    ),
    "core.v1.PodTemplate": ("template",),
    "core.v1.ReplicationControllerSpec": ("template",),
    "apps.v1.ReplicaSetSpec": ("template",),
}

# Fields that the data list as required, but that the API server does not need. Rules check those that only some objects need.
OPTIONAL: frozenset[tuple[str, str]] = frozenset(
    {
        ("core.v1.EvictionResponder", "priority"),
        ("core.v1.TypedLocalObjectReference", "kind"),
        ("core.v1.TypedLocalObjectReference", "name"),
        ("storage.v1.CSIDriver", "spec"),
    }
)

# Fields that the data list as required, but that the API server defaults, or accepts with their zero value.
FILLED_IN: frozenset[tuple[str, str]] = frozenset(
    {
        ("apps.v1.StatefulSetSpec", "serviceName"),
        ("apps.v1.ControllerRevision", "revision"),
        ("batch.v1.PodFailurePolicyOnPodConditionsPattern", "status"),
        ("batch.v1.PodFailurePolicy", "rules"),
        ("batch.v1.PodFailurePolicyRule", "onPodConditions"),
        ("core.v1.HTTPHeader", "value"),
        ("core.v1.ISCSIVolumeSource", "lun"),
        ("core.v1.ISCSIPersistentVolumeSource", "lun"),
        ("core.v1.LimitRangeSpec", "limits"),
        ("core.v1.PreferredSchedulingTerm", "preference"),
        ("core.v1.ScaleIOVolumeSource", "secretRef"),
        ("core.v1.SleepAction", "seconds"),
        ("core.v1.Sysctl", "value"),
        ("discovery.v1.EndpointSlice", "endpoints"),
        ("discovery.v1.ForZone", "name"),
        ("networking.v1.NetworkPolicySpec", "podSelector"),
        ("rbac.v1.RoleRef", "apiGroup"),
        ("scheduling.v1.PriorityClass", "value"),
        *(
            (f"resource.{version}.{name}", "spec")
            for version in ("v1beta1", "v1beta2", "v1")
            for name in ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceClaimTemplateSpec")
        ),
    }
)


def allowed(definition: str, field: str, minor: int) -> tuple[str, ...]:
    """Return the allowed values of an enum field in a minor version, () for other fields.

    They include "" if the empty string means the default.
    """
    return tuple(value for value, since in _table().get((definition, field), ()) if since <= minor)


def since(definition: str, field: str, value: str) -> int:
    """Return the minor version that added a value of an enum field, 0 if it is unknown or older than all versions."""
    return dict(_table().get((definition, field), ())).get(value, 0)


@cache
def _table() -> dict[tuple[str, str], tuple[tuple[str, int], ...]]:
    table: dict[tuple[str, str], tuple[tuple[str, int], ...]] = {}
    for line in _ENUMS.strip().splitlines():
        definition, field, *values = line.split()
        pairs = (value.partition("@") for value in values)
        more = tuple(("" if name == "~" else name, int(at or 0)) for name, _, at in pairs)
        table[definition, field] = table.get((definition, field), ()) + more
    return table
