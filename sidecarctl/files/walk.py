"""Walks directories for manifests, and says what it left out and why.

Left out: what Git ignores, hidden and vendored directories, excluded paths, Helm charts, what kustomizations name as
patches or settings, and files that are not manifests. A file that is named on the command line is always read, except with
`force_exclude`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl.errors import InputError, UsageError
from sidecarctl.files import classify
from sidecarctl.files.kustomization import FILE_NAMES, NamedFiles, read_named_files, with_parents
from sidecarctl.files.patterns import Exclude, GitIgnore, absolute, is_excluded, repository_root
from sidecarctl.files.sources import SUFFIXES, Source, read_small
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.skipped import (
    ASSERTION,
    CHART,
    COMPOSITION,
    EXCLUDED,
    HIDDEN,
    IGNORED,
    KUSTOMIZATION,
    VENDORED,
    Skipped,
)

if TYPE_CHECKING:
    from sidecarctl.files.real_paths import RealPath

_VENDORED = ("node_modules", "site-packages", "__pypackages__", "bower_components")
# How far up charts and kustomizations are looked for outside a Git repository.
_LEVELS_WITHOUT_REPOSITORY = 2
_ASSERTION = lazy_pattern(r"\d+-(?:assert|errors?)(?:[-_.].*)?\.ya?ml")
# A manifest of this name mentions sidecarctl.dev in annotations only.
_LIBRARY_ENTRY = lazy_pattern(r"^[\"']?apiVersion[\"']?[ \t]*:[ \t]*[\"']?sidecarctl\.dev/", re.MULTILINE)


@dataclass(frozen=True)
class WalkOptions:
    """How directories are walked.

    exclude        patterns of --exclude and of the composition
    gitignore      leave out what Git ignores
    force_exclude  treat files that the command line names as if they were found in a directory
    """

    exclude: tuple[Exclude, ...] = ()
    gitignore: bool = True
    force_exclude: bool = False


@dataclass(frozen=True)
class _Surroundings:
    """What the directories around the current one say: the chart it belongs to, what kustomizations name, and the real
    paths that links in charts lead to.
    """

    chart: Path | None = None
    named: NamedFiles = field(default_factory=NamedFiles)
    linked: frozenset[str] = frozenset()


_Around = Callable[[Path], "tuple[_Walk, str, _Surroundings]"]
_MAGIC = frozenset("*?[")


def find_sources(
    paths: Sequence[str], stdin_name: str = "-", options: WalkOptions = WalkOptions()
) -> Iterator[Source | Skipped]:
    """Yield what paths name: a file, a directory (walked in name order), a glob, or `-`, each file once.

    Whether a walked file is a manifest depends on its text too: see `describe_text`. Raises InputError for a path that
    does not exist.
    """
    seen: set[str] = set()
    for text in paths:
        for found in _expand(text, stdin_name, options):
            key = found.name if isinstance(found, Skipped) or found.path is None else str(absolute(found.path))
            if key not in seen:
                seen.add(key)
                yield found


def may_name_several(text: str) -> bool:
    """Return whether an input path is a directory or a glob."""
    path = Path(text)
    return path.is_dir() or not (path.exists() or path.is_symlink() or _MAGIC.isdisjoint(text))


def _expand(text: str, stdin_name: str, options: WalkOptions) -> Iterator[Source | Skipped]:
    if text == "-":
        yield Source(stdin_name)
        return
    if not text:
        raise UsageError("empty path", hint="check the variable or quotes; the working directory is `.`")
    path = Path(text)
    if path.is_dir():
        yield from _Walk(path, options).run()
    elif path.exists() or path.is_symlink():
        yield from _named_file(text, path, options)
    elif not _MAGIC.isdisjoint(text):
        from sidecarctl.files.globs import STARS, expand_glob
        from sidecarctl.files.real_paths import cached_realpath

        matches = expand_glob(text, _unreadable_directory)
        if not matches:
            raise InputError(f'no file matches "{text}"', hint="check the pattern; `**` matches directories")
        around = cache(partial(_look_around, options=options, real=cached_realpath()))
        for match in matches:
            if Path(match).is_dir():
                if STARS not in text:
                    yield from _Walk(Path(match), options).run()
            elif match.endswith(SUFFIXES):
                yield from _found_file(Path(match), around)
    else:
        raise InputError(f"no such file or directory: {text}", hint="check the path")


def _named_file(text: str, path: Path, options: WalkOptions) -> Iterator[Source | Skipped]:
    if options.force_exclude:
        yield from _found_file(path, partial(_look_around, options=options))
    else:
        yield Source(text, path, Path(path.name), named=True)


def _found_file(path: Path, around: _Around) -> Iterator[Source | Skipped]:
    """Yield one file as a walk of its repository would, or of its directory outside of one."""
    walk, reason, surroundings = around(path.parent)
    if reason:
        yield Skipped(str(path), reason)
    else:
        yield from walk.file(path, surroundings)


def _look_around(
    directory: Path, options: WalkOptions, real: RealPath | None = None
) -> tuple[_Walk, str, _Surroundings]:
    """Return the walk of a directory, why a walk of the repository does not reach it, else what is around it."""
    walk = _Walk(directory, options, real)
    reason = walk.reason_above(directory)
    return walk, reason, _Surroundings() if reason else walk.surroundings(directory)


class _Walk:
    """One walk of a directory. `real` has the memory of other walks of the run."""

    def __init__(self, start: Path, options: WalkOptions, real: RealPath | None = None) -> None:
        from sidecarctl.files.real_paths import cached_realpath  # a single file does without

        self._start = start
        self._options = options
        self._real = real or cached_realpath()
        own = absolute(start)
        root = repository_root(own)
        inside = [each for each in own.parents if each.is_relative_to(root)]
        self._above = inside or list(own.parents)[:_LEVELS_WITHOUT_REPOSITORY]
        self._gitignore: GitIgnore | None = None

    def run(self) -> Iterator[Source | Skipped]:
        """Yield the files below the directory in name order, and what is left out."""
        from sidecarctl.files import charts
        from sidecarctl.files.depth import check_depth  # a single file does without

        whole: list[tuple[Path, list[str]]] = []
        found_charts: dict[Path, Path | None] = {}
        linked: set[str] = set()
        skipped: dict[Path, list[Skipped]] = {}
        kustomized = self._kustomized_around(self._start)
        for root, directories, files in os.walk(self._start, onerror=_unreadable_directory, followlinks=False):
            here = Path(root)
            check_depth(self._start, here, "or leave others out with --exclude")
            kept = []
            for name in sorted(directories):
                reason = self._directory_reason(here / name)
                if reason:
                    skipped.setdefault(here, []).append(Skipped(f"{here / name}{os.sep}", reason))
                else:
                    kept.append(name)
            directories[:] = kept
            inherited = found_charts.get(here.parent) if here != self._start else charts.find_chart(self._around(here))
            chart = found_charts[here] = here if any(name in charts.FILE_NAMES for name in files) else inherited
            if chart is not None:
                linked.update(charts.find_linked(here, (*kept, *files), chart))
            if any(name in FILE_NAMES for name in files) and not charts.is_template_directory(here, chart):
                kustomized.append(here)
            whole.append((here, sorted(files)))
        named, linked_files = read_named_files(kustomized, self._real, self._is_left_out), frozenset(linked)
        for here, files in whole:
            surroundings = _Surroundings(found_charts[here], named, linked_files)
            yield from skipped.get(here, ())
            for name in files:
                if name.endswith(SUFFIXES) or name in FILE_NAMES:
                    yield from self.file(here / name, surroundings)

    def reason_above(self, directory: Path) -> str:
        """Return why a walk of the repository does not reach a directory, an empty string if it does."""
        own = absolute(directory)
        root = repository_root(own)
        self._gitignore = GitIgnore(root)
        inside = [each for each in (own, *own.parents) if each != root and each.is_relative_to(root)]
        return next((reason for each in reversed(inside) if (reason := self._directory_reason(each))), "")

    def surroundings(self, directory: Path) -> _Surroundings:
        """Return what the directories above a directory, and the directory itself, say."""
        from sidecarctl.files.charts import find_chart

        around = self._around(directory)
        named = read_named_files(self._kustomized_around(directory), self._real, self._is_left_out)
        return _Surroundings(find_chart(around), named)

    def _kustomized_around(self, directory: Path) -> list[Path]:
        """Return a directory and those above it without the templates of charts, where a kustomization is a template."""
        from sidecarctl.files.charts import find_chart, is_template_directory

        around = self._around(directory)
        chart = find_chart(around)
        return [each for each in around if not is_template_directory(each, chart)]

    def _around(self, directory: Path) -> tuple[Path, ...]:
        """Return the absolute paths of a directory and of those above that count, the innermost first."""
        return absolute(directory), *self._above

    def file(self, path: Path, surroundings: _Surroundings) -> Iterator[Source | Skipped]:
        """Yield a file as a source, or why it is left out; nothing for pipes and devices, which could block."""
        if _is_special(path):
            return
        real, named = self._real(str(absolute(path))), surroundings.named
        reason = self._file_reason(path, real, surroundings)
        if reason:
            yield Skipped(str(path), reason)
        else:
            yield Source(
                str(path),
                path,
                path.relative_to(self._start),
                kustomized=real in named.resources,
                gets_selectors=real in named.labeled,
            )

    def _directory_reason(self, path: Path) -> str:
        name = path.name
        if name.startswith("."):
            return HIDDEN
        if name in _VENDORED or _has_file(path, "pyvenv.cfg") or (name == "vendor" and _has_file(path, "modules.txt")):
            return VENDORED
        if is_excluded(path, self._options.exclude):
            return EXCLUDED
        if self._ignores(path, directory=True):
            return IGNORED
        if _is_library_entry(path):
            return COMPOSITION
        return ""

    def _file_reason(self, path: Path, real: str, surroundings: _Surroundings) -> str:
        from sidecarctl.files.chainsaw import is_chainsaw_check  # a single file does without

        name = path.name
        if name.startswith("."):
            return HIDDEN
        if is_excluded(path, self._options.exclude):
            return EXCLUDED
        if self._ignores(path):
            return IGNORED
        if name in FILE_NAMES:
            return KUSTOMIZATION
        if _belongs_to_chart(path, real, surroundings):
            return CHART
        if _ASSERTION.fullmatch(name) or is_chainsaw_check(path):
            return ASSERTION
        return surroundings.named.describe(real)

    def _is_left_out(self, path: Path) -> bool:
        """Return whether the user excludes a file, or Git ignores one below the start of the walk."""
        if is_excluded(path, self._options.exclude):
            return True
        own, start = absolute(path), absolute(self._start)
        if not own.is_relative_to(start):
            return False
        above = (each for each in own.parents if each != start and each.is_relative_to(start))
        return self._ignores(path) or any(self._ignores(each, directory=True) for each in above)

    def _ignores(self, path: Path, *, directory: bool = False) -> bool:
        if not self._options.gitignore:
            return False
        if self._gitignore is None:
            self._gitignore = GitIgnore(self._start)
        return self._gitignore.ignores(path, directory=directory)


def _belongs_to_chart(path: Path, real: str, around: _Surroundings) -> bool:
    """Return True for a file of a chart that is not a manifest, in the chart or behind a link in it."""
    if around.chart is None and not around.linked:
        return False
    from sidecarctl.files.charts import is_chart_file

    return is_chart_file(path, around.chart) or not around.linked.isdisjoint(with_parents(real))


def _has_file(directory: Path, name: str) -> bool:
    # The directory can be unreadable: `Path.is_file` raises PermissionError before Python 3.14.
    return os.path.isfile(directory / name)  # noqa: PTH113


def _is_library_entry(directory: Path) -> bool:
    """Return True for a sidecar of a library, whose test cases are not manifests of the repository."""
    try:
        text = read_small(directory / "sidecar.yaml").decode("utf-8", "replace")
    except OSError:
        return False
    return _LIBRARY_ENTRY.search(text) is not None


def describe_text(source: Source, text: str, options: WalkOptions) -> str:
    """Return what a source is by its text if it is not a manifest, else an empty string.

    A file that the command line names is a manifest, whatever it contains.
    """
    if source.path is None or (source.named and not options.force_exclude):
        return ""
    return classify.classify(text, gets_selectors=source.gets_selectors)


def _unreadable_directory(problem: OSError) -> None:
    raise InputError(
        f"cannot read directory {problem.filename}: {problem.strerror or problem}", hint="check its permissions"
    ) from None


def _is_special(path: Path) -> bool:
    """Return whether a path is a pipe, socket, or device; a broken link is reported when it is read."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
