"""Paths of findings in the input: a step of a run plans with a document that earlier steps changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sidecarctl.findings import Finding, PathTuple
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.lazy_dataclass import replace

_Key = tuple[str, PathTuple]


def find_planned(plans: Iterable[Plan], workloads: Iterable[Workload]) -> Iterator[Finding]:
    """Yield the findings of plans, with paths in the document that has `workloads`, those of the input."""
    originals: dict[_Key, Workload] = {}
    for each in workloads:
        originals.setdefault(_key(each), each)
    for plan in plans:
        original = originals.get(_key(plan.workload)) if plan.findings else None
        if original is None or original.value is plan.workload.value:
            yield from plan.findings
        else:
            yield from (_translate(finding, plan.workload, original) for finding in plan.findings)


def _key(workload: Workload) -> _Key:
    return workload.label, workload.template_path[len(workload.path) :]


def _translate(finding: Finding, planned: Workload, original: Workload) -> Finding:
    related = tuple(replace(each, path=_input_path(each.path, planned, original)) for each in finding.related)
    if finding.place is not None:  # in another document
        return replace(finding, related=related)
    return replace(finding, path=_input_path(finding.path, planned, original), related=related)


def _input_path(path: PathTuple, planned: Workload, original: Workload) -> PathTuple:
    """Return the path in the input for a path in a changed document: as far as the input has what is there."""
    depth = len(planned.path)
    if path[:depth] != planned.path:
        return path
    after: Any = planned.value
    before: Any = original.value
    found: list[str | int] = []
    for step in path[depth:]:
        place: str | int | None
        if isinstance(step, str):
            after = as_mapping(after).get(step)
            place = step if isinstance(before, dict) and step in before else None
        else:
            after = after[step] if isinstance(after, list) and step < len(after) else None
            place = _find_item(before, after)
        if place is None:
            break
        found.append(place)
        before = before[place]
    return (*original.path, *found)


def _find_item(items: Any, wanted: Any) -> int | None:
    """Return the index of the same item, or of the one with its name, in another list; None if there is none."""
    if not isinstance(items, list):
        return None
    if wanted in items:
        return items.index(wanted)
    name = as_mapping(wanted).get("name")
    return next((index for index, each in enumerate(items) if name and as_mapping(each).get("name") == name), None)
