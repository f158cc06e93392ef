"""Companions: documents that a sidecar adds beside its workload. Named, marked with their owner, placed, found, and moved back.

A companion follows its workload in the stream. Helm and kustomize sort documents by kind and kpt sorts them by file, so a
companion is identified by its owner annotation, not by its position.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sidecarctl.errors import InputError
from sidecarctl.findings import PathTuple
from sidecarctl.inject import record as records
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.names import LABEL_LENGTH, to_dns_label
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping, workloads
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Remove, identical
from sidecarctl.yamltext.remove import ends_in_block_scalar
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document

OWNER_ANNOTATION = "sidecarctl.dev/owner"
# A changed ConfigMap or Secret must restart the pods, so the pod template gets its hash.
CONFIG_HASH_KINDS = ("ConfigMap", "Secret")
# Owner annotation, kind, and name.
_Key = tuple[str, str, str]
_OWNER = re.compile(re.escape(OWNER_ANNOTATION) + r"""["']?\s*:\s*["']?([^\s"',}]+)""")
_AFTER_ALL = float("inf")


def companion_name(workload: Workload, instance: str) -> str:
    """Return `<workload>-<instance>` as a DNS label; a longer name is cut and ends in a hash."""
    name = f"{workload.name or workload.kind.lower()}-{instance}".rstrip("-")
    label = to_dns_label(name) or instance
    if len(name) <= LABEL_LENGTH:
        return label
    return f"{label[: LABEL_LENGTH - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def format_owner(workload: Workload, instance: str) -> str:
    """Return the value of the owner annotation: `Deployment/web/logger`, or `Deployment/prod/web/logger` with a namespace."""
    return f"{workload.label}/{instance}"


def add_owner(document: Mapping[str, Any], workload: Workload, instance: str) -> dict[str, Any]:
    """Return a companion with the owner annotation, in the workload's namespace unless it names its own."""
    metadata = dict(as_mapping(document.get("metadata")))
    annotations = {**as_mapping(metadata.pop("annotations", None)), OWNER_ANNOTATION: format_owner(workload, instance)}
    namespace = {"namespace": workload.namespace} if workload.namespace and "namespace" not in metadata else {}
    name = {"name": metadata.pop("name")} if "name" in metadata else {}
    return {**document, "metadata": {**name, **namespace, **metadata, "annotations": annotations}}


def hash_config(documents: Sequence[dict[str, Any]]) -> str:
    """Return a hash of companions without their metadata, as 16 hexadecimal digits."""
    content = [{k: v for k, v in document.items() if k != "metadata"} for document in documents]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def read_owner(document: Document) -> str | None:
    """Return the owner annotation of a companion, None for any other document."""
    if OWNER_ANNOTATION not in document.text:
        return None
    owner = as_mapping(as_mapping(as_mapping(_parsed(document)).get("metadata")).get("annotations")).get(
        OWNER_ANNOTATION
    )
    return owner if isinstance(owner, str) else None


def _parsed(document: Document) -> object:
    """Return the value of a document, None if it cannot be parsed: the pipeline reports that."""
    try:
        return document.value
    except InputError:
        return None


# ---- documents that were sorted ----------------------------------------------------------------------------------


def has_displaced_companions(documents: Iterable[Document]) -> bool:
    """Return True if a companion does not follow its workload. Cheap: compares texts and parses nothing."""
    holder = ""
    for document in documents:
        match = _OWNER.search(document.text)
        if match is None:
            holder = document.text
            continue
        kind, _, rest = match[1].partition("/")
        name = rest.rpartition("/")[0].rpartition("/")[2]
        if RECORD_ANNOTATION not in holder or kind not in holder or name not in holder:
            return True
    return False


def gather_companions(documents: Sequence[Document], kinds: Kinds) -> tuple[list[Document], dict[_Key, int]]:
    """Move each companion behind its workload; return the documents and the former `index` of each moved companion.

    A companion without a workload among the documents stays where it is.
    """
    owners = {index: owner for index, each in enumerate(documents) if (owner := read_owner(each)) is not None}
    if not owners:
        return list(documents), {}
    holders = {
        workload.label: index
        for index, document in enumerate(documents)
        if index not in owners and "ontainers" in document.text
        for workload in workloads(_parsed(document), kinds)
    }
    behind: dict[int, list[int]] = {}
    for index, owner in owners.items():
        holder = holders.get(owner.rpartition("/")[0])
        if holder is not None:
            behind.setdefault(holder, []).append(index)
    moved = {index for indices in behind.values() for index in indices}
    order: list[int] = []
    for index in range(len(documents)):
        if index not in moved:
            order += (index, *behind.get(index, ()))
    if order == list(range(len(documents))):
        return list(documents), {}
    return [documents[index] for index in order], {_key(documents[index]): index for index in sorted(moved)}


