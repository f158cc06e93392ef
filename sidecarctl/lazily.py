"""Dataclasses whose methods are written when the first one is used: most runs use a third of the classes they import.

`dataclass` here is `dataclasses.dataclass` in all else; to type checkers it is that very function.
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
        for name in _DOORS:
            if isinstance(self.owner.__dict__.get(name), _Door):
                delattr(self.owner, name)
        dataclasses.dataclass(**self.options)(self.owner)
        return getattr(cls if instance is None else instance, self.name)


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
            if name not in cls.__dict__:
                setattr(cls, name, _Door(name, cls, options))
        return cls
