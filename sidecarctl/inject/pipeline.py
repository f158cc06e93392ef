"""Pipeline: parse, plan, edit, verify, validate, report. Takes the text of one file and returns the new text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from sidecarctl.composition.request import Request, order_requests
from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter
from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject import document as steps
from sidecarctl.inject.changes import collect_changes
from sidecarctl.inject.companions import (
    OWNER_ANNOTATION,
    gather_companions,
    has_displaced_companions,
    keep_metadata,
    read_owner,
    restore_order,
)
from sidecarctl.inject.document import DocumentResult
from sidecarctl.inject.record import RecordError
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds, has_no_workload
from sidecarctl.kube.workload import workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import WorkloadChange
from sidecarctl.validate.check_document import check_rules, check_workloads, is_rejection
from sidecarctl.validate.grade import demote, grade, is_inside
from sidecarctl.validate.rule_selection import Severities, no_severities
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document, join, split_readable

if TYPE_CHECKING:
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.reconcile import DocumentTasks


@dataclass(frozen=True)
class Options:
    """Options of a run.

    validate    strict, warn, or ignore, as in kubectl
    facts       report each pod's resources and QoS class before and after
    workloads   the workloads to change
    severities  function from a file name to severities by rule, from the composition that applies to the file
    fails       False to write the result in spite of errors that do not prevent the edit
    checks_input  report errors that were there before; `remove` does not
    """

    kube_version: str = versions.NEWEST
    kinds: Kinds = DEFAULT_KINDS
    validate: str = "strict"
    facts: bool = True
    workloads: WorkloadFilter = EVERY_WORKLOAD
    severities: Callable[[str], Severities] = no_severities
    fails: bool = True
    checks_input: bool = True


@dataclass(frozen=True)
class Result:
    """A text after the pipeline. If the run fails, `text` is the input.

    rules   the numbers of the composition's rules that selected a workload
    errors  of documents that cannot be parsed; the others are processed
    fails   False if errors among the findings do not fail the run
    """

    text: str
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    original: str = field(default="", repr=False)
    rules: frozenset[int] = frozenset()
    errors: tuple[SidecarctlError, ...] = ()
    fails: bool = True

    @property
    def changed(self) -> bool:
        """True if the text differs from the input."""
        return self.text != self.original

    @property
    def failed(self) -> bool:
        """True if a finding is an error that fails the run, or a document cannot be parsed."""
        return bool(self.errors) or (self.fails and _has_errors(self.findings))


@dataclass(frozen=True)
class ProcessedDocuments:
    """Documents after the pipeline, with changes and findings. An unchanged document is the very object that was passed in."""

    documents: tuple[Document, ...]
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    rules: frozenset[int] = frozenset()
    errors: tuple[SidecarctlError, ...] = ()


# Edits a document and the companions behind it. The text is the head of the document after them, None at the end.
Step = Callable[[Document, Sequence[Document], "str | None"], DocumentResult]
# Selects the documents that are validated and edited.
DocumentFilter = Callable[[Document], bool]


def make_add_step(requests: Sequence[Request], options: Options) -> Step:
    """Return the step that adds sidecars to a document's workloads."""
    ordered = order_requests(requests)
    return lambda document, companions, following: steps.add_sidecars(
        document,
        companions,
        ordered,
        options.kube_version,
        options.kinds,
        following=following,
        workloads_filter=options.workloads,
    )


def make_remove_step(names: Sequence[str] | None, options: Options) -> Step:
    """Return the step that removes instances from a document's workloads; None removes all."""
    return lambda document, companions, following: steps.remove_instances(
        document, companions, names, options.kinds, following=following, workloads_filter=options.workloads
    )


def add(text: str, requests: Sequence[Request], options: Options, file: str = "-") -> Result:
    """Add sidecars to every workload of a text."""
    return run(text, make_add_step(requests, options), options, file)


def remove(text: str, names: Sequence[str] | None, options: Options, file: str = "-") -> Result:
    """Remove instances from every workload of a text; None removes all.

    Errors that were there before do not count, and documents without a record are not even parsed.
    """
    if not _may_have_record(text):
        return Result(text, original=text)
    options = replace(options, checks_input=False)
    return run(text, make_remove_step(names, options), options, file, lambda one: _may_have_record(one.text))


