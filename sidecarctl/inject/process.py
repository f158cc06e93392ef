"""Processes the documents of a stream one by one: validate, edit, verify, validate the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from sidecarctl import watchdog
from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter
from sidecarctl.errors import InputError, SidecarctlError
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject.changes import collect_changes
from sidecarctl.inject.companions import find_shared_names, read_owner
from sidecarctl.inject.document import DocumentResult
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds, has_no_workload
from sidecarctl.kube.workload import workloads
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.record import annotation as records
from sidecarctl.record.paths import RecordError
from sidecarctl.results import Retargeted, WorkloadChange
from sidecarctl.validate.check_document import check_companion, check_rules, check_workloads, is_rejection
from sidecarctl.validate.grade import demote, grade, is_inside
from sidecarctl.validate.rule_selection import Severities, no_severities
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document, can_split

# Characters; shorter texts are not worth several processes.
_MIN_SPREAD = 20_000
_SIZE = lazy_pattern(r"\d+ bytes")


@dataclass(frozen=True)
class Options:
    """Options of a run.

    validate    strict, warn, or ignore, as in kubectl
    facts       report each pod's resources and QoS class before and after
    workloads   the workloads to change
    severities  function from a file name to severities by rule, from the composition that applies to the file
    fails       False to write the result in spite of errors that do not prevent the edit
    checks_input  report errors that were there before; `remove` does not
    jobs        number of processes for the documents of one text, 0 for one per CPU if there are enough documents
    """

    kube_version: str = versions.NEWEST
    kinds: Kinds = DEFAULT_KINDS
    validate: str = "strict"
    facts: bool = True
    workloads: WorkloadFilter = EVERY_WORKLOAD
    severities: Callable[[str], Severities] = no_severities
    fails: bool = True
    checks_input: bool = True
    jobs: int = 1


@dataclass(frozen=True)
class ProcessedDocuments:
    """Documents after the pipeline, with changes and findings. An unchanged document is the very object that was passed in.

    secrets  the texts of secret parameters, for `mask_findings`
    """

    documents: tuple[Document, ...]
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    rules: frozenset[int] = frozenset()
    errors: tuple[SidecarctlError, ...] = ()
    retargeted: tuple[Retargeted, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


# Edits a document and the companions behind it. The text is the head of the document after them, None at the end.
Step = Callable[[Document, Sequence[Document], "str | None"], DocumentResult]
# A document, the companions behind it, and the head of the next document.
Group = tuple[Document, list[Document], "str | None"]
# Selects the documents that are validated and edited.
DocumentFilter = Callable[[Document], bool]


def process_documents(
    documents: Iterable[Document], step: Step, options: Options, selects: DocumentFilter | None = None
) -> Iterator[ProcessedDocuments]:
    """Yield each document with its companions after the pipeline. Holds a few at a time: a stream may have any length.

    With several jobs, the documents are copies without nodes, and `selects` must not keep anything.
    """

    def process(group: Group) -> ProcessedDocuments:
        document, companions, following = group
        watchdog.begin(document.file)
        unchanged = (document, *companions)
        if has_no_workload(document.text, options.kinds):
            return ProcessedDocuments(unchanged)
        try:
            if selects is None or selects(document):
                return _process(document, companions, following, step, options)
            return ProcessedDocuments(unchanged)
        except (EditRefused, RecordError) as refusal:
            return ProcessedDocuments(unchanged, (), (_refusal(document, refusal),))
        except InputError as error:
            return ProcessedDocuments(unchanged, errors=(error,))

    def process_apart(group: Group) -> ProcessedDocuments:
        done = process(group)
        return replace(done, documents=tuple(one.without_nodes() for one in done.documents))

    if options.jobs == 1:
        # Not `map`: there, a StopIteration of `process` would end the documents without a word.
        return _with_shared_names(process(group) for group in group_companions(documents))
    from sidecarctl import workers

    return _with_shared_names(workers.spread_stream(group_companions(documents), process_apart, options.jobs))


def _with_shared_names(processed: Iterable[ProcessedDocuments]) -> Iterator[ProcessedDocuments]:
    owners: dict[str, str] = {}
    for one in processed:
        shared = tuple(find_shared_names(one.changes, owners)) if one.changes else ()
        yield replace(one, findings=(*one.findings, *shared)) if shared else one
    watchdog.begin()


def fit_jobs(options: Options, text: str, file: str) -> Options:
    """Return options with one job for a short text, and for one that cannot be split: its errors stay in order."""
    if options.jobs == 1 or (len(text) >= _MIN_SPREAD and can_split(text, file)):
        return options
    return replace(options, jobs=1)


def _process(
    document: Document, companions: Sequence[Document], following: str | None, step: Step, options: Options
) -> ProcessedDocuments:
    """Validate one document, edit it, and validate the result.

    Only errors in a pod template that is edited prevent the edit; other errors that were there before are warnings.
    """
    version, kinds = options.kube_version, options.kinds
    severities = options.severities(document.file)
    found = list(workloads(document.value, kinds))
    if not options.workloads.selects_all and not any(map(options.workloads.matches, found)):
        return ProcessedDocuments((document, *companions))
    edited = [one.template_path for one in found if options.workloads.selects(one)]
    schema = list(locate_findings(document, check_workloads(document.value, version, options.validate, kinds)))
    before = grade(document, schema, severities) if options.checks_input else []
    outdated: list[Finding] = []
    if options.fails and _prevents_edit(before, edited):
        outdated = _find_outdated(document, schema, options)
        left_out = set(map(id, outdated))
        schema = [one for one in schema if id(one) not in left_out]
        before = grade(document, schema, severities)
    if options.fails and _prevents_edit(before, edited):
        # Do not report a value twice: by its structure and by a rule.
        misshapen = {one.path for one in before}
        rules = (one for one in check_rules(document.value, version, kinds) if is_rejection(one))
        more = grade(document, locate_findings(document, rules), severities)
        before += (one for one in more if one.path not in misshapen)
        return ProcessedDocuments((document, *companions), (), tuple(_as_before(one, edited) for one in before))
    result = step(document, companions, following)
    planned = list(result.findings)
    if any(plan.findings for plan in result.plans):
        from sidecarctl.inject.input_paths import find_planned

        planned += find_planned(result.plans, found)
    refused = any(plan.refused for plan in result.plans)
    own = list(locate_findings(document, planned))
    findings = [
        *(_as_before(one, edited) for one in before),
        # What prevents the edit cannot be ignored.
        *(own if refused else grade(document, own, severities)),
        *_validate_result(document, result, schema, edited, options),
        *_validate_companions(document, companions, result, options),
    ]
    if outdated and result.documents[0].text == document.text:
        findings += grade(document, outdated, severities)
    secrets = frozenset[str]().union(*(plan.secrets for plan in result.plans))
    changes = collect_changes((document, *companions), result, version, kinds, facts=options.facts)
    if secrets:
        from sidecarctl.inject.secret_findings import mask_findings

        findings = list(mask_findings(findings, secrets))
    return ProcessedDocuments(result.documents, tuple(changes), tuple(findings), secrets=secrets)


def _prevents_edit(findings: Iterable[Finding], edited: Sequence[PathTuple]) -> bool:
    return any(one.severity is Severity.ERROR and is_inside(one, edited) for one in findings)


def _find_outdated(document: Document, found: Iterable[Finding], options: Options) -> list[Finding]:
    """Return the findings about containers of sidecars that only the target version of Kubernetes rejects.

    An earlier run wrote them for another version, and this one may replace or remove them. If they stay, they are findings of
    the result.
    """
    containers: set[PathTuple] = set()
    for workload in filter(options.workloads.selects, workloads(document.value, options.kinds)):
        with suppress(RecordError):  # the step reports it
            for instance in records.read(workload).instances.values():
                names = [("containers", name) for name in instance.added.containers]
                names += [("initContainers", name) for name in instance.added.init_containers]
                containers.update(each.path for name in names if (each := workload.named_containers.get(name)))
    newest = check_workloads(document.value, versions.NEWEST, options.validate, options.kinds)
    rejected = {(one.rule, one.path) for one in newest}
    lengths = set(map(len, containers))
    own = (one for one in found if any(one.path[:length] in containers for length in lengths))
    return [one for one in own if (one.rule, one.path) not in rejected]


def _as_before(finding: Finding, edited: Sequence[PathTuple]) -> Finding:
    """Return a finding about the input: an error outside of the edited pod templates is a warning."""
    return finding if is_inside(finding, edited) else demote(finding)


def group_companions(documents: Iterable[Document]) -> Iterator[Group]:
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
        _mark_bare(current, *companions)
        yield current, companions, None


def _mark_bare(*documents: Document) -> None:
    """Mark the last documents of a file without a final line break: each of them can become its end."""
    last = documents[-1]
    if last.text and not last.text.endswith("\n"):
        for document in documents:
            document.bare = document.file == last.file


def locate_findings(document: Document, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Set the place of findings in a document."""
    for finding in findings:
        related = tuple(replace(r, place=r.place or document.locate(r.path)) for r in finding.related)
        place = finding.place or document.locate(finding.path, on_key=finding.on_key)
        yield replace(finding, place=replace(place, line_text="") if finding.hides_line else place, related=related)


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
    for finding in grade(before, locate_findings(before, new), severities, after.value):
        # The value is in the result, so it has no place in the input; the places are for ignore comments.
        yield replace(finding, place=None, related=tuple(replace(one, place=None) for one in finding.related))


