"""Add sidecars to the workloads of one document, with their companions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sidecarctl.composition.request import Request
from sidecarctl.composition.workload_filter import EVERY_WORKLOAD, WorkloadFilter
from sidecarctl.errors import SidecarctlError
from sidecarctl.inject.document import (
    DocumentResult,
    RepairOptions,
    add_sidecar,
    find_unusable_reason,
    have_equal_values,
    number_workloads,
)
from sidecarctl.inject.plan import Plan
from sidecarctl.inject.pod_settings import GRACE_PERIOD
from sidecarctl.kube.fronts import has_fronts, read_fronts
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, share_objects, workloads
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.results import FieldChange
from sidecarctl.yamltext.stream import Document

# Adds or upgrades one sidecar.
DocumentStep = Callable[[DocumentResult], DocumentResult]
# Two steps parse the text as often with a draft as without.
_FEW = 2
# How often steps run again at most: a volume can pass through several hands.
_MOST_RUNS = 5
# More steps run once: each reads the whole pod.
_MANY = 50
# Where a step goes among others if something that sidecars share changes.
_FIRST, _ANYWHERE, _LAST = range(3)


def add_sidecars(
    document: Document,
    companions: Sequence[Document],
    requests: Sequence[Request],
    kube_version: str,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    following: str | None = None,
    workloads_filter: WorkloadFilter = EVERY_WORKLOAD,
) -> DocumentResult:
    """Add sidecars to every workload of a document; upgrade instances that exist already.

    `companions` are the companions behind the document; `following` is the head of the document after them, None at the
    end of the stream. If a plan is refused, discard the documents: the plan's findings give the reason.
    """
    current = DocumentResult((document, *companions))
    matching = [w for w in workloads(document.value, kinds) if workloads_filter.matches(w)]
    skipped = [(w, reason) for w in matching if (reason := _find_skip_reason(w, workloads_filter))]
    numbers = select_numbers(document, kinds, workloads_filter)

    def step(request: Request) -> DocumentStep:
        return lambda current: add_sidecar(current, request, kube_version, kinds, following, numbers)

    current = run_steps(current, [step(request) for request in requests] if matching and numbers != frozenset() else [])
    options = RepairOptions.of(requests, kube_version, kinds)
    current = repair_chains(current, (document, *companions), options, following)
    check_shared_companions(current, document, kinds)
    if have_equal_values((document, *companions), current.documents):
        # No value changed: keep the text as people wrote it.
        current = replace(current, documents=(document, *companions))
    return replace(current, skipped=tuple(skipped))


@dataclass(frozen=True)
class _Run:
    """The result of steps, up to the first plan that is refused.

    order    the steps in the order in which none plans with what a later one gives up
    settled  False if the steps may change the document again when they run a second time: sidecars share what upgrades change
    """

    result: DocumentResult
    order: tuple[DocumentStep, ...] = ()
    settled: bool = True
    refused: bool = False


def run_steps(start: DocumentResult, steps: Sequence[DocumentStep]) -> DocumentResult:
    """Return the result of all steps, or of those up to the first plan that is refused; `start` has no plans."""
    run = _run_drafted(start, steps)
    final = run.settled or run.refused or len(steps) > _MANY
    return run.result if final else _settle(run, start, steps)


def _settle(run: _Run, start: DocumentResult, steps: Sequence[DocumentStep]) -> DocumentResult:
    """Return a result of steps that a second run of the command does not change; `run` is the first one.

    A step before an upgrade that gives something up, such as a longer grace period, planned with what is gone now. Such
    upgrades go first, but after those of sidecars to which they would hand over a volume. Then all steps run again: upgrades
    can concern each other, and preStop sleeps need a grace period that a later sidecar set. They run until nothing changes.
    """
    if run.order != tuple(steps) and (reordered := _try(start, run.order)) is not None:
        if not reordered.refused:
            run, steps = reordered, run.order
        elif _has_edit_conflict(reordered.result):
            # In the first order, another sidecar took over what a person edited, and gave it up.
            return reordered.result
    for _ in range(_MOST_RUNS):
        # An error here is one of every later run, such as a position that another mode makes impossible.
        again = _run_drafted(replace(run.result, plans=(), kept=frozenset()), steps)
        if again.refused and _has_edit_conflict(again.result):
            break
        if again.refused:
            # A sidecar needs what another one gave up.
            return again.result
        if _texts(again.result) == _texts(run.result):
            break
        run = replace(again, result=_join(run.result, again.result))
    return run.result


def _texts(result: DocumentResult) -> list[str]:
    return [document.text for document in result.documents]


def _try(start: DocumentResult, steps: Sequence[DocumentStep]) -> _Run | None:
    """Run steps in another order; None for an error: a position can name a container that is not there yet."""
    try:
        return _run_drafted(start, steps)
    except SidecarctlError:
        return None


def _has_edit_conflict(result: DocumentResult) -> bool:
    from sidecarctl.inject.upgrade_findings import CONFLICT_RULE

    return any(finding.rule == CONFLICT_RULE for planned in result.plans for finding in planned.findings)


def _join(first: DocumentResult, second: DocumentResult) -> DocumentResult:
    """Return the result of two runs of the same steps.

    The second run finds again what the first one found, but not edits, which are merged now, and not what was adopted.
    """
    from sidecarctl.inject.upgrade_findings import EDIT_RULES

    plans = []
    for before, after in zip(first.plans, second.plans, strict=True):
        once = (each for each in before.findings if before.adopting or each.rule in EDIT_RULES)
        fields = _join_fields(before.fields, after.fields)
        plans.append(replace(before, findings=(*once, *after.findings), fields=fields))
    return replace(second, plans=tuple(plans), kept=first.kept & second.kept)


def _join_fields(first: Sequence[FieldChange], second: Sequence[FieldChange]) -> tuple[FieldChange, ...]:
    """Return the changes of two runs, with one change for a field that both change."""
    later = {each.path: each.after for each in second}
    known = {each.path for each in first}
    joined = (replace(each, after=later.get(each.path, each.after)) for each in first)
    return (
        *(each for each in joined if each.before != each.after),
        *(each for each in second if each.path not in known),
    )


def _run_drafted(start: DocumentResult, steps: Sequence[DocumentStep]) -> _Run:
    """Run steps on a draft if there are many.

    If the draft fails its verification or a step raises an error, each step runs again with a verified text, so an error
    never comes from an unverified one, and an edit that fails verification is that of its sidecar.
    """
    if len(steps) <= _FEW:
        return _run(start, steps, start)
    from sidecarctl.yamltext.draft import Draft

    first = start.documents[0]
    draft = Draft.of(first)
    try:
        run = _run(replace(start, documents=(draft, *start.documents[1:])), steps, start)
        last = run.result.documents[0]
        assert isinstance(last, Draft)
        finished = first if last is draft else last.finish()
        return replace(run, result=replace(run.result, documents=(finished, *run.result.documents[1:])))
    except SidecarctlError:
        return _run(start, steps, start)


def _run(current: DocumentResult, steps: Sequence[DocumentStep], start: DocumentResult) -> _Run:
    ranks: list[int] = []
    settled = True
    for number, step in enumerate(steps):
        before, current = current, step(current)
        made = current.plans[len(before.plans) :]
        if any(planned.refused for planned in made):
            return _Run(_with_places_of(start, before, step, current), refused=True)
        ranks.append(_rank(made))
        settled = settled and not any(each.upgrades or (number and _has_new_grace_period(each)) for each in made)
    order = sorted(range(len(steps)), key=ranks.__getitem__)
    return _Run(current, tuple(steps[number] for number in order), settled or ranks == [_ANYWHERE])


def _rank(plans: Sequence[Plan]) -> int:
    if any(planned.hands_over for planned in plans):
        return _LAST
    return _FIRST if any(planned.gives_up for planned in plans) else _ANYWHERE


def _has_new_grace_period(planned: Plan) -> bool:
    return bool(planned.edits) and GRACE_PERIOD in planned.instance.added.pod


def _with_places_of(
    start: DocumentResult, before: DocumentResult, step: DocumentStep, refused: DocumentResult
) -> DocumentResult:
    """Return a refused result with the places in the documents before all steps, if it is refused there for the same reasons.

    The documents between two steps are in no file.
    """
    if len(before.plans) == len(start.plans):
        return refused
    alone = step(start)
    first, second = (_reasons(each.plans[len(known.plans) :]) for each, known in ((refused, before), (alone, start)))
    if first != second:
        return refused
    return replace(refused, plans=(*before.plans, *alone.plans[len(start.plans) :]))


def _reasons(plans: Sequence[Plan]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.message) for plan in plans for finding in plan.findings]


def repair_chains(
    current: DocumentResult, original: tuple[Document, ...], options: RepairOptions, following: str | None
) -> DocumentResult:
    """Give the sidecars in front of the app their upstreams again, after others were added, changed, or removed.

    `original` are the document and its companions before the run; they stay as they are if a chain cannot be in order.
    """
    if any(planned.refused for planned in current.plans) or not has_fronts(current.documents[0].text):
        return current
    both = (original[0], current.documents[0])
    if all(len(read_fronts(one)) < 2 for each in both for one in workloads(each.value, options.kinds)):
        return current
    from sidecarctl.inject.chain_repair import repair

    repaired = repair(current, original[0], options, following)
    if any(planned.refused for planned in repaired.plans):
        return replace(repaired, documents=original)
    return repaired


def check_shared_companions(current: DocumentResult, before: Document, kinds: Kinds) -> None:
    """Raise UsageError if pod templates of one object need different versions of a companion that they share."""
    after = current.documents[0]
    everything = list(workloads(after.value, kinds)) if after is not before and "config-hash" in after.text else []
    if share_objects(everything):
        from sidecarctl.inject.shared_companions import check_pod_templates

        check_pod_templates(before, after, kinds)


def _find_skip_reason(workload: Workload, workloads_filter: WorkloadFilter) -> str:
    return workloads_filter.find_exclusion(workload) or find_unusable_reason(workload)


def select_numbers(document: Document, kinds: Kinds, workloads_filter: WorkloadFilter) -> frozenset[int] | None:
    """Return the numbers of the workloads that a filter selects, None for all."""
    numbered = list(number_workloads(document, kinds))
    selected = frozenset(number for number, workload in numbered if workloads_filter.selects(workload))
    return None if len(selected) == len(numbered) else selected
