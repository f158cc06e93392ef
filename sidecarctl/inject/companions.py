"""Companions: documents that a sidecar adds beside its workload. Named, marked with their owner, and placed.

A companion follows its workload in the stream. `companion_search` finds it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sidecarctl.errors import InputError, UsageError
from sidecarctl.findings import Finding, Place
from sidecarctl.kube.names import LABEL_LENGTH, to_dns_label
from sidecarctl.kube.workload import Workload, as_mapping, may_hold
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.record import annotation as records
from sidecarctl.results import WorkloadChange
from sidecarctl.sha256 import sha256
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert
from sidecarctl.yamltext.remove import ends_in_block_scalar
from sidecarctl.yamltext.stream import Document

OWNER_ANNOTATION = "sidecarctl.dev/owner"
# A changed ConfigMap or Secret must restart the pods, so the pod template gets its hash.
CONFIG_HASH_KINDS = ("ConfigMap", "Secret")
# Kind, name, and namespace.
Identity = tuple[str, str, str]
DUPLICATE_RULE = "duplicate-object"
_AFTER_ALL = float("inf")
# To the first line break of YAML, which ends a comment.
_SOURCE = lazy_pattern("^# Source: [^\r\n\x85\u2028\u2029]+", re.MULTILINE)
# A companion must exist when its workload starts, also if the workload is a hook. Helm runs hooks of a lower weight first.
_HOOK, _HOOK_WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"
_INHERITED = (
    "helm.sh/hook-delete-policy",
    "argocd.argoproj.io/hook",
    "argocd.argoproj.io/hook-delete-policy",
    "argocd.argoproj.io/sync-wave",
)


def companion_name(workload: Workload, instance: str) -> str:
    """Return `<workload>-<instance>` as a DNS label; a longer name is cut and ends in a hash."""
    name = f"{workload.name or workload.kind.lower()}-{instance}".rstrip("-")
    label = to_dns_label(name) or instance
    if len(name) <= LABEL_LENGTH:
        return label
    return f"{label[: LABEL_LENGTH - 9].rstrip('-')}-{sha256(name.encode()).hexdigest()[:8]}"


def format_owner(workload: Workload, instance: str) -> str:
    """Return the value of the owner annotation: `Deployment/web/logger`, or `Deployment/prod/web/logger` with a namespace."""
    return f"{workload.label}/{instance}"


def add_owner(document: Mapping[str, Any], workload: Workload, instance: str) -> dict[str, Any]:
    """Return a companion with the owner annotation, in the workload's namespace unless it names its own.

    It inherits the annotations that make the workload a hook of Helm or Argo CD, or put it into a wave.
    """
    metadata = dict(as_mapping(document.get("metadata")))
    annotations = {
        **inherit_hooks(workload),
        **as_mapping(metadata.pop("annotations", None)),
        OWNER_ANNOTATION: format_owner(workload, instance),
    }
    namespace = {"namespace": workload.namespace} if workload.namespace and "namespace" not in metadata else {}
    name = {"name": metadata.pop("name")} if "name" in metadata else {}
    return {**document, "metadata": {**name, **namespace, **metadata, "annotations": annotations}}


def inherit_hooks(workload: Workload) -> dict[str, str]:
    """Return the annotations with which a companion is created before a workload that is a hook or in a wave.

    Sources: https://helm.sh/docs/topics/charts_hooks/ and https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
    """
    annotations = as_mapping(as_mapping(workload.value.get("metadata")).get("annotations"))
    found = {key: annotations[key] for key in _INHERITED if isinstance(annotations.get(key), str)}
    if not isinstance(annotations.get(_HOOK), str):
        return {key: value for key, value in found.items() if not key.startswith(_HOOK)}
    weight = str(annotations.get(_HOOK_WEIGHT, "0"))
    lower = str(int(weight) - 1) if re.fullmatch(r"[+-]?[0-9]{1,9}", weight) else "-1"
    return {_HOOK: annotations[_HOOK], _HOOK_WEIGHT: lower, **found}


def hash_config(documents: Sequence[dict[str, Any]]) -> str:
    """Return a hash of companions without their metadata, as 16 hexadecimal digits."""
    content = [{k: v for k, v in document.items() if k != "metadata"} for document in documents]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_owner(document: Document) -> str | None:
    """Return the owner annotation of a companion, None for any other document."""
    if not may_hold(document.text, OWNER_ANNOTATION):
        return None
    owner = as_mapping(as_mapping(as_mapping(_parsed(document)).get("metadata")).get("annotations")).get(
        OWNER_ANNOTATION
    )
    return owner if isinstance(owner, str) else None


def read_object_owner(value: object) -> str:
    """Return the owner annotation of an object, "" if it has none."""
    annotations = as_mapping(as_mapping(as_mapping(value).get("metadata")).get("annotations"))
    owner = annotations.get(OWNER_ANNOTATION, "")
    return owner if isinstance(owner, str) else ""


def _parsed(document: Document) -> object:
    """Return the value of a document, None if it cannot be parsed: the pipeline reports that."""
    try:
        return document.value
    except InputError:
        return None


def find_source_comment(text: str) -> str:
    """Return the comment in which Helm names the template of a document, "" if there is none.

    `post-render` copies that of a workload to its companions.
    """
    found = _SOURCE.search(text)
    return found.group() if found else ""


def added_companions(change: WorkloadChange) -> Iterator[tuple[Identity, str]]:
    """Yield the new companions of a workload, each with its instance."""
    for instance in change.instances:
        for identity in instance.companions:
            yield identity, instance.name


def find_shared_names(changes: Iterable[WorkloadChange], owners: dict[str, str]) -> Iterator[Finding]:
    """Yield an error for each companion that has the name of a companion of another workload, or of another instance.

    `owners` maps each earlier one to its workload and instance, and gets the new ones: as texts, because a stream can have any
    length. `Deployment/web` and `Pod/web` have companions of one name, and the last one that is applied replaces the other. Of
    two objects of one kind and name, the last one replaces the other itself; objects with one `generateName`, which ends in a
    hyphen, exist side by side.
    """
    for change in changes:
        generated = change.name.endswith("-")
        label = f"{change.label} (line {change.line})" if generated else change.label
        for identity, instance in added_companions(change):
            key, owner = "\0".join(identity), f"{label}\0{instance}"
            first = owners.get(key, "")
            owners.setdefault(key, owner)
            if not first or (first == owner and not generated):
                continue
            workload, _, other = first.partition("\0")
            if workload == label and other != instance:
                added = f"{other} and {instance} add {identity[0]} {identity[1]} to {label}"
            else:
                added = f"{instance} adds {identity[0]} {identity[1]} to {workload} and {label}"
            yield Finding(
                DUPLICATE_RULE,
                f"{added}: one would replace the other",
                help="give the instance of one of them another name with --as",
                workload=change.label,
                place=Place(change.file, change.line, 1, change.line, 1),
            )


# ---- adding and removing -----------------------------------------------------------------------------------------


def insert_list_items(
    value: object, workload: Workload, instance: str, documents: Sequence[dict[str, Any]]
) -> Iterable[Edit]:
    """Yield the edits that insert companions into the List that holds the workload, behind those of earlier instances.

    Raises UsageError for a list of one kind, such as a PodList.
    """
    path = workload.path
    if not path or not documents:
        return
    holder: Any = value
    for step in path[:-2]:
        holder = holder[step]
    if holder.get("kind") != "List":
        companion = documents[0].get("kind")
        raise UsageError(
            f'a {holder.get("kind")} cannot hold the {companion} of sidecar "{instance}"',
            hint=f"change the list to kind List in v1, or write each {workload.kind} as a document",
        )
    items = holder["items"]
    index = int(path[-1]) + 1
    ranks = _rank_instances(workload, instance)
    while index < len(items) and _rank(read_object_owner(items[index]), ranks) <= ranks[instance]:
        index += 1
    for document in documents:
        yield Insert((*path[:-1], index), document, "companion")


def place_companions(
    documents: tuple[Document, ...], made: Sequence[tuple[Workload, str, dict[str, Any]]], following: str | None
) -> tuple[Document, ...]:
    """Insert companions (workload, instance, value) behind the workload, in the order of the instances."""
    out = list(documents)
    for workload, instance, values in _group_companions(made):
        ranks = _rank_instances(workload, instance)
        at = 1
        # Those that other files have come last: a new one is written into the file of its workload.
        while (
            at < len(out) and out[at].file == out[0].file and _rank(read_owner(out[at]) or "", ranks) <= ranks[instance]
        ):
            at += 1
        for index, value in enumerate(values, at):
            insert_companion(out, index, value, following)
    return tuple(out)


def _group_companions(
    made: Iterable[tuple[Workload, str, dict[str, Any]]],
) -> Iterator[tuple[Workload, str, list[dict[str, Any]]]]:
    """Yield the companions of each instance of a workload together: they are placed one behind the other."""
    for _, group in groupby(made, lambda each: (id(each[0]), each[1])):
        found = list(group)
        yield found[0][0], found[0][1], [value for _, _, value in found]


def _rank_instances(workload: Workload, instance: str) -> dict[str, float]:
    """Map the instances of a workload to their order, in which their companions follow it."""
    record = records.read(workload)
    return {name: record.rank(name) for name in (*record.instances, instance)}


def _rank(owner: str, ranks: Mapping[str, float]) -> float:
    return ranks.get(owner.rpartition("/")[2], _AFTER_ALL)


def insert_companion(documents: list[Document], at: int, value: dict[str, Any], following: str | None) -> None:
    """Insert a companion at an index, as YAML or JSON like the document before it.

    `following` is the head of the document behind all of them, None at the end of the stream. A stream without a final
    line break stays without one, and JSON objects without separators stay without separators.
    """
    after = documents[at - 1]
    newline = "\r\n" if "\r\n" in after.text else "\n"
    json_like = after.text.lstrip().startswith("{")
    # Without a final line break, a literal block would lose that of its value when it is, or becomes, the end.
    body = _json(value, newline) if json_like else emit.document(value, newline, literal=not after.bare)
    behind = documents[at].head if at < len(documents) and documents[at].file == after.file else following
    bare = json_like and (behind == "" or (after.index > 0 and not after.head))
    if not after.text.endswith("\n"):
        body = body.removesuffix(newline)
        if after.text.endswith("\r"):
            raise EditRefused(
                "cannot append a document: the file ends with a lone carriage return, which could not be restored",
                (),
                hint="end the file with a line feed",
            )
        if ends_in_block_scalar(after.text, after.root):
            raise EditRefused(
                "cannot append a document: the file ends inside a block scalar without a line break, "
                "and a line break would change its value",
                (),
                hint="end the file with a line break",
            )
        if not bare:
            documents[at - 1] = after.with_text(after.text + newline, after.root)
    head = "" if bare else "---" + newline
    documents.insert(at, Document(head, body, after.line, after.file, after.index, after.bare))


def _json(value: dict[str, Any], newline: str) -> str:
    return emit.escape_json(json.dumps(value, indent=2, ensure_ascii=False)).replace("\n", newline) + newline
