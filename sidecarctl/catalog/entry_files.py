"""Files of library entries, read with limits and never outside the entry, and the index of the shipped library."""

from __future__ import annotations

import binascii
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.errors import LibraryError
from sidecarctl.files.sources import read_small
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.nodes import Alias, Node, child, is_deeper, is_longer
from sidecarctl.yamltext.nodes import Mapping as MappingNode
from sidecarctl.yamltext.parse import Lines, SyntaxProblem, parse


@dataclass(frozen=True)
class YamlFile:
    """A parsed YAML file with the locations of its values.

    known  the content of a file that was not parsed, because it is known; all places are its first line
    """

    file: str
    text: str
    root: Node | None
    known: Any = None

    @property
    def value(self) -> Any:
        """The content as plain data; None for an empty file."""
        return self.root.value if self.root else self.known

    def place(self, path: Sequence[str | int], on_key: bool = False) -> str:
        """Return `file:line:column` of the value (or key) at `path`, or of its nearest existing parent."""
        node, offset = self.root, self.root.start if self.root else 0
        for number, step in enumerate(path):
            if node is None:
                break
            owner = node.target if isinstance(node, Alias) else node
            if on_key and number == len(path) - 1 and isinstance(owner, MappingNode) and step in owner.pairs:
                offset = owner.pairs[str(step)][0].start
                break
            node = child(owner, step)
            offset = node.start if node else offset
        return f"{self.file}:{_line_column(self.text, offset)}"


def _line_column(text: str, offset: int) -> str:
    line, column = Lines(text).at(offset)
    return f"{line + 1}:{column + 1}"


