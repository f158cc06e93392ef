"""What stands in a text and how it compares with the library: versions, hand edits, what an upgrade would change.

An instance is added again, with the recorded parameters, to a copy; what that would change was changed by hand.
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
from sidecarctl.inject.prefilter import has_no_workload
from sidecarctl.inject.record import Instance, Record, RecordError
from sidecarctl.kube.value_diff import differences
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_mapping
from sidecarctl.results import FieldChange, InstanceStatus, WorkloadStatus
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.stream import Document, split

_HIDDEN = "(hidden)"


@dataclass(frozen=True)
class _Place:
    """A workload in its document, with the companions behind it and the head of what follows."""

    document: Document
    companions: tuple[Document, ...]
    following: str | None
    number: int
    workload: Workload
    record: Record


def collect_status(
    text: str, catalog: Catalog, options: Options, file: str = "-", chosen: Selection | None = None
) -> list[WorkloadStatus]:
    """Return the state of every workload of a text, in its order. With a composition, what it wants and is not there too.

    Raises InputError for text that can't be read, LibraryError for a sidecar that is broken.
    """
    out = []
    for document, companions, following in group_companions(_in_order(text, options, file)):
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
            instances += _missing(workload, record, chosen) if not find_unusable_reason(workload) else []
            out.append(WorkloadStatus(workload.label, file, line, tuple(instances)))
    return out


def _in_order(text: str, options: Options, file: str) -> Iterable[Document]:
    """The documents of a text, each companion behind its workload: kustomize and Helm sort by kind."""
    if OWNER_ANNOTATION in text and has_displaced_companions(split(text, file)):
        return gather_companions(list(split(text, file)), options.kinds)[0]
    return split(text, file)


def _missing(workload: Workload, record: Record, chosen: Selection | None) -> Iterable[InstanceStatus]:
    """What a composition or the workload's own annotation wants and nobody has added."""
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
        lost = f"{instance.sidecar} {instance.version} any more" if newest else f"sidecar {instance.sidecar}"
        notes.append(f"the library has no {lost}: hand edits can't be told")
    edits = _again(place, instance, own, options, notes) if own else None
    other = _written_for(place, instance, own, options) if own and edits else ""
    edits = () if other else edits
    upgrade = _again(place, instance, newest, options, notes) if newest and (newer or not own) else None
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


def _written_for(place: _Place, instance: Instance, sidecar: Sidecar, options: Options) -> str:
    """The newest other Kubernetes version for which the sidecar's template gives what stands there; empty where none does."""
    for version in reversed(SUPPORTED):
        other = replace(options, kube_version=version)
        if version != options.kube_version and _again(place, instance, sidecar, other, []) == ():
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
    except (ValueError, TypeError):  # a version that nobody but an editor wrote
        return sidecar.version != instance.version


def _again(
    place: _Place, instance: Instance, sidecar: Sidecar, options: Options, notes: list[str]
) -> tuple[FieldChange, ...] | None:
    """What adding an instance again would change, as (what it writes, what stands there) for its own version, and the
    other way round for an upgrade; None with a note where it can't be added.
    """
    same = sidecar.version == instance.version
    failing = "hand edits can't be told" if same else f"an upgrade to {sidecar.version} fails"
    secret = "secret parameters are never recorded" if _secretive(sidecar.parameters) else ""
    try:
        parameters = resolve(sidecar, instance.parameters)
        request = Request(sidecar, parameters, instance.name, instance.mode, instance.containers, instance.by)
        composed = add_sidecar(
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
    refused = [finding.message for plan in composed.plans if plan.refused for finding in plan.findings]
    if refused:
        notes.append(f"{failing}: {refused[0]}")
        return None
    there, written = (place.document, *place.companions), composed.documents
    changes = tuple(_compared(written, there) if same else _compared(there, written))
    if same and secret and changes:
        notes.append(f"{secret}: what comes from them may show as an edit")
    return changes


def _secretive(schema: Any) -> bool:
    if isinstance(schema, dict):
        return schema.get("writeOnly") is True or any(_secretive(value) for value in schema.values())
    return isinstance(schema, list) and any(_secretive(item) for item in schema)


def _compared(one: Sequence[Document], two: Sequence[Document]) -> Iterable[FieldChange]:
    """Field by field, the record left out; companions by their kind and name."""
    yield from (c for c in differences(one[0].value, two[0].value) if RECORD_ANNOTATION not in c.path)
    old, new = _by_name(one[1:]), _by_name(two[1:])
    for name in dict.fromkeys((*old, *new)):
        for change in differences({name: old[name]} if name in old else {}, {name: new[name]} if name in new else {}):
            if name.startswith("Secret "):
                change = FieldChange(change.path, _HIDDEN, _HIDDEN)
            yield change


def _by_name(documents: Sequence[Document]) -> dict[str, Any]:
    return {
        f"{as_mapping(d.value).get('kind')} {as_mapping(as_mapping(d.value).get('metadata')).get('name')}": d.value
        for d in documents
    }
