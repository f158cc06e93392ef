"""Lint checks of parameters: find where templates of each engine use them, without rendering."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.authoring.parameter_table import ParameterRow, list_parameters
from sidecarctl.authoring.trial import InjectedParts, TrialResult, find_injected_parts
from sidecarctl.catalog.changelog import CHANGELOG_FILE
from sidecarctl.catalog.entry_files import METADATA_FILE, read_text
from sidecarctl.catalog.json_schema import resolve_ref
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, Suggester
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.yamltext.stream import Document

_PARAMETERS = ("spec", "parameters", "properties")
_MOST_SEARCHES = 200  # of texts in the files of a sidecar, which can be large
_METHODS = ("items", "keys", "values", "get")


@dataclass(frozen=True)
class Use:
    """A use of a parameter in a template: `params.tls.caKey` has path ("tls", "caKey"); an empty path means all
    parameters.
    """

    path: tuple[str, ...]
    file: str
    line: int


def find_uses(sidecar: Sidecar) -> list[Use] | None:
    """Return all uses of parameters, or None if the template is unreadable, which rendering reports."""
    try:
        return list(_FINDERS[sidecar.engine](sidecar))
    except _read_errors():
        return None


def _read_errors() -> tuple[type[Exception], ...]:
    try:
        from jinja2 import TemplateError
    except ImportError:
        return (LibraryError, RecursionError, ValueError)
    return (LibraryError, TemplateError, RecursionError, ValueError)  # ValueError: a number of too many digits


def _jinja_uses(sidecar: Sidecar) -> Iterator[Use]:
    from sidecarctl.catalog.engines.jinja import parameter_path, walk

    found: list[Use] = []

    def visit(name: str, node: Any) -> Iterable[Any]:
        steps, rest = parameter_path(node)
        if steps is None:
            return list(node.iter_child_nodes())
        found.append(Use(tuple(steps), str(sidecar.folder / name), node.lineno))
        return rest

    walk(sidecar, visit)
    return iter(found)


_KCL_WORD = re.compile(r"\w+")
_KCL_PATH = re.compile(r"""((?:\??\.[A-Za-z_]\w*|\??\[\s*(?:"[^"]+"|'[^']+')\s*\])*)(\??\[)?""")
_KCL_STEP = re.compile(r"""\.([A-Za-z_]\w*)|\[\s*["']([^"']+)["']\s*\]""")
# Within a line: `\s` runs over all following blank lines, from each of them.
_KCL_ALIAS = re.compile(r"^[ \t]*(\w+)[ \t]*(?::[^=\n]+)?=[ \t]*\w+\.params[ \t\r]*$", re.MULTILINE)
_KCL_COMMENT = re.compile(r"#.*")


def _kcl_uses(sidecar: Sidecar) -> Iterator[Use]:
    files = [sidecar.template, *sorted(sidecar.folder.glob("**/*.k"))]
    for file in dict.fromkeys(files):
        text = read_text(file, sidecar.folder)
        names = {"params", *(found[1] for found in _KCL_ALIAS.finditer(text))}
        for number, line in enumerate(text.splitlines(), 1):
            code = _KCL_COMMENT.sub("", line)
            for found in _kcl_paths(code, names):
                steps = tuple(a or b for a, b in _KCL_STEP.findall(found[1]))
                if steps or found[2]:
                    yield Use(steps, str(file), number)


def _kcl_paths(code: str, names: Collection[str]) -> Iterator[re.Match[str]]:
    """Yield what follows each of the names in a line, as far as it is a path."""
    end = 0
    for word in _KCL_WORD.finditer(code):
        if word[0] in names and word.start() >= end:
            found = _KCL_PATH.match(code, word.end())
            assert found is not None  # it can be empty
            end = found.end()
            yield found


def _plain_uses(sidecar: Sidecar) -> Iterator[Use]:
    for each in sidecar.substitutions:
        head, _, rest = each.source.partition(".")
        if head == "params":
            yield Use(tuple(rest.split(".")), str(sidecar.file), 1)


_FINDERS = {"jinja": _jinja_uses, "kcl": _kcl_uses, "plain": _plain_uses}


@dataclass(frozen=True)
class Subject:
    """A sidecar with the results of its trials, and lookups of source locations."""

    sidecar: Sidecar
    outcomes: Sequence[TrialResult]

    @cached_property
    def metadata(self) -> Document:
        """The parsed sidecar.yaml."""
        return Document("", read_text(self.sidecar.file, self.sidecar.folder), 0, str(self.sidecar.file))

    @cached_property
    def injected(self) -> list[InjectedParts]:
        """The injected parts in each workload of each result."""
        return [
            own
            for outcome in self.outcomes
            if outcome.text is not None
            for own in find_injected_parts(outcome.text, outcome.trial.instance or self.sidecar.name)
        ]

    @cached_property
    def rows(self) -> list[ParameterRow]:
        """The parameters."""
        return list_parameters(self.sidecar.parameters, str(self.sidecar.file))

    @cached_property
    def uses(self) -> list[Use] | None:
        """The uses of parameters in the template."""
        return find_uses(self.sidecar)

    def containers(self) -> Iterator[tuple[InjectedParts, dict[str, Any]]]:
        """Yield the injected containers."""
        for own in self.injected:
            for _, container in own.containers:
                yield own, container

    def metadata_place(self, *path: str | int) -> Place:
        """Return the location of a path in sidecar.yaml."""
        return self.metadata.locate(path)

    def parameter_place(self, path: Sequence[str]) -> Place:
        """Return the location of a parameter declaration."""
        steps: list[str] = list(_PARAMETERS[:2])
        for step in path:
            steps += {"[]": ["items"], "<name>": ["additionalProperties"]}.get(step, ["properties", step])
        return self.metadata.locate(tuple(steps), on_key=True)

    def template_place(self, *needles: str) -> Place:
        """Return the first line of the template files that contains one of the texts, by default the first line of the
        template, also after many searches.
        """
        if needles not in self._places:
            if len(self._places) >= _MOST_SEARCHES:
                return Place(str(self.sidecar.template), 1, 1, 1, 1)
            found = (_find_text(file, text, each) for each in needles for file, text in self._template_files)
            self._places[needles] = next(filter(None, found), Place(str(self.sidecar.template), 1, 1, 1, 1))
        return self._places[needles]

    @cached_property
    def _places(self) -> dict[tuple[str, ...], Place]:
        return {}

    @cached_property
    def _template_files(self) -> list[tuple[Path, str]]:
        """The texts of the template and of the other readable files next to it, up to the size of a library."""
        template = self.sidecar.template
        files = [template, *sorted(f for f in self.sidecar.folder.iterdir() if f.is_file() and f != template)]
        texts: list[tuple[Path, str]] = []
        room = limits.LIBRARY_SIZE.value
        for file in files:
            if room > 0 and file.name not in (METADATA_FILE, CHANGELOG_FILE):
                with suppress(LibraryError):
                    texts.append((file, read_text(file, self.sidecar.folder)))
                    room -= len(texts[-1][1])
        return texts


def _find_text(file: Path, text: str, needle: str) -> Place | None:
    """Return the place of the first line that contains the needle, without a step for each line."""
    offset = text.find(needle) if needle.splitlines() == [needle] else -1
    if offset < 0:
        return None
    *_, before = lines = text[: offset + 1].splitlines()
    column = len(before)
    line = before[:-1] + text[offset:].splitlines()[0]
    return Place(str(file), len(lines), column, len(lines), column + len(needle), line)


def unused_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter that no template uses."""
    if subject.uses is None:
        return
    used = {use.path for use in subject.uses}
    longest = max((len(row.path) for row in subject.rows), default=0)
    above_used = {path[:length] for path in used for length in range(min(len(path), longest) + 1)}
    unused: set[tuple[str, ...]] = set()
    for row in subject.rows:
        # Items of lists and maps count as used with their parent.
        path = tuple(takewhile(lambda step: step not in ("[]", "<name>"), row.path))
        if path in above_used or not used.isdisjoint(_above(path)) or not unused.isdisjoint(_above(row.path)):
            continue
        unused.add(row.path)
        yield Finding(
            "unused-parameter",
            f"unused parameter {parameter_name(row.path)}",
            Severity.WARNING,
            place=subject.parameter_place(row.path),
            why="Users who set it expect an effect.",
            help="use it in a template, or delete it",
        )


def _above(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the paths that lead to a path, without itself."""
    return (path[:length] for length in range(len(path)))


def undeclared_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter that the template uses but the schema does not declare."""
    folder = subject.sidecar.folder
    lines = {file: read_text(Path(file), folder).splitlines() for file in {use.file for use in subject.uses or ()}}
    suggester = Suggester()
    for use in subject.uses or ():
        known = _find_undeclared_step(subject.sidecar.parameters, use.path)
        if known is not None:
            depth, names = known
            name = parameter_name(use.path[: depth + 1])
            yield Finding(
                "undeclared-parameter",
                f"the template uses undeclared parameter {name}",
                place=_use_place(use, lines[use.file]),
                why="It cannot be set, and rendering fails where it is used.",
                help=suggester.did_you_mean(use.path[depth], names) or "declare it in spec.parameters of sidecar.yaml",
            )


def _use_place(use: Use, lines: Sequence[str]) -> Place:
    text = lines[use.line - 1] if use.line <= len(lines) else ""
    column = max(text.find(use.path[-1]), 0) + 1 if use.path else 1
    return Place(use.file, use.line, column, use.line, column + len(use.path[-1]) if use.path else column, text)


def _find_undeclared_step(root: Mapping[str, Any], path: Sequence[str]) -> tuple[int, list[str]] | None:
    """Return the index of the first undeclared step of a path and the names declared there, or None."""
    schema: Any = root
    for depth, step in enumerate(path):
        schema = resolve_ref(root, schema["$ref"]) if isinstance(schema, Mapping) and "$ref" in schema else schema
        if not isinstance(schema, Mapping):
            return None
        properties = schema.get("properties")
        if properties is None and depth:
            return None
        if step in (properties or {}):
            schema = (properties or {})[step]
            continue
        open_ = schema.get("additionalProperties", bool(depth)) is not False or "patternProperties" in schema
        composed = any(keyword in schema for keyword in ("allOf", "anyOf", "oneOf", "if"))
        return None if open_ or composed or step in _METHODS else (depth, list(properties or {}))
    return None


def parameter_name(path: Sequence[str]) -> str:
    return ".".join(path).replace(".[]", "[]")
