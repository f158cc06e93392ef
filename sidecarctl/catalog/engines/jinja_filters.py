"""Filters and guard functions of the Jinja sandbox, which count steps and check sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.filters import do_capitalize, do_lower, do_title, do_upper, do_urlencode

from sidecarctl import limits
from sidecarctl.catalog import template_functions
from sidecarctl.catalog.render_reuse import Placeholder, holds_placeholder
from sidecarctl.catalog.template_functions import Refusal, TemplateFailure, check_size, scalar_text
from sidecarctl.errors import did_you_mean

_MAX_BITS = 256


class Meter:
    """Counts the steps of one rendering. `placeholders` is True if inputs contain placeholders."""

    def __init__(self, placeholders: bool = False) -> None:
        self.steps = 0
        self.placeholders = placeholders
        self.max_steps = limits.STEPS.value
        self.max_text = limits.RENDERED.value

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self.max_steps:
            raise TemplateFailure(f"too many template steps (limit: {self.max_steps:,}); {limits.STEPS.way_out}")


meter: ContextVar[Meter] = ContextVar("meter")


def too_long(what: str) -> TemplateFailure:
    return TemplateFailure(f"{what} too large (limit: {meter.get().max_text:,} characters); {limits.RENDERED.way_out}")


def fail(message: object) -> str:
    # A test case writes the message to a file, which cannot have a lone surrogate.
    raise Refusal(scalar_text(message).encode(errors="backslashreplace").decode())


class StrictValue(StrictUndefined):
    """Raises an error for each use of an undefined name, with a suggestion."""

    @property
    def _undefined_message(self) -> str:
        known = self._undefined_obj
        text = super()._undefined_message.replace("'dict object'", "the mapping")
        meant = did_you_mean(str(self._undefined_name), map(str, known)) if isinstance(known, Mapping) else ""
        return f"{text}; {meant}" if meant else text


class NoElse(StrictValue):
    """The value of an inline `if` without `else` whose condition is false: prints as nothing, all other uses fail."""

    @property
    def _undefined_message(self) -> str:
        return "an inline `if` without `else` has no value if its condition is false; add `else`"


def check_operands(operator: str, left: Any, right: Any) -> None:
    """Reject operations with a huge result before they run."""
    if operator == "%" and isinstance(left, (str, bytes)):
        raise TemplateFailure("the operator % is not supported for text; join text with ~")
    if operator == "*":
        for many, count in ((left, right), (right, left)):
            if (
                isinstance(many, (str, list, tuple))
                and isinstance(count, int)
                and len(many) * count > meter.get().max_text // 16
            ):
                raise too_long(f"{len(many)} items or characters repeated {count:,} times:")
    if operator == "**" and not (isinstance(right, (int, float)) and abs(right) <= _MAX_BITS):
        raise TemplateFailure("exponent too large (limit: 256)")


def check_value(value: Any) -> Any:
    """Return the value if its size is within the limits, and count the steps of the check."""
    if isinstance(value, str):
        if len(value) > meter.get().max_text:
            raise too_long("text:")
        meter.get().spend(len(value) // 100)
    elif isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise TemplateFailure("number too large (limit: 256 bits)")
    elif isinstance(value, (list, tuple, dict)):
        meter.get().spend(1 + len(value) // 10)
        check_size(value)
    return value


def printable(value: Any) -> Any:
    """Return the text that `{{ ... }}` prints: `true` for True. Null and collections are errors, because their Python
    form is not YAML.
    """
    if isinstance(value, Placeholder):
        return value._text
    if isinstance(value, NoElse):
        return ""
    return value if isinstance(value, (str, Undefined)) else scalar_text(value)


def mark_placeholders(text: str) -> Any:
    """Return the text as a Placeholder if it contains one."""
    return Placeholder(text) if meter.get().placeholders and holds_placeholder(text) else text


def _mark_result(function: Callable[[Any], str]) -> Callable[[Any], Any]:
    return lambda value: mark_placeholders(function(value))


def _reject_undefined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a filter so that it reports undefined arguments."""
    return lambda value, *more: function(str(value) if isinstance(value, Undefined) else value, *more)


