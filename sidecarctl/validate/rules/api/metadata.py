"""Rules about object metadata: labels, annotations, finalizers, and owner references."""

from __future__ import annotations

import re

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import RECORD_ANNOTATION
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import all_metadata, check_labels, listed, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.object_names import NAME_CHECKS
from sidecarctl.validate.views import ObjectView, PodView

_STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))


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
    built_in = (obj.group, obj.kind) in NAME_CHECKS
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
    references = listed(obj.metadata, "ownerReferences")
    for position, (index, reference) in enumerate(references):
        if any(reference == earlier for _, earlier in references[:position]):
            continue  # the API server drops equal references
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


_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_MIRROR = "kubernetes.io/config.mirror"
_INT64 = lazy_pattern(r"[+-]?\d{1,18}", re.ASCII)


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


@rule(
    "unreadable-record",
    Severity.ERROR,
    layer="advice",
    fix="Restore the annotation, or remove it together with everything that sidecarctl added.",
)
def unreadable_record(pod: PodView, ctx: Context) -> Problems:
    """The record of the sidecars in this workload cannot be parsed.

    The annotation sidecarctl.dev/sidecars lists what sidecarctl added. Without it, sidecars cannot be removed or
    upgraded, and adding them again would duplicate them.
    """
    if RECORD_ANNOTATION not in pod.workload.annotations:
        return
    from sidecarctl.record import annotation as records
    from sidecarctl.record.paths import RecordError

    try:
        records.read(pod.workload)
    except RecordError as error:
        yield problem((*pod.metadata.path, "annotations", RECORD_ANNOTATION), error.message, help=error.hint)


# Annotations that the API server converts to a field of the previous API version.
_CONVERTED = {
    ("apps", "Deployment"): "deprecated.deployment.rollback.to",
    ("apps", "DaemonSet"): "deprecated.daemonset.template.generation",
}


@rule(
    "invalid-converted-annotation",
    Severity.ERROR,
    scope="object",
    kinds=("Deployment", "DaemonSet"),
    fix="Remove the annotation. It has no effect.",
)
def invalid_converted_annotation(obj: ObjectView, ctx: Context) -> Problems:
    """An annotation that replaced a field of an old API version is not a valid number.

    The API server still converts it to the field. It cannot read an object where the annotation is not an integer, and
    rejects a Deployment with a negative revision.
    """
    key = _CONVERTED.get((obj.group, obj.kind))
    value = obj.get("metadata", "annotations", key) if key else None
    if not isinstance(value, str):
        return
    where = obj.at("metadata", "annotations", str(key))
    if not _INT64.fullmatch(value):
        yield problem(where, f"invalid value {quote(value)}: use an integer")
    elif obj.kind == "Deployment" and int(value) < 0:
        yield problem(where, f"invalid revision {value} (minimum: 0)")
