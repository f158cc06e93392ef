"""Dataclasses whose methods are written when the first one is used: most runs use a third of the classes they import.

`dataclass` here is `dataclasses.dataclass` in all else; to type checkers it is that very function. What few classes are asked
for (comparing, hashing, showing) is done by functions that all share: compiling them for each costs more than they ever save.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

# Whatever leads into a dataclass from outside: making one, comparing one that was unpickled, `fields` and `replace`.
_DOORS = ("__init__", "__eq__", "__hash__", "__repr__", "__dataclass_fields__")


class _Door:
    """Stands for an attribute of a class until somebody asks for it, and then has the class finished."""

    def __init__(self, name: str, owner: type, options: dict[str, Any]) -> None:
        self.name, self.owner, self.options = name, owner, options

    def __get__(self, instance: object, cls: type) -> Any:
        _finish(self.owner, **self.options)
        return getattr(cls if instance is None else instance, self.name)


def _finish(cls: type, *, eq: bool = True, frozen: bool = False, **more: Any) -> None:
    for name in _DOORS:
        if isinstance(cls.__dict__.get(name), _Door):
            delattr(cls, name)
    dataclasses.dataclass(eq=False, repr=False, frozen=frozen, **more)(cls)
    own = cls.__dict__
    if "__repr__" not in own:
        cls.__repr__ = _shown  # type: ignore[assignment]
    if not eq:
        return
    if "__hash__" not in own:
        compared = [each for each in dataclasses.fields(cls) if (each.compare if each.hash is None else each.hash)]
        cls.__hash__ = _hashing(tuple(each.name for each in compared)) if frozen else None  # type: ignore[assignment]
    if "__eq__" not in own:
        cls.__eq__ = _comparing(tuple(each.name for each in dataclasses.fields(cls) if each.compare))  # type: ignore


def _shown(self: Any) -> str:
    parts = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _hashing(names: tuple[str, ...]) -> Any:
    return lambda self: hash(tuple(getattr(self, name) for name in names))


def _comparing(names: tuple[str, ...]) -> Any:
    def equal(self: object, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self is other or all(getattr(self, name) == getattr(other, name) for name in names)

    return equal


if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, **options):
        """Make a class a dataclass, as late as can be."""
        if cls is None:
            return lambda decorated: dataclass(decorated, **options)
        if options.get("slots"):  # these are new classes
            return dataclasses.dataclass(**options)(cls)
        for name in _DOORS:
            if name not in cls.__dict__ and (options.get("eq", True) or name not in ("__eq__", "__hash__")):
                setattr(cls, name, _Door(name, cls, options))
        return cls