def restore_order(documents: Sequence[Document], moved: dict[_Key, int], count: int) -> list[Document]:
    """Move companions back to where `gather_companions` found them; `count` is the former number of documents."""
    if not moved:
        return list(documents)
    slots: list[list[Document]] = [[] for _ in range(count)]
    for document in documents:
        home = moved.get(_key(document)) if OWNER_ANNOTATION in document.text else None
        slots[document.index if home is None else home].append(document)
    return [document for slot in slots for document in slot]


def keep_metadata(documents: Sequence[Document], former: Sequence[Document]) -> list[Document]:
    """Copy annotations and labels that other tools set on companions to the companions that replace them.

    An unchanged companion is returned as the very document that was passed in.
    """
    before = {_key(each): each for each in former if OWNER_ANNOTATION in each.text}
    if not before:
        return list(documents)
    unchanged = {id(each) for each in former}
    return [
        _with_metadata_of(before[_key(each)], each)
        if id(each) not in unchanged and OWNER_ANNOTATION in each.text and _key(each) in before
        else each
        for each in documents
    ]


def _with_metadata_of(former: Document, document: Document) -> Document:
    new, old = as_mapping(document.value), as_mapping(former.value)
    edits = [
        Insert(("metadata", field, key), value, "noted")
        for field in ("annotations", "labels")
        for key, value in as_mapping(as_mapping(old.get("metadata")).get(field)).items()
        if key not in as_mapping(as_mapping(new.get("metadata")).get(field))
    ]
    if edits and document.root is not None:
        done = splice(document.text, document.root, edits)
        document = document.with_text(done.text, done.root)
    return former if identical(document.value, old) else document


def _key(document: Document) -> _Key:
    value = as_mapping(document.value)
    return read_owner(document) or "", str(value.get("kind")), str(as_mapping(value.get("metadata")).get("name"))


# ---- adding and removing -----------------------------------------------------------------------------------------


def is_owned(value: object, gone: set[tuple[str, str]], owner: str) -> bool:
    """Return True if a companion of `owner` is among those that go: pairs of owner and `Kind/name`."""
    data = as_mapping(value)
    return (owner, f"{data.get('kind')}/{as_mapping(data.get('metadata')).get('name')}") in gone


def remove_owned_items(value: object, holder: PathTuple, gone: set[tuple[str, str]]) -> Iterable[Edit]:
    """Yield the edits that remove companions from the List at `holder`."""
    items: Any = value
    for step in holder:
        items = items[step]
    for index, item in enumerate(as_list(items)):
        if is_owned(item, gone, _item_owner(item)):
            yield Remove((*holder, index), "companion")


def insert_list_items(
    value: object, workload: Workload, instance: str, documents: Sequence[dict[str, Any]]
) -> Iterable[Edit]:
    """Yield the edits that insert companions into the List that holds the workload, behind those of earlier instances."""
    path = workload.path
    if not path or not documents:
        return
    items: Any = value
    for step in path[:-1]:
        items = items[step]
    index = int(path[-1]) + 1
    ranks = _rank_owners(workload, instance)
    own = ranks[format_owner(workload, instance)]
    while index < len(items) and ranks.get(_item_owner(items[index]), _AFTER_ALL) <= own:
        index += 1
    for document in documents:
        yield Insert((*path[:-1], index), document, "companion")


def place_companions(
    documents: tuple[Document, ...], made: Sequence[tuple[Workload, str, dict[str, Any]]], following: str | None
) -> tuple[Document, ...]:
    """Insert companions (workload, instance, value) behind the workload, in the order of the instances."""
    out = list(documents)
    for workload, instance, value in made:
        ranks = _rank_owners(workload, instance)
        own = ranks[format_owner(workload, instance)]
        at = 1
        while at < len(out) and ranks.get(read_owner(out[at]) or "", _AFTER_ALL) <= own:
            at += 1
        insert_companion(out, at, value, following)
    return tuple(out)


def _rank_owners(workload: Workload, instance: str) -> dict[str, float]:
    """Map the owners of a workload's companions to the order of their instances."""
    record = records.read(workload)
    return {format_owner(workload, name): record.rank(name) for name in (*record.instances, instance)}


def _item_owner(item: object) -> str:
    annotations = as_mapping(as_mapping(as_mapping(item).get("metadata")).get("annotations"))
    return str(annotations.get(OWNER_ANNOTATION, ""))


def insert_companion(documents: list[Document], at: int, value: dict[str, Any], following: str | None) -> None:
    """Insert a companion at an index, as YAML or JSON like the document before it.

    `following` is the head of the document behind all of them, None at the end of the stream. A stream without a final
    line break stays without one, and JSON objects without separators stay without separators.
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
    documents.insert(at, Document("" if bare else "---" + newline, body, after.line, after.file, after.index))


def _json(value: dict[str, Any], newline: str) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).replace("\n", newline) + newline
