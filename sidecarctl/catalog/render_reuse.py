"""A text that is not known yet while a template renders: it may be written, passed on and joined, never looked at."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.scalars import reads_as_itself


class Looked(BaseException):
    """A template looked at a placeholder. No Exception, so that nothing between takes it for an answer."""


class Placeholder:
    """Stands for a text that is not empty, nothing more is known: so it is true, and any other question raises Looked.

    `_text` is what stands for it in the rendered text; `_bare` is False where other text has been joined to it.
    """

    __slots__ = ("_bare", "_text")

    def __init__(self, text: str, bare: bool = False) -> None:
        self._text = text
        self._bare = bare

    def __bool__(self) -> bool:
        return True

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
# Values that no place in a YAML text, and no rule of the fragment's schema, takes in another way than a placeholder.
_SAFE = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?\Z")
_LABEL_LENGTH = 63


@dataclass(frozen=True)
class Uses:
    """What a template uses of its inputs, as dotted names: `exact` it may look at, `written` it probably only writes out.

    `exact` is None where nothing is known: then every input counts. `written` are among PLACEHOLDERS; an engine that is
    given a Placeholder raises Looked if the template does more than write it.
    """

    exact: frozenset[str] | None = None
    written: frozenset[str] = frozenset()


def look_up(inputs: Mapping[str, Any], name: str) -> Any:
    """Return the input of a dotted name."""
    value: Any = inputs
    for step in name.split("."):
        value = value[step] if isinstance(value, Mapping) and step in value else None
    return value


def open_names(uses: Uses, inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return what can be put in after rendering: placeholders to the texts that belong there."""
    if uses.exact is None:
        return {}
    names = {name: look_up(inputs, name) for name in uses.written if name.split(".")[0] not in uses.exact}
    return {
        PLACEHOLDERS[name]: value
        for name, value in sorted(names.items())
        if isinstance(value, str) and _SAFE.match(value) and len(value) <= _LABEL_LENGTH and reads_as_itself(value)
    }


def key(uses: Uses, inputs: Mapping[str, Any], placeholders: Mapping[str, str]) -> str:
    """Return a text that is the same for inputs that render to the same, placeholders aside."""
    if uses.exact is None:
        return json.dumps(inputs)
    left = [name for name in uses.written if PLACEHOLDERS[name] not in placeholders]
    return json.dumps({name: look_up(inputs, name) for name in sorted({*uses.exact, *left})})


def holds_placeholder(text: str) -> bool:
    """True where a text that is no rendering has a placeholder in it, so that none could be told from it."""
    return _PLACEHOLDER.search(text) is not None


def with_placeholders(inputs: Mapping[str, Any], placeholders: Mapping[str, str]) -> dict[str, Any]:
    """Return the inputs with placeholders in place of the names that are put in later."""
    result = {**inputs, "workload": dict(inputs["workload"])}
    for name, placeholder in PLACEHOLDERS.items():
        if placeholder in placeholders:
            *above, last = name.split(".")
            owner = result[above[0]] if above else result
            owner[last] = Placeholder(placeholder, bare=True)
    return result


@dataclass(frozen=True)
class Form:
    """A fragment with placeholders in it. `parts` are the fields that hold some: for lists, the items with their indices."""

    fragment: Fragment
    parts: Mapping[str, tuple[int, ...] | None]

    @staticmethod
    def of(fragment: Fragment) -> Form:
        """Return the form of a rendered fragment, which is looked through here once."""
        parts: dict[str, tuple[int, ...] | None] = {}
        for field in dataclasses.fields(fragment):
            value = getattr(fragment, field.name)
            if isinstance(value, tuple):
                held = tuple(index for index, item in enumerate(value) if _holds(item))
                if held:
                    parts[field.name] = held
            elif _holds(value):
                parts[field.name] = None
        return Form(fragment, parts)


def _holds(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds(inner) for pair in value.items() for inner in pair)
    if isinstance(value, (list, tuple)):
        return any(map(_holds, value))
    return isinstance(value, str) and holds_placeholder(value)


def filled(form: Form, placeholders: Mapping[str, str]) -> Fragment | None:
    """Return the fragment with the texts in place of the placeholders, None where rendering anew could give another.

    What holds no placeholder is the same object each time.
    """
    changed: dict[str, Any] = {}
    try:
        for name, indices in form.parts.items():
            value = getattr(form.fragment, name)
            if indices is None:
                changed[name] = _put(value, placeholders)
            else:
                held = {index: _put(value[index], placeholders) for index in indices}
                changed[name] = tuple(held.get(index, item) for index, item in enumerate(value))
    except _Doubtful:
        return None
    return dataclasses.replace(form.fragment, **changed)


class _Doubtful(Exception):
    """A text that might read as something else once the placeholder is replaced."""


def _put(value: Any, placeholders: Mapping[str, str]) -> Any:
    """The value with placeholders replaced; the same object where it holds none."""
    if isinstance(value, str):
        if "zq" not in value or not _PLACEHOLDER.search(value):
            return value
        text = _PLACEHOLDER.sub(lambda found: placeholders[found.group()], value)
        if not reads_as_itself(text) or (len(text) > _LABEL_LENGTH >= len(value)):
            raise _Doubtful
        return text
    if isinstance(value, dict):
        pairs = {_put(name, placeholders): _put(inner, placeholders) for name, inner in value.items()}
        if len(pairs) < len(value):
            raise _Doubtful
        return pairs if any(k is not n or pairs[k] is not value[n] for k, n in zip(pairs, value)) else value
    if isinstance(value, (list, tuple)):
        items = [_put(inner, placeholders) for inner in value]
        return type(value)(items) if any(a is not b for a, b in zip(items, value)) else value
    return value
