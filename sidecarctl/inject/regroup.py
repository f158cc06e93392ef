"""Companions that a program has moved away from their workload: brought behind it for the stair, and put back afterwards.

Helm and kustomize sort by kind, kustomize appends what a transformer makes to the end of its resources, kpt sorts by file: a
companion is known by its owner annotation, wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.inject import record as records
from sidecarctl.inject.companions import OWNER_ANNOTATION, owner, owner_of, placed
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import RECORD_ANNOTATION, as_list, as_mapping, workloads
from sidecarctl.yamltext.edits import Edit, Insert, Remove, identical
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


def is_owned(value: object, gone: set[tuple[str, str]], owned_by: str) -> bool:
    data = as_mapping(value)
    name = f"{data.get('kind')}/{as_mapping(data.get('metadata')).get('name')}"
    return (owned_by, name) in gone


def owned_items(value: object, holder: PathTuple, gone: set[tuple[str, str]]) -> Iterable[Edit]:
    """Companions of a workload inside a List are items of that List."""
    found: Any = value
    for step in holder:
        found = found[step]
    for index, item in enumerate(as_list(found)):
        if is_owned(item, gone, _annotated_owner(item)):
            yield Remove((*holder, index), "companion")


def listed(value: object, planned: Plan) -> Iterable[Edit]:
    """Inserts of companions into the List that holds the workload, behind it and what earlier instances put there."""
    path = planned.workload.path
    if not path or not planned.documents:
        return
    items: Any = value
    for step in path[:-1]:
        items = items[step]
    index = int(path[-1]) + 1
    ranks = _ranks(planned)
    while index < len(items) and ranks.get(_annotated_owner(items[index]), _BEHIND) <= ranks[_own(planned)]:
        index += 1
    for document in planned.documents:
        yield Insert((*path[:-1], index), document, "companion")


_BEHIND = float("inf")


def _own(planned: Plan) -> str:
    return owner(planned.workload, planned.instance.name)


def _ranks(planned: Plan) -> dict[str, float]:
    """The owners of a workload's companions, in the order of the instances."""
    record = records.read(planned.workload)
    return {owner(planned.workload, name): record.rank(name) for name in (*record.instances, planned.instance.name)}


def _annotated_owner(item: object) -> str:
    annotations = as_mapping(as_mapping(as_mapping(item).get("metadata")).get("annotations"))
    return str(annotations.get(OWNER_ANNOTATION, ""))


def place_companions(
    documents: tuple[Document, ...], made: Sequence[tuple[Plan, dict[str, Any]]], following: str | None
) -> tuple[Document, ...]:
    """Put companions behind the workload, after those of instances added earlier and before those of later ones."""
    out = list(documents)
    for planned, value in made:
        ranks = _ranks(planned)
        at = 1
        while at < len(out) and ranks.get(owner_of(out[at]) or "", _BEHIND) <= ranks[_own(planned)]:
            at += 1
        placed(out, at, value, following)
    return tuple(out)