def remove_from_documents(
    documents: Iterable[Document], names: Sequence[str] | None, options: Options
) -> Iterator[ProcessedDocuments]:
    """Remove instances from a stream of documents, as `remove` does from a text."""
    options = replace(options, checks_input=False)
    step = make_remove_step(names, options)
    return process_documents(documents, step, options, lambda one: _may_have_record(one.text))


def _may_have_record(text: str) -> bool:
    """Return False if a text certainly has no record; an escape can hide one."""
    return "sidecars" in text or "\\u" in text or "\\x" in text


def render(text: str, chosen: Selection, options: Options, file: str = "-") -> Result:
    """Apply a composition to a text. Workloads that it neither selects nor owns are not validated."""
    selects, step, rules = _prepare_composition(chosen, options)
    return replace(run(text, step, options, file, selects), rules=frozenset(rules))


def render_documents(
    documents: Iterable[Document], chosen: Selection, options: Options, leave: DocumentFilter | None = None
) -> ProcessedDocuments:
    """Apply a composition to split documents, except those that `leave` selects.

    If a finding is an error, discard the documents. Raises InputError for invalid YAML.
    """
    selects, step, rules = _prepare_composition(chosen, options)

    def wanted(document: Document) -> bool:
        return not (leave and leave(document)) and selects(document)

    whole = _join_results(process_documents(documents, step, options, wanted))
    for error in whole.errors:
        raise error
    return replace(whole, rules=frozenset(rules))


def _prepare_composition(chosen: Selection, options: Options) -> tuple[DocumentFilter, Step, set[int]]:
    """Return the filter and the step for a composition, and a set that collects the numbers of the rules that selected."""
    from sidecarctl.inject.reconcile import find_tasks, reconcile

    name, rules = chosen.composition.name, set[int]()
    todo: dict[int, DocumentTasks] = {}

    def selects(document: Document) -> bool:
        tasks = find_tasks(document, chosen.choose, name, options.kinds, options.workloads)
        rules.update(tasks.rules)
        todo[id(document)] = tasks
        return not tasks.idle or bool(tasks.skipped)

    def step(document: Document, companions: Sequence[Document], following: str | None) -> DocumentResult:
        tasks = todo.pop(id(document))
        return reconcile(document, companions, tasks, options.kube_version, options.kinds, following=following)

    return selects, step, rules


def run(text: str, step: Step, options: Options, file: str = "-", selects: DocumentFilter | None = None) -> Result:
    """Run the pipeline over a text. Raises BugError if an edit fails verification.

    Documents that `selects` rejects are not validated or changed. A document that cannot be parsed is an error of the
    result and does not hide the others.
    """
    broken: list[SidecarctlError] = []
    documents = split_readable(text, file, broken)
    if OWNER_ANNOTATION in text and has_displaced_companions(split_readable(text, file, [])):
        result = _run_on_sorted(text, list(documents), step, options, selects)
        return replace(result, errors=(*broken, *result.errors))
    out: list[str] = []
    changes: list[WorkloadChange] = []
    findings: list[Finding] = []
    # Keep texts, not documents: the nodes of a finished document are freed.
    for processed in process_documents(documents, step, options, selects):
        out.append(join(processed.documents))
        changes += processed.changes
        findings += processed.findings
        broken += processed.errors
    failed = bool(broken) or (options.fails and _has_errors(findings))
    new = text if failed else "".join(out)
    return Result(new, tuple(changes), tuple(findings), text, errors=tuple(broken), fails=options.fails)


def _run_on_sorted(
    text: str, documents: list[Document], step: Step, options: Options, selects: DocumentFilter | None
) -> Result:
    """Run the pipeline over a text whose companions do not follow their workloads. Holds all documents in memory."""
    gathered, moved = gather_companions(documents, options.kinds)
    whole = _join_results(process_documents(gathered, step, options, selects))
    out = keep_metadata(restore_order(whole.documents, moved, len(documents)), documents)
    failed = bool(whole.errors) or (options.fails and _has_errors(whole.findings))
    new = text if failed else join(out)
    return Result(new, whole.changes, whole.findings, text, errors=whole.errors, fails=options.fails)


