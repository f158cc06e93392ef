"""Stand-in for the compiled package rpds, for Python versions without a wheel: the parts that jsonschema and referencing use.

Copies instead of sharing, which is fast enough for schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["HashTrieMap", "HashTrieSet", "List"]


class HashTrieMap(Mapping):  # type: ignore[type-arg]
    """An immutable mapping."""

    def __init__(self, value: Any = (), **kwargs: Any) -> None:
        self._items = dict(value, **kwargs)

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

    def update(self, *values: Any, **kwargs: Any) -> HashTrieMap:
        items = dict(self._items)
        for each in values:
            items.update(each)
        return HashTrieMap({**items, **kwargs})

    def remove(self, key: Any) -> HashTrieMap:
        items = dict(self._items)
        del items[key]
        return HashTrieMap(items)

    def discard(self, key: Any) -> HashTrieMap:
        return HashTrieMap({each: value for each, value in self._items.items() if each != key})


class HashTrieSet(frozenset):  # type: ignore[type-arg]
    """An immutable set."""

    def insert(self, value: Any) -> HashTrieSet:
        return HashTrieSet({*self, value})

    def remove(self, value: Any) -> HashTrieSet:
        if value not in self:
            raise KeyError(value)
        return HashTrieSet(self - {value})

    def discard(self, value: Any) -> HashTrieSet:
        return HashTrieSet(self - {value})

    def update(self, *values: Any) -> HashTrieSet:
        return HashTrieSet(self.union(*values))


class List:
    """An immutable list with fast access to its front."""

    def __init__(self, *values: Any) -> None:
        self._items = tuple(values[0]) if len(values) == 1 and not isinstance(values[0], str) else values

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, List) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    @property
    def first(self) -> Any:
        return self._items[0]

    @property
    def rest(self) -> List:
        return List(self._items[1:])

    def push_front(self, value: Any) -> List:
        return List((value, *self._items))

    def drop_first(self) -> List:
        return List(self._items[1:])
