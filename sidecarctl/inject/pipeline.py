"""Pipeline: parse, plan, edit, verify, validate, report. Takes the text of one file and returns the new text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from sidecarctl.composition.request import Request, order_requests
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import document as steps
from sidecarctl.inject.changes import collect_changes
from sidecarctl.inject.companion_search import gather_companions, has_displaced_companions, restore_order
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
from sidecarctl.inject.document import DocumentResult
from sidecarctl.inject.record_paths import RecordError
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds, has_no_workload
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import WorkloadChange
from sidecarctl.validate.check_document import check_rules, check_workloads, is_rejection
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document, join, split

if TYPE_CHECKING:
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.reconcile import DocumentTasks
    from sidecarctl.inject.upgrade_instances import UpgradeRequest


@dataclass(frozen=True)
class Options:
    """Options of a run.

    validate  strict, warn, or ignore, as in kubectl
    facts     report each pod's resources and QoS class before and after
    """

    kube_version: str = versions.NEWEST
    kinds: Kinds = DEFAULT_KINDS
    validate: str = "strict"
    facts: bool = True


@dataclass(frozen=True)
class Result:
    """A text after the pipeline. If a finding is an error, `text` is the input.

    `rules` are the numbers of the composition's rules that selected a workload.
    """

    text: str
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    original: str = field(default="", repr=False)
    rules: frozenset[int] = frozenset()

    @property
    def changed(self) -> bool:
        """True if the text differs from the input."""
        return self.text != self.original

    @property
    def failed(self) -> bool:
        """True if a finding is an error."""
        return _has_errors(self.findings)


@dataclass(frozen=True)
class ProcessedDocuments:
    """Documents after the pipeline, with changes and findings. An unchanged document is the very object that was passed in."""

    documents: tuple[Document, ...]
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    rules: frozenset[int] = frozenset()


# Edits a document and the companions behind it. The text is the head of the document after them, None at the end.
Step = Callable[[Document, Sequence[Document], "str | None"], DocumentResult]
# Selects the documents that are validated and edited.
DocumentFilter = Callable[[Document], bool]


def make_add_step(requests: Sequence[Request], options: Options) -> Step:
    """Return the step that adds sidecars to a document's workloads."""
    ordered = order_requests(requests)
    return lambda document, companions, following: steps.add_sidecars(
        document, companions, ordered, options.kube_version, options.kinds, following=following
    )


def make_upgrade_step(wanted: UpgradeRequest, options: Options) -> Step:
    """Return the step that upgrades the instances of a document's workloads."""
    from sidecarctl.inject.upgrade_instances import upgrade_instances

    return lambda document, companions, following: upgrade_instances(
        document, companions, wanted, options.kube_version, options.kinds, following=following
    )


def make_remove_step(names: Sequence[str] | None, options: Options) -> Step:
    """Return the step that removes instances from a document's workloads; None removes all."""
    return lambda document, companions, following: steps.remove_instances(
        document, companions, names, options.kinds, following=following
    )


def add(text: str, requests: Sequence[Request], options: Options, file: str = "-") -> Result:
    """Add sidecars to every workload of a text."""
    return run(text, make_add_step(requests, options), options, file)


def remove(text: str, names: Sequence[str] | None, options: Options, file: str = "-") -> Result:
    """Remove instances from every workload of a text; None removes all."""
    return run(text, make_remove_step(names, options), options, file)


def render(text: str, chosen: Selection, options: Options, file: str = "-") -> Result:
    """Apply a composition to a text. Workloads that it neither selects nor owns are not validated."""
    selects, step, rules = _prepare_composition(chosen, options)
    return replace(run(text, step, options, file, selects), rules=frozenset(rules))


def render_documents(
    documents: Iterable[Document], chosen: Selection, options: Options, leave: DocumentFilter | None = None
) -> ProcessedDocuments:
    """Apply a composition to split documents, except those that `leave` selects.

    If a finding is an error, discard the documents.
    """
    selects, step, rules = _prepare_composition(chosen, options)

    def wanted(document: Document) -> bool:
        return not (leave and leave(document)) and selects(document)

    return replace(_join_results(process_documents(documents, step, options, wanted)), rules=frozenset(rules))


def _prepare_composition(chosen: Selection, options: Options) -> tuple[DocumentFilter, Step, set[int]]:
    """Return the filter and the step for a composition, and a set that collects the numbers of the rules that selected."""
    from sidecarctl.inject.reconcile import find_tasks, reconcile

    name, rules = chosen.composition.name, set[int]()
    todo: dict[int, DocumentTasks] = {}

    def selects(document: Document) -> bool:
        tasks = find_tasks(document, chosen.choose, name, options.kinds)
        rules.update(tasks.rules)
        todo[id(document)] = tasks
        return not tasks.idle or bool(tasks.skipped)

    def step(document: Document, companions: Sequence[Document], following: str | None) -> DocumentResult:
        tasks = todo.pop(id(document))
        return reconcile(document, companions, tasks, options.kube_version, options.kinds, following=following)

    return selects, step, rules


def run(text: str, step: Step, options: Options, file: str = "-", selects: DocumentFilter | None = None) -> Result:
    """Run the pipeline over a text. Raises InputError for invalid YAML and BugError if an edit fails verification.

    Documents that `selects` rejects are not validated or changed.
    """
    if OWNER_ANNOTATION in text and has_displaced_companions(split(text, file)):
        return _run_on_sorted(text, step, options, file, selects)
    out: list[str] = []
    changes: list[WorkloadChange] = []
    findings: list[Finding] = []
    # Keep texts, not documents: the nodes of a finished document are freed.
    for processed in process_documents(split(text, file), step, options, selects):
        out.append(join(processed.documents))
        changes += processed.changes
        findings += processed.findings
    return Result(text if _has_errors(findings) else "".join(out), tuple(changes), tuple(findings), text)


