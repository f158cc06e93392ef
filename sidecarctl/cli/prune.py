"""Records the files that `render` writes to an output directory, so that a later run can delete stale ones.

The record is a text file in that directory, with a digest and a path per line; a path with other than printable characters is a
JSON string. A file that no run wrote, that was edited since, or that is an input is never deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from sidecarctl import limits
from sidecarctl.cli import console
from sidecarctl.cli.delivery import Delivery, Done, is_directory_output, targets
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, UsageError
from sidecarctl.files.directory import OutputError, check_inside, delete_directory, lock_parent
from sidecarctl.files.sources import NO_FILE, Stamp, read_small, stamp_of
from sidecarctl.files.write import Write, write_all
from sidecarctl.kube.workload import RECORD_ANNOTATION
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.results import plural

FILE_NAME = ".sidecarctl-outputs"
_HEAD = "# Written by sidecarctl. Lists the rendered files, so that --prune can delete stale ones.\n"


@dataclass(frozen=True)
class Stale:
    """A file that an earlier run wrote with a digest, and this one does not. `changed`: edited since then, so it is kept."""

    path: Path
    digest: str
    changed: bool = False


def known(folder: Path) -> dict[str, str]:
    """Return what earlier runs wrote: path below the directory to digest. Malformed lines are ignored."""
    try:
        text = read_small(folder / FILE_NAME, limits.INPUT).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return _parse(text)


def _parse(text: str) -> dict[str, str]:
    found = {}
    for line in text.split("\n"):
        digest, _, word = line.partition("  ")
        name = _read_name(word)
        path = PurePosixPath(name)
        if len(digest) == 64 and name == path.as_posix() and not path.is_absolute() and ".." not in path.parts:
            found[name] = digest
    return found


def _read_name(word: str) -> str:
    """Return the path that a line of the record has, "" for a malformed one."""
    if not word.startswith('"'):
        return word
    try:
        return str(json.loads(word))
    except ValueError:
        return ""


def _write_name(name: str) -> str:
    """Return a path for a line of the record: line breaks in it must not begin another line."""
    return name if name.isprintable() and not name.startswith('"') else json.dumps(name)


def stale_files(folder: Path, made: Iterable[str]) -> list[Stale]:
    """Return the existing files of earlier runs that are not in `made`, sorted."""
    names = set(made)
    out = []
    for name, digest in sorted(known(folder).items()):
        path = folder / name
        if name not in names and _is_file(path) and _is_inside(path, folder):
            out.append(Stale(path, digest, _digest_of(path) != digest))
    return out


def _is_file(path: Path) -> bool:
    """Return True for an existing file; False also for a name that no file can have, which Path.is_file raises for."""
    try:
        return path.is_file()
    except OSError:
        return False


def _is_inside(path: Path, folder: Path) -> bool:
    """Return True unless a symbolic link in its path leads elsewhere."""
    return path.resolve() == folder.resolve() / path.relative_to(folder)


def remembered(folder: Path, made: Mapping[str, str], forgotten: Iterable[Path]) -> str:
    """Return the new list of written files: earlier entries and `made` (path to text), without `forgotten`."""
    gone = {path.relative_to(folder).as_posix() for path in forgotten}
    entries = {name: digest for name, digest in known(folder).items() if _is_file(folder / name)}
    entries.update({name: _digest(text) for name, text in made.items()})
    kept = sorted((name, digest) for name, digest in entries.items() if name not in gone)
    return _HEAD + "".join(f"{digest}  {_write_name(name)}\n" for name, digest in kept)


def delete(stale_files: Iterable[Stale], folder: Path, real: str) -> list[Stale]:
    """Delete stale files and directories that become empty. `real` is the path of the directory without links.

    Return the files that changed meanwhile, which are kept. Raises OutputError.
    """
    kept: list[Stale] = []
    for each in stale_files:
        try:
            with lock_parent(each.path, folder, real) as directory:
                if _digest_of(each.path) != each.digest and directory.status(each.path.name):
                    kept.append(replace(each, changed=True))
                    continue
                directory.unlink(each.path.name)
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise OutputError(
                f"cannot delete stale file {each.path}: {problem.strerror or problem}",
                hint="check the directory permissions",
            ) from None
        for parent in each.path.parents:
            if parent == folder:
                break
            with suppress(OSError):
                delete_directory(parent, folder, real)
    return kept


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _digest_of(path: Path) -> str:
    try:
        return hashlib.sha256(read_small(path, limits.INPUT)).hexdigest()
    except OSError:
        return ""


def check_options(delivery: Delivery) -> None:
    """Raise UsageError if --prune has no output directory."""
    if delivery.mirror and delivery.mirror.prune and not (delivery.flags.output and is_directory_output(delivery)):
        raise UsageError(
            "--prune requires an output directory",
            hint="sidecarctl render -f k8s/ -o rendered/ --prune",
        )


@dataclass(frozen=True)
class Plan:
    """What a run does besides writing its results.

    stale   the files that earlier runs wrote and this one does not
    gone    those of them to delete
    record  the list of written files, to be written together with the results, so that all are written or none; still
            with the files to delete, so that those which cannot be deleted stay listed
    roots   the real path of the output directory, so that a link that takes its place later is not followed
    """

    stale: tuple[Stale, ...] = ()
    gone: tuple[Stale, ...] = ()
    record: tuple[Write, ...] = ()
    roots: Mapping[Path, str] = field(default_factory=dict)


def plan(delivery: Delivery, done: Sequence[Done], *, complete: bool = True) -> Plan:
    """Return what to list and to delete, before any file is written. Raises OutputError for a list that is not a file.

    A run that is not `complete` has errors: it deletes nothing, because a file may be missing only because of one.
    """
    if not (delivery.flags.output and is_directory_output(delivery)):
        return Plan()
    assert delivery.mirror
    folder = Path(delivery.flags.output)
    real = os.path.realpath(folder)
    inputs = {os.path.realpath(one.source.path) for one in done if one.source.path}
    results = [one for one in done if one.result and not one.result.failed]
    rendered = [(path.relative_to(folder).as_posix(), one) for path, one in zip(targets(delivery, results), results)]
    failed = [one.source.relative or "stdin.yaml" for one in done if one.result is None or one.result.failed]
    found = stale_files(folder, [*(name for name, _ in rendered), *map(str, failed)])
    stale = tuple(each for each in found if os.path.realpath(each.path) not in inputs)
    if delivery.flags.writes_nothing:
        return Plan(stale if complete else ())
    _check_record(folder)
    gone = tuple(each for each in stale if not each.changed) if delivery.mirror.prune and complete else ()
    earlier = known(folder)
    # A file that had this text already can be the work of a person; an input is the work of one.
    made = {name: one.result.text for name, one in rendered if one.result and (one.outdated or name in earlier)}
    listed = [folder / name for name in (*earlier, *made)]
    sources = [path for path in listed if _is_file(path) and os.path.realpath(path) in inputs]
    record = _record_of(folder, made, sources)
    # A list that cannot be replaced must be noticed before files are deleted.
    needed = bool(gone) or not (folder / FILE_NAME).exists() or earlier != _parse(record.text)
    return Plan(stale, gone, (record,) if needed else (), {folder: real})


def _check_record(folder: Path) -> None:
    """Raise OutputError if the list of written files would have to replace something else."""
    record = folder / FILE_NAME
    check_inside(record, folder)
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(record.lstat().st_mode):
            raise OutputError(
                f"{record} is not a regular file, so the list of written files cannot be stored; no files written",
                hint="delete it",
            )


def _record_of(folder: Path, made: Mapping[str, str], forgotten: Collection[Path]) -> Write:
    """Return the new list of written files, see `remembered`. What another run lists until it is written is kept."""

    def renew() -> str:
        return remembered(folder, made, forgotten)

    stamp = _stamp_of_record(folder)  # before the list is read
    return Write(folder / FILE_NAME, renew(), stamp, folder, renew)


def _stamp_of_record(folder: Path) -> Stamp:
    try:
        return stamp_of((folder / FILE_NAME).stat())
    except OSError:
        return NO_FILE


def finish(delivery: Delivery, done: Sequence[Done], plan: Plan) -> int:
    """Report outdated files, or delete and report stale files; return the exit code."""
    if delivery.flags.writes_nothing:
        return _report_outdated(delivery, done, plan.stale)
    if delivery.flags.output:
        _prune(delivery, plan, Path(delivery.flags.output))
    return EXIT_OK


def _report_outdated(delivery: Delivery, done: Sequence[Done], stale: Sequence[Stale]) -> int:
    done = [one for one in done if one.result and not one.result.failed]
    old = [one.source.name for one in done if one.outdated]
    assert delivery.mirror
    if not delivery.flags.check:
        gone = [each for each in stale if not each.changed] if delivery.mirror.prune else []
        _report_stale(delivery, gone, [each for each in stale if each not in gone], "to be deleted")
        return EXIT_OK
    leftover = [str(each.path) for each in stale if not each.changed] if delivery.mirror.prune else []
    if not delivery.flags.quiet:
        if delivery.flags.output:
            for one in done:
                if one.outdated:
                    console.report_line(f"{one.source.name}: {'missing' if one.missing else 'outdated'}")
        for name in leftover:
            console.report_line(f"{name}: stale, no longer rendered")
        number = len(old) + len(leftover)
        if number:
            console.report(f"{number} of {plural(len(done) + len(leftover), 'file')} outdated")
        elif done:
            console.report_line(_match(delivery, done))
    return EXIT_FINDINGS if leftover else EXIT_OK


def _match(delivery: Delivery, done: Sequence[Done]) -> str:
    """Return what was compared, and what was not: `render` keeps fields of sidecars that people edited."""
    assert delivery.mirror
    place = f" in {delivery.flags.output}" if delivery.flags.output else ""
    text = f"{plural(len(done), 'file')}{place} {'matches' if len(done) == 1 else 'match'} {delivery.mirror.label}"
    if delivery.mirror.keeps_edits and any(RECORD_ANNOTATION in one.read.text for one in done):
        text += "; edited fields of sidecars are not compared: `sidecarctl status --check` reports them"
    return text


def _prune(delivery: Delivery, plan: Plan, folder: Path) -> None:
    edited = {each.path: each for each in delete(plan.gone, folder, plan.roots.get(folder, ""))}
    gone = [each for each in plan.gone if each.path not in edited]
    _report_stale(delivery, gone, [edited.get(each.path, each) for each in plan.stale if each not in gone])
    if plan.gone:
        try:
            write_all([_record_of(folder, {}, ())], plan.roots)  # it leaves out files that do not exist
        except OutputError as error:
            reason = error.message.rpartition(";")[0] or error.message
            raise OutputError(f"{reason}; all other files were written or deleted", hint=error.hint) from None


def _report_stale(delivery: Delivery, gone: Sequence[Stale], kept: Sequence[Stale], verb: str = "deleted") -> None:
    for each in gone:
        if not delivery.flags.quiet:
            console.report_line(f"{each.path}: {verb}, no longer rendered")
    assert delivery.mirror
    reason = "kept because of the errors" if delivery.mirror.prune else "--prune deletes it"
    for each in kept:
        why = "edited since it was written, so it is kept" if each.changed else reason
        console.report_line(f"{each.path}: no longer rendered; {why}")
