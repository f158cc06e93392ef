"""Where companions stand: behind their workload in the stream, or as items of the List that holds it; and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sidecarctl.compose import companions
from sidecarctl.compose import record as records
from sidecarctl.compose.companions import OWNER_ANNOTATION, owner, owner_of
from sidecarctl.compose.plan import Plan
from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.yamltext.edits import Edit, Insert, Remove
from sidecarctl.yamltext.stream import Document


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


def placed(
    documents: tuple[Document, ...], made: Sequence[tuple[Plan, dict[str, Any]]], following: str | None
) -> tuple[Document, ...]:
    """Put companions behind the workload, after those of instances added earlier and before those of later ones."""
    out = list(documents)
    for planned, value in made:
        ranks = _ranks(planned)
        at = 1
        while at < len(out) and ranks.get(owner_of(out[at]) or "", _BEHIND) <= ranks[_own(planned)]:
            at += 1
        companions.placed(out, at, value, following)
    return tuple(out)
