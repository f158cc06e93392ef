"""Reuse renderings for workloads that differ in names only: templates can print placeholders, but not inspect them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sidecarctl.catalog.entry_files import CASES, list_files
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.files.sources import read_small
from sidecarctl.lazy_dataclass import dataclass, field_names, replace
from sidecarctl.yamltext.scalars import reads_as_itself


class Looked(BaseException):
    """A template inspected a placeholder. Not an Exception, so that nothing in between handles it."""


class Placeholder:
    """A non-empty text of unknown value. Truthy; any other inspection raises Looked.

    `_text` represents it in the output. `_bare` is False if other text was joined to it.
    """

    __slots__ = ("_bare", "_text")

    def __init__(self, text: str, bare: bool = False) -> None:
        self._text = text
        self._bare = bare

    def __bool__(self) -> bool:
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        return Placeholder, (self._text, self._bare)

    def _looked(self, *_: Any, **__: Any) -> NoReturn:
        raise Looked

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __contains__ = __getitem__ = _looked
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _looked
    __int__ = __float__ = __index__ = __abs__ = __neg__ = __pos__ = __round__ = _looked
    __add__ = __radd__ = __mul__ = __rmul__ = __mod__ = __rmod__ = __sub__ = __rsub__ = __call__ = _looked
    __getattr__ = _looked


PLACEHOLDERS = {
    "companion": "zqcompanionqz",
    "workload.name": "zqworkloadnameqz",
    "workload.namespace": "zqworkloadnamespaceqz",
}
_PLACEHOLDER = re.compile("|".join(PLACEHOLDERS.values()))
# Values that YAML and the fragment schema treat exactly like a placeholder.
_SAFE = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?\Z")
_LABEL_LENGTH = 63


@dataclass(frozen=True)
class Uses:
    """The inputs that a template uses, as dotted names: `exact` ones may be inspected, `written` ones are probably only printed.

    `exact` is None if the uses are unknown. `written` is a subset of PLACEHOLDERS; an engine raises Looked if a template inspects
    a Placeholder.
    """

    exact: frozenset[str] | None = None
    written: frozenset[str] = frozenset()

    def without_placeholders(self) -> Uses:
        """Return the uses of a template that is rendered for each value of its inputs."""
        return self if self.exact is None else Uses(self.exact | self.written)


def look_up(inputs: Mapping[str, Any], name: str) -> Any:
    """Return the input with a dotted name."""
    value: Any = inputs
    for step in name.split("."):
        value = value[step] if isinstance(value, Mapping) and step in value else None
    return value


def find_placeholders(uses: Uses, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs that can be inserted after rendering, as a map of placeholders to values."""
    if uses.exact is None:
        return {}
    names = {name: look_up(inputs, name) for name in uses.written if name.split(".")[0] not in uses.exact}
    return {
        PLACEHOLDERS[name]: value
        for name, value in sorted(names.items())
        if isinstance(value, str) and _SAFE.match(value) and len(value) <= _LABEL_LENGTH and reads_as_itself(value)
    }


def inputs_key(uses: Uses, inputs: Mapping[str, Any], placeholders: Mapping[str, str]) -> str:
    """Return a key that is equal for inputs with equal output, apart from placeholders."""
    if uses.exact is None:
        return json.dumps(inputs)
    left = [name for name in uses.written if PLACEHOLDERS[name] not in placeholders]
    return json.dumps({name: look_up(inputs, name) for name in sorted({*uses.exact, *left})})


def holds_placeholder(text: str) -> bool:
    """Return True if an input contains the text of a placeholder."""
    return _PLACEHOLDER.search(text) is not None


def files_hold_placeholder(folder: Path) -> bool:
    """Return True if a file that the template in a directory can read contains the text of a placeholder, or is unreadable."""
    try:
        # Latin-1 keeps the ASCII text of every file, also of one that is not UTF-8.
        files = (read_small(Path(file)).decode("latin-1") for _, file in list_files(str(folder), CASES))
        return any(map(holds_placeholder, files))
    except OSError:
        return True


def insert_placeholders(inputs: Mapping[str, Any], placeholders: Mapping[str, str]) -> dict[str, Any]:
    """Return the inputs with placeholders instead of names that are inserted later."""
    result = {**inputs, "workload": dict(inputs["workload"])}
    for name, placeholder in PLACEHOLDERS.items():
        if placeholder in placeholders:
            *above, last = name.split(".")
            owner = result[above[0]] if above else result
            owner[last] = Placeholder(placeholder, bare=True)
    return result


