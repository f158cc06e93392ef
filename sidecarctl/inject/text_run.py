"""Run a step over the text of a file: split into documents, process, check names, and join; the result has the new text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import Finding
from sidecarctl.inject.companion_search import ALONE, Beside, CompanionKey
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
from sidecarctl.inject.process import (
    DocumentFilter,
    Options,
    ProcessedDocuments,
    Step,
    fit_jobs,
    has_errors,
    process_documents,
)
from sidecarctl.kube.workload import may_hold
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.results import WorkloadChange
from sidecarctl.yamltext.remove import has_final_break
from sidecarctl.yamltext.separators import Separators, keep_separators
from sidecarctl.yamltext.stream import Document, join, split_readable


@dataclass(frozen=True)
class Result:
    """A text after the pipeline. If the run fails, `text` is the input.

    rules   the numbers of the composition's rules that selected a workload
    errors  of documents that cannot be parsed; the others are processed
    fails   False if errors among the findings do not fail the run
    beside  the new texts of other files with companions of these workloads, by file name
    secrets the texts of secret parameters, for `mask_findings`
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
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def changed(self) -> bool:
        """True if the text differs from the input."""
        return self.text != self.original

    @property
    def failed(self) -> bool:
        """True if a finding is an error that fails the run, or a document cannot be parsed."""
        return bool(self.errors) or (self.fails and has_errors(self.findings))


def run(
    text: str,
    step: Step,
    options: Options,
    file: str = "-",
    selects: DocumentFilter | None = None,
    beside: Beside = ALONE,
) -> Result:
    """Run the pipeline over a text. Raises BugError if an edit fails verification.

    Documents that `selects` rejects are not validated or changed. A document that cannot be parsed is an error of the
    result and does not hide the others.
    """
    result = _run(text, step, options, file, selects, beside)
    changed = {(each.label, each.line) for each in result.changes}  # one object can have several pod templates
    alone = not beside.files and text.count("kind") <= len(changed)
    if result.errors or alone or not may_hold(result.text, OWNER_ANNOTATION):
        return result  # without companions, or with nothing but workloads that changed
    from sidecarctl.inject.taken_names import added_names, find_taken_names

    given = (each for name, content in ((file, text), *beside.files) for each in split_readable(content, name, []))
    taken = tuple(find_taken_names(given, added_names(result.changes)))
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
    beside: Beside,
) -> Result:
    broken: list[SidecarctlError] = []
    options = fit_jobs(options, text, file)
    documents = split_readable(text, file, broken)
    if beside.files:
        return _run_with_files(text, list(documents), beside, step, options, selects, broken)
    if may_hold(text, OWNER_ANNOTATION):
        from sidecarctl.inject.displaced_companions import has_displaced_companions

        if beside.claimed or has_displaced_companions(split_readable(text, file, []), options.kinds):
            return _run_on_sorted(text, list(documents), step, options, selects, beside.claimed, broken)
    out, changes, findings, secrets = list[str](), list[WorkloadChange](), list[Finding](), frozenset[str]()
    # Keep texts, not documents: the nodes of a finished document are freed.
    separators = Separators()
    for processed in process_documents(separators.read(documents), step, options, selects):
        out.append(join(separators.keep(processed.documents)))
        changes += processed.changes
        findings += processed.findings
        broken += processed.errors
        secrets |= processed.secrets
    failed = bool(broken) or (options.fails and has_errors(findings))
    new = text if failed else "".join(out)
    errors = tuple(broken)
    return Result(new, tuple(changes), tuple(findings), text, errors=errors, fails=options.fails, secrets=secrets)


def _run_on_sorted(
    text: str,
    documents: list[Document],
    step: Step,
    options: Options,
    selects: DocumentFilter | None,
    claimed: Collection[CompanionKey],
    broken: Sequence[SidecarctlError],
    count: int | None = None,
) -> Result:
    """Run the pipeline over a text whose companions do not follow their workloads. Holds all documents in memory.

    `broken` are the errors of documents that cannot be read, which leave the text as it is. Documents from number `count` on
    are of other files: they are in the result, but not in its text.
    """
    from sidecarctl.inject.displaced_companions import gather_companions, restore_order

    gathered = gather_companions(documents, options.kinds, claimed)
    whole = join_results(process_documents(gathered, step, options, selects))
    out = restore_order(whole.documents)
    errors = (*broken, *whole.errors)
    failed = bool(errors) or (options.fails and has_errors(whole.findings))
    own = [each for each in out if count is None or each.index < count]
    new = text if failed else _join(text, documents[:count], own)
    others = () if count is None else tuple(each for each in out if each.index >= count)
    return Result(
        new,
        whole.changes,
        whole.findings,
        text,
        documents=others,
        errors=errors,
        fails=options.fails,
        secrets=whole.secrets,
    )


def _run_with_files(
    text: str,
    documents: list[Document],
    beside: Beside,
    step: Step,
    options: Options,
    selects: DocumentFilter | None,
    broken: list[SidecarctlError],
) -> Result:
    """Run the pipeline over a text and the companions that other files have; other documents of these files stay.

    A file that cannot be split is an error of the result: its text could not be joined again.
    """
    unreadable: list[SidecarctlError] = []
    others = beside.split(unreadable)
    if unreadable:
        return Result(text, original=text, errors=(*broken, *unreadable), fails=options.fails)
    count = len(documents)
    for number, (_, document) in enumerate(others):
        document.index = count + number
    ours = [document for _, document in others if read_owner(document) is not None]
    whole = _run_on_sorted(text, [*documents, *ours], step, options, selects, beside.claimed, broken, count)
    if whole.failed or whole.errors:
        return whole
    left = {document.index: document for document in whole.documents}
    removed = {document.index for document in ours} - left.keys()
    given: dict[str, list[Document]] = {name: [] for name, _ in beside.files}
    for name, document in others:
        given[name].append(document)
    texts = {}
    for name, content in beside.files:
        kept = [left.get(each.index, each) for each in given[name] if each.index not in removed]
        texts[name] = _join(content, given[name], kept)
    return replace(whole, beside=texts, documents=())


def _join(before: str, given: Sequence[Document], documents: Sequence[Document]) -> str:
    """Join the documents of a file, which had the text `before` and the documents `given`.

    Without a companion that was the first or the last one, the byte order mark stays, and a file without a final line break
    stays without one, unless the line break is part of a value.
    """
    text = join(keep_separators(given, documents))
    if (
        text.endswith("\n")
        and not before.endswith("\n")
        and not has_final_break(documents[-1].text, documents[-1].root)
    ):
        text = text[:-1].removesuffix("\r")
    return f"\ufeff{text}" if text and before.startswith("\ufeff") and not text.startswith("\ufeff") else text


def join_results(processed: Iterable[ProcessedDocuments]) -> ProcessedDocuments:
    """Return documents, changes, findings, and errors of all parts as one."""
    parts = list(processed)
    return ProcessedDocuments(
        tuple(document for one in parts for document in one.documents),
        tuple(change for one in parts for change in one.changes),
        tuple(finding for one in parts for finding in one.findings),
        errors=tuple(error for one in parts for error in one.errors),
        secrets=frozenset[str]().union(*(one.secrets for one in parts)),
    )
