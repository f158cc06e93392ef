"""Add sidecars to one document or remove them, and update its record and companions.

One sidecar is added to all workloads of a document at once, so a List costs no more than its items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sidecarctl.composition.request import Request
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import adoption
from sidecarctl.inject import record as records
from sidecarctl.inject.companions import (
    OWNER_ANNOTATION,
    insert_list_items,
    is_owned,
    place_companions,
    read_owner,
    remove_owned_items,
)
from sidecarctl.inject.placement import make_key_placer
from sidecarctl.inject.plan import Plan, plan_sidecar
from sidecarctl.inject.removal import Removal, add_record_edit, plan_removal, prune_record, resolve_instance_names
from sidecarctl.inject.unrecorded import find_left_behind, find_renamed
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, as_mapping, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.edits import Edit, EditRefused, identical
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class DocumentResult:
    """A document and its companions after adding and removing instances, with the plans and removals.

    skipped  workloads that cannot get sidecars, each with the reason
    kept     instances (workload label, instance name) that were in sync
    """

    documents: tuple[Document, ...]
    plans: tuple[Plan, ...] = ()
    removals: tuple[Removal, ...] = ()
    skipped: tuple[tuple[Workload, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    kept: frozenset[tuple[str, str]] = frozenset()


def find_unusable_reason(workload: Workload) -> str:
    """Return why sidecars cannot be added to a workload, empty if they can."""
    if not workload.template:
        return "has no pod template: a partial document, such as a kustomize patch"
    apps = [container for container in workload.containers if container.role in ("app", "classic")]
    if not apps:
        return "has no containers: a partial document, such as a kustomize patch"
    if not any("image" in container.value for container in apps):
        return "has no container with an image: a partial document, such as a kustomize patch"
    return ""


def add_sidecars(
    document: Document,
    companions: Sequence[Document],
    requests: Sequence[Request],
    kube_version: str,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    following: str | None = None,
) -> DocumentResult:
    """Add sidecars to every workload of a document; upgrade instances that exist already.

    `companions` are the companions behind the document; `following` is the head of the document after them, None at the
    end of the stream. If a plan is refused, discard the documents: the plan's findings give the reason.
    """
    current = DocumentResult((document, *companions))
    skipped = [(w, reason) for w in workloads(document.value, kinds) if (reason := find_unusable_reason(w))]
    for request in requests:
        current = add_sidecar(current, request, kube_version, kinds, following)
        if any(planned.refused for planned in current.plans):
            break
    if have_equal_values((document, *companions), current.documents):
        # No value changed: keep the text as people wrote it.
        current = replace(current, documents=(document, *companions))
    return replace(current, skipped=tuple(skipped))


def have_equal_values(before: tuple[Document, ...], after: tuple[Document, ...]) -> bool:
    """Return True if documents have equal values, regardless of formatting."""
    return len(before) == len(after) and all(a is b or identical(a.value, b.value) for a, b in zip(before, after))


def add_sidecar(
    current: DocumentResult,
    request: Request,
    kube_version: str,
    kinds: Kinds,
    following: str | None,
    numbers: frozenset[int] | None = None,
) -> DocumentResult:
    """Add or upgrade one sidecar in the workloads with the given numbers, None for all."""
    name = request.instance
    present = [
        (workload, record)
        for workload in _select_workloads(current.documents[0], kinds, numbers)
        if name in (record := records.read(workload)).instances
        and not (request.adopt and adoption.is_recorded(request, record))
    ]
    renamed = tuple(finding for workload, record in present for finding in find_renamed(workload, record, [name]))
    if renamed:
        return replace(current, findings=(*current.findings, *renamed))
    removals = [plan_removal(workload, record, [name], for_upgrade=True) for workload, record in present]
    documents = apply_removals(current.documents, removals, following)
    first = documents[0]
    plans: list[Plan] = []
    edits: list[Edit] = []
    able = [
        (workload, prune_record(workload, records.read(workload)))
        for workload in _select_workloads(first, kinds, numbers)
        if not find_unusable_reason(workload)
    ]
    if request.adopt:
        left = [(workload, old) for workload, old in able if adoption.is_recorded(request, old)]
        able = [(workload, old) for workload, old in able if not adoption.is_recorded(request, old)]
        current = replace(
            current,
            plans=(*current.plans, *(Plan(workload, (), old.instances[name]) for workload, old in left)),
            kept=current.kept | {(workload.label, name) for workload, _ in left},
        )
    for workload, old in able:
        adopting = request.adopt and adoption.can_adopt(workload, request, old)
        planned = (adoption.plan_adoption if adopting else plan_sidecar)(workload, request, old, kube_version)
        planned = adoption.own_companions(planned, documents) if adopting else planned
        plans.append(planned)
        if not planned.refused:
            edits += add_record_edit(first, planned, old)
            edits += insert_list_items(first.value, workload, planned.instance.name, planned.documents)
    all_plans = (*current.plans, *plans)
    if any(planned.refused for planned in plans):
        return replace(current, plans=all_plans)
    root = first.root
    assert root is not None or not edits
    if root is not None and edits:
        done = splice(first.text, root, edits, make_key_placer(able, name))
        first = first.with_text(done.text, done.root)
    if request.adopt:
        all_plans = (
            *current.plans,
            *(_with_upgrade_findings(first, each, request, kube_version, kinds) for each in plans),
        )
    companions = [
        (planned.workload, planned.instance.name, value)
        for planned in plans
        if not planned.workload.path
        for value in planned.documents
    ]
    return replace(current, documents=place_companions((first, *documents[1:]), companions, following), plans=all_plans)


def _with_upgrade_findings(first: Document, planned: Plan, request: Request, kube_version: str, kinds: Kinds) -> Plan:
    """Add findings on what the next upgrade would change to a plan that adopts; return any other plan unchanged."""
    if not planned.adopting:
        return planned
    own = planned.workload
    number = next(
        n for n, w in number_workloads(first, kinds) if (w.path, w.template_path) == (own.path, own.template_path)
    )
    again = replace(request, adopt=False, mode=planned.instance.mode)
    try:
        after = add_sidecar(DocumentResult((first,)), again, kube_version, kinds, None, frozenset({number}))
    except (EditRefused, UsageError) as error:
        return replace(planned, findings=(adoption.blocked_upgrade_finding(own, request, error.message),))
    refused = [f.message for one in after.plans if one.refused for f in one.findings if f.severity is Severity.ERROR]
    if refused:
        return replace(planned, findings=(adoption.blocked_upgrade_finding(own, request, refused[0]),))
    found = adoption.difference_findings(own, request, first.value, after.documents[0].value)
    return replace(planned, findings=tuple(found))


def number_workloads(document: Document, kinds: Kinds) -> Iterator[tuple[int, Workload]]:
    """Yield the workloads of a document with stable numbers: companions in a List are not counted."""
    number = 0
    for workload in workloads(document.value, kinds):
        if OWNER_ANNOTATION not in as_mapping(as_mapping(workload.value.get("metadata")).get("annotations")):
            yield number, workload
            number += 1


def _select_workloads(document: Document, kinds: Kinds, numbers: frozenset[int] | None) -> list[Workload]:
    if numbers is None:
        return list(workloads(document.value, kinds))
    return [workload for number, workload in number_workloads(document, kinds) if number in numbers]


def remove_instances(
    document: Document,
    companions: Sequence[Document],
    names: Sequence[str] | None,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    following: str | None = None,
) -> DocumentResult:
    """Remove instances (by instance or sidecar name; None removes all) from every workload of a document."""
    removals: list[Removal] = []
    findings: list[Finding] = []
    for workload in workloads(document.value, kinds):
        record = records.read(workload)
        going = list(record.instances) if names is None else resolve_instance_names(record, names)
        findings += find_left_behind(workload, record, going, names)
        if going:
            removals.append(plan_removal(workload, record, going))
    done = apply_removals((document, *companions), removals, following)
    return DocumentResult(done, removals=tuple(removals), findings=tuple(findings))


def apply_removals(
    documents: tuple[Document, ...], removals: Sequence[Removal], following: str | None
) -> tuple[Document, ...]:
    """Apply removals to the workload's document, to its List, and to the companions behind it."""
    if not removals:
        return documents
    first = documents[0]
    edits: list[Edit] = [edit for one in removals for edit in one.edits]
    gone = {document for one in removals for document in one.documents}
    for holder in dict.fromkeys(one.workload.path[:-1] for one in removals if one.workload.path):
        edits += remove_owned_items(first.value, holder, gone)
    if edits:
        root = first.root
        assert root is not None
        done = splice(first.text, root, edits)
        first = first.with_text(done.text, done.root)
    kept = [first]
    for companion in documents[1:]:
        if is_owned(companion.value, gone, read_owner(companion) or ""):
            continue
        kept.append(companion)
    if (
        following is None
        and kept[-1] is not documents[-1]
        and not documents[-1].text.endswith("\n")
        and kept[-1].text.endswith("\n")
    ):
        bare = kept[-1].text[:-1].removesuffix("\r")
        kept[-1] = kept[-1].with_text(bare)
    return tuple(kept)