def _join_results(processed: Iterable[ProcessedDocuments]) -> ProcessedDocuments:
    parts = list(processed)
    return ProcessedDocuments(
        tuple(document for one in parts for document in one.documents),
        tuple(change for one in parts for change in one.changes),
        tuple(finding for one in parts for finding in one.findings),
        errors=tuple(error for one in parts for error in one.errors),
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
        except InputError as error:
            yield ProcessedDocuments(unchanged, errors=(error,))


def _process(
    document: Document, companions: Sequence[Document], following: str | None, step: Step, options: Options
) -> ProcessedDocuments:
    """Validate one document, edit it, and validate the result.

    Only errors in a pod template that is edited prevent the edit; other errors that were there before are warnings.
    """
    version, kinds = options.kube_version, options.kinds
    severities = options.severities(document.file)
    edited = [one.template_path for one in workloads(document.value, kinds) if options.workloads.selects(one)]
    schema = list(locate_findings(document, check_workloads(document.value, version, options.validate, kinds)))
    before = grade(document, schema, severities) if options.checks_input else []
    if options.fails and any(one.severity is Severity.ERROR and is_inside(one, edited) for one in before):
        # Do not report a value twice: by its structure and by a rule.
        misshapen = {one.path for one in before}
        rules = (one for one in check_rules(document.value, version, kinds) if is_rejection(one))
        more = grade(document, locate_findings(document, rules), severities)
        before += (one for one in more if one.path not in misshapen)
        return ProcessedDocuments((document, *companions), (), tuple(_as_before(one, edited) for one in before))
    result = step(document, companions, following)
    planned = (*result.findings, *(f for plan in result.plans for f in plan.findings))
    refused = any(plan.refused for plan in result.plans)
    own = list(locate_findings(document, planned))
    findings = [
        *(_as_before(one, edited) for one in before),
        # What prevents the edit cannot be ignored.
        *(own if refused else grade(document, own, severities)),
        *_validate_result(document, result, schema, edited, options),
    ]
    changes = collect_changes(document, result, version, kinds, facts=options.facts)
    return ProcessedDocuments(result.documents, tuple(changes), tuple(findings))


def _as_before(finding: Finding, edited: Sequence[PathTuple]) -> Finding:
    """Return a finding about the input: an error outside of the edited pod templates is a warning."""
    return finding if is_inside(finding, edited) else demote(finding)


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
    before: Document, result: DocumentResult, known: Sequence[Finding], edited: Sequence[PathTuple], options: Options
) -> Iterator[Finding]:
    """Yield the findings of the result: existing ones that the API server refuses, and new ones.

    New findings come from the sidecar's template. The input is only validated if the result has findings.
    """
    after = result.documents[0]
    version, kinds = options.kube_version, options.kinds
    severities = options.severities(before.file)
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
    if options.checks_input:
        rejected = grade(before, locate_findings(before, filter(is_rejection, old)), severities)
        yield from (_as_before(one, edited) for one in rejected)
    if not changed:
        return
    seen = {_identity(finding) for finding in (*known, *old)}
    # A plan and a rule of the same name report a workload once.
    planned = {(finding.rule, finding.workload) for plan in result.plans for finding in plan.findings}
    sidecars = ", ".join(dict.fromkeys(f"{p.instance.sidecar}@{p.instance.version}" for p in result.plans))
    new = [
        replace(finding, source=f"sidecar {sidecars}" if sidecars else "the removal")
        for finding in (*check_workloads(after.value, version, options.validate, kinds), *found)
        if _identity(finding) not in seen and (finding.rule, finding.workload) not in planned
    ]
    yield from grade(before, locate_findings(before, new), severities, after.value)


def _identity(finding: Finding) -> tuple[str, ...]:
    """Return what identifies a finding before and after. Its path does not: additions shift it."""
    return finding.rule, finding.message, finding.workload, finding.container


def _has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _refusal(document: Document, refusal: EditRefused | RecordError) -> Finding:
    rule = "unreadable-record" if isinstance(refusal, RecordError) else "edit-refused"
    finding = Finding(rule, refusal.message, path=refusal.path, help=refusal.hint)
    return next(locate_findings(document, [finding]))
