"""Companions that the pod templates of one object share: each of them is written once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.errors import UsageError
from sidecarctl.findings import PathTuple
from sidecarctl.inject.companion_search import identify
from sidecarctl.inject.companions import format_owner, read_object_owner, read_owner
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import Workload, workloads
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import config_hash_annotation
from sidecarctl.yamltext.edits import identical
from sidecarctl.yamltext.stream import Document

# The owner annotation and `Kind/name`.
_Key = tuple[str, str]


class SharedCompanions:
    """The companions of the objects of a document: those in the input, and those that plans of this run add."""

    def __init__(self, first: Document, companions: Sequence[Document]) -> None:
        self._first = first
        self._companions = companions
        self._present: dict[PathTuple, Mapping[_Key, Sequence[Any]]] = {}
        self._added: dict[tuple[PathTuple, str], list[Any]] = {}

    def leave_out(self, planned: Plan) -> list[dict[str, Any]]:
        """Return the companions of a plan without those that another pod template of the same object has already.

        Raises UsageError if both need different ones of one name.
        """
        new = []
        for value in planned.documents:
            beside = [*self._added.get((planned.workload.path, identify(value)), ()), *self._find(planned, value)]
            if any(identical(value, other) for other in beside):
                continue
            if beside:
                raise _difference(planned.workload.label, identify(value))
            new.append(value)
        for value in new:
            self._added.setdefault((planned.workload.path, identify(value)), []).append(value)
        return new

    def _find(self, planned: Plan, wanted: dict[str, Any]) -> Iterator[Any]:
        """Yield the companions in the input that the same object has for the planned instance, under the wanted name."""
        path = planned.workload.path[:-1]
        if path not in self._present:
            self._present[path] = _by_owner(self._read(path))
        key = format_owner(planned.workload, planned.instance.name), identify(wanted)
        for value in self._present[path].get(key, ()):
            # Labels and annotations of other programs make no difference.
            same = {**value, "metadata": None} == {**wanted, "metadata": None}
            yield wanted if same else value

    def _read(self, path: PathTuple) -> Sequence[Any]:
        """Return the items of the List at a path; without one, the documents that have an owner."""
        if not path:
            return [each.value for each in self._companions if read_owner(each)]
        holder: Any = self._first.value
        for step in path:
            holder = holder[step]
        return list(holder)


def check_pod_templates(before: Document, after: Document, kinds: Kinds) -> None:
    """Raise UsageError if the pod templates of one object need different versions of a companion, and did not before.

    The annotation with the hash of the configuration tells what a template needs: a run can change only some of them.
    """
    known = _find_different(before, kinds)
    for key, workload in _find_different(after, kinds).items():
        if key not in known:
            identity = next(iter(records.read(workload).instances[key[1]].added.documents))
            error = _difference(workload.label, identity)
            error.where = str(before.locate(()))
            raise error


def _find_different(document: Document, kinds: Kinds) -> dict[tuple[str, str], Workload]:
    """Return the objects (by label and instance) whose pod templates need different companions, with one that needs some."""
    hashes: dict[tuple[str, str], set[Any]] = {}
    holders: dict[tuple[str, str], Workload] = {}
    for workload in workloads(document.value, kinds):
        for name, instance in records.read(workload).instances.items():
            key = f"{workload.label} {workload.path}", name
            hashes.setdefault(key, set()).add(workload.annotations.get(config_hash_annotation(name)))
            if instance.added.documents:
                holders[key] = workload
    return {key: holders[key] for key, found in hashes.items() if len(found) > 1 and key in holders}


def _difference(label: str, identity: str) -> UsageError:
    return UsageError(
        f"the pod templates of {label} need different versions of {identity}",
        hint="leave the workload out, or choose the same containers and parameters in all of its pod templates",
    )


def _by_owner(values: Sequence[Any]) -> Mapping[_Key, Sequence[Any]]:
    found: dict[_Key, list[Any]] = {}
    for value in values:
        if owner := read_object_owner(value):
            found.setdefault((owner, identify(value)), []).append(value)
    return found
