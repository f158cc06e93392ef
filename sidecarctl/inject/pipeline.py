"""The stair: read, plan, edit, prove, check, report. Text in, text out; a run over many files is many of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from sidecarctl.composition.request import Request, in_order
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import document as steps
from sidecarctl.inject.changes import changes_of
from sidecarctl.inject.companions import OWNER_ANNOTATION
from sidecarctl.inject.document import Composed
from sidecarctl.inject.prefilter import passes_through
from sidecarctl.inject.record import RecordError
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import WorkloadChange
from sidecarctl.validate.check_document import check_rules, check_workloads, is_rejection
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document, join, split

if TYPE_CHECKING:
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.reconcile import Tasks


@dataclass(frozen=True)
class Options:
    """How a run composes and checks.

    validate  strict, warn or ignore, as in kubectl
    facts     whether reports want each pod's resources and QoS class before and after
    """

    kube_version: str = versions.NEWEST
    kinds: Kinds = DEFAULT_KINDS
    validate: str = "strict"
    facts: bool = True


@dataclass(frozen=True)
class Result:
    """A text after the stair. Where a finding is an error, `text` is the input.

    `rules` are the numbers of a composition's rules that selected a workload in it.
    """

    text: str
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    original: str = field(default="", repr=False)
    rules: frozenset[int] = frozenset()

    @property
    def changed(self) -> bool:
        """True when the text is not the input's."""
        return self.text != self.original

    @property
    def failed(self) -> bool:
        """True when a finding is an error."""
        return _has_errors(self.findings)


