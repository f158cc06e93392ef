"""Where a new key goes among a mapping's keys: as people write Kubernetes, and the same whoever came first.

Keys that sidecarctl added itself do not count when the place is looked for, so that taking one instance away and
adding it again puts everything back where it was.
"""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.compose.record import Record, from_text, record_path
from sidecarctl.findings import PathTuple
from sidecarctl.kube import fieldorder
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload
from sidecarctl.yamltext.splice import KeyPlace

Owned = dict[PathTuple, dict[str, float]]
_LAST = float("inf")


def key_place(workloads: Iterable[tuple[Workload, Record]], instance: str) -> KeyPlace:
    """Return the KeyPlace for the keys of an instance, given what the records say of the keys that are there."""
    owned: Owned = {}
    ranks: dict[PathTuple, float] = {}
    for workload, record in workloads:
        _collect(workload, record, owned)
        metadata = (*workload.template_path, "metadata")
        ranks.update({(*metadata, field): record.rank(instance) for field in ("annotations", "labels")})

    def place(path: PathTuple, keys: list[str], key: str) -> int:
        own = owned.get(path, {})
        context = fieldorder.context_of(path)
        others = [k for k in keys if k not in own]
        index = fieldorder.place(others, key, context)
        if path and isinstance(path[-1], int) and others:
            index = max(index, 1)  # the first key stands on the line of the dash, and stays as it was
        index = keys.index(others[index - 1]) + 1 if index else 0
        if path in ranks:
            # Annotations and labels stand in the order of the instances, the record last.
            rank = _LAST if key == RECORD_ANNOTATION else ranks[path]
            order = {k: own.get(k, rank) for k in (*own, key)}
        else:
            order = {k: i for i, k in enumerate(fieldorder.arrange((*own, key), context))}
        while index < len(keys) and keys[index] in own and order[keys[index]] <= order[key]:
            index += 1
        return index

    return place


def _collect(workload: Workload, record: Record, owned: Owned) -> None:
    for text in record.created:
        path = from_text(workload, text)
        if path is not None and isinstance(path[-1], str):
            owned.setdefault(path[:-1], {})[path[-1]] = 0
    metadata = (*workload.template_path, "metadata")
    for name, instance in record.instances.items():
        for field, keys in (("annotations", instance.added.annotations), ("labels", instance.added.labels)):
            for key in keys:
                owned.setdefault((*metadata, field), {})[key] = record.rank(name)
    path = record_path(workload)
    owned.setdefault(path[:-1], {})[str(path[-1])] = _LAST
