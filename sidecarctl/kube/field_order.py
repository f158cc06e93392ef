"""The order in which people write the fields of Kubernetes objects: one table. Knows keys; not values, text
or style.
"""

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
        "amounts": "cpu memory ephemeral-storage",
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

# The last named step of a path decides; an index stands for an item of the list before it.
_CONTEXT_OF_ITEM = {
    "containers": "container", "initContainers": "container", "ephemeralContainers": "container",
    "volumes": "volume", "volumeMounts": "volumeMount", "env": "env", "ports": "port", "items": "object",
    "volumeClaimTemplates": "object", "resourceClaims": "volume", "envFrom": "env",
}  # fmt: skip
_CONTEXT_OF_FIELD = {
    "metadata": "metadata", "spec": "spec", "template": "podTemplate", "jobTemplate": "podTemplate",
    "resources": "resources", "requests": "amounts", "limits": "amounts", "httpGet": "httpGet",
    "livenessProbe": "probe", "readinessProbe": "probe", "startupProbe": "probe",
    "securityContext": "securityContext", "emptyDir": "emptyDir",
    "configMap": "reference", "secret": "reference", "configMapRef": "reference", "secretRef": "reference",
    "configMapKeyRef": "reference", "secretKeyRef": "reference",
}  # fmt: skip

# Stronger than the table, since readers look for them there: wherever the second stands, the first goes
# before it.
_RIGHT_BEFORE = {"initContainers": "containers"}
_ENOUGH_TO_BE_SORTED = 4


def context_of(path: Sequence[str | int]) -> str:
    """Return the context of the mapping at a path from an object's root, "" where the table has none.

    `()` is "object", `("spec", "template", "spec")` is "spec" (which serves pod specs and workload specs
    alike), `("spec", "containers", 0)` is "container".
    """
    if not path:
        return "object"
    last = path[-1]
    if isinstance(last, str):
        return _CONTEXT_OF_FIELD.get(last, "")
    before = path[-2] if len(path) > 1 else ""
    return _CONTEXT_OF_ITEM.get(before, "") if isinstance(before, str) else ""


def arrange(keys: Iterable[str], context: str) -> list[str]:
    """Return keys in the order people write them; those that the table does not have keep their order, at the
    end.
    """
    rank = _ranks(context)
    return sorted(keys, key=lambda key: rank.get(key, len(rank)))


def place(existing: Sequence[str], new: str, context: str) -> int:
    """Return the index at which a new key goes among existing ones, 0 to len(existing). Nothing is ever
    reordered.

    Keys that stand sorted by the alphabet, as tools print them, stay sorted. Otherwise the key goes where the
    fewest neighbours stand on its wrong side by the table, and there right after the key that the table has
    before it. A key that the table does not have goes last.
    """
    rank = _ranks(context)
    anchor = _RIGHT_BEFORE.get(new)
    if _sorted_by_a_tool(existing, rank):
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


def _sorted_by_a_tool(existing: Sequence[str], rank: dict[str, int]) -> bool:
    if len(existing) < _ENOUGH_TO_BE_SORTED or list(existing) != sorted(existing):
        return False
    known = [rank[key] for key in existing if key in rank]
    return known != sorted(known)
