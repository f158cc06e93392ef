"""One document through the stair: what stands in the record goes, what is asked for comes, companions follow.

The steps of one sidecar touch all workloads of a document at once, so that a List costs no more than its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sidecarctl.composition.request import Request
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import adoption
from sidecarctl.inject import record as records
from sidecarctl.inject.companions import OWNER_ANNOTATION, owner_of
from sidecarctl.inject.placement import key_place
from sidecarctl.inject.plan import Plan, plan
from sidecarctl.inject.regroup import is_owned, listed, owned_items, place_companions
from sidecarctl.inject.removal import Removal, instance_names, pruned, recorded, removal
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, as_mapping, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.edits import Edit, EditRefused, identical
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document


@dataclass(frozen=True)
class Composed:
    """A document and its companions after the steps, with the plans and removals that led there.

    `kept` are instances (workload label, name) that were found to be just as they should be.
    """

    documents: tuple[Document, ...]
    plans: tuple[Plan, ...] = ()
    removals: tuple[Removal, ...] = ()
    skipped: tuple[tuple[Workload, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    kept: frozenset[tuple[str, str]] = frozenset()


def usable(workload: Workload) -> str:
    """Return why nothing can be added to a workload; empty when something can."""
    if not workload.template:
        return "has no pod template: a partial document, such as a kustomize patch"
    apps = [container for container in workload.containers if container.role in ("app", "classic")]
    if not apps:
        return "has no containers: a partial document, such as a kustomize patch"
    if not any("image" in container.value for container in apps):
        return "has no container with an image: a partial document, such as a kustomize patch"
    return ""


def add(
    document: Document,
    companions: Sequence[Document],
    requests: Sequence[Request],
    kube_version: str,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    following: str | None = None,
) -> Composed:
    """Add sidecars to every workload of a document; an instance that is there already is upgraded in place.

    `companions` are the documents that follow it and belong to it; `following` is the head of
    the document behind those, None where the stream ends. Where a
    plan is refused, its findings say why and the document is not to be used.
    """
    current = Composed((document, *companions))
    skipped = [(w, reason) for w in workloads(document.value, kinds) if (reason := usable(w))]
    for request in requests:
        current = add_one(current, request, kube_version, kinds, following)
        if any(plan.refused for plan in current.plans):
            break
    if same_meaning((document, *companions), current.documents):
        # Added again as it is: what stands there stays, to the byte, with what people wrote around it.
        current = replace(current, documents=(document, *companions))
    return replace(current, skipped=tuple(skipped))


def same_meaning(before: tuple[Document, ...], after: tuple[Document, ...]) -> bool:
    """Return whether documents mean the same, whatever their handwriting."""
    return len(before) == len(after) and all(a is b or identical(a.value, b.value) for a, b in zip(before, after))


def add_one(
    current: Composed,
    request: Request,
    kube_version: str,
    kinds: Kinds,
    following: str | None,
    concerned: frozenset[int] | None = None,
) -> Composed:
    """Add or upgrade one sidecar in the workloads of a document; `concerned` are their numbers, None means all."""
    name = request.instance
    present = [
        (workload, record)
        for workload in _concerned(current.documents[0], kinds, concerned)
        if name in (record := records.read(workload)).instances
        and not (request.adopt and adoption.settled(request, record))
    ]
    removals = [removal(workload, record, [name], for_upgrade=True) for workload, record in present]
    documents = without(current.documents, removals, following)
    first = documents[0]
    plans: list[Plan] = []
    edits: list[Edit] = []
    able = [
        (workload, pruned(workload, records.read(workload)))
        for workload in _concerned(first, kinds, concerned)
        if not usable(workload)
    ]
    if request.adopt:
        left = [(workload, old) for workload, old in able if adoption.settled(request, old)]
        able = [(workload, old) for workload, old in able if not adoption.settled(request, old)]
        current = replace(
            current,
            plans=(*current.plans, *(Plan(workload, (), old.instances[name]) for workload, old in left)),
            kept=current.kept | {(workload.label, name) for workload, _ in left},
        )
    for workload, old in able:
        adopting = request.adopt and adoption.adoptable(workload, request, old)
        planned = (adoption.adoption if adopting else plan)(workload, request, old, kube_version)
        plans.append(planned)
        if not planned.refused:
            edits += recorded(first, planned, old)
            edits += listed(first.value, planned)
    all_plans = (*current.plans, *plans)
    if any(planned.refused for planned in plans):
        return replace(current, plans=all_plans)
    root = first.root
    assert root is not None or not edits
    if root is not None and edits:
        done = splice(first.text, root, edits, key_place(able, name))
        first = first.with_text(done.text, done.root)
    if request.adopt:
        all_plans = (*current.plans, *(_compared(first, one, request, kube_version, kinds) for one in plans))
    companions = [(planned, value) for planned in plans if not planned.workload.path for value in planned.documents]
    return replace(current, documents=place_companions((first, *documents[1:]), companions, following), plans=all_plans)


def _compared(first: Document, planned: Plan, request: Request, kube_version: str, kinds: Kinds) -> Plan:
    """An adopting plan with findings on what the next upgrade would change; any other as it is."""
    if not planned.adopting:
        return planned
    own = planned.workload
    number = next(n for n, w in numbered(first, kinds) if (w.path, w.template_path) == (own.path, own.template_path))
    again = replace(request, adopt=False, mode=planned.instance.mode)
    try:
        after = add_one(Composed((first,)), again, kube_version, kinds, None, frozenset({number}))
    except (EditRefused, UsageError) as error:
        return replace(planned, findings=(adoption.unupgradable(own, request, error.message),))
    refused = [f.message for one in after.plans if one.refused for f in one.findings if f.severity is Severity.ERROR]
    if refused:
        return replace(planned, findings=(adoption.unupgradable(own, request, refused[0]),))
    found = adoption.differing(own, request, first.value, after.documents[0].value)
    return replace(planned, findings=tuple(found))


def numbered(document: Document, kinds: Kinds) -> Iterator[tuple[int, Workload]]:
    """Yield the workloads of a document with numbers that stay, whatever companions come and go between them."""
    number = 0
    for workload in workloads(document.value, kinds):
        if OWNER_ANNOTATION not in as_mapping(as_mapping(workload.value.get("metadata")).get("annotations")):
            yield number, workload
            number += 1


def _concerned(document: Document, kinds: Kinds, numbers: frozenset[int] | None) -> list[Workload]:
    if numbers is None:
        return list(workloads(document.value, kinds))
    return [workload for number, workload in numbered(document, kinds) if number in numbers]


def remove(
    document: Document,
    companions: Sequence[Document],
    names: Sequence[str] | None,
    kinds: Kinds = DEFAULT_KINDS,
    *,
    following: str | None = None,
) -> Composed:
    """Remove instances (by instance or sidecar name; None removes all) from every workload of a document."""
    removals: list[Removal] = []
    for workload in workloads(document.value, kinds):
        record = records.read(workload)
        going = list(record.instances) if names is None else instance_names(record, names)
        if going:
            removals.append(removal(workload, record, going))
    return Composed(without((document, *companions), removals, following), removals=tuple(removals))


def without(
    documents: tuple[Document, ...], removals: Sequence[Removal], following: str | None
) -> tuple[Document, ...]:
    """Carry out removals: in the workload's document, in its List, and among the companions that follow."""
    if not removals:
        return documents
    first = documents[0]
    edits: list[Edit] = [edit for one in removals for edit in one.edits]
    gone = {document for one in removals for document in one.documents}
    for holder in dict.fromkeys(one.workload.path[:-1] for one in removals if one.workload.path):
        edits += owned_items(first.value, holder, gone)
    if edits:
        root = first.root
        assert root is not None
        done = splice(first.text, root, edits)
        first = first.with_text(done.text, done.root)
    kept = [first]
    for companion in documents[1:]:
        if is_owned(companion.value, gone, owner_of(companion) or ""):
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
