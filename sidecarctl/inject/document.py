"""Add or upgrade one sidecar in the workloads of a document, and update their records and companions.

One sidecar is added to all workloads of a document at once, so a List costs no more than its items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import Request
from sidecarctl.errors import BugError, LibraryError, TemplateRefusal, UsageError
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.inject.companion_search import find_companions
from sidecarctl.inject.companions import (
    OWNER_ANNOTATION,
    insert_list_items,
    place_companions,
)
from sidecarctl.inject.document_removal import DocumentResult as DocumentResult
from sidecarctl.inject.document_removal import drop_documents
from sidecarctl.inject.placement import make_key_placer
from sidecarctl.inject.plan import Plan, plan_sidecar
from sidecarctl.inject.record_edits import add_record_edit, prune_record
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import Workload, as_mapping, workloads
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Instance, Record
from sidecarctl.validate.placeholders import is_encrypted
from sidecarctl.yamltext.edits import Edit, EditRefused, Remove, identical
from sidecarctl.yamltext.splice import last
from sidecarctl.yamltext.stream import Document

if TYPE_CHECKING:
    from sidecarctl.inject.shared_companions import SharedCompanions
    from sidecarctl.inject.upgrade import Upgrade


def find_unusable_reason(workload: Workload) -> str:
    """Return why sidecars cannot be added to a workload, empty if they can."""
    if is_encrypted(workload.value):
        return (
            "is encrypted with SOPS, and an edit would invalidate its checksum: decrypt it, add, and encrypt it again"
        )
    if not workload.template:
        reference = as_mapping(as_mapping(workload.value.get("spec")).get("workloadRef"))
        if reference:
            return f"has no pod template: workloadRef names {reference.get('kind')}/{reference.get('name')}, add to it"
        return "has no pod template: a partial document, such as a kustomize patch"
    apps = [container for container in workload.containers if container.role in ("app", "classic")]
    if not apps:
        return "has no containers: a partial document, such as a kustomize patch"
    if not any("image" in container.value for container in apps):
        return "has no container with an image: a partial document, such as a kustomize patch"
    return ""


@dataclass(frozen=True)
class RepairOptions:
    """How to render a sidecar again: the libraries, opened only if needed, the conflict policy, and the target.

    find_secrets  returns the secret parameters that the run gives an instance again
    """

    find_catalog: Callable[[], Catalog]
    on_conflict: str
    kube_version: str
    kinds: Kinds
    find_secrets: Callable[[Instance], Mapping[str, Any]] = lambda _: {}

    @staticmethod
    def of(requests: Sequence[Request], kube_version: str, kinds: Kinds) -> RepairOptions:
        """Return the options of a run that adds sidecars."""
        catalog = next((each.catalog for each in requests if each.catalog is not None), None)
        policy = requests[0].on_conflict if requests else "fail"

        def find_secrets(instance: Instance) -> Mapping[str, Any]:
            given = [each.given_secrets(instance) for each in requests if each.instance == instance.name]
            return given[0] if given and all(each == given[0] for each in given) else {}

        return RepairOptions(lambda: catalog or open_catalog(), policy, kube_version, kinds, find_secrets)


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
    new: list[tuple[Workload, str, dict[str, Any]]] = []
    kept: set[tuple[str, str]] = set()
    everything = list(number_workloads(first, kinds))
    able = [
        (workload, prune_record(workload, records.read(workload)))
        for number, workload in everything
        if (numbers is None or number in numbers) and not find_unusable_reason(workload)
    ]
    paths = Counter(workload.path for _, workload in everything)
    shared: SharedCompanions | None = None
    if len(paths) < len(everything):
        from sidecarctl.inject.shared_companions import SharedCompanions

        shared = SharedCompanions(first, companions)
    for workload, old in able:
        if request.adopt and request.is_recorded(old.instances.get(request.instance)):
            plans.append(Plan(workload, (), old.instances[request.instance]))
            kept.add((workload.label, request.instance))
            continue
        if request.instance in old.instances and (renamed := _find_renamed(workload, old, request.instance)):
            plans.append(Plan(workload, (), old.instances[request.instance], findings=renamed))
            continue
        try:
            if request.instance in old.instances:
                _check_same_sidecar(request, old.instances[request.instance])
                upgrade = _plan_upgrade(first, companions, workload, old, request, kube_version)
                planned = upgrade.planned
                upgrades.append(upgrade)
                if not upgrade.changes:
                    kept.add((workload.label, request.instance))
                edits += () if planned.refused else planned.edits
            else:
                planned = _plan_new((first, *companions), workload, old, request, kube_version)
                edits += () if planned.refused else add_record_edit(first, planned, old)
            if not planned.refused:
                own = shared.leave_out(planned) if shared and paths[workload.path] > 1 else list(planned.documents)
                edits += insert_list_items(first.value, workload, planned.instance.name, own)
                new += ((workload, planned.instance.name, value) for value in own)
                planned = replace(planned, documents=tuple(own))
        except UsageError as error:
            _set_subject(error, first, workload, request)
            raise
        secrets = request.parameters.secrets | planned.secrets
        plans.append(replace(planned, secrets=secrets) if secrets else planned)
    current = replace(current, plans=(*current.plans, *plans), kept=current.kept | kept)
    if any(planned.refused for planned in plans):
        return current
    before = first
    changed, edits = _edit_companions(upgrades, companions, edits)
    # First, as in a removal: the line break before a companion must not become part of a value.
    first, *others = drop_documents((first, *companions), changed, following)
    if edits:
        try:
            first = first.edit(edits, make_key_placer(able, request.instance))
        except BugError as bug:
            raise BugError(f"{request.instance}: {bug.message}") from bug
    if request.adopt:
        places = {(w.path, w.template_path): number for number, w in number_workloads(before, kinds)}
        plans = [
            _with_upgrade_findings(
                first, places[each.workload.path, each.workload.template_path], each, request, kube_version, kinds
            )
            for each in plans
        ]
        current = replace(current, plans=(*current.plans[: -len(plans)], *plans)) if plans else current
    made = [each for each in new if not each[0].path]
    return replace(current, documents=place_companions((first, *others), made, following))


def _check_same_sidecar(request: Request, present: Instance) -> None:
    """Raise UsageError if the command line would replace another sidecar; a composition can."""
    if not request.by and present.sidecar != request.sidecar.name:
        raise UsageError(
            f"instance {present.name} is sidecar {present.sidecar}, not {request.sidecar.name}",
            hint=f"give the new instance another name with --as, or remove {present.name} first",
        )


def _find_renamed(workload: Workload, record: Record, name: str) -> tuple[Finding, ...]:
    from sidecarctl.inject.unrecorded import find_renamed

    return tuple(find_renamed(workload, record, [name]))


def _plan_new(
    documents: Sequence[Document], workload: Workload, old: Record, request: Request, kube_version: str
) -> Plan:
    """Return the plan for a new instance, or for one that is adopted."""
    request.check()
    if not request.adopt:
        return plan_sidecar(workload, request, old, kube_version)
    from sidecarctl.inject import adoption

    if adoption.can_adopt(workload, request, old):
        return adoption.own_companions(adoption.plan_adoption(workload, request, old, kube_version), documents)
    return plan_sidecar(workload, request, old, kube_version)


def _plan_upgrade(
    first: Document,
    companions: Sequence[Document],
    workload: Workload,
    record: Record,
    request: Request,
    kube_version: str,
) -> Upgrade:
    """Return the upgrade of an instance, with its findings in the plan."""
    from sidecarctl.inject.unrecorded import find_lost_holders
    from sidecarctl.inject.upgrade import plan_upgrade
    from sidecarctl.inject.upgrade_findings import find_upgrade_findings

    instance = record.instances[request.instance]
    found = find_companions(first, companions, workload, instance)
    upgrade = plan_upgrade(first, workload, record, request, kube_version, found)
    findings = find_upgrade_findings(upgrade, request, first, companions)
    lost = find_lost_holders(workload, record, [request.instance])
    planned = replace(
        upgrade.planned,
        findings=(*upgrade.planned.findings, *findings, *lost),
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
    listed: dict[PathTuple, list[Edit]] = {}  # several pod templates of one object share a companion
    for upgrade in upgrades:
        for each in upgrade.companions:
            path, index = each.companion.path, each.companion.index
            if path:
                listed[path] = [Remove(path, "companion", keep_comments=True)] if each.removed else []
                listed[path] += [replace(edit, path=(*path, *edit.path)) for edit in each.edits]
            elif each.removed:
                changed[index] = None
            else:
                changed[index] = companions[index - 1].edit(each.edits, last)
    return changed, [*edits, *(edit for each in listed.values() for edit in each)]


def _set_subject(error: UsageError, document: Document, workload: Workload, request: Request) -> None:
    """Name the workload, its file, and its line in an error about one workload."""
    place = document.locate(workload.path)
    where = f"{place.file}:{place.line}"
    if isinstance(error, TemplateRefusal) and error.hint == TemplateRefusal.HINT:
        error.about(workload.label, where, request.sidecar.parameters.get("properties", {}))
    else:
        error.workload = workload.label if not error.where else f"{workload.label} ({where})"
        error.where = error.where or where


def _with_upgrade_findings(
    first: Document, number: int, planned: Plan, request: Request, kube_version: str, kinds: Kinds
) -> Plan:
    """Add findings on how an adopted sidecar differs from the library; return any other plan unchanged.

    The path of a workload in a List can have changed, so its `number` in the document tells which it is.
    """
    if not planned.adopting:
        return planned
    from sidecarctl.inject import adoption
    from sidecarctl.inject.merge import ENFORCE

    own = planned.workload
    again = replace(request, adopt=False, mode=planned.instance.mode, on_conflict=ENFORCE)
    try:
        after = add_sidecar(DocumentResult((first,)), again, kube_version, kinds, None, frozenset({number}))
    except (EditRefused, UsageError) as error:
        return replace(planned, findings=(adoption.blocked_upgrade_finding(own, request, error.message),))
    refused = [f.message for one in after.plans if one.refused for f in one.findings if f.severity is Severity.ERROR]
    if refused:
        return replace(planned, findings=(adoption.blocked_upgrade_finding(own, request, refused[0]),))
    ours, theirs = (dict(number_workloads(each, kinds))[number].value for each in (first, after.documents[0]))
    found = adoption.difference_findings(own, request, ours, theirs)
    return replace(planned, findings=tuple(found))


def number_workloads(document: Document, kinds: Kinds) -> Iterator[tuple[int, Workload]]:
    """Yield the workloads of a document with stable numbers: companions in a List are not counted."""
    number = 0
    for workload in workloads(document.value, kinds):
        if OWNER_ANNOTATION not in as_mapping(as_mapping(workload.value.get("metadata")).get("annotations")):
            yield number, workload
            number += 1
