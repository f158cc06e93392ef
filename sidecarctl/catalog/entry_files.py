"""Files of a library entry as data with places: read with limits, never from outside the entry. Knows no schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import LibraryError
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, child
from sidecarctl.yamltext.parse import Lines, SyntaxProblem, parse


@dataclass(frozen=True)
class Source:
    """A YAML file's value, with the node tree that says where each part of it stands."""

    file: str
    text: str
    root: Node | None

    @property
    def value(self) -> Any:
        """What the file says, as plain data; None for an empty file."""
        return self.root.value if self.root else None

    def place(self, path: Sequence[str | int], on_key: bool = False) -> str:
        """Return `file:line:column` of the value at `path` (or of its key), or of the nearest thing above it."""
        node, offset = self.root, self.root.start if self.root else 0
        for number, step in enumerate(path):
            if node is None:
                break
            owner = node.target if isinstance(node, Alias) else node
            if on_key and number == len(path) - 1 and isinstance(owner, Mapping) and step in owner.pairs:
                offset = owner.pairs[str(step)][0].start
                break
            node = child(owner, step)
            offset = node.start if node else offset
        return f"{self.file}:{_line_column(self.text, offset)}"


def _line_column(text: str, offset: int) -> str:
    line, column = Lines(text).at(offset)
    return f"{line + 1}:{column + 1}"


def read_text(path: Path, folder: Path, limit: limits.Limit = limits.FILE) -> str:
    """Return the text of a file of the entry in `folder`.

    Raises LibraryError for a file that is missing, leads outside the folder, is no regular file, is longer than `limit`
    bytes, or is not UTF-8.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(folder.resolve()):
            raise LibraryError(
                f"{path.name} leads outside the folder of its sidecar",
                where=str(path),
                hint="a sidecar may only use files of its own folder; copy the file there",
            )
        if not real.is_file():
            raise LibraryError(f"{path.name} is not a file", where=str(path))
        most = limit.value
        with real.open("rb") as stream:
            data = stream.read(most + 1)
    except FileNotFoundError:
        raise LibraryError(
            f"there is no {path.name}",
            where=str(path),
            hint="every sidecar has a sidecar.yaml and a template",
        ) from None
    except (OSError, RuntimeError) as error:
        raise LibraryError(
            f"{path.name} can't be read: {getattr(error, 'strerror', None) or error}", where=str(path)
        ) from None
    if len(data) > most:
        raise LibraryError(f"{path.name} too large (limit: {most >> 10} KiB)", where=str(path), hint=limit.way_out)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LibraryError(f"{path.name} is not UTF-8", where=f"{path}:{line}", hint="save it as UTF-8") from None


def read_yaml(path: Path, folder: Path) -> Source:
    """Return a YAML file of the entry in `folder`. Raises LibraryError, with the place, for what can't be read."""
    text = read_text(path, folder)
    try:
        return Source(str(path), text, parse(text))
    except SyntaxProblem as problem:
        where = f"{path}:{_line_column(text, problem.offset)}"
        raise LibraryError(problem.message, where=where, hint=problem.hint) from None


def read_rendered(text: str, template: str) -> Any:
    """Return the value of a YAML text that a template rendered. Raises LibraryError with the line of the result."""
    try:
        root = parse(text)
    except UnicodeEncodeError as error:
        character = text[error.start]
        message = f"the template renders U+{ord(character):04X}, which is half a character"
        raise LibraryError(message, where=template) from None
    except SyntaxProblem as problem:
        lines = Lines(text)
        number = lines.at(min(problem.offset, len(text)))[0]
        raise LibraryError(
            f"the template renders invalid YAML: {problem.message}, in line {number + 1} of the result, "
            f"{lines.line(number).strip()[:80]!r}",
            where=template,
            hint=problem.hint or "quote what comes from parameters with the filter `quote`",
        ) from None
    return root.value if root else None
