"""Pipeline: parse, plan, edit, verify, validate, report. Takes the text of one file and returns the new text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sidecarctl.composition.annotations import INJECT, read_namespaces
from sidecarctl.composition.request import Request, order_requests
from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import Finding
from sidecarctl.inject.companion_search import gather_companions, has_displaced_companions, restore_order
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
from sidecarctl.inject.document import RepairOptions
from sidecarctl.inject.document_addition import add_sidecars, repair_chains
from sidecarctl.inject.document_removal import DocumentResult, concerns_removal, may_have_instance, remove_instances
from sidecarctl.inject.process import DocumentFilter, Step, fit_jobs, has_errors, process_documents
from sidecarctl.inject.process import Options as Options
from sidecarctl.inject.process import ProcessedDocuments as ProcessedDocuments
from sidecarctl.kube.fronts import concerns_retargeting
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.results import WorkloadChange
from sidecarctl.validate.rule_selection import Severities, no_severities
from sidecarctl.yamltext.stream import Document, join, split_readable

if TYPE_CHECKING:
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.reconcile import DocumentTasks
    from sidecarctl.inject.upgrade_instances import UpgradeRequest


@dataclass(frozen=True)
class Result:
    """A text after the pipeline. If the run fails, `text` is the input.

    rules   the numbers of the composition's rules that selected a workload
    errors  of documents that cannot be parsed; the others are processed
    fails   False if errors among the findings do not fail the run
    beside  the new texts of other files with companions of these workloads, by file name
    """

    text: str
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    original: str = field(default="", repr=False)
    beside: Mapping[str, str] = field(default_factory=dict)
    documents: tuple[Document, ...] = field(default=(), repr=False)
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
        return bool(self.errors) or (self.fails and has_errors(self.findings))


def make_add_step(requests: Sequence[Request], options: Options) -> Step:
    """Return the step that adds sidecars to a document's workloads."""
    ordered = order_requests(requests)
    return lambda document, companions, following: add_sidecars(
        document,
        companions,
        ordered,
        options.kube_version,
        options.kinds,
        following=following,
        workloads_filter=options.workloads,
    )


def make_upgrade_step(wanted: UpgradeRequest, options: Options) -> Step:
    """Return the step that upgrades the instances of a document's workloads."""
    from sidecarctl.inject.upgrade_instances import upgrade_instances

    return lambda document, companions, following: upgrade_instances(
        document,
        companions,
        wanted,
        options.kube_version,
        options.kinds,
        following=following,
        workloads_filter=options.workloads,
    )


def make_remove_step(names: Sequence[str] | None, options: Options) -> Step:
    """Return the step that removes instances from a document's workloads; None removes all."""
    again = RepairOptions(None, "fail", options.kube_version, options.kinds)

    def step(document: Document, companions: Sequence[Document], following: str | None) -> DocumentResult:
        result = remove_instances(
            document, companions, names, options.kinds, following=following, workloads_filter=options.workloads
        )
        return repair_chains(result, (document, *companions), again, following)

    return step


def add(text: str, requests: Sequence[Request], options: Options, file: str = "-") -> Result:
    """Add sidecars to every workload of a text."""
    return run(text, make_add_step(requests, options), options, file)


def remove(
    text: str,
    names: Sequence[str] | None,
    options: Options,
    file: str = "-",
    beside: Sequence[tuple[str, str]] = (),
) -> Result:
    """Remove instances from every workload of a text; None removes all.

    Errors that were there before do not count, and documents without a record are not even parsed.
    """
    if not may_have_instance(text, names):
        return Result(text, original=text)
    options = _for_removal(options)
    step = make_remove_step(names, options)
    return run(text, step, options, file, lambda one: concerns_removal(one, names), beside)


def remove_from_documents(
    documents: Iterable[Document], names: Sequence[str] | None, options: Options
) -> Iterator[ProcessedDocuments]:
    """Remove instances from a stream of documents, as `remove` does from a text."""
    options = _for_removal(options)
    step = make_remove_step(names, options)
    return process_documents(documents, step, options, lambda one: concerns_removal(one, names))


def _for_removal(options: Options) -> Options:
    """Return the options of a removal, which neither errors of the input nor an invalid composition prevent."""

    def severities(file: str) -> Severities:
        try:
            return options.severities(file)
        except SidecarctlError:
            return no_severities(file)

    return replace(options, checks_input=False, severities=severities)


def render(
    text: str, chosen: Selection, options: Options, file: str = "-", beside: Sequence[tuple[str, str]] = ()
) -> Result:
    """Apply a composition to a text. Workloads that it neither selects nor owns are not validated.

    `chosen` knows the Namespaces of the run; those of the text count too.
    """
    if not chosen.namespaces and INJECT in text:
        chosen = replace(chosen, namespaces=read_namespaces(split_readable(text, file, [])))
    selects, step, rules = _prepare_composition(chosen, options)
    return replace(run(text, step, options, file, selects, beside), rules=frozenset(rules))


