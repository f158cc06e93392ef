"""Patterns that leave files out: `.gitignore` files, and the patterns of --exclude and `spec.exclude`.

An exclude pattern has two forms. Without a slash it matches the name of a file or directory at any depth below its
base (`vendor`, `*.tmpl.yaml`). With a slash it matches a path relative to its base (`charts/`, `deploy/**/values.yaml`).
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from time import process_time
from typing import Any

from sidecarctl import limits
from sidecarctl.cpu_time import TooSlow, time_limit
from sidecarctl.errors import InputError
from sidecarctl.files.sources import Stamp, read_setting, stamp_of
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern

GITIGNORE = ".gitignore"
_MOST_PATTERNS = 5_000  # each path is compared with all of them


@dataclass(frozen=True)
class Exclude:
    """One exclude pattern and the directory that it is relative to."""

    pattern: str
    base: Path = field(default_factory=Path)

    def matches(self, own: Path, relative_to: Callable[[Path], str]) -> bool:
        """Return True if the pattern matches an absolute path or a directory above it.

        `relative_to` returns the path relative to a base.
        """
        pattern = self.pattern.removeprefix("./").rstrip("/")
        if not pattern:
            return False
        relative = own.as_posix() if pattern.startswith("/") else relative_to(self.base)
        if "/" not in pattern:
            return any(part != ".." and _regex(pattern).fullmatch(part) for part in relative.split("/"))
        ends = _find_ends(_parse(pattern), relative)
        return any(end and ends >> end & 1 for end in (*_find_slashes(relative), len(relative)))


def is_excluded(path: Path, patterns: Sequence[Exclude]) -> bool:
    """Return True if a pattern matches the path or a directory above it. Raises InputError for too many patterns."""
    if not patterns:
        return False
    if len(patterns) > _MOST_PATTERNS:
        raise InputError(f"more than {_MOST_PATTERNS:,} exclude patterns", hint="use fewer patterns")
    own = absolute(path)
    relative_to = cache(lambda base: Path(os.path.relpath(own, base)).as_posix())
    return any(each.matches(own, relative_to) for each in patterns)


@lru_cache(maxsize=_MOST_PATTERNS)
def _regex(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of a name."""
    return re.compile(fnmatch.translate(pattern))


@dataclass(frozen=True)
class _Token:
    """A part of a pattern: characters with a regular expression that finds where they start, else `*` or `**/`."""

    text: str
    regex: re.Pattern[str] | None = None
    width: int = 0


_DIRECTORIES = "**/"
# As in fnmatch: the first character of a range can be `]`.
_TOKEN = lazy_pattern(r"\*+|\?|\[(?:!?\][^\]]*|![^\]]+|[^\]!][^\]]*)\]|\[|[^*?\[]+")


@lru_cache(maxsize=_MOST_PATTERNS)
def _parse(pattern: str) -> tuple[_Token, ...]:
    """Return the tokens of a pattern with a slash. As in ruff, `*` matches slashes too, and `**/` no directory as well."""
    tokens: list[_Token] = []
    for number, piece in enumerate(pattern.split(_DIRECTORIES)):
        if number and tokens[-1:] != [_Token(_DIRECTORIES)]:  # a run of them means the same as one
            tokens.append(_Token(_DIRECTORIES))
        tokens += map(_token, _TOKEN.findall(piece))
    return tuple(tokens)


def _token(text: str) -> _Token:
    if text.startswith("*"):
        return _Token("*")
    one = text == "?" or (len(text) > 1 and text.startswith("["))
    translated = fnmatch.translate(text).removesuffix(r"\Z").removesuffix(r"\z")
    return _Token(text, re.compile(f"(?={translated})"), 1 if one else len(text))


def _find_ends(tokens: Sequence[_Token], text: str) -> int:
    """Return where a pattern that matches from the start of a text can end, a bit for each place.

    A regular expression would take exponential time on some texts. This takes a step for each token.
    """
    whole = (2 << len(text)) - 1
    if sum(token.width for token in tokens) > len(text):
        return 0
    starts: dict[_Token, int] = {_Token("*"): whole, _Token(_DIRECTORIES): _as_bits(_find_slashes(text)) << 1}
    ends = 1
    for token in tokens:
        if token not in starts:
            assert token.regex
            starts[token] = _as_bits(match.start() for match in token.regex.finditer(text))
        if token.regex:
            ends = (ends & starts[token]) << token.width
        else:
            ends |= starts[token] & -(ends & -ends)  # from the first place on
        if not ends:
            return 0
    return ends


def _find_slashes(text: str) -> Iterator[int]:
    return (match.start() for match in _SLASH.finditer(text))


_SLASH = re.compile("/")


def _as_bits(places: Iterable[int]) -> int:
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits


def absolute(path: Path) -> Path:
    """Return the absolute path without `..`; unlike `Path.resolve`, it does not follow links."""
    return Path(os.path.abspath(path))  # noqa: PTH100


