"""Compare the instances of a text with the library: versions, edited fields, and what an upgrade would change.

What was written last time is found as for an upgrade; the fields that differ from it were edited.
"""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.catalog.catalog import Catalog, version_order
from sidecarctl.catalog.parameters import has_secrets, resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.annotations import read_annotations
from sidecarctl.composition.request import ParameterChanges, Request
from sidecarctl.composition.select import Selection
from sidecarctl.composition.workload_filter import WorkloadFilter
from sidecarctl.errors import InputError, LibraryError, SidecarctlError, UsageError
from sidecarctl.inject.companion_search import ALONE, Beside, Companion, find_companions
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_owner
from sidecarctl.inject.displaced_companions import gather_companions, has_displaced_companions
from sidecarctl.inject.document import find_unusable_reason, number_workloads
from sidecarctl.inject.field_changes import diff_companion, diff_templates, hide_values
from sidecarctl.inject.merge import KEEP
from sidecarctl.inject.process import Options, group_companions
from sidecarctl.inject.status_secrets import hide_edits, mask, may_write_secrets, recorded_secrets
from sidecarctl.inject.unrecorded import describe_unrecorded
from sidecarctl.inject.upgrade import plan_upgrade
from sidecarctl.inject.upgrade_base import (
    Rendering,
    is_unedited,
    own_part,
    render_base,
    without_instance,
)
from sidecarctl.kube.kinds import has_no_workload
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.kube.workload import Workload, may_hold
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Instance, Record
from sidecarctl.record.paths import RecordError
from sidecarctl.results import ABSENT, FieldChange, InstanceStatus, WorkloadStatus
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document, split_readable

_WITHOUT_HOOKS = WorkloadFilter(hooks=False)
# Edits that cannot be listed.
_EDITED = (FieldChange("", ABSENT, ABSENT),)


@dataclass(frozen=True)
class _Place:
    """A workload in its document, with the companions behind it."""

    document: Document
    companions: tuple[Document, ...]
    workload: Workload
    record: Record


def collect_status(
    text: str,
    catalog: Catalog,
    options: Options,
    file: str = "-",
    chosen: Selection | None = None,
    errors: list[SidecarctlError] | None = None,
    beside: Beside = ALONE,
) -> list[WorkloadStatus]:
    """Return the status of every workload of a text, in document order, including missing instances of a composition.

    Appends the errors of documents that cannot be parsed to `errors`, or raises the first one without it. Raises
    LibraryError for an invalid sidecar.
    """
    broken: list[SidecarctlError] = [] if errors is None else errors
    out: list[WorkloadStatus] = []
    for document, companions, _ in group_companions(_gathered_documents(text, options, file, broken, beside)):
        if has_no_workload(document.text, options.kinds):
            continue
        try:
            numbered = list(number_workloads(document, options.kinds))
        except InputError as error:
            broken.append(error)
            continue
        for _, workload in numbered:
            if not options.workloads.selects(workload):
                continue
            line = document.locate(workload.path).line
            try:
                record = records.read(workload)
            except RecordError as error:
                out.append(WorkloadStatus(workload.label, file, line, note=error.message, unreadable=True))
                continue
            place = _Place(document, tuple(companions), workload, record)
            instances = [_instance(place, each, catalog, options) for each in record.instances.values()]
            try:
                instances += _missing_instances(workload, record, chosen) if not find_unusable_reason(workload) else []
            except UsageError as error:  # rules or Namespaces that contradict each other hide no other workload
                broken.append(error)
            note = "; ".join(describe_unrecorded(workload, record, catalog.names()))
            out.append(WorkloadStatus(workload.label, file, line, tuple(instances), note))
    if errors is None and broken:
        raise broken[0]
    return out


def _gathered_documents(
    text: str, options: Options, file: str, errors: list[SidecarctlError], beside: Beside
) -> Iterable[Document]:
    """Return the documents of a text with each companion behind its workload, which kustomize and Helm do not keep."""
    if beside.files or beside.claimed:
        others = [each for _, each in beside.split([]) if read_owner(each)]
        return gather_companions([*split_readable(text, file, errors), *others], options.kinds, beside.claimed)
    if may_hold(text, OWNER_ANNOTATION) and has_displaced_companions(split_readable(text, file, []), options.kinds):
        return gather_companions(list(split_readable(text, file, errors)), options.kinds)
    return split_readable(text, file, errors)


def _missing_instances(workload: Workload, record: Record, chosen: Selection | None) -> Iterable[InstanceStatus]:
    """Return the instances that a composition or the workload's own annotation requests but the record does not have.

    A composition requests none for a Helm hook, as `render` leaves it out.
    """
    wanted: dict[str, str] = {}
    if chosen is not None and not _WITHOUT_HOOKS.find_exclusion(workload):
        wanted = {request.instance: request.sidecar.name for request in chosen.choose(workload, record).requests}
    elif chosen is None:
        own = read_annotations(workload, record)
        wanted = (
            {name.partition("@")[0]: name.partition("@")[0] for name in own.sidecars}
            if own and not own.opts_out
            else {}
        )
    return [
        InstanceStatus(name, sidecar, missing=True) for name, sidecar in wanted.items() if name not in record.instances
    ]