def _run_on_sorted(text: str, step: Step, options: Options, file: str, selects: DocumentFilter | None) -> Result:
    """Run the pipeline over a text whose companions do not follow their workloads. Holds all documents in memory."""
    documents = list(split(text, file))
    gathered = gather_companions(documents, options.kinds)
    whole = _join_results(process_documents(gathered, step, options, selects))
    out = restore_order(whole.documents)
    return Result(text if _has_errors(whole.findings) else join(out), whole.changes, whole.findings, text)


def _join_results(processed: Iterable[ProcessedDocuments]) -> ProcessedDocuments:
    parts = list(processed)
    return ProcessedDocuments(
        tuple(document for one in parts for document in one.documents),
        tuple(change for one in parts for change in one.changes),
        tuple(finding for one in parts for finding in one.findings),
    )


def process_documents(
    documents: Iterable[Document], step: Step, options: Options, selects: DocumentFilter | None = None
) -> Iterator[ProcessedDocuments]:
    """Yield each document with its companions after the pipeline. Holds one at a time: a stream may have any length."""
    for document, companions, following in group_companions(documents):
        unchanged = (document, *companions)
        if has_no_workload(document.text, options.kinds):
            yield ProcessedDocuments(unchanged)
            continue
        try:
            if selects is None or selects(document):
                yield _process(document, companions, following, step, options)
            else:
                yield ProcessedDocuments(unchanged)
        except (EditRefused, RecordError) as refusal:
            yield ProcessedDocuments(unchanged, (), (_refusal(document, refusal),))


def _process(
    document: Document, companions: Sequence[Document], following: str | None, step: Step, options: Options
) -> ProcessedDocuments:
    """Validate one document, edit it, and validate the result."""
    version, kinds = options.kube_version, options.kinds
    before = check_workloads(document.value, version, options.validate, kinds)
    if _has_errors(before):
        # Do not report a value twice: by its structure and by a rule.
        misshapen = {one.path for one in before}
        before += (
            one
            for one in check_rules(document.value, version, kinds)
            if is_rejection(one) and one.path not in misshapen
        )
        return ProcessedDocuments((document, *companions), (), tuple(locate_findings(document, before)))
    result = step(document, companions, following)
    planned = (*before, *result.findings, *(f for plan in result.plans for f in plan.findings))
    findings = (*locate_findings(document, planned), *_validate_result(document, result, before, options))
    changes = collect_changes(document, result, version, kinds, facts=options.facts)
    return ProcessedDocuments(result.documents, tuple(changes), findings)


def group_companions(documents: Iterable[Document]) -> Iterator[tuple[Document, list[Document], str | None]]:
    """Yield each document with the companions directly behind it, and the head of the next document."""
    current: Document | None = None
    companions: list[Document] = []
    for document in documents:
        if current is not None and read_owner(document) is not None:
            companions.append(document)
            continue
        if current is not None:
            yield current, companions, document.head
        current, companions = document, []
    if current is not None:
        yield current, companions, None


def locate_findings(document: Document, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Set the place of findings in a document."""
    for finding in findings:
        related = tuple(replace(r, place=r.place or document.locate(r.path)) for r in finding.related)
        yield replace(
            finding, place=finding.place or document.locate(finding.path, on_key=finding.on_key), related=related
        )


def _validate_result(
    before: Document, result: DocumentResult, known: Sequence[Finding], options: Options
) -> Iterator[Finding]:
    """Yield the findings of the result: existing ones that the API server refuses, and new ones.

    New findings come from the sidecar's template. The input is only validated if the result has findings.
    """
    after = result.documents[0]
    version, kinds = options.kube_version, options.kinds
    admin = {
        name: plan.admin_ports
        for plan in result.plans
        for name in (*plan.instance.added.containers, *plan.instance.added.init_containers)
        if plan.admin_ports
    }
    # A removal restores the QoS class, so only additions are compared with the input.
    found = check_rules(after.value, version, kinds, before.value if result.plans else None, admin)
    changed = after.text != before.text
    old = check_rules(before.value, version, kinds) if found and changed else found
    yield from locate_findings(before, filter(is_rejection, old))
    if not changed:
        return
    seen = {_identity(finding) for finding in (*known, *old)}
    # A plan and a rule of the same name report a workload once.
    planned = {(finding.rule, finding.workload) for plan in result.plans for finding in plan.findings}
    sidecars = ", ".join(dict.fromkeys(f"{p.instance.sidecar}@{p.instance.version}" for p in result.plans))
    for finding in (*check_workloads(after.value, version, options.validate, kinds), *found):
        if _identity(finding) not in seen and (finding.rule, finding.workload) not in planned:
            yield replace(finding, source=f"sidecar {sidecars}" if sidecars else "the removal")


def _identity(finding: Finding) -> tuple[str, ...]:
    """Return what identifies a finding before and after. Its path does not: additions shift it."""
    return finding.rule, finding.message, finding.workload, finding.container


def _has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _refusal(document: Document, refusal: EditRefused | RecordError) -> Finding:
    rule = "unreadable-record" if isinstance(refusal, RecordError) else "edit-refused"
    finding = Finding(rule, refusal.message, path=refusal.path, help=refusal.hint)
    return next(locate_findings(document, [finding]))
