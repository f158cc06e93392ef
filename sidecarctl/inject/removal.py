"""From a record to the edits that take an instance away again: the exact inverse of its plan, without the library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.inject import record as records
from sidecarctl.inject.companions import format_owner
from sidecarctl.inject.plan import Plan
from sidecarctl.inject.record import Added, Record, decode_path, find_index, record_path, write
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.edits import Edit, Insert, Remove, Replace, Restore
from sidecarctl.yamltext.scalars import resolve
from sidecarctl.yamltext.splice import displaced_by
from sidecarctl.yamltext.stream import Document

_EMPTY: Mapping[str, Any] = {"[]": [], "{}": {}}


@dataclass(frozen=True)
class Removal:
    """What taking instances away does to a workload.

    edits      to its document, the record's among them
    record     what remains
    names      the instances that go
    documents  companions to take away: (owner annotation, `Kind/name`)
    missing    what the record names and nobody finds: somebody removed it by hand
    """

    workload: Workload
    edits: tuple[Edit, ...]
    record: Record
    names: tuple[str, ...] = ()
    documents: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()


def plan_removal(workload: Workload, record: Record, names: Iterable[str], *, for_upgrade: bool = False) -> Removal:
    """Plan the removal of instances.

    What another instance still uses (it adopted the volume) is handed over to it, unless the instance is about to be
    added again.
    """
    going = [name for name in record.instances if name in set(names)]
    staying = {name: value for name, value in record.instances.items() if name not in going}
    leaves: dict[PathTuple, None] = {}
    missing: list[str] = []
    for name in going:
        added = record.instances[name].added
        if not for_upgrade:
            added, staying = _handed_over(workload, added, staying)
        needed = {setting for other in staying.values() for setting in other.added.pod}
        added = replace(added, pod=tuple(setting for setting in added.pod if setting not in needed))
        for what, path in _paths(workload, added):
            if path is None:
                missing.append(what)
            else:
                leaves[path] = None
    documents = tuple(
        (format_owner(workload, name), d) for name in going for d in record.instances[name].added.documents
    )
    if for_upgrade:
        # The record stays whole, for its order; the plan that follows writes it.
        return Removal(
            workload, tuple(_collapsed(workload, record, leaves)), record, tuple(going), documents, tuple(missing)
        )
    left = replace(record, instances=staying) if staying else Record()
    path = record_path(workload)
    if staying:
        edits = [*_collapsed(workload, record, leaves), Replace(path, write(left), "record")]
    else:
        edits = list(_collapsed(workload, record, {**leaves, path: None}))
    return Removal(workload, tuple(edits), left, tuple(going), documents, tuple(missing))


def _paths(workload: Workload, added: Added) -> Iterator[tuple[str, PathTuple | None]]:
    """Where everything stands that an instance added, with a word for it."""
    pod, pod_path = workload.pod, workload.pod_path
    for field, names in (
        ("initContainers", added.init_containers),
        ("containers", added.containers),
        ("volumes", added.volumes),
    ):
        for name in names:
            index = find_index(as_list(pod.get(field)), "name", name)
            yield f"{field} {name}", None if index is None else (*pod_path, field, index)
    for field, key, holders in (("volumeMounts", "mountPath", added.volume_mounts), ("env", "name", added.env)):
        for container, values in holders.items():
            holder = next((c for c in workload.containers if c.name == container), None)
            for value in values:
                index = find_index(as_list(holder.value.get(field)), key, value) if holder else None
                found = None if index is None or holder is None else (*holder.path, field, index)
                yield f"{field} {value} in {container}", found
    for field, keys in (("annotations", added.annotations), ("labels", added.labels)):
        for key in keys:
            present = key in as_mapping(workload.metadata.get(field))
            yield f"{field} {key}", (*workload.template_path, "metadata", field, key) if present else None
    for text in added.pod:
        steps = text.split("/")
        found_value: Any = pod
        for step in steps:
            found_value = as_mapping(found_value).get(step)
        yield f"pod {text}", None if found_value is None else (*pod_path, *steps)


def _handed_over(workload: Workload, added: Added, staying: dict[str, Any]) -> tuple[Added, dict[str, Any]]:
    """Give volumes that other instances mount to the first of them, with the app's mounts of those volumes."""
    staying = dict(staying)
    for volume in added.volumes:
        heir = next((name for name, other in staying.items() if _mounts(workload, other.added, volume)), None)
        if heir is None:
            continue
        mounts = {
            container: tuple(path for path in paths if _mounted(workload, container, path) == volume)
            for container, paths in added.volume_mounts.items()
        }
        mounts = {container: paths for container, paths in mounts.items() if paths}
        inherited = staying[heir].added
        staying[heir] = replace(
            staying[heir],
            added=replace(
                inherited,
                volumes=(*inherited.volumes, volume),
                volume_mounts={
                    container: (*inherited.volume_mounts.get(container, ()), *mounts.get(container, ()))
                    for container in (
                        *inherited.volume_mounts,
                        *(c for c in mounts if c not in inherited.volume_mounts),
                    )
                },
            ),
        )
        added = replace(
            added,
            volumes=tuple(v for v in added.volumes if v != volume),
            volume_mounts={
                c: tuple(p for p in ps if p not in mounts.get(c, ())) for c, ps in added.volume_mounts.items()
            },
        )
    return added, staying