@dataclass(frozen=True)
class ReusableFragment:
    """A fragment with placeholders. `parts` has the fields that contain any, with item indices for lists."""

    fragment: Fragment
    parts: Mapping[str, tuple[int, ...] | None]

    @staticmethod
    def of(fragment: Fragment) -> ReusableFragment:
        """Find the placeholders of a rendered fragment."""
        parts: dict[str, tuple[int, ...] | None] = {}
        for name in field_names(fragment):
            value = getattr(fragment, name)
            if isinstance(value, tuple):
                held = tuple(index for index, item in enumerate(value) if _holds(item))
                if held:
                    parts[name] = held
            elif _holds(value):
                parts[name] = None
        return ReusableFragment(fragment, parts)


def _holds(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds(inner) for pair in value.items() for inner in pair)
    if isinstance(value, (list, tuple)):
        return any(map(_holds, value))
    return isinstance(value, str) and holds_placeholder(value)


def fill_placeholders(form: ReusableFragment, placeholders: Mapping[str, str]) -> Fragment | None:
    """Return the fragment with placeholders replaced, or None if a new rendering could differ.

    Parts without placeholders are shared between results.
    """
    changed: dict[str, Any] = {}
    try:
        for name, indices in form.parts.items():
            value = getattr(form.fragment, name)
            if indices is None:
                changed[name] = _replace_placeholders(value, placeholders)
            else:
                held = {index: _replace_placeholders(value[index], placeholders) for index in indices}
                changed[name] = tuple(held.get(index, item) for index, item in enumerate(value))
    except _Ambiguous:
        return None
    filled = replace(form.fragment, **changed)
    return None if any(_coincide(form.fragment, filled, names) for names in _LISTS) else filled


# Fields of a fragment whose items must differ in their names.
_LISTS = (("containers", "init_containers"), ("volumes",), ("volume_mounts",), ("env",), ("documents",))


def _coincide(before: Fragment, after: Fragment, fields: Sequence[str]) -> bool:
    """Return whether names in lists of a fragment that differed are equal now: items are found and merged by their names."""
    return any(getattr(before, name) is not getattr(after, name) for name in fields) and _have_fewer_names(
        [item for name in fields for item in getattr(before, name)],
        [item for name in fields for item in getattr(after, name)],
    )


def _have_fewer_names(before: Sequence[Any], after: Sequence[Any]) -> bool:
    return any(len({*map(name_of, after)}) < len({*map(name_of, before)}) for name_of in _NAMES)


def _text_at(item: Any, *keys: str) -> str:
    for key in keys:
        item = item.get(key) if isinstance(item, dict) else None
    return item if isinstance(item, str) else ""


# What tells the items of a list apart.
_NAMES: tuple[Callable[[Any], object], ...] = (
    lambda item: _text_at(item, "name"),
    lambda item: _text_at(item, "mountPath"),
    lambda item: (_text_at(item, "kind"), _text_at(item, "metadata", "name")),
)


class _Ambiguous(Exception):
    """The replaced text could have a different meaning in YAML."""


def _replace_placeholders(value: Any, placeholders: Mapping[str, str]) -> Any:
    """Return the value with placeholders replaced, or the same object if it has none."""
    if isinstance(value, str):
        if "zq" not in value or not _PLACEHOLDER.search(value):
            return value
        if not placeholders.keys() >= {*_PLACEHOLDER.findall(value)}:  # the template joined such a text itself
            raise _Ambiguous
        text = _PLACEHOLDER.sub(lambda found: placeholders[found.group()], value)
        if not reads_as_itself(text) or (len(text) > _LABEL_LENGTH >= len(value)):
            raise _Ambiguous
        return text
    if isinstance(value, dict):
        pairs = {
            _replace_placeholders(name, placeholders): _replace_placeholders(inner, placeholders)
            for name, inner in value.items()
        }
        if len(pairs) < len(value):
            raise _Ambiguous
        return pairs if any(k is not n or pairs[k] is not value[n] for k, n in zip(pairs, value)) else value
    if isinstance(value, (list, tuple)):
        items = [_replace_placeholders(inner, placeholders) for inner in value]
        if all(a is b for a, b in zip(items, value)):
            return value
        if _have_fewer_names(value, items):
            raise _Ambiguous
        return type(value)(items)
    return value
