"""Jinja's sandbox with walls: no way out of one folder, no change of the inputs, no endless work, no chance or clock.

The limits count steps and sizes, not seconds, so that a template that passes here passes on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import lru_cache, partial, wraps
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, Undefined, nodes
from jinja2.exceptions import TemplateNotFound
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from sidecarctl import limits
from sidecarctl.catalog import template_functions
from sidecarctl.catalog.entry_files import read_text
from sidecarctl.catalog.render_reuse import Looked, Placeholder, holds_placeholder
from sidecarctl.catalog.template_functions import TemplateFailure, check_size, scalar_text
from sidecarctl.errors import LibraryError, did_you_mean

MAX_STEPS = limits.STEPS.value
MAX_TEXT = limits.RENDERED.value
MAX_TEMPLATE = limits.TEMPLATE.value
_MAX_BITS = 256


class Meter:
    """Counts what one rendering does; `placeholders` if some of its inputs are not known yet."""

    def __init__(self, placeholders: bool = False) -> None:
        self.steps = 0
        self.placeholders = placeholders

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise TemplateFailure(
                f"the template does more than {MAX_STEPS:,} steps: it loops without end, or nearly so; {limits.STEPS.way_out}"
            )


meter: ContextVar[Meter] = ContextVar("meter")


def _too_long(what: str) -> TemplateFailure:
    return TemplateFailure(f"{what} more than {MAX_TEXT:,} characters; {limits.RENDERED.way_out}")


class Refusal(TemplateFailure):
    """What a template says with `fail("…")`."""


def _fail(message: object) -> str:
    raise Refusal(scalar_text(message))


class _Undefined(StrictUndefined):
    """Every use of something undefined is an error, which names what was probably meant."""

    @property
    def _undefined_message(self) -> str:
        known = self._undefined_obj
        text = super()._undefined_message.replace("'dict object'", "the mapping")
        meant = did_you_mean(str(self._undefined_name), map(str, known)) if isinstance(known, Mapping) else ""
        return f"{text}; {meant}" if meant else text


class _NoElse(_Undefined):
    """What an inline `if` without `else` gives where its condition is false: it is written as nothing, and no more."""

    @property
    def _undefined_message(self) -> str:
        return "an inline `if` without `else` has no value where its condition is false; add `else` with what is meant then"


class _Loader(BaseLoader):
    """Templates of one folder, and of no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
        path = PurePosixPath(template)
        if path.is_absolute() or ".." in path.parts or "\\" in template or "\0" in template or ":" in template:
            raise LibraryError(
                f"the template refers to {template!r}, outside the folder of its sidecar",
                hint="a sidecar may only use files of its own folder",
            )
        file = self.folder / path
        if not file.exists():
            raise TemplateNotFound(template, f"there is no {template!r} in the folder of the sidecar")
        text = read_text(file, self.folder, MAX_TEMPLATE, limits.TEMPLATE.way_out)
        stamp = file.stat().st_mtime_ns
        real = str(self.folder.resolve() / path)
        return text, real, lambda: file.stat().st_mtime_ns == stamp


# What of Jinja's filters can't be made to do much work, or give another result each time.
_KEPT = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "round",
    "select",
    "selectattr",
    "sort",
    "sum",
    "title",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
]
_INNOCENT_TESTS = frozenset(("defined", "undefined", "none", "true", "false", "boolean", "filter", "test"))
_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        [
            "startswith",
            "endswith",
            "split",
            "rsplit",
            "splitlines",
            "strip",
            "lstrip",
            "rstrip",
            "lower",
            "upper",
            "title",
            "capitalize",
            "isdigit",
            "isalpha",
            "isalnum",
            "removeprefix",
            "removesuffix",
            "partition",
            "rpartition",
            "find",
            "rfind",
            "count",
            "index",
        ]
    ),
    dict: frozenset(("items", "keys", "values", "get")),
    list: frozenset(("index", "count")),
    tuple: frozenset(("index", "count")),
    bytes: frozenset(),
    int: frozenset(),
    float: frozenset(),
    range: frozenset(),
}


