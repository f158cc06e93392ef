"""The conventional order of fields in Kubernetes objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_POD_SPEC = """
    hostname subdomain setHostnameAsFQDN hostnameOverride serviceAccountName serviceAccount
    automountServiceAccountToken imagePullSecrets priorityClassName priority preemptionPolicy runtimeClassName
    schedulerName schedulingGates hostNetwork hostPID hostIPC hostUsers shareProcessNamespace dnsPolicy
    dnsConfig hostAliases enableServiceLinks os securityContext terminationGracePeriodSeconds
    activeDeadlineSeconds readinessGates resourceClaims overhead resources initContainers containers
    ephemeralContainers restartPolicy volumes nodeName nodeSelector affinity tolerations
    topologySpreadConstraints
"""
_WORKLOAD_SPEC = """
    schedule timeZone concurrencyPolicy suspend startingDeadlineSeconds successfulJobsHistoryLimit
    failedJobsHistoryLimit replicas parallelism completions completionMode backoffLimit backoffLimitPerIndex
    maxFailedIndexes podFailurePolicy successPolicy ttlSecondsAfterFinished manualSelector
    revisionHistoryLimit progressDeadlineSeconds minReadySeconds paused serviceName podManagementPolicy
    strategy updateStrategy selector jobTemplate template volumeClaimTemplates
    persistentVolumeClaimRetentionPolicy
"""

ORDER: dict[str, tuple[str, ...]] = {
    context: tuple(keys.split())
    for context, keys in {
        "object": """
            apiVersion kind metadata immutable type spec template provisioner parameters roleRef subjects
            rules webhooks data binaryData stringData items status
        """,
        "metadata": "name generateName namespace labels annotations finalizers ownerReferences",
        "podTemplate": "metadata spec",
        "podSpec": _POD_SPEC,
        "spec": _WORKLOAD_SPEC + _POD_SPEC,
        "container": """
            name image imagePullPolicy restartPolicy restartPolicyRules command args workingDir ports
            envFrom env resources resizePolicy startupProbe livenessProbe readinessProbe lifecycle
            securityContext volumeMounts volumeDevices terminationMessagePath terminationMessagePolicy stdin
            stdinOnce tty
        """,
        "port": "name containerPort hostPort hostIP port targetPort nodePort protocol appProtocol",
        "env": "name value valueFrom",
        "volumeMount": "name mountPath subPath subPathExpr readOnly recursiveReadOnly mountPropagation",
        "volume": "name",
        "resources": "requests limits claims",
        "quantities": "cpu memory ephemeral-storage",
        "probe": """
            exec httpGet tcpSocket grpc initialDelaySeconds periodSeconds timeoutSeconds successThreshold
            failureThreshold terminationGracePeriodSeconds
        """,
        "httpGet": "path port host scheme httpHeaders",
        "securityContext": """
            privileged allowPrivilegeEscalation runAsNonRoot runAsUser runAsGroup fsGroup
            fsGroupChangePolicy supplementalGroups supplementalGroupsPolicy readOnlyRootFilesystem
            capabilities seccompProfile seLinuxOptions appArmorProfile procMount sysctls windowsOptions
        """,
        "emptyDir": "medium sizeLimit",
        "reference": "name key optional items defaultMode",
    }.items()
}

# Contexts by the last key of a path; for an index, by the key of its list.
_CONTEXT_OF_ITEM = {
    "containers": "container", "initContainers": "container", "ephemeralContainers": "container",
    "volumes": "volume", "volumeMounts": "volumeMount", "env": "env", "ports": "port", "items": "object",
    "volumeClaimTemplates": "object", "resourceClaims": "volume", "envFrom": "env",
}  # fmt: skip
_CONTEXT_OF_FIELD = {
    "metadata": "metadata", "spec": "spec", "template": "podTemplate", "jobTemplate": "podTemplate",
    "resources": "resources", "requests": "quantities", "limits": "quantities", "httpGet": "httpGet",
    "livenessProbe": "probe", "readinessProbe": "probe", "startupProbe": "probe",
    "securityContext": "securityContext", "emptyDir": "emptyDir",
    "configMap": "reference", "secret": "reference", "configMapRef": "reference", "secretRef": "reference",
    "configMapKeyRef": "reference", "secretKeyRef": "reference",
}  # fmt: skip

# Keys that always go directly before another key, whatever the table says.
_DIRECTLY_BEFORE = {"initContainers": "containers"}
_MIN_SORTED_KEYS = 4


def context_of(path: Sequence[str | int]) -> str:
    """Return the context of the mapping at a path in an object, "" if the table has none.

    `()` is "object", `("spec", "template", "spec")` is "spec" (pod specs and workload specs), and
    `("spec", "containers", 0)` is "container".
    """
    if not path:
        return "object"
    last = path[-1]
    if isinstance(last, str):
        return _CONTEXT_OF_FIELD.get(last, "")
    before = path[-2] if len(path) > 1 else ""
    return _CONTEXT_OF_ITEM.get(before, "") if isinstance(before, str) else ""


def sort_fields(keys: Iterable[str], context: str) -> list[str]:
    """Return keys in conventional order, followed by unknown keys in their given order."""
    rank = _ranks(context)
    return sorted(keys, key=lambda key: rank.get(key, len(rank)))


def insertion_index(existing: Sequence[str], new: str, context: str) -> int:
    """Return the index at which to insert a new key among existing ones, 0 to len(existing).

    Alphabetically sorted keys, as printed by tools, stay sorted. Otherwise the key goes where the fewest existing keys
    are on the wrong side of it, directly after its predecessor in the table. An unknown key goes last.
    """
    rank = _ranks(context)
    anchor = _DIRECTLY_BEFORE.get(new)
    if _is_sorted_by_tool(existing, rank):
        return sum(key < new for key in existing)
    if anchor in existing:
        return existing.index(anchor)
    if new not in rank:
        return len(existing)
    sides = [_side(rank.get(key), rank[new]) for key in existing]
    wrong = sides.count(-1)
    scores = []
    for index in range(len(existing) + 1):
        wrong += sides[index - 1] if index else 0
        nearest = rank[existing[index - 1]] if index and sides[index - 1] < 0 else -1
        before_a_later_key = index < len(sides) and sides[index] > 0
        scores.append((-wrong, nearest, before_a_later_key, index))
    return max(scores)[-1]


def _side(rank: int | None, own: int) -> int:
    return 0 if rank is None else (-1 if rank < own else 1)


def _ranks(context: str) -> dict[str, int]:
    return {key: index for index, key in enumerate(ORDER.get(context, ()))}


def _is_sorted_by_tool(existing: Sequence[str], rank: dict[str, int]) -> bool:
    if len(existing) < _MIN_SORTED_KEYS or list(existing) != sorted(existing):
        return False
    known = [rank[key] for key in existing if key in rank]
    return known != sorted(known)
