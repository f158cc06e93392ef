"""Which parameters a template uses, and where: read off its text, rendered never. Knows the three engines' ways to name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sidecarctl.catalog.entry_files import read_text
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError

Path = tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """A place of a template that names a parameter: `params.tls.caKey` is ("tls", "caKey"); () is all of them."""

    path: Path
    file: str
    line: int


def uses(sidecar: Sidecar) -> list[Use] | None:
    """Return the uses of parameters; None where the template can't be read (rendering says why)."""
    try:
        return list(_ENGINES[sidecar.engine](sidecar))
    except _unreadable():
        return None


def _unreadable() -> tuple[type[Exception], ...]:
    try:
        from jinja2 import TemplateError
    except ImportError:
        return (LibraryError, RecursionError)
    return (LibraryError, TemplateError, RecursionError)


# --- Jinja -----------------------------------------------------------------------------------------------------------


def _jinja(sidecar: Sidecar) -> Iterator[Use]:
    from sidecarctl.catalog.engines.jinja_sandbox import environment_of

    environment = environment_of(sidecar.folder)
    waiting, seen = [sidecar.template.relative_to(sidecar.folder).as_posix()], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        stack: list[Any] = [environment.tree(name)]
        while stack:
            node = stack.pop()
            waiting += _referenced(node)
            steps, rest = _chain(node)
            if steps is not None:
                yield Use(tuple(steps), str(sidecar.folder / name), node.lineno)
                stack += rest
            else:
                stack += node.iter_child_nodes()


def _referenced(node: Any) -> list[str]:
    from jinja2 import nodes

    if isinstance(node, (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        if isinstance(node.template, nodes.Const) and isinstance(node.template.value, str):
            return [node.template.value]
    return []


def _chain(node: Any) -> tuple[list[str] | None, list[Any]]:
    """The steps from `params` to what a node means, and the nodes of steps that only rendering can tell; None: no such chain."""
    from jinja2 import nodes

    if isinstance(node, nodes.Name):
        return ([], []) if node.name == "params" else (None, [])
    if not isinstance(node, (nodes.Getattr, nodes.Getitem)):
        return None, []
    steps, rest = _chain(node.node)
    if steps is None:
        return None, []
    key = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
    if rest or not isinstance(key, str):
        # What is chosen while rendering may be any of those below; so may everything after it.
        return steps, [*rest, *([node.arg] if isinstance(node, nodes.Getitem) else [])]
    return [*steps, key], []


# --- KCL and plain ---------------------------------------------------------------------------------------------------

_KCL = re.compile(r"""\bparams\b((?:\??\.[A-Za-z_]\w*|\??\[\s*(?:"[^"]+"|'[^']+')\s*\])*)(\??\[)?""")
_KCL_STEP = re.compile(r"""\.([A-Za-z_]\w*)|\[\s*["']([^"']+)["']\s*\]""")
_KCL_COMMENT = re.compile(r"#.*")


def _kcl(sidecar: Sidecar) -> Iterator[Use]:
    files = [sidecar.template, *sorted(sidecar.folder.glob("**/*.k"))]
    for file in dict.fromkeys(files):
        text = read_text(file, sidecar.folder)
        aliases = {m[1] for m in re.finditer(r"^\s*(_?\w+)\s*(?::[^=\n]+)?=\s*\w+\.params\s*$", text, re.MULTILINE)}
        pattern = re.compile(_KCL.pattern.replace("params", "(?:" + "|".join({"params", *aliases}) + ")", 1))
        for number, line in enumerate(text.splitlines(), 1):
            code = _KCL_COMMENT.sub("", line)
            for found in pattern.finditer(code):
                steps = tuple(a or b for a, b in _KCL_STEP.findall(found[1]))
                if steps or found[2]:
                    yield Use(steps, str(file), number)


def _plain(sidecar: Sidecar) -> Iterator[Use]:
    for each in sidecar.substitutions:
        head, _, rest = each.source.partition(".")
        if head == "params":
            yield Use(tuple(rest.split(".")), str(sidecar.file), 1)


_ENGINES = {"jinja": _jinja, "kcl": _kcl, "plain": _plain}
