"""Apply a composition to one document: remove instances that it no longer requests, add or upgrade the others.

An instance of another composition or of the command line is kept, unless this composition requests it too. The result
equals that of starting without sidecars: if the order of the instances differs, they are removed and added again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sidecarctl.composition.request import Request
from sidecarctl.composition.select import WorkloadChoice
from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject import record as records
from sidecarctl.inject.companions import format_owner, read_owner
from sidecarctl.inject.document import (
    DocumentResult,
    add_sidecar,
    apply_removals,
    find_unusable_reason,
    have_equal_values,
    number_workloads,
)
from sidecarctl.inject.plan import Plan, plan_sidecar
from sidecarctl.inject.record import Record
from sidecarctl.inject.removal import Removal, plan_removal, prune_record
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.yamltext.edits import apply, identical
from sidecarctl.yamltext.stream import Document

Chooser = Callable[[Workload, Record], WorkloadChoice]


@dataclass(frozen=True)
class WorkloadTask:
    """A workload with the requested instances and those to remove."""

    number: int
    workload: Workload
    record: Record
    choice: WorkloadChoice
    obsolete: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """True if nothing is requested, removed, or reported."""
        return not self.choice.requests and not self.obsolete and not self.choice.findings


@dataclass(frozen=True)
class DocumentTasks:
    """The tasks of a document, and the numbers of the rules that select a workload in it."""

    tasks: tuple[WorkloadTask, ...] = ()
    skipped: tuple[tuple[Workload, str], ...] = ()
    rules: frozenset[int] = field(default_factory=frozenset)

    @property
    def idle(self) -> bool:
        """True if all tasks are idle."""
        return all(task.idle for task in self.tasks)


def find_tasks(
    document: Document, choose: Chooser, by: str, kinds: Kinds, workloads_filter: WorkloadFilter = EVERY_WORKLOAD
) -> DocumentTasks:
    """Return the tasks of the composition named `by` in a document. Raises UsageError or RecordError."""
    found: list[WorkloadTask] = []
    skipped: list[tuple[Workload, str]] = []
    for number, workload in number_workloads(document, kinds):
        record = records.read(workload)
        choice = choose(workload, record)
        reason = workloads_filter.find_exclusion(workload) or find_unusable_reason(workload)
        if reason:
            if choice.requests:
                skipped.append((workload, reason))
            continue
        found.append(WorkloadTask(number, workload, record, choice, tuple(_find_obsolete(record, choice.requests, by))))
    return DocumentTasks(tuple(found), tuple(skipped), frozenset(n for task in found for n in task.choice.rules))


def _find_obsolete(record: Record, requests: Sequence[Request], by: str) -> list[str]:
    """Return the instances to remove: those no longer requested, and those to add again after a new one."""
    wanted = [request.instance for request in requests]
    unwanted = [i.name for i in record.instances.values() if i.by == by and i.name not in wanted]
    present = [name for name in record.instances if name in wanted]
    staying = 0
    while staying < len(present) and present[staying] == wanted[staying]:
        staying += 1
    return [*unwanted, *present[staying:]]


def reconcile(
    document: Document,
    companions: Sequence[Document],
    todo: DocumentTasks,
    kube_version: str,
    kinds: Kinds,
    *,
    following: str | None = None,
) -> DocumentResult:
    """Apply the tasks of a composition to a document and its companions.

    A document in sync is returned unchanged. If a plan is refused, discard the documents: the plan's findings give the
    reason. Raises UsageError with the place of the requesting rule.
    """
    current = DocumentResult((document, *companions), skipped=todo.skipped)
    findings = [finding for task in todo.tasks for finding in (*task.choice.findings, *_takeover_findings(task))]
    current = replace(current, findings=tuple(findings))
    removals: list[Removal] = [plan_removal(t.workload, t.record, t.obsolete) for t in todo.tasks if t.obsolete]
    if removals:
        wanted = {t.workload.label: {r.instance for r in t.choice.requests} for t in todo.tasks}
        gone = [
            replace(one, names=tuple(n for n in one.names if n not in wanted[one.workload.label])) for one in removals
        ]
        current = replace(
            current,
            documents=apply_removals(current.documents, removals, following),
            removals=tuple(one for one in gone if one.names),
        )
    pending = {task.number: list(task.choice.requests) for task in todo.tasks}
    while waiting := [number for number, requests in pending.items() if requests]:
        request = pending[waiting[0]][0]
        numbers = frozenset(number for number in waiting if pending[number][0] == request)
        for number in numbers:
            pending[number].pop(0)
        current = _apply_request(current, request, kube_version, kinds, following, numbers)
        if any(one.refused for one in current.plans):
            return current
    if have_equal_values((document, *companions), current.documents):
        return replace(current, documents=(document, *companions))
    return current


def _apply_request(
    current: DocumentResult,
    request: Request,
    kube_version: str,
    kinds: Kinds,
    following: str | None,
    numbers: frozenset[int],
) -> DocumentResult:
    try:
        first = current.documents[0]
        for number, workload in number_workloads(first, kinds):
            if number in numbers:
                kept = find_settled_plan(first, current.documents[1:], workload, request, kube_version)
                if kept is not None:
                    numbers -= {number}
                    current = replace(
                        current,
                        plans=(*current.plans, kept),
                        kept=current.kept | {(workload.label, request.instance)},
                    )
        return add_sidecar(current, request, kube_version, kinds, following, numbers) if numbers else current
    except UsageError as error:
        if error.where and request.where:
            requested = f"requested by {request.origin} ({request.where})"
            error.hint = f"{error.hint}; {requested}" if error.hint else requested
        error.where = error.where or request.where
        error.hint = error.hint.replace("with --container", "under `containers`")
        raise


def find_settled_plan(
    document: Document, companions: Sequence[Document], workload: Workload, request: Request, kube_version: str
) -> Plan | None:
    """Return the plan of an instance that is in sync, None if it is not.

    Compares values and writes no text. Always None in a List, whose companions are items of the List.
    """
    if workload.path:
        return None
    record = records.read(workload)
    present = record.instances.get(request.instance)
    if (
        present is None
        or present.by != request.by
        or present.version != request.sidecar.version
        or present.sidecar != request.sidecar.name
        or present.containers != request.containers
        or present.parameters != request.parameters.recorded
        or prune_record(workload, record) != record
    ):
        return None
    taken = plan_removal(workload, record, [request.instance], for_upgrade=True)
    if taken.missing:
        return None
    bare = apply(document.value, taken.edits)
    without_it = _in_value(workload, bare)
    planned = plan_sidecar(without_it, request, prune_record(without_it, record), kube_version)
    if planned.refused or planned.instance != present:
        return None
    if not identical(apply(bare, planned.edits), document.value):
        return None
    return planned if _companions_in_sync(companions, workload, record, planned) else None


def _in_value(workload: Workload, value: Any) -> Workload:
    """Return the workload in another value of its document."""
    return replace(workload, value=value, template=_at(value, workload.template_path))


def _at(value: Any, path: PathTuple) -> Any:
    for step in path:
        value = value[step]
    return value


def _companions_in_sync(companions: Sequence[Document], workload: Workload, record: Record, planned: Plan) -> bool:
    """Return True if the companions of an instance are in sync and in order behind the workload."""
    name = format_owner(workload, planned.instance.name)
    owners = [read_owner(companion) for companion in companions]
    values = [companion.value for companion, whose in zip(companions, owners) if whose == name]
    if not values and not planned.documents:
        return True
    bare = [_without_foreign_metadata(value, wanted) for value, wanted in zip(values, planned.documents)]
    if len(values) != len(planned.documents) or not identical(bare, list(planned.documents)):
        return False
    order: Mapping[str | None, int] = {format_owner(workload, each): rank for rank, each in enumerate(record.instances)}
    ranks = [order.get(whose, len(order)) for whose in owners]
    return ranks == sorted(ranks)


def _without_foreign_metadata(value: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a companion without annotations and labels that other tools set."""
    value = as_mapping(value)
    metadata, made = dict(as_mapping(value.get("metadata"))), as_mapping(wanted.get("metadata"))
    for field_ in ("annotations", "labels"):
        own = as_mapping(made.get(field_))
        kept = {key: each for key, each in as_mapping(metadata.pop(field_, None)).items() if key in own}
        if field_ in made:
            metadata[field_] = kept
    return {**value, "metadata": metadata}


def _takeover_findings(task: WorkloadTask) -> list[Finding]:
    """Return a warning for each requested instance that another composition added."""
    out = []
    for request in task.choice.requests:
        present = task.record.instances.get(request.instance)
        if present is not None and present.by and present.by != request.by:
            out.append(
                Finding(
                    "instance-taken-over",
                    f"composition {request.by} takes over the instance {present.name}, which composition {present.by} "
                    "added",
                    Severity.WARNING,
                    records.record_path(task.workload),
                    help="if both compositions are in use, give the instance of one of them another name with `as`",
                    workload=task.workload.label,
                )
            )
    return out
