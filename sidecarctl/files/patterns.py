"""Patterns that leave files out: `.gitignore` files, and the patterns of --exclude and `spec.exclude`.

An exclude pattern has two forms. Without a slash it matches the name of a file or directory at any depth below its
base (`vendor`, `*.tmpl.yaml`). With a slash it matches a path relative to its base (`charts/`, `deploy/**/values.yaml`).
"""

from __future__ import annotations

import fnmatch
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from sidecarctl.cpu_time import TooSlow, time_limit
from sidecarctl.errors import InputError
from sidecarctl.files.sources import Stamp, read_small, stamp_of
from sidecarctl.lazy_dataclass import dataclass, field

GITIGNORE = ".gitignore"
_MOST_PATTERNS = 5_000  # each path is compared with all of them


@dataclass(frozen=True)
class Exclude:
    """One exclude pattern and the directory that it is relative to."""

    pattern: str
    base: Path = field(default_factory=Path)

    def matches(self, path: Path) -> bool:
        """Return True if the pattern matches the path or a directory above it."""
        pattern = self.pattern.removeprefix("./").rstrip("/")
        if not pattern:
            return False
        own = str(absolute(path))
        relative = own if pattern.startswith("/") else os.path.relpath(own, self.base)
        parts = Path(relative).as_posix().split("/")
        if "/" not in pattern:
            return any(part != ".." and _regex(pattern).fullmatch(part) for part in parts)
        start = 2 if pattern.startswith("/") else 1
        return any(_regex(pattern).fullmatch("/".join(parts[:end])) for end in range(start, len(parts) + 1))


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    """Compile a glob; as in ruff, `*` matches slashes too, and `**/` matches no directory as well."""
    pieces = [fnmatch.translate(piece).removesuffix(r"\Z").removesuffix(r"\z") for piece in pattern.split("**/")]
    return re.compile("(?:.*/)?".join(pieces))


def absolute(path: Path) -> Path:
    """Return the absolute path without `..`; unlike `Path.resolve`, it does not follow links."""
    return Path(os.path.abspath(path))  # noqa: PTH100


class GitIgnore:
    """The `.gitignore` files that apply below a directory: its own, those below, and those above up to the repository."""

    def __init__(self, start: Path) -> None:
        self._specs: dict[Path, Any] = {}
        self._chains: dict[Path, tuple[Path, ...]] = {}
        self._start = absolute(start)
        self._root = repository_root(self._start)
        # A directory that is named on the command line is read even if Git ignores it.
        self._off_above = any(self._decision(each) for each in (self._start, *self._above(self._start)))

    def ignores(self, path: Path, *, directory: bool = False) -> bool:
        """Return True if Git ignores a path. The directories above it must not be ignored."""
        return self._decision(absolute(path), directory=directory)

    def _decision(self, path: Path, *, directory: bool = True) -> bool:
        off_above = getattr(self, "_off_above", False)
        for holder in self._above(path):
            if off_above and holder != self._start and self._start.is_relative_to(holder):
                continue
            spec = self._spec(holder)
            if spec is not None:
                relative = path.relative_to(holder).as_posix() + ("/" if directory else "")
                include = _check(spec, relative, holder)
                if include is not None:
                    return bool(include)
        return False

    def _above(self, path: Path) -> Iterator[Path]:
        """Yield the directories above a path, from the nearest to the root of the repository."""
        for parent in path.parents:
            if not parent.is_relative_to(self._root):
                return
            yield parent

    def _spec(self, directory: Path) -> Any:
        if directory not in self._specs:
            self._specs[directory] = _read_spec(directory, directory == self._root)
        return self._specs[directory]


def _check(spec: Any, relative: str, holder: Path) -> bool | None:
    """Return whether patterns ignore a path, None if none of them matches. Raises InputError if that takes too long."""
    with _limited(holder):  # a pattern with many `*` takes exponential time on some names
        include: bool | None = spec.check_file(relative).include
    return include


@contextmanager
def _limited(holder: Path) -> Iterator[None]:
    try:
        with time_limit():
            yield
    except TooSlow as problem:
        raise InputError(
            f"a pattern in {holder / GITIGNORE} {problem}",
            hint="simplify the patterns with many `*`, or use --no-gitignore",
        ) from None


def repository_root(start: Path) -> Path:
    """Return the nearest directory with a `.git`, else `start` itself. The path must be absolute."""
    for directory in (start, *start.parents):
        if (directory / ".git").exists():
            return directory
    return start


def _read_spec(directory: Path, is_root: bool) -> Any:
    """Return the patterns of a directory, None without any."""
    files = ([directory / ".git" / "info" / "exclude"] if is_root else []) + [directory / GITIGNORE]
    found = []
    for file in files:
        with suppress(OSError):
            found.append((file, stamp_of(file.stat())))
    return _compile_files(directory, tuple(found)) if found else None


# A glob looks up each file that it finds by itself.
@lru_cache(maxsize=256)
def _compile_files(directory: Path, files: tuple[tuple[Path, Stamp], ...]) -> Any:
    lines: list[str] = []
    for file, _ in files:
        try:
            lines += _split_lines(read_small(file).decode("utf-8", "replace"))
        except OSError:
            continue
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if not lines:
        return None
    if len(lines) > _MOST_PATTERNS:
        raise InputError(
            f"{directory / GITIGNORE} has more than {_MOST_PATTERNS:,} patterns",
            hint="use fewer patterns, or --no-gitignore",
        )
    # Imported here: its import takes longer than reading a small directory.
    from pathspec import GitIgnoreSpec

    with _limited(directory), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of `re`, about `[[`
        return GitIgnoreSpec(list(_compile(lines)))


def _split_lines(text: str) -> Iterator[str]:
    r"""Yield lines as Git reads them: `\n` and `\r\n` end a line, other separators do not, and a leading BOM is skipped."""
    return (line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n"))


def _compile(lines: Iterable[str]) -> Iterator[Any]:
    """Yield the patterns that can match: a trailing backslash, a lone `!`, or an empty range (`[z-a]`) is an error in pathspec.

    Git accepts these lines, and they match nothing.
    """
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    for line in lines:
        try:
            yield GitIgnoreSpecPattern(line)
        except (ValueError, re.error, OverflowError, RecursionError):
            continue
