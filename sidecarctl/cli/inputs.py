"""The inputs of a command: which words are paths, which files they name, and their texts, without other files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from sidecarctl import watchdog
from sidecarctl.cli.options import InputFlags
from sidecarctl.errors import InputError, SidecarctlError, UsageError
from sidecarctl.files import sources, walk
from sidecarctl.files.patterns import Exclude
from sidecarctl.files.sources import Read, Source
from sidecarctl.files.walk import WalkOptions
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.skipped import CHART, IGNORED, OUTPUT, Skipped

STDIN = "-"


@dataclass(frozen=True)
class InputOptions:
    """Which inputs a command reads.

    leave_out  why a source is not an input, one of skipped.REASONS, or "": such files are not reported among others
    sidecars   words of the command line that are sidecars, for the error if there is no input
    """

    paths: tuple[str, ...] = ()
    walk: WalkOptions = WalkOptions()
    stdin_name: str = STDIN
    leave_out: Callable[[Source], str] | None = None
    sidecars: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run: sources with their texts, what was left out, and the errors of what cannot be read.

    unreadable  the sources that cannot be read
    """

    sources: tuple[tuple[Source, Read], ...] = ()
    skipped: tuple[Skipped, ...] = ()
    errors: tuple[SidecarctlError, ...] = ()
    unreadable: tuple[Source, ...] = ()


def input_options(
    paths: Sequence[str],
    flags: InputFlags,
    manifests: Sequence[str] = (),
    exclude: Sequence[Exclude] = (),
    sidecars: Sequence[str] = (),
) -> InputOptions:
    """Return the input options of a command line.

    manifests  paths to read if the command line names none: `spec.manifests` of a composition
    exclude    the patterns of `spec.exclude`
    sidecars   the words of the command line that are sidecars

    Raises UsageError if no path is named and stdin is a terminal, InputError for a pipe or device among `manifests`.
    """
    given = (*paths, *flags.file)
    if not given:
        given = tuple(manifests)
        for path in given:
            if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):  # noqa: PTH110, PTH112, PTH113
                raise InputError(
                    f"{path} is not a regular file", hint="remove it from spec.manifests of the composition"
                )
    if not given:
        if sys.stdin is None or sys.stdin.isatty():
            raise no_input_error("no path given and nothing piped to stdin", sidecars)
        given = (STDIN,)
    patterns = (*(Exclude(pattern) for pattern in flags.exclude), *exclude)
    return InputOptions(
        given,
        WalkOptions(patterns, not flags.no_gitignore, flags.force_exclude),
        flags.stdin_filename or STDIN,
        sidecars=tuple(sidecars),
    )


def no_input_error(why: str, sidecars: Sequence[str] = ()) -> UsageError:
    """Return the error for a command that has nothing to read. Among the `sidecars` can be the name of a directory."""
    hint = describe_taken(sidecars) or "name manifests or directories, or pipe manifests to stdin"
    return UsageError(f"no input: {why}", hint=hint)


def describe_taken(sidecars: Sequence[str]) -> str:
    """Return how to name a path that was read as a sidecar, or "" if none of the sidecars exists as a path."""
    word = next(filter(os.path.lexists, sidecars), None)
    return f'"{word}" is read as the name of a sidecar here; for the path of this name, use -f {word}' if word else ""


def read_inputs(options: InputOptions, stdin: bytes | None = None, *, mirrors: bool = False) -> Inputs:
    """Read every input; `stdin` is standard input if it was already read, `mirrors`: the output has the same directories.

    An input that cannot be read, and a path without a manifest, is an error that does not hide the others. Raises
    UsageError if stdin is empty.
    """
    kept: list[tuple[Source, Read]] = []
    skipped: list[Skipped] = []
    errors: list[SidecarctlError] = []
    unreadable: list[Source] = []
    for path in dict.fromkeys(options.paths):
        before = len(kept), len(errors)
        own: list[Skipped] = []
        left_out: list[Skipped] = []
        try:
            for found in walk.find_sources([path], options.stdin_name, options.walk):
                if isinstance(found, Skipped):
                    own.append(found)
                elif options.leave_out is not None and (reason := options.leave_out(found)):
                    left_out.append(Skipped(found.name, reason))
                else:
                    try:
                        _read(found, options, stdin, kept, own)
                    except InputError as error:
                        errors.append(error)
                        unreadable.append(found)
        except InputError as error:
            errors.append(error)
        if (len(kept), len(errors)) == before and not options.walk.force_exclude:
            errors.append(_nothing_found(path, [*own, *left_out]))
        skipped += own
    watchdog.begin()
    sources = _once(kept, mirrors)
    _check_name_of_stdin(sources)
    return Inputs(sources, tuple(skipped), tuple(errors), tuple(unreadable))


