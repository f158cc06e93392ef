"""Apply a composition to one document: remove instances that it no longer requests, add or upgrade the others.

An instance of another composition or of the command line is kept, unless this composition requests it too. Instances that
exist keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sidecarctl.composition.request import Request
from sidecarctl.composition.select import WorkloadChoice
from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.document import (
    RepairOptions,
    add_sidecar,
    find_unusable_reason,
    have_equal_values,
    number_workloads,
)
from sidecarctl.inject.document_addition import DocumentStep, check_shared_companions, repair_chains, run_steps
from sidecarctl.inject.document_removal import (
    DocumentResult,
    apply_removals,
    keep_shared_companions,
    left_behind_findings,
    plan_whole_removal,
)
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Record
from sidecarctl.record.paths import record_path
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
    """Return the instances that the composition added and no longer requests."""
    wanted = [request.instance for request in requests]
    return [
        instance.name for instance in record.instances.values() if instance.by == by and instance.name not in wanted
    ]


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
    obsolete = (task for task in todo.tasks if task.obsolete)
    removals = keep_shared_companions(
        [plan_whole_removal(document, companions, t.workload, t.record, t.obsolete) for t in obsolete], document, kinds
    )
    if removals:
        current = replace(
            current,
            documents=apply_removals(current.documents, removals, following),
            removals=tuple(removals),
            findings=(*current.findings, *(finding for one in removals for finding in left_behind_findings(one))),
        )

    def step(request: Request, numbers: frozenset[int]) -> DocumentStep:
        return lambda current: _apply_request(current, request, kube_version, kinds, following, numbers)

    current = run_steps(current, [step(*each) for each in _group_requests(todo)])
    if any(one.refused for one in current.plans):
        return current
    requests = [request for task in todo.tasks for request in task.choice.requests]
    options = RepairOptions.of(requests, kube_version, kinds)
    current = repair_chains(current, (document, *companions), options, following)
    check_shared_companions(current, document, kinds)
    if have_equal_values((document, *companions), current.documents):
        return replace(current, documents=(document, *companions))
    return current


def _group_requests(todo: DocumentTasks) -> Iterator[tuple[Request, frozenset[int]]]:
    """Yield the requests of all tasks in their order, each with the numbers of the workloads that it is for."""
    pending = {task.number: list(task.choice.requests) for task in todo.tasks}
    while waiting := [number for number, requests in pending.items() if requests]:
        request = pending[waiting[0]][0]
        numbers = frozenset(number for number in waiting if pending[number][0] == request)
        for number in numbers:
            pending[number].pop(0)
        yield request, numbers


def _apply_request(
    current: DocumentResult,
    request: Request,
    kube_version: str,
    kinds: Kinds,
    following: str | None,
    numbers: frozenset[int],
) -> DocumentResult:
    try:
        return add_sidecar(current, request, kube_version, kinds, following, numbers)
    except UsageError as error:
        if error.where and request.where:
            requested = f"requested by {request.origin} ({request.where})"
            error.hint = f"{error.hint}; {requested}" if error.hint else requested
        error.where = error.where or request.where
        error.hint = error.hint.replace("with --container", "under `containers`")
        raise


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
                    record_path(task.workload),
                    help="if both compositions are in use, give the instance of one of them another name with `as`",
                    workload=task.workload.label,
                )
            )
    return out