def _mounts(workload: Workload, added: Added, volume: str) -> bool:
    """True when a container of an instance mounts a volume."""
    own = {*added.containers, *added.init_containers}
    return any(
        as_mapping(mount).get("name") == volume
        for container in workload.containers
        if container.name in own
        for mount in as_list(container.value.get("volumeMounts"))
    )


def _mounted(workload: Workload, container: str, path: str) -> Any:
    """The name of the volume that a container mounts at a path."""
    for found in workload.containers:
        if found.name == container:
            for mount in as_list(found.value.get("volumeMounts")):
                if as_mapping(mount).get("mountPath") == path:
                    return mount.get("name")
    return None


def _collapsed(workload: Workload, record: Record, leaves: Mapping[PathTuple, None]) -> Iterator[Edit]:
    """Removals, where a collection that loses everything goes itself if it had been made, or gets its old text back."""
    created = {path for path in (decode_path(workload, text) for text in record.created) if path is not None}
    was = {
        path: text for path, text in ((decode_path(workload, t), w) for t, w in record.was.items()) if path is not None
    }
    gone: dict[PathTuple, None] = dict(leaves)
    restored: dict[PathTuple, str] = {}
    while path := _emptied(workload, gone):
        for leaf in [leaf for leaf in gone if leaf[:-1] == path]:
            del gone[leaf]
        if any(path[: len(prefix)] == prefix for prefix in created):
            gone[path] = None
        else:
            restored[path] = was.get(path, " []" if isinstance(_at(workload, path), list) else " {}")
    yield from (Remove(path, "record") for path in gone)
    for path, text in restored.items():
        yield Restore(path, text, _meaning(text), "record")


def _meaning(text: str) -> Any:
    stripped = text.strip().replace(" ", "").replace("\n", "").replace("\r", "").replace("\t", "")
    return _EMPTY[stripped] if stripped in _EMPTY else resolve(stripped)


def _emptied(workload: Workload, gone: Mapping[PathTuple, None]) -> PathTuple:
    """The innermost collection inside the pod template all of whose members go; () where there is none."""
    counts: dict[PathTuple, int] = {}
    for path in gone:
        if len(path) > len(workload.template_path) + 1:
            counts[path[:-1]] = counts.get(path[:-1], 0) + 1
    emptied = [path for path, count in counts.items() if count == len(_at(workload, path) or ())]
    return max(emptied, key=len, default=())


def _at(workload: Workload, path: PathTuple) -> Any:
    value: Any = workload.template
    for step in path[len(workload.template_path) :]:
        value = value[step]
    return value


def resolve_instance_names(record: Record, wanted: Iterable[str]) -> list[str]:
    """Return the instances that a word means: an instance name, or every instance of a sidecar of that name."""
    words = set(wanted)
    return [
        i.name for i in record.instances.values() if i.name in words or (i.sidecar in words and i.name not in words)
    ]


def add_record_edit(document: Document, planned: Plan, old: Record) -> list[Edit]:
    """A plan's edits with the one that writes the record."""
    workload = planned.workload
    path = records.record_path(workload)
    present = RECORD_ANNOTATION in workload.annotations
    inserts = [edit for edit in planned.edits if isinstance(edit, Insert)]
    if not present:
        inserts.append(Insert(path, ""))
    created = {records.encode_path(workload, _missing(workload, edit.path)) for edit in inserts} - {""}
    created |= set(planned.owned_collections)
    assert document.root is not None
    was = {
        records.encode_path(workload, where): text
        for where, text in displaced_by(document.root, document.text, inserts).items()
    }
    new = Record(
        {**old.instances, planned.instance.name: planned.instance},
        _topmost({*old.created, *(text for text in created if text not in was)}),
        dict(sorted({**old.was, **was}.items())),
    )
    text = records.write(new)
    return [*planned.edits, Replace(path, text, "record") if present else Insert(path, text, "record")]


def _topmost(created: set[str]) -> tuple[str, ...]:
    """Leave out keys inside of others that were made."""
    return tuple(sorted(text for text in created if not any(text.startswith(other + "/") for other in created)))


def _missing(workload: Workload, path: PathTuple) -> PathTuple:
    """The topmost key on the way to `path` (itself excluded) that is not there; the template's own path where none is."""
    value: Any = workload.template
    for depth in range(len(workload.template_path), len(path) - 1):
        step = path[depth]
        value = value.get(step) if isinstance(value, dict) and isinstance(step, str) else _item(value, step)
        if value is None and not _stands(workload, path[: depth + 1]):
            return path[: depth + 1]
    return workload.template_path


def _item(value: Any, step: str | int) -> Any:
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None


def _stands(workload: Workload, path: PathTuple) -> bool:
    """True where a key stands in the template, be it with a null."""
    value: Any = workload.template
    for step in path[len(workload.template_path) : -1]:
        value = value[step]
    return isinstance(value, dict) and path[-1] in value


def prune_record(workload: Workload, record: Record) -> Record:
    """Return a record without what it says of keys that are no longer there, or are empty again."""
    created, was = [], {}
    for text in record.created:
        path = records.decode_path(workload, text)
        if path is not None and _found(workload, path) is not _GONE:
            created.append(text)
    for text, old in record.was.items():
        path = records.decode_path(workload, text)
        if path is not None and _found(workload, path) not in (_GONE, None, [], {}):
            was[text] = old
    return replace(record, created=tuple(created), was=was)


_GONE = object()


def _found(workload: Workload, path: PathTuple) -> Any:
    value: Any = workload.template
    for step in path[len(workload.template_path) :]:
        if (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        ):
            value = value[step]  # type: ignore[index]
        else:
            return _GONE
    return value