def _validate_companions(
    document: Document, before: Sequence[Document], result: DocumentResult, options: Options
) -> Iterator[Finding]:
    """Yield what the API server refuses in companions that are new or changed, and was not there before.

    Companions in a List are part of the document.
    """
    new = [each for each in result.documents[1:] if not any(each is old for old in before)]
    if not new or not result.plans:
        return

    def find(companion: Document) -> list[Finding]:
        value, version = companion.value, options.kube_version
        return [*check_companion(value, version), *filter(is_rejection, check_rules(value, version, options.kinds))]

    found = [(each, finding) for each in new for finding in find(each)]
    if not found:
        return
    seen = {_identity(finding) for each in before for finding in find(each)}
    source = ", ".join(dict.fromkeys(f"{p.instance.sidecar}@{p.instance.version}" for p in result.plans))
    for companion, finding in found:
        if _identity(finding) not in seen:
            named = replace(finding, source=f"sidecar {source}", place=None)
            for graded in grade(companion, [named], options.severities(document.file)):
                yield replace(graded, place=None)


def _identity(finding: Finding) -> tuple[str, ...]:
    """Return what identifies a finding before and after. Its path does not, because additions shift it, and sizes grow."""
    return finding.rule, _SIZE.sub("", finding.message), finding.workload, finding.container


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _refusal(document: Document, refusal: EditRefused | RecordError) -> Finding:
    rule = "unreadable-record" if isinstance(refusal, RecordError) else "edit-refused"
    finding = Finding(rule, refusal.message, path=refusal.path, help=refusal.hint)
    return next(locate_findings(document, [finding]))
