"""Companion documents: named after workload and instance, marked with their owner, placed behind the workload."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.kube.names import LABEL_LENGTH, to_dns_label
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.remove import ends_in_block_scalar
from sidecarctl.yamltext.stream import Document

OWNER_ANNOTATION = "sidecarctl.dev/owner"
# A change of these must roll the pods; nothing in the pod template would change otherwise.
CONFIG_HASH_KINDS = ("ConfigMap", "Secret")


def companion_name(workload: Workload, instance: str) -> str:
    """Return `<workload>-<instance>` as a DNS label; a long one is cut and given a hash."""
    name = f"{workload.name or workload.kind.lower()}-{instance}".rstrip("-")
    label = to_dns_label(name) or instance
    if len(name) <= LABEL_LENGTH:
        return label
    return f"{label[: LABEL_LENGTH - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def owner(workload: Workload, instance: str) -> str:
    """Return the value of the owner annotation: `Deployment/web/logger`, with the namespace where there is one."""
    return f"{workload.label}/{instance}"


def marked(document: Mapping[str, Any], workload: Workload, instance: str) -> dict[str, Any]:
    """Return a companion with the workload's namespace and the owner annotation."""
    metadata = dict(as_mapping(document.get("metadata")))
    annotations = {**as_mapping(metadata.pop("annotations", None)), OWNER_ANNOTATION: owner(workload, instance)}
    namespace = {"namespace": workload.namespace} if workload.namespace and "namespace" not in metadata else {}
    name = {"name": metadata.pop("name")} if "name" in metadata else {}
    return {**document, "metadata": {**name, **namespace, **metadata, "annotations": annotations}}


def config_hash(documents: Sequence[dict[str, Any]]) -> str:
    """Return 16 hex digits over the content of companions."""
    content = [{k: v for k, v in document.items() if k != "metadata"} for document in documents]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def owner_of(document: Document) -> str | None:
    """Return a companion's owner; None for a document that is none."""
    if OWNER_ANNOTATION not in document.text:
        return None
    value = document.value
    found = as_mapping(as_mapping(as_mapping(value).get("metadata")).get("annotations")).get(OWNER_ANNOTATION)
    return found if isinstance(found, str) else None


def placed(documents: list[Document], at: int, value: dict[str, Any], following: str | None) -> None:
    """Put a companion among documents at an index, in the style of the one before it: YAML, or JSON behind JSON.

    `following` is the head of what stands behind all of them, None where the stream ends: a stream that lacks its final
    line end still lacks it afterwards, and JSON objects that follow each other without separators still do.
    """
    after = documents[at - 1]
    newline = "\r\n" if "\r\n" in after.text else "\n"
    json_like = after.text.lstrip().startswith("{")
    body = _json(value, newline) if json_like else emit.document(value, newline)
    behind = documents[at].head if at < len(documents) else following
    bare = json_like and (behind == "" or (after.index > 0 and not after.head))
    if not after.text.endswith("\n"):
        body = body.removesuffix(newline)
        if after.text.endswith("\r"):
            raise EditRefused(
                "the file ends with a carriage return alone: behind the line feed that a document after it needs, nobody "
                "could tell that it did",
                (),
                hint="end the file with a line end of one kind",
            )
        if ends_in_block_scalar(after.text, after.root):
            raise EditRefused(
                "the file ends inside a block scalar, without a line end: a document after it would add one to its value",
                (),
                hint="end the file with a line end",
            )
        if not bare:
            documents[at - 1] = after.with_text(after.text + newline, after.root)
    documents.insert(at, Document("" if bare else "---" + newline, body, after.line, after.file, after.index))


def _json(value: dict[str, Any], newline: str) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", newline) + newline
