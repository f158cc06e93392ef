"""The Jinja sandbox: no files outside one directory, no changes to inputs, no endless work, no randomness or clock.

Limits count steps and sizes, not seconds, so that results do not depend on the machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache, partial, wraps
from pathlib import Path, PurePosixPath
from types import CodeType
from typing import Any

from jinja2 import BaseLoader, nodes
from jinja2.exceptions import TemplateNotFound
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from sidecarctl import limits
from sidecarctl.catalog import template_functions
from sidecarctl.catalog.engines.jinja_filters import (
    FILTERS,
    STRING_METHODS,
    StrictValue,
    check_operands,
    check_value,
    fail,
    mark_placeholders,
    meter,
    printable,
    too_long,
)
from sidecarctl.catalog.entry_files import CASES, path_exists, read_text
from sidecarctl.catalog.render_reuse import Looked, Placeholder
from sidecarctl.errors import LibraryError
from sidecarctl.files.sources import stamp_of


class _Loader(BaseLoader):
    """Loads templates from one directory only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
        path = PurePosixPath(template)
        if path.is_absolute() or ".." in path.parts or "\\" in template or "\0" in template or ":" in template:
            raise LibraryError(
                f'template "{template}" is outside the sidecar directory',
                hint="use a file in the sidecar directory",
            )
        if CASES in path.parts[:-1]:  # they are no part of what renderings are cached by
            raise LibraryError(
                f'template "{template}" is in the directory of test cases', hint="move it to another directory"
            )
        file = self.folder / path
        if not path_exists(file):
            raise TemplateNotFound(template, f'file not found: "{template}"')
        text = read_text(file, self.folder, limits.TEMPLATE)
        stamp = stamp_of(file.stat())
        real = str(self.folder.resolve() / path)
        return text, real, lambda: stamp_of(file.stat()) == stamp


# Jinja filters that are cheap and deterministic.
_JINJA_FILTERS = [
    "abs",
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
    "truncate",
    "unique",
]
_SAFE_TESTS = frozenset(("defined", "undefined", "none", "true", "false", "boolean", "filter", "test"))
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
    """Jinja's sandbox with limits on loops, sizes, and numbers. Keys of mappings take precedence over methods."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(
            loader=_Loader(folder),
            undefined=StrictValue,
            finalize=printable,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            optimized=False,
            autoescape=False,
        )
        self.filters = {name: self.filters[name] for name in _JINJA_FILTERS} | FILTERS
        self.tests = {n: test if n in _SAFE_TESTS else _test_of(test) for n, test in self.tests.items()}
        self.globals = {
            "range": self.globals["range"],
            "namespace": self.globals["namespace"],
            "dict": dict,
            "fail": fail,
            "port_named": template_functions.port_named,
        }

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Guards().visit(super()._parse(source, name, filename))
        return tree

    def _compile(self, source: str, filename: str) -> CodeType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python would print lines of the template as they are
            return super()._compile(source, filename)

    def tree(self, name: str) -> nodes.Template:
        """Return the syntax tree of a template without guards."""
        source, file, _ = _Loader(self.folder).get_source(self, name)
        return super()._parse(source, name, file)

    def concat(self, parts: Iterable[str]) -> Any:
        pieces, size = [], 0
        for part in parts:
            size += len(part)
            if size > meter.get().max_text:
                raise too_long("template output")
            pieces.append(part)
        meter.get().spend(size // 100)
        return mark_placeholders("".join(pieces))

    def get_template(self, *args: Any, **kwargs: Any) -> Any:
        meter.get().spend(1)
        return super().get_template(*args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, str) and attribute in STRING_METHODS:
            return partial(STRING_METHODS[attribute], obj)
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Any) -> None:
        """Reject `format`, which could create text of any width."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        for kind, allowed in _METHODS.items():
            if isinstance(obj, kind):
                return attr in allowed
        if isinstance(obj, type):  # `dict.update(params)` would change the inputs
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        meter.get().spend(1)
        return check_value(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        check_operands(operator, left, right)
        return check_value(super().call_binop(context, operator, left, right))


def _test_of(function: Any) -> Any:
    """Wrap a test so that it does not inspect placeholders."""

    @wraps(function)
    def test(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(value, Placeholder) for value in args):
            raise Looked
        return function(*args, **kwargs)

    return test


class _Guards(NodeTransformer):
    """Wraps each loop, concatenation, and collection of a template in a guard function."""

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


@lru_cache(maxsize=64)
def environment_of(folder: Path) -> Environment:
    return Environment(folder)
