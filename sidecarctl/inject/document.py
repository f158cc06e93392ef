"""Add sidecars to one document or remove them, and update its record and companions.

One sidecar is added to all workloads of a document at once, so a List costs no more than its items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import Request
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import adoption
from sidecarctl.inject import record as records
from sidecarctl.inject.companion_search import find_companions
from sidecarctl.inject.companions import OWNER_ANNOTATION, insert_list_items, place_companions
from sidecarctl.inject.placement import make_key_placer
from sidecarctl.inject.plan import Plan, plan_sidecar
from sidecarctl.inject.record import Instance, Record
from sidecarctl.inject.record_edits import add_record_edit, prune_record
from sidecarctl.inject.removal import Removal, plan_removal, resolve_instance_names
from sidecarctl.inject.upgrade import Upgrade, plan_upgrade
from sidecarctl.inject.upgrade_findings import find_upgrade_findings, left_behind_finding
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, as_mapping, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.edits import Edit, EditRefused, Remove, identical
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
    first, companions = current.documents[0], current.documents[1:]
    plans: list[Plan] = []
    upgrades: list[Upgrade] = []
    edits: list[Edit] = []
    kept: set[tuple[str, str]] = set()
    able = [
        (workload, prune_record(workload, records.read(workload)))
        for workload in _select_workloads(first, kinds, numbers)
        if not find_unusable_reason(workload)
    ]
    for workload, old in able:
        if request.adopt and adoption.is_recorded(request, old):
            plans.append(Plan(workload, (), old.instances[request.instance]))
            kept.add((workload.label, request.instance))
            continue
        if request.instance in old.instances:
            upgrade = _plan_upgrade(first, companions, workload, old, request, kube_version)
            planned = upgrade.planned
            upgrades.append(upgrade)
            if not upgrade.changes:
                kept.add((workload.label, request.instance))
            edits += () if planned.refused else planned.edits
        else:
            planned = _plan_new(workload, old, request, kube_version)
            edits += () if planned.refused else add_record_edit(first, planned, old)
        plans.append(planned)
        if not planned.refused:
            edits += insert_list_items(first.value, workload, planned.instance.name, planned.documents)
    current = replace(current, plans=(*current.plans, *plans), kept=current.kept | kept)
    if any(planned.refused for planned in plans):
        return current
    changed, edits = _edit_companions(upgrades, companions, edits)
    if edits:
        root = first.root
        assert root is not None
        done = splice(first.text, root, edits, make_key_placer(able, request.instance))
        first = first.with_text(done.text, done.root)
    if request.adopt:
        plans = [_with_upgrade_findings(first, each, request, kube_version, kinds) for each in plans]
        current = replace(current, plans=(*current.plans[: -len(plans)], *plans)) if plans else current
    new = [
        (planned.workload, planned.instance.name, value)
        for planned in plans
        if not planned.workload.path
        for value in planned.documents
    ]
    documents = drop_documents((first, *companions), changed, following)
    return replace(current, documents=place_companions(documents, new, following))


def _plan_new(workload: Workload, old: Record, request: Request, kube_version: str) -> Plan:
    request.check()
    adopting = request.adopt and adoption.can_adopt(workload, request, old)
    return (adoption.plan_adoption if adopting else plan_sidecar)(workload, request, old, kube_version)


def _plan_upgrade(
    first: Document,
    companions: Sequence[Document],
    workload: Workload,
    record: Record,
    request: Request,
    kube_version: str,
) -> Upgrade:
    """Return the upgrade of an instance, with its findings in the plan."""
    instance = record.instances[request.instance]
    found = find_companions(first, companions, workload, instance)
    upgrade = plan_upgrade(first, workload, record, request, kube_version, found)
    findings = find_upgrade_findings(upgrade, request, first, companions)
    planned = replace(
        upgrade.planned,
        findings=(*upgrade.planned.findings, *findings),
        fields=upgrade.fields,
        parameters=upgrade.parameters,
        changelog=tuple(_changes_since(request.sidecar, instance)) if upgrade.changes else (),
        next_steps="",
    )
    return replace(upgrade, planned=planned)


def _changes_since(sidecar: Sidecar, instance: Instance) -> Iterator[tuple[str, str]]:
    """Yield version and text of the library's changes since the recorded version, newest first."""
    if (instance.sidecar, instance.version) == (sidecar.name, sidecar.version):
        return
    from sidecarctl.catalog.changelog import changes_between

    try:
        for entry in changes_between(sidecar, instance.version):
            yield entry.version, "\n".join(entry.lines)
    except (ValueError, TypeError, LibraryError):  # an invalid version in an edited record, or an unreadable changelog
        return


