"""Merge the companions of an upgraded instance: what was written, what is there, and what the new version writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecarctl.inject.companion_search import Companion
from sidecarctl.inject.companions import OWNER_ANNOTATION, read_object_owner
from sidecarctl.inject.merge import ENFORCE, OVERWRITE, Conflict, Merge, Unknown
from sidecarctl.inject.upgrade_base import Rendering
from sidecarctl.kube.equivalence import is_equivalent
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import ABSENT
from sidecarctl.yamltext.edits import Edit


@dataclass(frozen=True)
class CompanionEdits:
    """The edits of a companion that the input has, or its removal."""

    companion: Companion
    edits: tuple[Edit, ...] = ()
    removed: bool = False


@dataclass(frozen=True)
class LocatedConflict:
    """A conflict in the workload's document, or in one of its companions; `missing` is a companion that no file has."""

    conflict: Conflict
    companion: Companion | None = None
    missing: str = ""


class CompanionMerge:
    """Merge the companions of an instance one by one."""

    def __init__(self, on_conflict: str, base: Rendering | Unknown, recorded: Sequence[str]) -> None:
        self.on_conflict = on_conflict
        self.base = base
        self.recorded = recorded
        self.inherited = (base.without if isinstance(base, Unknown) else base).inherited
        self.edits: list[CompanionEdits] = []
        self.added: list[dict[str, Any]] = []
        self.kept: list[str] = []  # the new version has none, but a person edited them
        self.conflicts: list[LocatedConflict] = []

    def merge(self, found: Mapping[str, Companion], new: Mapping[str, Any]) -> None:
        """Merge companions by identity."""
        for identity, value in new.items():
            if identity in found:
                self._change(found[identity], part_of(self.base, identity), value)
            else:
                self._add(identity, part_of(self.base, identity), value)
        for identity, companion in found.items():
            if identity not in new:
                self._remove(companion, part_of(self.base, identity))

    def _change(self, companion: Companion, base: Any, value: Any) -> None:
        if isinstance(base, Unknown):
            base = Unknown(_with_owner_of(companion, base.without, value, self.inherited))
        else:
            base = _with_owner_of(companion, base, value, self.inherited)
        merge = Merge(self.on_conflict)
        merge.add((), base, companion.value, value)
        if merge.edits:
            self.edits.append(CompanionEdits(companion, tuple(merge.edits)))
        self.conflicts += (LocatedConflict(each, companion) for each in merge.conflicts)

    def _add(self, identity: str, base: Any, value: dict[str, Any]) -> None:
        written = base is not ABSENT if not isinstance(base, Unknown) else identity in self.recorded
        if not written:
            self.added.append(value)
            return
        if isinstance(base, Unknown) or not _same_content(base, value):
            self.conflicts.append(LocatedConflict(Conflict((), base, ABSENT, value), missing=identity))
            if self.on_conflict in (OVERWRITE, ENFORCE):
                self.added.append(value)

    def _remove(self, companion: Companion, base: Any) -> None:
        known = not isinstance(base, Unknown)
        if known and _same_content(base, companion.value):
            self.edits.append(CompanionEdits(companion, removed=True))
            return
        overwrites = self.on_conflict in (OVERWRITE, ENFORCE)
        if base is not ABSENT or overwrites:  # else an earlier upgrade kept it
            self.conflicts.append(LocatedConflict(Conflict((), base, companion.value, ABSENT), companion))
        if overwrites:
            self.edits.append(CompanionEdits(companion, removed=True))
        else:
            self.kept.append(companion.identity)


def _with_owner_of(companion: Companion, base: Any, value: Mapping[str, Any], inherited: Mapping[str, str]) -> Any:
    """Return the base with the owner of a companion in the input, its namespace if that is the owner's, and its hook annotations.

    They follow the workload, so they are known to be what was written, whatever the base was rendered for. An annotation of
    the template that is not `inherited` from the workload stays in the base: who deleted it from the companion is a person.
    """
    metadata = as_mapping(as_mapping(base).get("metadata"))
    label = read_object_owner(companion.value)
    if not metadata or not label:
        return base
    present = as_mapping(as_mapping(companion.value.get("metadata")).get("annotations"))
    written = as_mapping(metadata.get("annotations"))
    written = {key: part for key, part in written.items() if key in present or inherited.get(key) != part}
    metadata = {**metadata, "annotations": {**written, OWNER_ANNOTATION: label}}
    if all(each.namespace == each.owner_namespace for each in (companion, Companion(value))):
        metadata = {key: part for key, part in metadata.items() if key != "namespace"}
        metadata |= {"namespace": companion.namespace} if companion.namespace else {}
    return {**base, "metadata": metadata}


def _same_content(one: Any, two: Any) -> bool:
    """Compare two companions without their metadata."""
    old, new = ({k: v for k, v in as_mapping(each).items() if k != "metadata"} for each in (one, two))
    return is_equivalent(old, new)


def part_of(base: Rendering | Unknown, identity: str | None) -> Any:
    """Return the pod template (None) or a companion of the base."""
    if isinstance(base, Unknown):
        return Unknown(part_of(base.without, identity))
    return base.template if identity is None else base.companions.get(identity, ABSENT)