def _instance(place: _Place, instance: Instance, catalog: Catalog, options: Options) -> InstanceStatus:
    notes: list[str] = []
    own = _find(catalog, f"{instance.sidecar}@{instance.version}", notes)
    newest = _find(catalog, instance.sidecar, notes)
    newer = newest if newest and _newer(newest, instance) else None
    if own is None and not notes:
        lost = f"{instance.sidecar} {instance.version}" if newest else f"sidecar {instance.sidecar}"
        notes.append(f"the library has no {lost}")
    found = tuple(find_companions(place.document, place.companions, place.workload, instance))
    edits = _find_edits(place, instance, found, own, catalog, options, notes)
    versions = [each for each in (own, newest) if each]
    if edits and edits is not _EDITED:
        edits = hide_edits(edits, instance, versions, notes)
    drift, kube_version = _find_drift(place, instance, own, catalog, options, notes) if own and not edits else ((), "")
    upgrade = (
        _compare_with_upgrade(place, instance, newest, catalog, options, notes) if newest and (newer or not own) else ()
    )
    changes = drift or upgrade or ()
    if changes and may_write_secrets(instance, versions):
        changes = tuple(hide_values(changes))
    return InstanceStatus(
        instance.name,
        instance.sidecar,
        instance.version,
        instance.mode,
        instance.by,
        newer.version if newer else "",
        unknown=edits is None,
        edited=edits is _EDITED,
        edits=() if edits is _EDITED else edits or (),
        upgrade=changes,
        kube_version=kube_version,
        note=mask("; ".join(dict.fromkeys(notes)), recorded_secrets(instance, versions)),
    )


def _find_edits(
    place: _Place,
    instance: Instance,
    found: tuple[Companion, ...],
    own: Sidecar | None,
    catalog: Catalog,
    options: Options,
    notes: list[str],
) -> tuple[FieldChange, ...] | None:
    """Return the fields that were edited since they were written; None, with a note, if that cannot be determined."""
    workload = place.workload
    if is_unedited(workload, instance, found):
        return ()
    try:
        bare = without_instance(workload, place.record, instance.name)
        request = Request(own, resolve(own, instance.parameters), instance.name, catalog=catalog) if own else None
        base = render_base(bare, place.record, request, options.kube_version, found) if request else None
    except SidecarctlError as error:
        notes.append(f"cannot detect edits: {error.message}")
        return None
    if base is None and request is not None:
        base = _render_unverified(place, bare, request, instance, options, found)
    if base is None:
        if not instance.digest:
            notes.append("cannot detect edits")
            return None
        notes.append("cannot list the edited fields")
        return _EDITED
    missing = [each.replace("/", " ") for each in base.companions if each not in {one.identity for one in found}]
    if missing:
        notes.append(f"not in the input: {', '.join(missing)}")
    return tuple(_compare(base, workload, found))


def _render_unverified(
    place: _Place, bare: Workload, request: Request, instance: Instance, options: Options, found: tuple[Companion, ...]
) -> Rendering | None:
    """Return what the recorded version writes now, although its digest is not the recorded one."""
    record = replace(place.record, instances={**place.record.instances, instance.name: replace(instance, digest="")})
    return render_base(bare, record, request, options.kube_version, found)


def _compare(base: Rendering, workload: Workload, found: tuple[Companion, ...]) -> Iterable[FieldChange]:
    """Yield the fields that differ from what was written."""
    yield from diff_templates(workload, base.template, workload.template)
    now = {each.identity: own_part(each.value, base) for each in found}
    for identity, before in base.companions.items():
        if identity in now:
            yield from diff_companion(identity, before, now[identity])


def _find(catalog: Catalog, name: str, notes: list[str]) -> Sidecar | None:
    try:
        return catalog.find(name)
    except LibraryError as error:
        notes.append(f"{error.where}: {error.message}")
        return None
    except UsageError:
        return None


def _newer(sidecar: Sidecar, instance: Instance) -> bool:
    try:
        return version_order(sidecar.version) > version_order(instance.version)
    except (ValueError, TypeError):  # invalid version in an edited record
        return sidecar.version != instance.version


def _find_drift(
    place: _Place,
    instance: Instance,
    own: Sidecar,
    catalog: Catalog,
    options: Options,
    notes: list[str],
) -> tuple[tuple[FieldChange, ...], str]:
    """Return what the recorded version writes differently now, or another Kubernetes version for which it is in sync."""
    changes = _compare_with_upgrade(place, instance, own, catalog, options, notes) or ()
    if changes:
        for version in reversed(SUPPORTED):
            other = replace(options, kube_version=version)
            if version != options.kube_version:
                if _compare_with_upgrade(place, instance, own, catalog, other, []) == ():
                    return (), version
    return changes, ""


def _compare_with_upgrade(
    place: _Place, instance: Instance, sidecar: Sidecar, catalog: Catalog, options: Options, notes: list[str]
) -> tuple[FieldChange, ...] | None:
    """Return what an upgrade to a version would change; None, with a note, if it is not possible."""
    failing = f"cannot upgrade to {sidecar.version}"
    request = Request(
        sidecar,
        resolve(replace(sidecar, parameters={**sidecar.parameters, "required": []}), {}),
        instance.name,
        changes=ParameterChanges(),
        on_conflict=KEEP,
        catalog=catalog,
    )
    found = find_companions(place.document, place.companions, place.workload, instance)
    try:
        upgrade = plan_upgrade(place.document, place.workload, place.record, request, options.kube_version, found)
    except (EditRefused, UsageError, RecordError) as error:
        secret = "; secret parameters are not recorded" if has_secrets(sidecar.parameters) else ""
        notes.append(f"{failing}: {error.message}{secret}")
        return None
    refused = [finding.message for finding in upgrade.planned.findings if upgrade.planned.refused]
    if refused:
        notes.append(f"{failing}: {mask(refused[0], upgrade.planned.secrets)}")
        return None
    if instance.secrets:  # the finding says that they are needed
        notes += (finding.message for finding in upgrade.planned.findings)
    return upgrade.fields