class Environment(ImmutableSandboxedEnvironment):
    """Jinja's own sandbox, with limits on loops, sizes and numbers, and data that comes before methods."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            loader=_Loader(folder),
            undefined=_Undefined,
            finalize=_written,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            optimized=False,
            autoescape=False,
        )
        self.filters = {name: self.filters[name] for name in _KEPT} | _LIBRARY_FILTERS | _OWN_FILTERS
        self.tests = {n: test if n in _INNOCENT_TESTS else _test_of(test) for n, test in self.tests.items()}
        self.globals = {
            "range": self.globals["range"],
            "namespace": self.globals["namespace"],
            "dict": dict,
            "fail": _fail,
            "port_named": template_functions.port_named,
        }

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Guards().visit(super()._parse(source, name, filename))
        return tree

    def tree(self, name: str) -> nodes.Template:
        """Return a template's syntax tree as its author wrote it, without the checks."""
        source, file, _ = _Loader(self.folder).get_source(self, name)
        return super()._parse(source, name, file)

    def concat(self, parts: Iterable[str]) -> Any:
        pieces, size = [], 0
        for part in parts:
            size += len(part)
            if size > MAX_TEXT:
                raise _too_long("the template renders")
            pieces.append(part)
        meter.get().spend(size // 100)
        return _marked("".join(pieces))

    def get_template(self, *args: Any, **kwargs: Any) -> Any:
        meter.get().spend(1)
        return super().get_template(*args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, str) and attribute in _MEASURED:
            return partial(_MEASURED[attribute], obj)
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> None:
        """Formatting would make texts of any width: `format` is refused like every other method that is not needed."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        for kind, allowed in _METHODS.items():
            if isinstance(obj, kind):
                return attr in allowed
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        meter.get().spend(1)
        return _sized(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _check_operands(operator, left, right)
        return _sized(super().call_binop(context, operator, left, right))


def _check_operands(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be out of all proportion, before it is made."""
    if operator == "%" and isinstance(left, (str, bytes)):
        raise TemplateFailure("text is not formatted with %: join it with ~")
    if operator == "*":
        for many, count in ((left, right), (right, left)):
            if isinstance(many, (str, list, tuple)) and isinstance(count, int) and len(many) * count > MAX_TEXT // 16:
                raise _too_long(f"{len(many)} items or characters, {count:,} times, could come to")
    if operator == "**" and not (isinstance(right, (int, float)) and abs(right) <= _MAX_BITS):
        raise TemplateFailure("an exponent beyond 256")


def _sized(value: Any) -> Any:
    """Return the value if it is of a size that a pod could have, and count the work of looking."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise _too_long("a text has")
        meter.get().spend(len(value) // 100)
    elif isinstance(value, int):
        if value.bit_length() > _MAX_BITS:
            raise TemplateFailure("a number of more than 256 bits")
    elif isinstance(value, (list, tuple, dict)):
        meter.get().spend(1 + len(value) // 10)
        check_size(value)
    return value


def _written(value: Any) -> Any:
    """What `{{ … }}` writes: text as it is, `true` for True; null and collections, whose Python text misleads, are errors."""
    if isinstance(value, Placeholder):
        return value._text
    if isinstance(value, _NoElse):
        return ""
    return value if isinstance(value, (str, Undefined)) else scalar_text(value)


def _marked(text: str) -> Any:
    """A text; a Placeholder, which nobody can look into, if something in it is not known yet."""
    return Placeholder(text) if meter.get().placeholders and holds_placeholder(text) else text


def _marking(function: Callable[[Any], str]) -> Callable[[Any], Any]:
    return lambda value: _marked(function(value))


def _defined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that takes nothing undefined: the error says what is."""
    return lambda value, *more: function(str(value) if isinstance(value, Undefined) else value, *more)


def _test_of(function: Any) -> Any:
    """A test that refuses to look at a placeholder."""

    @wraps(function)
    def test(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(value, Placeholder) for value in args):
            raise Looked
        return function(*args, **kwargs)

    return test


class _Guards(NodeTransformer):
    """Puts a check around every place where a template can repeat or grow something."""

    def _guard(self, node: nodes.Expr, name: str) -> nodes.Filter:
        return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = self._guard(node.iter, "counted")  # type: ignore[arg-type]
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.expr2 is None:
            nothing = nodes.Const(None, lineno=node.lineno, environment=node.environment)
            node.expr2 = self._guard(nothing, "no_else")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return self._guard(nodes.List(node.nodes, lineno=node.lineno, environment=node.environment), "joined")

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return self._guard(node, "sized")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return self._guard(node, "sized")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return self._guard(node, "sized") if node.ctx == "load" else node


def _counted(values: Any) -> Any:
    """What a loop goes over, counted before it starts."""
    if not hasattr(values, "__len__"):
        values = _listed(values)
    meter.get().spend(1 + len(values))
    return values


def _listed(values: Iterable[Any]) -> list[Any]:
    result = []
    for value in values:
        meter.get().spend(1)
        result.append(value)
    return result


def _join(values: Iterable[Any], separator: str = "", attribute: str | int | None = None) -> Any:
    """Return the items' texts with the separator between them."""
    if attribute is not None:
        values = [value[attribute] for value in values]
    texts = [str(_written(value)) for value in values]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_TEXT:
        raise _too_long("a text has")
    return _marked(_sized(str(separator).join(texts)))


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    """Return text with `old` replaced by `new`, at most `count` times."""
    whole = scalar_text(text)
    if not old:
        raise TemplateFailure("replace needs something to replace")
    if len(whole) + whole.count(old) * len(new) > MAX_TEXT:
        raise _too_long("a text has")
    return str(_sized(whole.replace(old, new, count)))


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> Any:
    """Return text with every line but the first moved right by `width`; blank lines stay empty."""
    if not 0 <= width <= 200:
        raise TemplateFailure("indent takes a width from 0 to 200")
    pad, lines = " " * width, str(_written(text)).split("\n")
    if len(pad) * len(lines) > MAX_TEXT:
        raise _too_long("a text has")
    moved = [pad + line if line or blank else line for line in lines]
    return _marked(_sized("\n".join(moved if first else [lines[0], *moved[1:]])))


def _trim(text: Any) -> Any:
    """Return text without the white space around it."""
    return _marked(str(_written(text)).strip())


# Methods of text that can make much of little: measured before they run.
_MEASURED: dict[str, Callable[..., Any]] = {
    "replace": _replace,
    "join": lambda separator, values: _join(values, separator),
}
GUARDS: dict[str, Callable[..., Any]] = {
    "counted": _counted,
    "no_else": lambda _: _NoElse(),
    "sized": _sized,
    "joined": lambda parts: _join(parts),
}
_LIBRARY_FILTERS = {name: _defined(function) for name, function in template_functions.FILTERS.items()}
_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    **GUARDS,
    "quote": _marking(_LIBRARY_FILTERS["quote"]),
    "to_json": _marking(_LIBRARY_FILTERS["to_json"]),
    "to_yaml": _marking(_LIBRARY_FILTERS["to_yaml"]),
    "tojson": _marking(_LIBRARY_FILTERS["to_json"]),  # Jinja's own escapes for HTML
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "trim": _trim,
    "string": lambda value: _marked(str(_written(value))),
}


@lru_cache(maxsize=64)
def environment_of(folder: Path) -> Environment:
    return Environment(folder)