class GitIgnore:
    """The `.gitignore` files that apply below a directory: its own, those below, and those above up to the repository."""

    def __init__(self, start: Path) -> None:
        self._start = absolute(start)
        self._root = repository_root(self._start)
        self._holders: dict[Path, _Holders] = {}
        self._off_above = False
        # A directory that is named on the command line is read even if Git ignores it.
        self._off_above = any(self.ignores(each, directory=True) for each in (self._start, *self._start.parents))
        self._holders.clear()

    def ignores(self, path: Path, *, directory: bool = False) -> bool:
        """Return True if Git ignores a path. The directories above it must not be ignored."""
        own = absolute(path)
        for holder, spec in self._find_holders(own.parent):
            relative = own.relative_to(holder).as_posix() + ("/" if directory else "")
            include = _check(spec, relative, holder)
            if include is not None:
                return bool(include)
        return False

    def _find_holders(self, directory: Path) -> _Holders:
        """Return the directories with patterns for a directory: itself and those above, up to the root of the repository."""
        new: list[Path] = []
        while directory not in self._holders and directory.is_relative_to(self._root):
            new.append(directory)
            if directory == self._root:
                break
            directory = directory.parent
        found = self._holders.get(directory, ())
        for each in reversed(new):
            off = self._off_above and each != self._start and self._start.is_relative_to(each)
            spec = None if off else _read_spec(each, each == self._root)
            found = ((each, spec), *found) if spec else found
            self._holders[each] = found
        return found


@dataclass
class _Spec:
    """The patterns of a directory, the last one first, and the seconds of CPU time that slow comparisons with them took."""

    patterns: Sequence[Any]
    slow: float = 0.0


# From the nearest to the root of the repository.
_Holders = tuple[tuple[Path, _Spec], ...]
_SLOW = 0.5  # seconds; thousands of ordinary patterns take less


def _check(spec: _Spec, relative: str, holder: Path) -> bool | None:
    """Return whether patterns ignore a path, None if none of them matches.

    Raises InputError if that takes too long, for one path or for all: a pattern with many `*` takes exponential time on
    some names.
    """
    start = process_time()
    with _limited(holder):
        include = next((one.include for one in spec.patterns if _is_match(one.regex, relative)), None)
        if (spent := process_time() - start) > _SLOW:
            spec.slow += spent
            if spec.slow > limits.SECONDS.value:
                raise TooSlow(f"takes more than {limits.SECONDS.value} s; {limits.SECONDS.way_out}")
    return include


def _is_match(regex: re.Pattern[str], relative: str) -> bool:
    """Return True if a pattern matches a path itself. pathspec also matches what is below a directory; its group marks the slash.

    In Git, `!/a` brings back the directory `a`, but not an ignored directory in it.
    """
    found = regex.search(relative)
    if found is None or "ps_d" not in regex.groupindex:
        return found is not None
    end = len(relative.rstrip("/"))
    return found.start("ps_d") in (-1, end) or regex.search(relative, end) is not None


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


def output_root(folder: Path) -> Path:
    """Return the directory that links must not lead out of when a command writes to `folder`.

    It is the repository of the working directory if `folder` is named as a part of it, else the repository of `folder`.
    """
    own = repository_root(Path().resolve())
    inside = (own / ".git").exists() and Path(os.path.abspath(folder)).is_relative_to(own)  # noqa: PTH100
    return own if inside else repository_root(folder.resolve())


def named_root(folder: Path) -> Path:
    """Return the repository of the working directory if `folder` is named as a part of it, else `folder`, links not followed."""
    own = repository_root(Path().resolve())
    return own if Path(os.path.abspath(folder)).is_relative_to(own) else folder  # noqa: PTH100


def _read_spec(directory: Path, is_root: bool) -> _Spec | None:
    """Return the patterns of a directory, None without any.

    As in Git, a `.gitignore` that is a symbolic link has no effect; `.git/info/exclude` can be one. Raises InputError for a
    file that cannot be read: what Git ignores would be changed.
    """
    files = ([(directory / ".git" / "info" / "exclude", True)] if is_root else []) + [(directory / GITIGNORE, False)]
    found = []
    for file, follow in files:
        with _readable(file), suppress(FileNotFoundError, NotADirectoryError):
            status = file.stat(follow_symlinks=follow)
            if stat.S_ISREG(status.st_mode):
                found.append((file, stamp_of(status)))
    return _compile_files(directory, tuple(found)) if found else None


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Raise InputError in place of an OSError."""
    try:
        yield
    except OSError as problem:
        raise InputError(
            f"cannot read {file}: {problem.strerror or problem}", hint="check its permissions, or use --no-gitignore"
        ) from None


# A glob looks up each file that it finds by itself.
@lru_cache(maxsize=256)
def _compile_files(directory: Path, files: tuple[tuple[Path, Stamp], ...]) -> _Spec | None:
    lines: list[str] = []
    for file, _ in files:
        with _readable(file), suppress(FileNotFoundError):
            lines += _split_lines(read_setting(file, "use --no-gitignore").decode("utf-8", "replace"))
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if not lines:
        return None
    if len(lines) > _MOST_PATTERNS:
        raise InputError(
            f"{directory / GITIGNORE} has more than {_MOST_PATTERNS:,} patterns",
            hint="use fewer patterns, or --no-gitignore",
        )
    with _limited(directory), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of `re`, about `[[`
        return _Spec([one for one in _compile(lines) if one.regex is not None][::-1])


def _split_lines(text: str) -> Iterator[str]:
    r"""Yield lines as Git reads them: `\n` and `\r\n` end a line, other separators do not, and a leading BOM is skipped."""
    return (line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n"))


def _compile(lines: Iterable[str]) -> Iterator[Any]:
    """Yield the patterns that can match: a trailing backslash, a lone `!`, or an empty range (`[z-a]`) is an error in pathspec.

    Git accepts these lines, and they match nothing.
    """
    # Imported here: its import takes longer than reading a small directory.
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    for line in lines:
        try:
            yield GitIgnoreSpecPattern(line)
        except (ValueError, re.error, OverflowError, RecursionError):
            continue