def render_documents(
    documents: Iterable[Document], chosen: Selection, options: Options, leave: DocumentFilter | None = None
) -> ProcessedDocuments:
    """Apply a composition to split documents, except those that `leave` selects.

    If a finding is an error, discard the documents. Raises InputError for invalid YAML.
    """
    documents = list(documents)
    if namespaces := read_namespaces(documents):
        chosen = replace(chosen, namespaces=namespaces)
    selects, step, rules = _prepare_composition(chosen, options)

    def wanted(document: Document) -> bool:
        return not (leave and leave(document)) and selects(document)

    whole = _join_results(process_documents(documents, step, options, wanted))
    for error in whole.errors:
        raise error
    enabled = chosen.composition.retarget
    if concerns_retargeting((each.text for each in (*documents, *whole.documents)), enabled=enabled):
        from sidecarctl.inject.retarget import retarget_run as retarget

        whole = retarget(documents, whole, options.kinds, enabled=enabled)
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


def run(
    text: str,
    step: Step,
    options: Options,
    file: str = "-",
    selects: DocumentFilter | None = None,
    beside: Sequence[tuple[str, str]] = (),
) -> Result:
    """Run the pipeline over a text. Raises BugError if an edit fails verification.

    Documents that `selects` rejects are not validated or changed. A document that cannot be parsed is an error of the
    result and does not hide the others. `beside` are other files, by name and text, that have companions of its workloads.
    """
    result = _run(text, step, options, file, selects, beside)
    if result.errors or OWNER_ANNOTATION not in result.text or text.count("kind") <= len(result.changes):
        return result  # without companions, or with nothing but workloads that changed
    from sidecarctl.inject.taken_names import added_names, find_taken_names

    taken = tuple(find_taken_names(split_readable(text, file, []), added_names(result.changes)))
    if not taken:
        return result
    result = replace(result, findings=(*result.findings, *taken))
    return replace(result, text=text, beside={}, documents=()) if options.fails else result


def _run(
    text: str,
    step: Step,
    options: Options,
    file: str,
    selects: DocumentFilter | None,
    beside: Sequence[tuple[str, str]],
) -> Result:
    broken: list[SidecarctlError] = []
    options = fit_jobs(options, text, file)
    documents = split_readable(text, file, broken)
    if beside:
        result = _run_with_files(text, list(documents), beside, step, options, selects)
        return _with_errors(result, broken)
    if OWNER_ANNOTATION in text and has_displaced_companions(split_readable(text, file, [])):
        result = _run_on_sorted(text, list(documents), step, options, selects)
        return _with_errors(result, broken)
    out, changes, findings = list[str](), list[WorkloadChange](), list[Finding]()
    # Keep texts, not documents: the nodes of a finished document are freed.
    for processed in process_documents(documents, step, options, selects):
        out.append(join(processed.documents))
        changes += processed.changes
        findings += processed.findings
        broken += processed.errors
    failed = bool(broken) or (options.fails and has_errors(findings))
    new = text if failed else "".join(out)
    return Result(new, tuple(changes), tuple(findings), text, errors=tuple(broken), fails=options.fails)


def _with_errors(result: Result, errors: Sequence[SidecarctlError]) -> Result:
    """Return a result with the errors of documents that could not be split, which leave the text as it was."""
    return replace(result, text=result.original, errors=(*errors, *result.errors)) if errors else result


def _run_on_sorted(
    text: str,
    documents: list[Document],
    step: Step,
    options: Options,
    selects: DocumentFilter | None,
    count: int | None = None,
) -> Result:
    """Run the pipeline over a text whose companions do not follow their workloads. Holds all documents in memory.

    Documents from number `count` on are of other files: they are in the result, but not in its text.
    """
    gathered = gather_companions(documents, options.kinds)
    whole = _join_results(process_documents(gathered, step, options, selects))
    out = restore_order(whole.documents)
    failed = bool(whole.errors) or (options.fails and has_errors(whole.findings))
    new = text if failed else join(each for each in out if count is None or each.index < count)
    others = () if count is None else tuple(each for each in out if each.index >= count)
    return Result(new, whole.changes, whole.findings, text, errors=whole.errors, fails=options.fails, documents=others)


def _run_with_files(
    text: str,
    documents: list[Document],
    beside: Sequence[tuple[str, str]],
    step: Step,
    options: Options,
    selects: DocumentFilter | None,
) -> Result:
    """Run the pipeline over a text and the companions that other files have; other documents of these files stay."""
    others = [(name, each) for name, content in beside for each in split_readable(content, name, [])]
    count = len(documents)
    for number, (_, document) in enumerate(others):
        document.index = count + number
    ours = [document for _, document in others if read_owner(document) is not None]
    whole = _run_on_sorted(text, [*documents, *ours], step, options, selects, count)
    if whole.failed or whole.errors:
        return whole
    left = {document.index: document for document in whole.documents}
    texts = {
        name: join(left.get(each.index, each) for own, each in others if own == name and _stays(each, ours, left))
        for name, _ in beside
    }
    return replace(whole, beside=texts, documents=())


def _stays(document: Document, ours: Sequence[Document], left: Mapping[int, Document]) -> bool:
    return document.index in left or not any(document is each for each in ours)


def _join_results(processed: Iterable[ProcessedDocuments]) -> ProcessedDocuments:
    parts = list(processed)
    return ProcessedDocuments(
        tuple(document for one in parts for document in one.documents),
        tuple(change for one in parts for change in one.changes),
        tuple(finding for one in parts for finding in one.findings),
        errors=tuple(error for one in parts for error in one.errors),
    )
