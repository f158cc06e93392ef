"""Companions that a program has moved away from their workload: brought behind it for the stair, and put back afterwards.

Helm and kustomize sort by kind, kustomize appends what a transformer makes to the end of its resources, kpt sorts by file: a
companion is known by its owner annotation, wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sidecarctl.inject.companions import OWNER_ANNOTATION, owner_of
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, as_mapping, workloads
from sidecarctl.yamltext.edits import Insert, identical
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document

_Key = tuple[str, str, str]
_OWNER = re.compile(re.escape(OWNER_ANNOTATION) + r"""["']?\s*:\s*["']?([^\s"',}]+)""")


def out_of_place(documents: Iterable[Document]) -> bool:
    """True where a companion surely does not follow its workload; told by the texts alone, so cheap and not exact."""
    holder = ""
    for document in documents:
        found = _OWNER.search(document.text)
        if found is None:
            holder = document.text
            continue
        kind, _, rest = found[1].partition("/")
        name = rest.rpartition("/")[0].rpartition("/")[2]
        if RECORD_ANNOTATION not in holder or kind not in holder or name not in holder:
            return True
    return False


def gather(documents: Sequence[Document], kinds: Kinds) -> tuple[list[Document], dict[_Key, int]]:
    """Return documents with each companion behind its workload, and where those stood that were moved.

    The documents are numbered by their `index`. A companion whose workload is not among them stays where it is.
    """
    owners = {index: owner for index, one in enumerate(documents) if (owner := owner_of(one)) is not None}
    if not owners:
        return list(documents), {}
    holders = {
        workload.label: index
        for index, document in enumerate(documents)
        if index not in owners and "ontainers" in document.text
        for workload in workloads(document.value, kinds)
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


def scatter(documents: Sequence[Document], moved: dict[_Key, int], count: int) -> list[Document]:
    """Return documents with companions that had been moved where they stood; `count` is how many documents there had been."""
    if not moved:
        return list(documents)
    places: list[list[Document]] = [[] for _ in range(count)]
    for document in documents:
        home = moved.get(_key(document)) if OWNER_ANNOTATION in document.text else None
        places[document.index if home is None else home].append(document)
    return [document for place in places for document in place]


def carried(documents: Sequence[Document], former: Sequence[Document]) -> list[Document]:
    """Return documents whose companions keep what a tool has noted on them: annotations and labels of those that they replace.

    A companion that comes out as it went in is the very document that went in.
    """
    before = {_key(one): one for one in former if OWNER_ANNOTATION in one.text}
    if not before:
        return list(documents)
    same = {id(one) for one in former}
    return [
        _with_notes(one, before[_key(one)])
        if id(one) not in same and OWNER_ANNOTATION in one.text and _key(one) in before
        else one
        for one in documents
    ]


def _with_notes(document: Document, former: Document) -> Document:
    now, was = as_mapping(document.value), as_mapping(former.value)
    edits = [
        Insert(("metadata", field, key), value, "noted")
        for field in ("annotations", "labels")
        for key, value in as_mapping(as_mapping(was.get("metadata")).get(field)).items()
        if key not in as_mapping(as_mapping(now.get("metadata")).get(field))
    ]
    if edits and document.root is not None:
        done = splice(document.text, document.root, edits)
        document = document.with_text(done.text, done.root)
    return former if identical(document.value, was) else document


def _key(document: Document) -> _Key:
    value = as_mapping(document.value)
    return owner_of(document) or "", str(value.get("kind")), str(as_mapping(value.get("metadata")).get("name"))