def _check_name_of_stdin(found: Sequence[tuple[Source, Read]]) -> None:
    """Raise UsageError if stdin has the name of a file: results and messages are told apart by name."""
    names = {source.name for source, _ in found if source.path is None}
    if any(source.path is not None and source.name in names for source, _ in found):
        raise UsageError(
            f"stdin and a file have the same name {next(iter(names))}", hint="set another name with --stdin-filename"
        )


def _read(
    source: Source,
    options: InputOptions,
    stdin: bytes | None,
    kept: list[tuple[Source, Read]],
    skipped: list[Skipped],
) -> None:
    """Append a source to `kept` or `skipped`. Raises InputError for one that cannot be read."""
    watchdog.begin(source.name)
    from_stdin = source.path is None and stdin is not None
    read = Read(sources.decode(stdin or b"", source.name)) if from_stdin else sources.read_source(source)
    if source.path is None and not read.text.strip("\ufeff \t\r\n"):
        raise no_input_error("stdin is empty", options.sidecars)
    reason = walk.describe_text(source, read.text, options.walk)
    if reason:
        skipped.append(Skipped(source.name, reason))
    else:
        kept.append((source, read))


def _once(kept: list[tuple[Source, Read]], mirrors: bool) -> tuple[tuple[Source, Read], ...]:
    """Return the sources without those that another path already named, and without links to one of the others.

    mirrors  the output has the directories of the input: a link in another directory than its target remains
    """
    unique: dict[tuple[str, str], tuple[Source, Read]] = {}
    places: dict[str, None] = {}
    resolve = cache(Path.resolve)
    for source, read in kept:
        place = _place(source, resolve)
        if place in places:
            continue
        places[place] = None
        key = str(source.path.resolve()) if source.path else STDIN, _directory(source) if mirrors else ""
        known = unique.get(key)
        if known is None or (_is_link(known[0]) and not _is_link(source)):
            unique[key] = source, read
    return tuple(unique.values())


def _place(source: Source, resolve: Callable[[Path], Path]) -> str:
    """Return the path of a source with links on the way resolved, but not the source itself."""
    return str(resolve(source.path.parent) / source.path.name) if source.path else STDIN


def _directory(source: Source) -> str:
    """Return the directory of a source below the given one."""
    return str(source.relative.parent) if source.relative else ""


def _is_link(source: Source) -> bool:
    return source.path is not None and source.path.is_symlink()


def _nothing_found(path: str, skipped: Sequence[Skipped]) -> UsageError:
    if skipped:
        from sidecarctl.report.notes import describe_skipped

        return UsageError(
            f"no manifests in {path}: {describe_skipped(skipped, every=True)}",
            hint=_way_out(skipped),
        )
    return UsageError(
        f"no manifests in {path}", hint=f"directories are searched for {', '.join(sources.SUFFIXES)} files"
    )


def _way_out(skipped: Sequence[Skipped]) -> str:
    reasons = {one.reason for one in skipped}
    if OUTPUT in reasons:
        return "choose an output directory without inputs, or use --in-place"
    if CHART in reasons:
        return "run `helm template` and pipe its output, or name a file to read it anyway"
    if IGNORED in reasons:
        return "use --no-gitignore, or name a file to read it anyway"
    return "name a file to read it anyway"


def with_leave_out(options: InputOptions, leave_out: Callable[[Source], str]) -> InputOptions:
    """Return the options with a further test for sources that are no input."""
    return replace(options, leave_out=leave_out)


def split_paths(
    words: Sequence[str], *, only_paths: bool = False, is_sidecar: Callable[[str], bool] = lambda word: True
) -> tuple[list[str], list[str]]:
    """Return the sidecars and the paths among words.

    A path exists, contains a slash, ends in a suffix of manifests, or is `-`. If every word is a path, the first bare word
    is a sidecar, if `is_sidecar`: a directory can have the name of a sidecar. `only_paths`: the command takes no sidecars.
    """
    looks = [is_path(word) for word in words]
    bare = next((at for at, word in enumerate(words) if not _is_written_as_path(word)), None)
    if all(looks) and bare is not None and not only_paths and is_sidecar(words[bare]):
        looks[bare] = False
    sidecars = [word for word, path in zip(words, looks) if not path]
    return sidecars, [word for word, path in zip(words, looks) if path]


def is_path(word: str) -> bool:
    """Return True if a word is a path, by its form or because a file has this name."""
    return _is_written_as_path(word) or os.path.lexists(word)


def _is_written_as_path(word: str) -> bool:
    return word == "-" or "/" in word or os.sep in word or word.endswith(sources.SUFFIXES)
