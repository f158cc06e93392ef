"""Compare the instances of a text with the library: versions, edited fields, and what an upgrade would change.

Each instance is added again to a copy, with the recorded parameters. The fields that this changes were edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sidecarctl.catalog.catalog import Catalog, version_order
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.annotations import read_annotations
from sidecarctl.composition.request import Request
from sidecarctl.composition.select import Selection
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.inject import record as records
from sidecarctl.inject.companions import OWNER_ANNOTATION, gather_companions, has_displaced_companions
from sidecarctl.inject.document import DocumentResult, add_sidecar, find_unusable_reason, number_workloads
from sidecarctl.inject.pipeline import Options, group_companions
from sidecarctl.inject.record import Instance, Record, RecordError
from sidecarctl.inject.unrecorded import describe_unrecorded
from sidecarctl.kube.kinds import has_no_workload
from sidecarctl.kube.value_diff import diff_values
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_mapping
from sidecarctl.results import FieldChange, InstanceStatus, WorkloadStatus
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document, split

_HIDDEN = "(hidden)"


@dataclass(frozen=True)
class _Place:
    """A workload in its document, with the companions behind it and the head of the next document."""

    document: Document
    companions: tuple[Document, ...]
    following: str | None
    number: int
    workload: Workload
    record: Record


def collect_status(
    text: str, catalog: Catalog, options: Options, file: str = "-", chosen: Selection | None = None
) -> list[WorkloadStatus]:
    """Return the status of every workload of a text, in document order, including missing instances of a composition.

    Raises InputError for invalid YAML and LibraryError for an invalid sidecar.
    """
    out = []
    for document, companions, following in group_companions(_gathered_documents(text, options, file)):
        if has_no_workload(document.text, options.kinds):
            continue
        for number, workload in number_workloads(document, options.kinds):
            line = document.locate(workload.path).line
            try:
                record = records.read(workload)
            except RecordError as error:
                out.append(WorkloadStatus(workload.label, file, line, note=error.message))
                continue
            place = _Place(document, tuple(companions), following, number, workload, record)
            instances = [_instance(place, each, catalog, options) for each in record.instances.values()]
            instances += _missing_instances(workload, record, chosen) if not find_unusable_reason(workload) else []
            note = "; ".join(describe_unrecorded(workload, record, catalog.names()))
            out.append(WorkloadStatus(workload.label, file, line, tuple(instances), note))
    return out


def _gathered_documents(text: str, options: Options, file: str) -> Iterable[Document]:
    """Return the documents of a text with each companion behind its workload, which kustomize and Helm do not keep."""
    if OWNER_ANNOTATION in text and has_displaced_companions(split(text, file)):
        return gather_companions(list(split(text, file)), options.kinds)[0]
    return split(text, file)


def _missing_instances(workload: Workload, record: Record, chosen: Selection | None) -> Iterable[InstanceStatus]:
    """Return the instances that a composition or the workload's own annotation requests but the record does not have."""
    wanted: dict[str, str] = {}
    if chosen is not None:
        wanted = {request.instance: request.sidecar.name for request in chosen.choose(workload, record).requests}
    else:
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
        notes.append(f"the library has no {lost}: cannot detect edits")
    edits = _compare_with_library(place, instance, own, options, notes) if own else None
    other = _find_kube_version_in_sync(place, instance, own, options) if own and edits else ""
    edits = () if other else edits
    upgrade = _compare_with_library(place, instance, newest, options, notes) if newest and (newer or not own) else None
    return InstanceStatus(
        instance.name,
        instance.sidecar,
        instance.version,
        instance.mode,
        instance.by,
        newer.version if newer else "",
        unknown=edits is None,
        edits=edits or (),
        upgrade=tuple(change for change in upgrade or () if change not in (edits or ())),
        kube_version=other,
        note="; ".join(dict.fromkeys(notes)),
    )


def _find_kube_version_in_sync(place: _Place, instance: Instance, sidecar: Sidecar, options: Options) -> str:
    """Return the latest other Kubernetes version for which the instance is in sync, empty if there is none."""
    for version in reversed(SUPPORTED):
        other = replace(options, kube_version=version)
        if version != options.kube_version and _compare_with_library(place, instance, sidecar, other, []) == ():
            return version
    return ""


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


def _compare_with_library(
    place: _Place, instance: Instance, sidecar: Sidecar, options: Options, notes: list[str]
) -> tuple[FieldChange, ...] | None:
    """Return what adding an instance again would change; None, with a note, if it cannot be added.

    For the instance's own version, `before` is the added value and `after` the current one. For an upgrade, `before` is
    the current value and `after` the new one.
    """
    same = sidecar.version == instance.version
    failing = "cannot detect edits" if same else f"cannot upgrade to {sidecar.version}"
    secret = "secret parameters are not recorded" if _has_secrets(sidecar.parameters) else ""
    try:
        parameters = resolve(sidecar, instance.parameters)
        request = Request(sidecar, parameters, instance.name, instance.mode, instance.containers, instance.by)
        result = add_sidecar(
            DocumentResult((place.document, *place.companions)),
            request,
            options.kube_version,
            options.kinds,
            place.following,
            frozenset({place.number}),
        )
    except (EditRefused, UsageError, RecordError) as error:
        notes.append(f"{failing}: {error.message}" + (f"; {secret}" if secret else ""))
        return None
    refused = [finding.message for plan in result.plans if plan.refused for finding in plan.findings]
    if refused:
        notes.append(f"{failing}: {refused[0]}")
        return None
    current, added = (place.document, *place.companions), result.documents
    changes = tuple(_compare(added, current) if same else _compare(current, added))
    if same and secret and changes:
        notes.append(f"{secret}: fields that depend on them may be reported as edited")
    return changes


def _has_secrets(schema: Any) -> bool:
    """Return True if a parameter schema has a `writeOnly` parameter."""
    if isinstance(schema, dict):
        return schema.get("writeOnly") is True or any(_has_secrets(value) for value in schema.values())
    return isinstance(schema, list) and any(_has_secrets(item) for item in schema)


def _compare(before: Sequence[Document], after: Sequence[Document]) -> Iterable[FieldChange]:
    """Yield the changed fields without the record; companions are matched by kind and name."""
    yield from (c for c in diff_values(before[0].value, after[0].value) if RECORD_ANNOTATION not in c.path)
    old, new = _by_name(before[1:]), _by_name(after[1:])
    for name in dict.fromkeys((*old, *new)):
        for change in diff_values({name: old[name]} if name in old else {}, {name: new[name]} if name in new else {}):
            if name.startswith("Secret "):
                change = FieldChange(change.path, _HIDDEN, _HIDDEN)
            yield change


def _by_name(documents: Sequence[Document]) -> dict[str, Any]:
    return {
        f"{as_mapping(d.value).get('kind')} {as_mapping(as_mapping(d.value).get('metadata')).get('name')}": d.value
        for d in documents
    }
