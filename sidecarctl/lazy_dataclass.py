"""A `dataclass` decorator that generates methods on first use, because a run uses a third of the classes it imports.

Saves a third of the CPU time of `add` for one manifest: methods are not generated at import, and the modules that
`dataclasses` imports (inspect, ast, dis, tokenize) are not loaded. Apart from that it equals `dataclasses.dataclass`, and type
checkers see that function. `__init__` is a loop for the first instances of a class, and then compiled; comparing, hashing, and
`repr` share functions; `dataclasses` itself describes a class if something asks for it. Rule: classes that start-up imports use
this module, all others `dataclasses`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "field_names", "replace"]

# Entry points from outside: create, compare after unpickling, and everything in `dataclasses`.
_ENTRY_POINTS = ("__init__", "__eq__", "__hash__", "__repr__", "__dataclass_fields__")
_MARK = "__lazy_dataclass__"
_MISSING = object()
# Most classes have fewer instances in a run, and compiling takes as long as 50 of them.
_COMPILE_AFTER = 16


class _Field:
    """A field with options, as in `dataclasses.field`; `make` is the default factory."""

    def __init__(self, default: Any, make: Any, repr: bool, compare: bool) -> None:
        self.default, self.make, self.repr, self.compare = default, make, repr, compare
        self.has_default = default is not _MISSING or make is not None


class _Placeholder:
    """Stands for an attribute until its first use, which generates the methods of the class."""

    def __init__(self, name: str, owner: type, options: dict[str, Any]) -> None:
        self.name, self.owner, self.options = name, owner, options

    def __get__(self, instance: object, cls: type) -> Any:
        if self.name == "__dataclass_fields__":
            _describe(self.owner)
        else:
            _finish(self.owner, **self.options)
        return getattr(cls if instance is None else instance, self.name)


def _finish(cls: type, *, eq: bool = True, frozen: bool = False) -> None:
    """Generate the methods of a class. Each takes the place of its placeholder: other threads must not find none."""
    own: dict[str, Any] = {"__init__": None, "__repr__": _shown}
    if eq:
        own |= {"__eq__": _equal, "__hash__": _hash if frozen else None}
    if frozen:
        own |= {"__setattr__": _refuse, "__delattr__": _refuse}
    for name, method in own.items():
        if name not in cls.__dict__ or isinstance(cls.__dict__[name], _Placeholder):
            setattr(cls, name, _looping_init(cls) if name == "__init__" else method)


def _describe(cls: type) -> None:
    """Let `dataclasses` describe the fields of a class; existing methods stay."""
    import dataclasses

    _fields(cls)  # keeps what `dataclasses` deletes from the class
    delattr(cls, "__dataclass_fields__")
    if "__init__" not in cls.__dict__ or isinstance(cls.__dict__["__init__"], _Placeholder):
        _finish(cls, **cls.__dict__[_MARK])
    for name, value in list(cls.__dict__.items()):
        if isinstance(value, _Field):
            default = {"default": value.default} if value.make is None else {"default_factory": value.make}
            if not value.has_default:
                default = {}
            setattr(cls, name, dataclasses.field(repr=value.repr, compare=value.compare, **default))
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)


@cache
def _fields(cls: type) -> dict[str, _Field]:
    """Return the fields of a class by name, those of base classes first."""
    found: dict[str, _Field] = {}
    for base in reversed(cls.__mro__):
        if _MARK in base.__dict__:
            found |= _own_fields(base)
    return found


@cache
def _own_fields(cls: type) -> dict[str, _Field]:
    """Return the fields that a class adds. Raises TypeError for a field of `dataclasses`."""
    if cls.__annotations__ is getattr(cls.__base__, "__annotations__", None):
        return {}  # before Python 3.14, a class without annotations has those of its base
    found = {}
    for name in cls.__annotations__:
        default = cls.__dict__.get(name, _MISSING)
        if type(default).__module__ == "dataclasses":
            raise TypeError(f"{cls.__name__}.{name} has a field of another module: import it from lazy_dataclass")
        found[name] = default if isinstance(default, _Field) else _Field(default, None, True, True)
    return found


def field_names(one: Any) -> tuple[str, ...]:
    """Return the names of the fields of an instance."""
    return tuple(_fields(one.__class__))


def _looping_init(cls: Any) -> Any:
    """Return an `__init__` that becomes `_compiled_init` after a few instances, and when its arguments are wrong."""
    fields = _fields(cls)
    names, created = tuple(fields), 0
    finishes = hasattr(cls, "__post_init__")

    def initialize(self: Any, *values: Any, **named: Any) -> None:
        nonlocal created
        created += 1
        its = self.__dict__
        its.update(zip(names, values))
        its.update(named)
        given = len(values) + len(named)
        for name in names[len(values) :]:
            default = fields[name]
            if name not in named and default.has_default:
                its[name] = default.default if default.make is None else default.make()
                given += 1
        if created > _COMPILE_AFTER or not given == len(its) == len(names):
            its.clear()
            cls.__init__ = _compiled_init(cls)
            cls.__init__(self, *values, **named)
        elif finishes:
            self.__post_init__()

    return initialize


def _compiled_init(cls: type) -> Any:
    """Compile `__init__` as `dataclasses` does: a parameter for each field, base classes first, then `__post_init__`."""
    parameters, lines = ["self"], ["    its = self.__dict__"]
    scope: dict[str, Any] = {"_MISSING": _MISSING}
    for name, each in _fields(cls).items():
        value = name
        if each.make is not None:
            scope[f"_make_{name}"] = each.make
            value = f"_make_{name}() if {name} is _MISSING else {name}"
        if each.has_default:
            scope[f"_default_{name}"] = each.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f"    its[{name!r}] = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("    self.__post_init__()")
    made: dict[str, Any] = {}
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines), scope, made)
    return made["__init__"]


def _shown(self: Any) -> str:
    parts = (f"{name}={getattr(self, name)!r}" for name, each in _fields(self.__class__).items() if each.repr)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _hash(self: Any) -> int:
    return hash(tuple(getattr(self, name) for name in _compared(self.__class__)))


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return all(getattr(self, name) == getattr(other, name) for name in _compared(self.__class__))


@cache
def _compared(cls: Any) -> tuple[str, ...]:
    return tuple(name for name, each in _fields(cls).items() if each.compare)


def _refuse(self: object, name: str, *_value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r}")


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:

    def dataclass(cls=None, /, **options):
        """Return the class as a dataclass whose methods are generated on first use. Options are `eq` and `frozen`."""
        if cls is None:
            return lambda decorated: dataclass(decorated, **options)
        setattr(cls, _MARK, options)
        for name in _ENTRY_POINTS:
            if name not in cls.__dict__ and (options.get("eq", True) or name not in ("__eq__", "__hash__")):
                setattr(cls, name, _Placeholder(name, cls, options))
        return cls

    def field(*, default=_MISSING, default_factory=None, repr=True, compare=True):
        """Return a field of a lazy dataclass, as `dataclasses.field` does."""
        return _Field(default, default_factory, repr, compare)

    def replace(one, /, **changes):
        """Return a copy of a dataclass with other values, as `dataclasses.replace` does."""
        if _MARK not in one.__class__.__dict__:
            import dataclasses

            return dataclasses.replace(one, **changes)
        its = one.__dict__
        return one.__class__(**{name: its[name] for name in _fields(one.__class__)} | changes)