def _count_items(values: Any) -> Any:
    """Count the items of a loop before it starts."""
    if not hasattr(values, "__len__"):
        values = _list_items(values)
    meter.get().spend(1 + len(values))
    return values


def _list_items(values: Iterable[Any]) -> list[Any]:
    result = []
    for value in values:
        meter.get().spend(1)
        result.append(value)
    return result


def _join(values: Iterable[Any], separator: str = "", attribute: str | int | None = None) -> Any:
    """Return the items joined with the separator."""
    if attribute is not None:
        values = [value[attribute] for value in values]
    texts = [str(printable(value)) for value in values]
    if sum(map(len, texts)) + len(separator) * len(texts) > meter.get().max_text:
        raise too_long("text:")
    return mark_placeholders(check_value(str(printable(separator)).join(texts)))


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    """Return text with up to `count` occurrences of `old` replaced with `new`."""
    whole = scalar_text(text)
    if not old:
        raise TemplateFailure("replace: the text to replace is empty")
    if len(whole) + whole.count(old) * len(new) > meter.get().max_text:
        raise too_long("text:")
    return str(check_value(whole.replace(old, new, count)))


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> Any:
    """Return text with all lines but the first indented by `width`; blank lines stay empty."""
    if not 0 <= width <= 200:
        raise TemplateFailure("indent: width must be from 0 to 200")
    pad, lines = " " * width, str(printable(text)).split("\n")
    if len(pad) * len(lines) > meter.get().max_text:
        raise too_long("text:")
    moved = [pad + line if line or blank else line for line in lines]
    return mark_placeholders(check_value("\n".join(moved if first else [lines[0], *moved[1:]])))


def _trim(text: Any) -> Any:
    """Return text without surrounding whitespace."""
    return mark_placeholders(str(printable(text)).strip())


def _as_text(value: Any) -> Any:
    """Return the text of a scalar. Filters of Jinja take any value, and would print functions with their address in memory."""
    return value if isinstance(value, (str, Placeholder, Undefined)) else scalar_text(value)


def _of_text(function: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda value: function(_as_text(value))


def _urlencode(value: Any) -> str:
    """Return text, or the pairs of a mapping or list, encoded for a URL."""
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, (list, tuple)):
        return do_urlencode([(_as_text(key), _as_text(item)) for key, item in value])
    return do_urlencode(_as_text(value))


# String methods that can produce large results, checked before they run.
STRING_METHODS: dict[str, Callable[..., Any]] = {
    "replace": _replace,
    "join": lambda separator, values: _join(values, separator),
}
GUARDS: dict[str, Callable[..., Any]] = {
    "counted": _count_items,
    "no_else": lambda _: NoElse(),
    "sized": check_value,
    "joined": lambda parts: _join(parts),
}
_LIBRARY_FILTERS = {name: _reject_undefined(function) for name, function in template_functions.FILTERS.items()}
FILTERS: dict[str, Callable[..., Any]] = {
    **_LIBRARY_FILTERS,
    **GUARDS,
    "quote": _mark_result(_LIBRARY_FILTERS["quote"]),
    "to_json": _mark_result(_LIBRARY_FILTERS["to_json"]),
    "to_yaml": _mark_result(_LIBRARY_FILTERS["to_yaml"]),
    "tojson": _mark_result(_LIBRARY_FILTERS["to_json"]),  # Jinja's own filter escapes HTML
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "trim": _trim,
    "capitalize": _of_text(do_capitalize),
    "lower": _of_text(do_lower),
    "title": _of_text(do_title),
    "upper": _of_text(do_upper),
    "urlencode": _urlencode,
    "wordcount": _of_text(lambda text: len(text.split())),
    "string": lambda value: mark_placeholders(str(printable(value))),
}
