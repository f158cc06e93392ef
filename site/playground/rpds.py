"""Pure Python versions of what jsonschema and referencing use of rpds, whose own code is compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class HashTrieMap(Mapping[Any, Any]):
    """A mapping whose updates return a new mapping."""

    def __init__(self, value: Any = (), **entries: Any) -> None:
        self._items = dict(value, **entries)

    @classmethod
    def convert(cls, value: Any) -> HashTrieMap:
        return value if isinstance(value, cls) else cls(value)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def insert(self, key: Any, value: Any) -> HashTrieMap:
        return HashTrieMap({**self._items, key: value})

    def remove(self, key: Any) -> HashTrieMap:
        left = dict(self._items)
        del left[key]
        return HashTrieMap(left)

    def discard(self, key: Any) -> HashTrieMap:
        return self.remove(key) if key in self._items else self

    def update(self, *others: Any, **entries: Any) -> HashTrieMap:
        merged = dict(self._items)
        for other in others:
            merged.update(other)
        return HashTrieMap(merged, **entries)


class HashTrieSet(frozenset):  # type: ignore[type-arg]
    """A set whose updates return a new set."""

    def insert(self, value: Any) -> HashTrieSet:
        return HashTrieSet({*self, value})

    def remove(self, value: Any) -> HashTrieSet:
        if value not in self:
            raise KeyError(value)
        return HashTrieSet(self - {value})

    def discard(self, value: Any) -> HashTrieSet:
        return HashTrieSet(self - {value})

    def update(self, *others: Iterable[Any]) -> HashTrieSet:
        return HashTrieSet(self.union(*others))


class List(tuple):  # type: ignore[type-arg]
    """A list that grows at its front."""

    def push_front(self, value: Any) -> List:
        return List((value, *self))
