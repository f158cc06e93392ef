"""Repair the chains of a document: upgrade sidecars in front of the app whose upstream changed, or refuse the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidecarctl.catalog.parameters import resolve
from sidecarctl.composition.request import ParameterChanges, Request
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.findings import Finding
from sidecarctl.inject.chains import find_chain_problems, find_misplaced
from sidecarctl.inject.document import RepairOptions, add_sidecar, number_workloads
from sidecarctl.inject.document_removal import DocumentResult
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.kinds import Kinds
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Instance, Record
from sidecarctl.yamltext.stream import Document


def repair(
    current: DocumentResult,
    before: Document,
    options: RepairOptions,
    following: str | None,
) -> DocumentResult:
    """Return the result with every chain in order, or with errors that say why it cannot be.

    `before` is the document before the run. Only workloads whose record the run changed are looked at.
    """
    kinds = options.kinds
    old = {number: records.read(workload) for number, workload in number_workloads(before, kinds)}
    for _ in range(sum(len(record.instances) for record in _records(current, kinds).values()) + 1):
        misplaced = {
            number: name
            for number, record in _records(current, kinds).items()
            if record != old.get(number) and (name := find_misplaced(record, old.get(number, Record())))
        }
        if not misplaced:
            break
        number, name = next(iter(misplaced.items()))
        instance = _records(current, kinds)[number].instances[name]
        request = _make_request(options, instance)
        if request is None:
            break  # reported below
        plans = current.plans
        only = frozenset({number})
        try:
            current = add_sidecar(replace(current, plans=()), request, options.kube_version, kinds, following, only)
        except UsageError:  # such as a target that a person renamed
            break  # reported below
        repaired = {_identity(each) for each in current.plans}
        current = replace(current, plans=_join(plans, current.plans), kept=current.kept - repaired)
        if any(planned.refused for planned in current.plans):
            return current
    return _refuse(current, old, kinds)


def _records(current: DocumentResult, kinds: Kinds) -> dict[int, Record]:
    return {number: records.read(workload) for number, workload in number_workloads(current.documents[0], kinds)}


def _make_request(options: RepairOptions, instance: Instance) -> Request | None:
    """Return the request that renders an instance again as it is recorded.

    None if no library has its version, or if it was given secrets, which are not recorded, and the run does not give them again.
    """
    secrets, catalog = options.find_secrets(instance) if instance.secrets else {}, options.find_catalog()
    if instance.secrets and not secrets:
        return None
    try:
        sidecar = catalog.find(f"{instance.sidecar}@{instance.version}")
    except SidecarctlError:
        return None
    lenient = replace(sidecar, parameters={**sidecar.parameters, "required": []})
    return Request(
        sidecar,
        resolve(lenient, {}),
        instance.name,
        changes=ParameterChanges(given=secrets),
        on_conflict=options.on_conflict,
        catalog=catalog,
    )


def _join(plans: Sequence[Plan], repaired: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return the plans of a run. The repair of an instance that the run adds or upgrades is part of that plan."""
    changed: Mapping[tuple[str, str], Plan] = {_identity(each): each for each in repaired}
    out: list[Plan] = []
    for each in plans:
        repair_ = changed.get(_identity(each))
        out.append(each if repair_ is None else _merge(each, repair_))
    known = {_identity(each) for each in plans}
    return (*out, *(each for key, each in changed.items() if key not in known))


def _merge(planned: Plan, repaired: Plan) -> Plan:
    findings = (*planned.findings, *repaired.findings)
    return replace(planned, findings=findings, fields=(*planned.fields, *repaired.fields))


def _identity(planned: Plan) -> tuple[str, str]:
    return planned.workload.label, planned.instance.name


def _refuse(current: DocumentResult, old: Mapping[int, Record], kinds: Kinds) -> DocumentResult:
    """Return the result with the errors of chains that stay out of order. A problem that was there before is none."""
    found: list[tuple[Workload, Finding]] = []
    for number, workload in number_workloads(current.documents[0], kinds):
        record, before = records.read(workload), old.get(number, Record())
        if record != before:
            known = {each.message for each in find_chain_problems(workload, before, before)}
            found += (
                (workload, each) for each in find_chain_problems(workload, record, before) if each.message not in known
            )
    if not found:
        return current
    refused = [Plan(workload, (), Instance("", "", "", ""), findings=(finding,)) for workload, finding in found]
    return replace(current, plans=(*current.plans, *refused))
