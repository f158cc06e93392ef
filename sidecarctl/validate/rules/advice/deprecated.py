"""Rules about deprecated node labels, annotations, and volume types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import pod_volumes
from sidecarctl.validate.pod_security_baseline import APP_ARMOR_ANNOTATION, SECCOMP_ANNOTATION, SECCOMP_POD_ANNOTATION
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.views import PodView

# Label: its replacement, "" if it has none.
_NODE_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "node-role.kubernetes.io/master": "node-role.kubernetes.io/control-plane",
    "app.kubernetes.io/created-by": "",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "",
}
# Annotation: the field that replaces it. None of them has had an effect since before 1.25.
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": "priorityClassName",
    "security.alpha.kubernetes.io/sysctls": "securityContext.sysctls",
    "security.alpha.kubernetes.io/unsafe-sysctls": "securityContext.sysctls",
}
# Volume type: the minor versions that deprecated it and that removed its implementation.
_VOLUMES = {
    "photonPersistentDisk": (11, 16),
    "gitRepo": (11, 33),
    "scaleIO": (16, 22),
    "flocker": (22, 25),
    "storageos": (22, 25),
    "quobyte": (22, 25),
    "glusterfs": (25, 26),
    "cephfs": (28, 31),
    "rbd": (28, 31),
}
_NODE_AFFINITY = ("affinity", "nodeAffinity")


@rule(
    "deprecated-node-label",
    Severity.WARNING,
    layer="advice",
    fix="Use the label that replaces it.",
)
def deprecated_node_label(pod: PodView, ctx: Context) -> Problems:
    """A pod selects nodes by a deprecated label.

    When nodes no longer have the label, the pod cannot be scheduled. The API server accepts it with a warning. A label
    is not reported if an alternative term of the node affinity has the label that replaces it.
    """
    for key, path in _node_labels(pod):
        successor = _NODE_LABELS.get(key)
        if successor is not None:
            advice = f"Use {successor}." if successor else "Use another label, or taints and tolerations."
            yield problem(path, f"deprecated node label {quote(key)}", help=advice, on_key=path[-1] == key)


def _node_labels(pod: PodView) -> Iterator[tuple[str, PathTuple]]:
    """Yield the keys of the node labels that a pod uses."""
    if pod.value.get("nodeSelector"):
        for key, _, path in pod.pairs("nodeSelector"):
            yield key, path
    for constraint in pod.each("topologySpreadConstraints"):
        yield constraint.text("topologyKey"), constraint.at("topologyKey")
    if not as_mapping(pod.value.get("affinity")).get("nodeAffinity"):
        return
    required, preferred = (f"{word}DuringSchedulingIgnoredDuringExecution" for word in ("required", "preferred"))
    alternatives = (
        list(pod.each(*_NODE_AFFINITY, required, "nodeSelectorTerms")),
        [term.child("preference") for term in pod.each(*_NODE_AFFINITY, preferred)],
    )
    for terms in alternatives:
        keys = [{expression.text("key") for expression in term.each("matchExpressions")} for term in terms]
        counts = Counter(chain.from_iterable(keys))
        for term, own in zip(terms, keys):
            for expression in term.each("matchExpressions"):
                key = expression.text("key")
                # A pod that avoids nodes does so by both labels in the same term.
                avoids = expression.text("operator") in ("DoesNotExist", "NotIn")
                successor = _NODE_LABELS.get(key, "")
                if not (successor in own if avoids else counts[successor] > (successor in own)):
                    yield key, expression.at("key")


@rule(
    "deprecated-annotation",
    Severity.WARNING,
    layer="advice",
    fix="Use the field that replaces it.",
)
def deprecated_annotation(pod: PodView, ctx: Context) -> Problems:
    """A pod uses an annotation that a field has replaced.

    The annotations for seccomp, sysctls, and critical pods have no effect. Those for AppArmor still work and are
    deprecated since Kubernetes 1.30. The API server accepts them with a warning, unless the field is set too.
    """
    annotations = pod.metadata.value.get("annotations")
    if not annotations or not isinstance(annotations, dict):
        return
    for key, field in _ANNOTATIONS.items():
        if key in annotations:
            yield _annotation(pod, key, field, "has no effect")
    own = as_mapping(pod.value.get("securityContext"))
    if SECCOMP_POD_ANNOTATION in annotations and own.get("seccompProfile") is None:
        yield _annotation(pod, SECCOMP_POD_ANNOTATION, "securityContext.seccompProfile", *_seccomp(ctx))
    for container in pod.containers:
        context = as_mapping(container.value.get("securityContext"))
        key = SECCOMP_ANNOTATION + container.name
        if key in annotations and context.get("seccompProfile") is None:
            yield _annotation(pod, key, "securityContext.seccompProfile", *_seccomp(ctx))
        key = APP_ARMOR_ANNOTATION + container.name
        if key in annotations and ctx.since("1.30") and context.get("appArmorProfile") is None:
            if own.get("appArmorProfile") != _profile(annotations[key]):
                yield _annotation(pod, key, "securityContext.appArmorProfile", "is deprecated since Kubernetes 1.30")


def _seccomp(ctx: Context) -> tuple[str]:
    return ("has no effect" if ctx.since("1.27") else "has no effect since Kubernetes 1.27",)


def _profile(annotation: object) -> dict[str, str] | None:
    """Return the appArmorProfile that an AppArmor annotation means, None for an unknown value."""
    text = str(annotation)
    if text.startswith("localhost/"):
        return {"type": "Localhost", "localhostProfile": text.removeprefix("localhost/")}
    kind = {"runtime/default": "RuntimeDefault", "unconfined": "Unconfined"}.get(text)
    return {"type": kind} if kind else None


def _annotation(pod: PodView, key: str, field: str, state: str) -> Problem:
    path = pod.metadata.at("annotations", key)
    return problem(path, f"annotation {quote(key)} {state}", help=f"Use the field {field}.", on_key=True)


@rule(
    "deprecated-volume",
    Severity.WARNING,
    layer="advice",
    fix="Use a CSI driver.",
)
def deprecated_volume(pod: PodView, ctx: Context) -> Problems:
    """A volume has a deprecated or removed type.

    The API server accepts the type with a warning. After Kubernetes removes the type, the volume is never mounted, and
    the pod never starts. For a removed type, the severity is error.
    """
    minor = int(ctx.kube_version[2:])
    for index, volume in pod_volumes(pod):
        for source in sorted(volume.keys() & _VOLUMES.keys()):
            since, gone = _VOLUMES[source]
            if volume[source] is None or minor < since:
                continue
            removed = minor >= gone
            state = f"was removed in Kubernetes 1.{gone}" if removed else f"is deprecated since Kubernetes 1.{since}"
            yield problem(
                pod.at("volumes", index, source),
                f"volume type {source} {state}",
                help="Use an emptyDir that a sidecar such as git-sync fills." if source == "gitRepo" else "",
                on_key=True,
                severity=Severity.ERROR if removed else None,
            )