def _edit_companions(
    upgrades: Sequence[Upgrade], companions: Sequence[Document], edits: Sequence[Edit]
) -> tuple[dict[int, Document | None], list[Edit]]:
    """Return the changed companions by index, None for removed ones, and the edits with those of items of a List."""
    changed: dict[int, Document | None] = {}
    out = list(edits)
    for upgrade in upgrades:
        for each in upgrade.companions:
            path, index = each.companion.path, each.companion.index
            if path:
                out += [Remove(path, "companion")] if each.removed else []
                out += [replace(edit, path=(*path, *edit.path)) for edit in each.edits]
            elif each.removed:
                changed[index] = None
            else:
                document = companions[index - 1]
                assert document.root is not None
                done = splice(document.text, document.root, each.edits)
                changed[index] = document.with_text(done.text, done.root)
    return changed, out


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
    for workload in workloads(document.value, kinds):
        record = records.read(workload)
        going = list(record.instances) if names is None else resolve_instance_names(record, names)
        if going:
            removals.append(plan_whole_removal(document, companions, workload, record, going))
    return DocumentResult(
        apply_removals((document, *companions), removals, following),
        removals=tuple(removals),
        findings=tuple(finding for one in removals for finding in left_behind_findings(one)),
    )


def plan_whole_removal(
    first: Document, companions: Sequence[Document], workload: Workload, record: Record, names: Sequence[str]
) -> Removal:
    """Plan the removal of instances with their companions."""
    found = {name: find_companions(first, companions, workload, record.instances[name]) for name in names}
    left_behind = [
        (name, identity)
        for name in names
        for identity in record.instances[name].added.documents
        if len(found[name]) < len(record.instances[name].added.documents)
        and identity not in [each.identity for each in found[name]]
    ]
    return replace(
        plan_removal(workload, record, names),
        companions=tuple(each for name in names for each in found[name]),
        left_behind=tuple(left_behind),
    )


def left_behind_findings(removal: Removal) -> Iterator[Finding]:
    """Yield a warning for each companion that is in no input file."""
    for instance, identity in removal.left_behind:
        yield left_behind_finding(removal.workload, instance, identity, "removed")


def apply_removals(
    documents: tuple[Document, ...], removals: Sequence[Removal], following: str | None
) -> tuple[Document, ...]:
    """Apply removals to the workload's document, to its List, and to the companions behind it."""
    if not removals:
        return documents
    first = documents[0]
    edits: list[Edit] = [edit for one in removals for edit in one.edits]
    gone = [companion for one in removals for companion in one.companions]
    edits += [Remove(path, "companion") for path in dict.fromkeys(each.path for each in gone if each.path)]
    if edits:
        root = first.root
        assert root is not None
        done = splice(first.text, root, edits)
        first = first.with_text(done.text, done.root)
    return drop_documents((first, *documents[1:]), {each.index: None for each in gone if not each.path}, following)


def drop_documents(
    documents: tuple[Document, ...], changed: Mapping[int, Document | None], following: str | None
) -> tuple[Document, ...]:
    """Return documents with the changed ones (None drops one). A stream without a final line break stays without one."""
    kept = [one for index, each in enumerate(documents) if (one := changed.get(index, each)) is not None]
    bare = following is None and documents[-1].text and not documents[-1].text.endswith("\n")
    if bare and len(documents) - 1 in changed and changed[len(documents) - 1] is None and kept[-1].text.endswith("\n"):
        kept[-1] = kept[-1].with_text(kept[-1].text[:-1].removesuffix("\r"))
    return tuple(kept)