def path_exists(path: Path) -> bool:
    """Return whether a file exists; False for a name that no file can have, such as one of 300 characters."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def read_text(path: Path, folder: Path, limit: limits.Limit = limits.FILE) -> str:
    """Return the text of a file of the entry in `folder`.

    Raise LibraryError for a missing, irregular, too large, or non-UTF-8 file, and for a path outside the directory.
    """
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(folder.resolve()):
            raise LibraryError(
                f"{path.name} is outside the sidecar directory",
                where=str(path),
                hint="copy the file to the sidecar directory",
            )
        if not real.is_file():
            raise LibraryError(f"{path.name} is not a regular file", where=str(path))
        most = limit.value
        with real.open("rb") as stream:
            data = limits.read_at_most(stream, most + 1)
    except FileNotFoundError:
        raise LibraryError(
            f"file not found: {path.name}",
            where=str(path),
            hint="a sidecar requires sidecar.yaml and a template",
        ) from None
    except (OSError, RuntimeError) as error:
        raise LibraryError(
            f"cannot read {path.name}: {getattr(error, 'strerror', None) or error}", where=str(path)
        ) from None
    if len(data) > most:
        raise LibraryError(f"{path.name} is larger than {most >> 10} KiB", where=str(path), hint=limit.way_out)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LibraryError(f"{path.name} is not valid UTF-8", where=f"{path}:{line}", hint="save it as UTF-8") from None


def read_yaml(path: Path, folder: Path) -> YamlFile:
    """Return a YAML file of the entry in `folder`.

    Raise LibraryError with the location for invalid YAML, for too many values, and for aliases that expand to more than a file
    can have.
    """
    text = read_text(path, folder)
    try:
        source = YamlFile(str(path), text, parse(text, values=limits.FILE_VALUES))
    except SyntaxProblem as problem:
        where = f"{path}:{_line_column(text, problem.offset)}"
        raise LibraryError(problem.message, where=where, hint=problem.hint) from None
    most = limits.FILE.value
    if "*" in text and is_longer(source.value, most):
        message = f"{path.name} is larger than {most >> 10} KiB with aliases expanded"
        raise LibraryError(message, where=str(path), hint=limits.FILE.way_out)
    check_depth(source.value, path.name, str(path))
    return source


def check_depth(value: Any, what: str, where: str) -> None:
    """Raise LibraryError if a value from a library is nested too deeply for functions that recurse."""
    if is_deeper(value, limits.LIBRARY_DEPTH):
        message = f"{what} is nested deeper than {limits.LIBRARY_DEPTH} levels"
        raise LibraryError(message, where=where, hint="nest it less deeply")


def check_length(length: int, template: str) -> None:
    """Raise LibraryError for output that is short as text but long as data, by aliases or substitutions."""
    most = limits.RENDERED.value
    if length > most:
        raise LibraryError(
            f"template output has more than {most:,} characters", where=template, hint=limits.RENDERED.way_out
        )


def read_rendered(text: str, template: str) -> Any:
    """Parse the YAML output of a template. Raise LibraryError with the line of the output."""
    try:
        root = parse(text)
    except UnicodeEncodeError as error:
        character = text[error.start]
        message = f"template output contains the lone surrogate U+{ord(character):04X}"
        raise LibraryError(message, where=template) from None
    except SyntaxProblem as problem:
        lines = Lines(text)
        number = lines.at(min(problem.offset, len(text)))[0]
        raise LibraryError(
            f"template output is invalid YAML: {problem.message} (line {number + 1}: "
            f"{lines.line(number).strip()[:80]!r})",
            where=template,
            hint=problem.hint or "quote parameters with the filter `quote`",
        ) from None
    return root.value if root else None


METADATA_FILE = "sidecar.yaml"


INDEX_FILE = "index.json"
KNOWN_METADATA_FILE = "metadata.json"


CASES = "tests"


@dataclass(frozen=True)
class Listing:
    """The parts of the metadata that lists show."""

    version: str
    summary: str
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Index:
    """Checksum and listing of each entry by directory name."""

    entries: Mapping[str, tuple[int, Listing]]

    def get(self, name: str, folder: Path) -> Listing | None:
        """Return the listing of an entry, or None if its files do not match the checksum."""
        found = self.entries.get(name)
        return found[1] if found is not None and found[0] == checksum(folder) else None

    def read_metadata(self, name: str, library: Path) -> Any:
        """Return the content of the sidecar.yaml of an unmodified entry, None if it is unknown. Parsing takes 20 ms."""
        kept, content = _read_known_metadata(library, name)
        return content if name in self.entries and kept == self.entries[name][0] else None


@cache
def read_index(library: Path) -> Index:
    """Return the index of a library, empty if it is missing or invalid."""
    import json

    try:
        data = json.loads(read_small(library / INDEX_FILE))
        return Index(
            {k: (v["checksum"], Listing(v["version"], v["summary"], tuple(v["keywords"]))) for k, v in data.items()}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Index({})


def _read_known_metadata(library: Path, name: str) -> tuple[int, Any]:
    """Return the checksum and the content of a sidecar.yaml of the shipped library; (0, None) if it is unknown.

    The file has one line for each entry, so that the others are not parsed: all of them take 3 ms.
    """
    import json

    start = f'"{name}":'
    try:
        lines = read_small(library / KNOWN_METADATA_FILE).decode("utf-8").split("\n")
        line = next(line for line in lines if line.startswith(start))
        one: dict[str, Any] = json.loads(line.removeprefix(start).rstrip(","))
        return one["checksum"], one["content"]
    except (OSError, ValueError, TypeError, KeyError, StopIteration):
        return 0, None


def checksum(folder: Path) -> int:
    """Return a checksum of the names and contents of the files of an entry, except test cases; -1 if one is unreadable."""
    total = 0
    try:
        for name, file in sorted(list_files(str(folder), CASES)):
            total = binascii.crc32(
                read_small(Path(file)), binascii.crc32(name.encode("utf-8", "surrogateescape"), total)
            )
    except OSError:
        return -1
    return total


def list_files(folder: str, left_out: str = "") -> list[tuple[str, str]]:
    """Return all files below a directory as (relative path, path), except in directories named `left_out`.

    Raise OSError for a directory that cannot be read, also one that is nested too deeply for its path.
    """
    found, waiting = [], [("", folder)]
    while waiting:
        below, path = waiting.pop()
        with os.scandir(path) as scan:
            for each in scan:
                name = f"{below}{each.name}"
                if not each.is_dir(follow_symlinks=False):
                    found.append((name, each.path))
                elif name != left_out:
                    waiting.append((f"{name}/", each.path))
    return found
