"""Three-way merge of plain values: apply what an upgrade changes, and keep what a person changed.

`base` is what was written last time, `current` what the manifest has, and `next` what the new version writes. Fields are
compared one by one; the result is a list of edits of `current`. docs/upgrades.md has the table of cases.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.kube.equivalence import is_equivalent
from sidecarctl.kube.merge_keys import MAP_FIELDS, index_by_merge_key
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.results import ABSENT
from sidecarctl.yamltext.edits import Edit, Insert, Remove, Replace, Restore, identical

FAIL, KEEP, OVERWRITE = ON_CONFLICT = ("fail", "keep", "overwrite")
# Every field gets the value of `next`; what a person changed is listed as a conflict.
ENFORCE = "enforce"
_REASON = "upgrade"


@dataclass(frozen=True)
class Unknown:
    """The base, if it cannot be had. `without` is what `next` would be without the parameters that are given now.

    A field that they determine is written; any other field that differs is a conflict.
    """

    without: Any


@dataclass(frozen=True)
class Conflict:
    """A field that a person changed and that the upgrade changes too. Values may be ABSENT; `base` may be Unknown."""

    path: PathTuple
    base: Any
    current: Any
    next: Any


@dataclass
class Merge:
    """The edits of `current`, and the conflicts. `on_conflict` decides whether a conflict is also an edit."""

    on_conflict: str = FAIL
    edits: list[Edit] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)

    def add(self, path: PathTuple, base: Any, current: Any, next: Any) -> None:
        """Merge the values at `path`."""
        if is_equivalent(current, next, path) or self._stays(base, next, path):
            return
        settled = _is_settled(base, current, next, path)
        if settled and not _are_collections(current, next):
            self._write(path, current, next)
        elif isinstance(current, dict) and isinstance(next, dict):
            self._add_mapping(path, base, current, next)
        elif (items := _as_items(path, base, current, next)) is not None:
            self._add_items(path, *items, next)
        elif _is_map(path, base, current, next):
            self._add_map(path, base, current, next)
        elif settled:
            self._write(path, current, next)
        elif self.on_conflict != ENFORCE and (merged := _merge_text(base, current, next)) is not None:
            self._write(path, current, merged)
        else:
            self._conflict(path, base, current, next)

    def _stays(self, base: Any, next: Any, path: PathTuple) -> bool:
        """Return True if the upgrade does not change a field, so that the current value stays, whatever it is."""
        return self.on_conflict != ENFORCE and not isinstance(base, Unknown) and is_equivalent(base, next, path)

    def _conflict(self, path: PathTuple, base: Any, current: Any, next: Any, index: int | None = None) -> None:
        """Report a conflict. `index` is the place of an item that `current` does not have."""
        self.conflicts.append(Conflict(path, base, current, next))
        if self.on_conflict in (OVERWRITE, ENFORCE):
            if index is None:
                self._write(path, current, next)
            else:
                self.edits.append(Insert((*path, index), next, _REASON))

    # ---- mappings ------------------------------------------------------------------------------------------------

    def _add_mapping(self, path: PathTuple, base: Any, current: Mapping[str, Any], next: Mapping[str, Any]) -> None:
        for key in dict.fromkeys((*current, *next)):
            self.add((*path, key), _child(base, key), current.get(key, ABSENT), next.get(key, ABSENT))

    def _add_map(self, path: PathTuple, base: Any, current: Any, next: Any) -> None:
        """Merge a map of independent keys that one side lacks; without its last key, the map goes."""
        start = len(self.edits)
        self._add_mapping(path, base, *({} if each is ABSENT else each for each in (current, next)))
        gone = [edit for edit in self.edits[start:] if isinstance(edit, Remove)]
        if next is ABSENT and len(gone) == len(current):
            del self.edits[start:]
            self._write(path, current, next)

    # ---- lists of items with a merge key ---------------------------------------------------------------------------

    def _add_items(self, path: PathTuple, base: _Items, current: _Items, next: _Items, whole: Any) -> None:
        item = (*path, 0)
        if not next.keys and not base.unknown:
            if all(is_equivalent(base.get(key), current.get(key), item) for key in current.keys):
                self._write(path, current.values, whole)  # every item goes
                return
        start = len(self.edits)
        self._add_each(path, base, current, next)
        gone = [edit for edit in self.edits[start:] if isinstance(edit, Remove) and edit.path[:-1] == path]
        if not next.keys and len(gone) == len(current.values) == len(self.edits) - start:
            del self.edits[start:]
            self._write(path, current.values, whole)

    def _add_each(self, path: PathTuple, base: _Items, current: _Items, next: _Items) -> None:
        item = (*path, 0)
        for key in dict.fromkeys((*current.keys, *next.keys)):
            old, new = base.get(key), next.get(key)
            if key in current.keys:
                self.add((*path, current.keys[key]), old, current.get(key), new)
                continue
            if self._stays(old, new, item):
                continue  # a person removed it
            index = _position(key, list(next.keys), current)
            if old is ABSENT or (isinstance(old, Unknown) and old.without is ABSENT):
                self.edits.append(Insert((*path, index), new, _REASON))
            else:
                self._conflict(path, old, ABSENT, new, index)

    # ---- writing -----------------------------------------------------------------------------------------------------

    def _write(self, path: PathTuple, current: Any, next: Any) -> None:
        """Change `current` to `next` with edits as small as possible."""
        if isinstance(current, list) and isinstance(next, list) and current and next:
            self._write_list(path, current, next)
        elif next is ABSENT:
            self.edits.append(Remove(path, _REASON))
        elif current is ABSENT or _fills(path, current, next):
            self.edits.append(Insert(path, next, _REASON))
        elif next is None and isinstance(current, int) and isinstance(path[-1], str):
            self.edits.append(Restore(path, " null", None, _REASON))
        elif isinstance(current, (dict, list)) and (next is None or next in ([], {})):
            self.edits.append(Restore(path, {"[]": " []", "{}": " {}"}.get(str(next), " null"), next, _REASON))
        elif isinstance(current, (dict, list)) or isinstance(next, (dict, list)):
            self.edits += (Remove(path, _REASON), Insert(path, next, _REASON))
        else:
            self.edits.append(Replace(path, next, _REASON))

    def _write_list(self, path: PathTuple, current: Sequence[Any], next: Sequence[Any]) -> None:
        for start, end, new in _changed_ranges(current, next):
            pairs = min(end - start, len(new))
            for offset in range(pairs):
                old, each = current[start + offset], new[offset]
                if isinstance(old, (dict, list)) or isinstance(each, (dict, list)):
                    self.add((*path, start + offset), old, old, each)
                else:
                    self.edits.append(Replace((*path, start + offset), each, _REASON))
            self.edits += (Remove((*path, index), _REASON) for index in range(start + pairs, end))
            self.edits += (Insert((*path, end), each, _REASON) for each in new[pairs:])


@dataclass(frozen=True)
class _Items:
    """The items of a list, and the index of each by its merge key."""

    values: list[Any]
    keys: Mapping[Hashable, int]
    unknown: bool = False

    @property
    def repeats(self) -> frozenset[Hashable]:
        """The keys of items that share theirs with an earlier one."""
        return frozenset(key for key in self.keys if isinstance(key, tuple) and isinstance(key[0], tuple))

    def get(self, key: Hashable) -> Any:
        value = self.values[self.keys[key]] if key in self.keys else ABSENT
        return Unknown(value) if self.unknown else value


def _as_items(path: PathTuple, base: Any, current: Any, next: Any) -> tuple[_Items, _Items, _Items] | None:
    """Return the items of three lists by their merge keys; None if one is not such a list."""
    if not any(isinstance(each, list) and each for each in (current, next)):
        return None
    sides = []
    for each in (base, current, next):
        known = each.without if isinstance(each, Unknown) else each
        items = [] if known is ABSENT or known is None else known
        keys = index_by_merge_key(path, items, repeats=True)
        if keys is None:
            return None
        sides.append(_Items(items, keys, isinstance(each, Unknown)))
    if len({side.repeats for side in sides}) > 1:
        return None  # a person wrote one twice: which is whose is not known
    return sides[0], sides[1], sides[2]


def _is_map(path: PathTuple, base: Any, current: Any, next: Any) -> bool:
    """Return True for a map of independent keys, such as labels, that one side lacks."""
    sides = (base.without if isinstance(base, Unknown) else base, current, next)
    return (
        bool(path)
        and path[-1] in MAP_FIELDS
        and all(isinstance(each, dict) or each is ABSENT for each in sides)
        and sum(isinstance(each, dict) for each in sides) > 1
    )


def _fills(path: PathTuple, current: Any, next: Any) -> bool:
    """Return True if a value takes the place of an empty one, whose text the record keeps for a removal."""
    if isinstance(next, (dict, list)):
        return current in (None, [], {}) and bool(next)
    return current is None and next is not None and isinstance(path[-1], str)


def _are_collections(one: Any, two: Any) -> bool:
    return isinstance(one, (dict, list)) and bool(one) and type(one) is type(two) and bool(two)


def _child(value: Any, key: str) -> Any:
    if isinstance(value, Unknown):
        return Unknown(_child(value.without, key))
    return value.get(key, ABSENT) if isinstance(value, dict) else ABSENT


def _position(key: Hashable, order: Sequence[Hashable], current: _Items) -> int:
    """Return the index of a new item: behind the items that precede it in `order`, as far as `current` has them."""
    at = order.index(key)
    before = next((current.keys[each] for each in reversed(order[:at]) if each in current.keys), None)
    if before is not None:
        return before + 1
    return next((current.keys[each] for each in order[at + 1 :] if each in current.keys), len(current.values))


def _is_settled(base: Any, current: Any, next: Any, path: PathTuple) -> bool:
    """Return True if no person changed a field, or if the given parameters determine it."""
    if isinstance(base, Unknown):
        return not is_equivalent(base.without, next, path)
    return is_equivalent(base, current, path)


def _merge_text(base: Any, current: Any, next: Any) -> Any:
    """Merge texts line by line, and plain lists item by item; None if both sides change the same place."""
    if all(isinstance(each, str) and "\n" in each for each in (base, current, next)):
        merged = merge_sequences(*(each.split("\n") for each in (base, current, next)))
        return None if merged is None else "\n".join(merged)
    if all(isinstance(each, list) for each in (base, current, next)):
        return merge_sequences(base, current, next)
    return None


def merge_sequences(base: Sequence[Any], current: Sequence[Any], next: Sequence[Any]) -> list[Any] | None:
    """Merge two changed sequences; None if the changes overlap or touch, as in a merge of text files."""
    changes = [(*change, 0) for change in _changed_ranges(base, current)]
    changes += [(*change, 1) for change in _changed_ranges(base, next)]
    changes.sort(key=lambda change: (change[0], change[1]))
    merged: list[Any] = []
    at = 0
    last: tuple[int, int, Sequence[Any], int] | None = None
    for change in changes:
        start, end, new, side = change
        if last is not None and last[3] != side and start <= last[1]:
            if (start, end) == last[:2] and identical(list(new), list(last[2])):
                continue
            return None
        merged += [*base[at:start], *new]
        at, last = end, change
    return [*merged, *base[at:]]


def _changed_ranges(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, int, Sequence[Any]]]:
    """Return the ranges of `old` that differ, each with what `new` has instead."""
    import json

    from sidecarctl.yamltext.changed_ranges import find_changed_ranges  # imports difflib, which is slow

    texts = [
        [each if isinstance(each, str) else json.dumps(each, sort_keys=True) for each in side] for side in (old, new)
    ]
    return [(start, end, new[first:last]) for start, end, first, last in find_changed_ranges(*texts)]
