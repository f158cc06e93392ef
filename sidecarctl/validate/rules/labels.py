"""Rules about labels and annotations, of objects and of their pod templates."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.validate.controllers import all_metadata
from sidecarctl.validate.labels import label_faults
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView, PodView

_ANNOTATIONS_SIZE = 256 * 1024
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_MIRROR = "kubernetes.io/config.mirror"


@rule(
    "label",
    Severity.ERROR,
    scope="object",
    fix="Put what does not fit into an annotation, whose value is free.",
)
def label(one: ObjectView, ctx: Context) -> Problems:
    """A label's key or value has characters or a length that labels can't have.

    Labels are written into selectors and addresses. A value is empty or at most 63 of letters, digits, "-", "_" and
    ".", with a letter or digit at both ends; a key is such a name, with an optional domain and "/" before it.
    """
    for metadata in all_metadata(one):
        labels = metadata.value.get("labels")
        if labels:
            yield from label_faults(labels, (*metadata.path, "labels"))


@rule(
    "annotation-key",
    Severity.ERROR,
    scope="object",
    fix="Use an optional domain, one \"/\" and a name of at most 63 letters, digits, '-', '_' and '.'.",
)
def annotation_key(one: ObjectView, ctx: Context) -> Problems:
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
    "annotations-size",
    Severity.ERROR,
    scope="object",
    given=Context(options={"annotations-size": 80}),
    fix="Put large values into a ConfigMap.",
)
def annotations_size(one: ObjectView, ctx: Context) -> Problems:
    """The annotations of an object are larger than 256 KiB together.

    Keys and values count, in bytes of UTF-8. `kubectl apply` keeps a copy of the whole manifest among them, so the
    option `annotations-size` can set a lower limit, in bytes.
    """
    limit = ctx.options.get("annotations-size", _ANNOTATIONS_SIZE)
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
    "pod-annotation",
    Severity.ERROR,
    fix="Write the cost as an integer in quotes; leave the annotation of mirror pods to the kubelet.",
)
def pod_annotation(pod: PodView, ctx: Context) -> Problems:
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
