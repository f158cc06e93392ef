"""The edit that writes the record after an instance was added or upgraded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.errors import UsageError
from sidecarctl.inject.digest import compute_digest
from sidecarctl.inject.plan import Plan
from sidecarctl.kube.fronts import MAX_FRONTS
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_mapping
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record.annotation import Added, Instance, Record, write
from sidecarctl.record.check import MAX_INSTANCES
from sidecarctl.record.paths import decode_path, encode_path, find_settings, index_items, record_path
from sidecarctl.yamltext.edits import Edit, Insert, Replace, Restore, apply
from sidecarctl.yamltext.splice import filled_texts
from sidecarctl.yamltext.stream import Document


def apply_at(workload: Workload, edits: Iterable[Edit]) -> Workload:
    """Return the workload with the pod template that edits of its document give."""
    depth = len(workload.template_path)
    return replace(
        workload, template=apply(workload.template, [replace(edit, path=edit.path[depth:]) for edit in edits])
    )


def add_record_edit(document: Document, planned: Plan, old: Record) -> list[Edit]:
    """Return a plan's edits and the edit that writes the record."""
    workload, instance = planned.workload, planned.instance
    after = apply_at(workload, planned.edits)
    if not planned.adopting:
        instance = replace(instance, digest=compute_digest(after, instance.added, planned.documents))
    new = replace(
        old,
        instances={**old.instances, instance.name: instance},
        was={**old.was, **_texts_of_filled(document, workload, planned.edits)},
    )
    _check_limits(new)
    return [*planned.edits, _write(workload, write(new, after))]


def upgrade_record_edits(
    document: Document, workload: Workload, record: Record, instance: Instance, edits: Sequence[Edit]
) -> list[Edit]:
    """Return the edits of an upgrade and the edit that writes the record, which is left alone if nothing in it changes."""
    present = record.instances[instance.name]
    edits = [_with_former_text(workload, record, edit) for edit in edits]
    if not edits and _same(present, instance):
        return []
    after = apply_at(workload, edits)
    new = replace(
        record,
        instances={**record.instances, instance.name: instance},
        was={**record.was, **_texts_of_filled(document, workload, edits)},
    )
    _check_limits(new)
    return [*edits, _write(workload, write(prune_record(after, new), after))]


def _check_limits(record: Record) -> None:
    """Raise UsageError for more instances or fronts than a record can have, which no later run could read."""
    fronts, instances = len(record.fronts), len(record.instances)
    if fronts > MAX_FRONTS:
        hint = "add fewer sidecars that declare `fronts`"
        raise UsageError(f"the workload would have {fronts:,} fronts (limit: {MAX_FRONTS})", hint=hint)
    if instances > MAX_INSTANCES:
        message = f"the workload would have {instances:,} sidecars (limit: {MAX_INSTANCES})"
        raise UsageError(message, hint="add fewer sidecars")


def _same(old: Instance, new: Instance) -> bool:
    """Return True if two entries say the same. Records of format 1 have no digest."""
    return replace(old, added=Added(), digest="") == replace(new, added=Added(), digest="") and (
        old.digest in ("", new.digest)
    )


def _write(workload: Workload, text: str) -> Edit:
    path = record_path(workload)
    return Replace(path, text, "record") if RECORD_ANNOTATION in workload.annotations else Insert(path, text, "record")


def _texts_of_filled(document: Document, workload: Workload, edits: Iterable[Edit]) -> dict[str, str]:
    """Return the former texts of the empty values that edits, or the record, fill."""
    inserts = [edit for edit in edits if isinstance(edit, Insert)]
    if RECORD_ANNOTATION not in workload.annotations:
        inserts.append(Insert(record_path(workload), ""))
    assert document.root is not None
    return {
        encode_path(workload, path): text for path, text in filled_texts(document.root, document.text, inserts).items()
    }


def _with_former_text(workload: Workload, record: Record, edit: Edit) -> Edit:
    """Return an edit that empties a collection with the text that was there before."""
    if isinstance(edit, Restore):
        former = {decode_path(workload, text): was for text, was in record.was.items()}
        return replace(edit, text=former.get(edit.path, edit.text))
    return edit


def prune_record(workload: Workload, record: Record) -> Record:
    """Return a record without former texts of values that are empty again or that no longer exist."""
    was = {}
    for text, old in record.was.items():
        path = decode_path(workload, text)
        if path is not None and _lookup(workload, path) not in (_MISSING, None, [], {}):
            was[text] = old
    return replace(record, was=was)


_MISSING = object()


def _lookup(workload: Workload, path: Sequence[str | int]) -> Any:
    value: Any = workload.template
    for step in path[len(workload.template_path) :]:
        if (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        ):
            value = value[step]  # type: ignore[index]
        else:
            return _MISSING
    return value


def keep_present(workload: Workload, added: Added) -> Added:
    """Return what an instance added, without what the workload no longer has."""
    pod = workload.pod

    def named(field: str, names: Iterable[str]) -> tuple[str, ...]:
        present = index_items(pod.get(field), "name")
        return tuple(name for name in names if name in present)

    return replace(
        added,
        containers=named("containers", added.containers),
        init_containers=named("initContainers", added.init_containers),
        volumes=named("volumes", added.volumes),
        volume_mounts=dict(_present_items(workload, "volumeMounts", "mountPath", added.volume_mounts)),
        env=dict(_present_items(workload, "env", "name", added.env)),
        annotations=tuple(key for key in added.annotations if key in workload.annotations),
        labels=tuple(key for key in added.labels if key in as_mapping(workload.metadata.get("labels"))),
        pod=tuple(find_settings(pod, added.pod)),
    )


def _present_items(
    workload: Workload, field: str, key: str, holders: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for container in workload.containers:
        if container.name not in holders:
            continue
        present = index_items(container.value.get(field), key)
        names = tuple(name for name in holders[container.name] if name in present)
        if names:
            yield container.name, names