@dataclass(frozen=True)
class Walked:
    """Documents after the stair, with what is to be said of them; a document that nothing was done to is itself."""

    documents: tuple[Document, ...]
    changes: tuple[WorkloadChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    rules: frozenset[int] = frozenset()


# Composes one document with the companions behind it; the text is the head of what follows those, None at the end.
Step = Callable[[Document, Sequence[Document], "str | None"], Composed]
# Whether a document is any business of the run.
Concerns = Callable[[Document], bool]


def adding(requests: Sequence[Request], options: Options) -> Step:
    """Return the step that adds sidecars to a document's workloads."""
    ordered = in_order(requests)
    return lambda document, companions, following: steps.add(
        document, companions, ordered, options.kube_version, options.kinds, following=following
    )


def removing(names: Sequence[str] | None, options: Options) -> Step:
    """Return the step that removes instances from a document's workloads; None removes all."""
    return lambda document, companions, following: steps.remove(
        document, companions, names, options.kinds, following=following
    )


def add(text: str, requests: Sequence[Request], options: Options, file: str = "-") -> Result:
    """Add sidecars to every workload of a text."""
    return run(text, adding(requests, options), options, file)


def remove(text: str, names: Sequence[str] | None, options: Options, file: str = "-") -> Result:
    """Remove instances from every workload of a text; None removes all."""
    return run(text, removing(names, options), options, file)


def render(text: str, chosen: Selection, options: Options, file: str = "-") -> Result:
    """Bring a text to what a composition wants. Workloads that it has nothing to do with are neither changed nor checked."""
    concerns, step, rules = _declaring(chosen, options)
    return replace(run(text, step, options, file, concerns), rules=frozenset(rules))


def render_documents(
    documents: Iterable[Document], chosen: Selection, options: Options, leave: Concerns | None = None
) -> Walked:
    """The same for documents that are cut already; those that `leave` names are left alone.

    Where a finding is an error the result is not to be used.
    """
    concerns, step, rules = _declaring(chosen, options)

    def wanted(document: Document) -> bool:
        return not (leave and leave(document)) and concerns(document)

    return replace(_whole(walk(documents, step, options, wanted)), rules=frozenset(rules))


def _declaring(chosen: Selection, options: Options) -> tuple[Concerns, Step, set[int]]:
    """What the stair needs for a composition, and a set that fills with the numbers of the rules that select something."""
    from sidecarctl.inject.reconcile import declare, tasks

    name, rules = chosen.composition.name, set[int]()
    todo: dict[int, Tasks] = {}

    def concerns(document: Document) -> bool:
        found = tasks(document, chosen.choose, name, options.kinds)
        rules.update(found.rules)
        todo[id(document)] = found
        return not found.idle or bool(found.skipped)

    def step(document: Document, companions: Sequence[Document], following: str | None) -> Composed:
        found = todo.pop(id(document))
        return declare(document, companions, found, options.kube_version, options.kinds, following=following)

    return concerns, step, rules


def run(text: str, step: Step, options: Options, file: str = "-", concerns: Concerns | None = None) -> Result:
    """Take a text down the stair. Raises InputError for text that can't be read, BugError where a proof fails.

    A document that `concerns` denies is neither checked nor changed.
    """
    if OWNER_ANNOTATION in text:
        from sidecarctl.inject import regroup

        if regroup.out_of_place(split(text, file)):
            return _scattered(text, step, options, file, concerns)
    out: list[str] = []
    changes: list[WorkloadChange] = []
    findings: list[Finding] = []
    # Texts, not documents: nodes are let go as soon as a document is done.
    for walked in walk(split(text, file), step, options, concerns):
        out.append(join(walked.documents))
        changes += walked.changes
        findings += walked.findings
    return Result(text if _has_errors(findings) else "".join(out), tuple(changes), tuple(findings), text)


def _scattered(text: str, step: Step, options: Options, file: str, concerns: Concerns | None) -> Result:
    """A text in which companions do not follow their workloads; that takes all of it at once."""
    from sidecarctl.inject import regroup

    documents = list(split(text, file))
    gathered, moved = regroup.gather(documents, options.kinds)
    whole = _whole(walk(gathered, step, options, concerns))
    out = regroup.carried(regroup.scatter(whole.documents, moved, len(documents)), documents)
    return Result(text if _has_errors(whole.findings) else join(out), whole.changes, whole.findings, text)


def _whole(walked: Iterable[Walked]) -> Walked:
    parts = list(walked)
    return Walked(
        tuple(document for one in parts for document in one.documents),
        tuple(change for one in parts for change in one.changes),
        tuple(finding for one in parts for finding in one.findings),
    )


def walk(
    documents: Iterable[Document], step: Step, options: Options, concerns: Concerns | None = None
) -> Iterator[Walked]:
    """Yield what becomes of each document, with its companions. Keeps none: a stream may be of any length."""
    for document, companions, following in grouped(documents):
        same = (document, *companions)
        if passes_through(document.text, options.kinds):
            yield Walked(same)
            continue
        try:
            if concerns is None or concerns(document):
                yield _stepped(document, companions, following, step, options)
            else:
                yield Walked(same)
        except (EditRefused, RecordError) as refusal:
            yield Walked(same, (), (_refusal(document, refusal),))


def _stepped(
    document: Document, companions: Sequence[Document], following: str | None, step: Step, options: Options
) -> Walked:
    """One document down the stair: checked, composed, checked again."""
    version, kinds = options.kube_version, options.kinds
    before = check_workloads(document.value, version, options.validate, kinds)
    if _has_errors(before):
        # Of a value whose shape is wrong already, a rule has nothing new to say.
        misshapen = {one.path for one in before}
        before += (
            one
            for one in check_rules(document.value, version, kinds)
            if is_rejection(one) and one.path not in misshapen
        )
        return Walked((document, *companions), (), tuple(located(document, before)))
    composed = step(document, companions, following)
    planned = (*before, *composed.findings, *(f for plan in composed.plans for f in plan.findings))
    findings = (*located(document, planned), *_checked(document, composed, before, options))
    changes = changes_of(document, composed, version, kinds, facts=options.facts)
    return Walked(composed.documents, tuple(changes), findings)


def grouped(documents: Iterable[Document]) -> Iterator[tuple[Document, list[Document], str | None]]:
    """Yield each document with the companions right behind it, and the head of what follows."""
    current: Document | None = None
    companions: list[Document] = []
    for document in documents:
        if current is not None and OWNER_ANNOTATION in document.text and _is_companion(document):
            companions.append(document)
            continue
        if current is not None:
            yield current, companions, document.head
        current, companions = document, []
    if current is not None:
        yield current, companions, None


def _is_companion(document: Document) -> bool:
    from sidecarctl.inject.companions import owner_of

    return owner_of(document) is not None


def located(document: Document, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Give findings their place in a document."""
    for finding in findings:
        related = tuple(replace(r, place=r.place or document.locate(r.path)) for r in finding.related)
        yield replace(
            finding, place=finding.place or document.locate(finding.path, on_key=finding.on_key), related=related
        )


def _checked(before: Document, composed: Composed, known: Sequence[Finding], options: Options) -> Iterator[Finding]:
    """What is wrong with the result: what the input already had, if the API server refuses it, and what is new.

    New findings come from the sidecar's template. The input is asked only where the result gives cause.
    """
    after = composed.documents[0]
    version, kinds = options.kube_version, options.kinds
    admin = {
        name: plan.admin_ports
        for plan in composed.plans
        for name in (*plan.instance.added.containers, *plan.instance.added.init_containers)
        if plan.admin_ports
    }
    # Taking away what was added gives the QoS class back that was chosen before: nothing to warn of.
    found = check_rules(after.value, version, kinds, before.value if composed.plans else None, admin)
    changed = after.text != before.text
    old = check_rules(before.value, version, kinds) if found and changed else found
    yield from located(before, filter(is_rejection, old))
    if not changed:
        return
    seen = {_identity(finding) for finding in (*known, *old)}
    # What a plan has said of a workload the rule of the same name does not say again.
    planned = {(finding.rule, finding.workload) for plan in composed.plans for finding in plan.findings}
    sidecars = ", ".join(dict.fromkeys(f"{p.instance.sidecar}@{p.instance.version}" for p in composed.plans))
    for finding in (*check_workloads(after.value, version, options.validate, kinds), *found):
        if _identity(finding) not in seen and (finding.rule, finding.workload) not in planned:
            yield replace(finding, source=f"sidecar {sidecars}" if sidecars else "the removal")


def _identity(finding: Finding) -> tuple[str, ...]:
    """What makes a finding the same one before and after: not its path, which additions move."""
    return finding.rule, finding.message, finding.workload, finding.container


def _has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _refusal(document: Document, refusal: EditRefused | RecordError) -> Finding:
    rule = "unreadable-record" if isinstance(refusal, RecordError) else "edit-refused"
    finding = Finding(rule, refusal.message, path=refusal.path, help=refusal.hint)
    return next(located(document, [finding]))
