"""`sidecarctl library`: the only command that may reach a network, through Git, and only to add or update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, InputError, UsageError, did_you_mean
from sidecarctl.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from sidecarctl.vendoring.lock import LockedLibrary, LockFile

_USAGE = {
    "add": "sidecarctl library add NAME URL[@REF]",
    "update": "sidecarctl library update [NAME[@REF]...]",
    "remove": "sidecarctl library remove NAME",
    "list": "sidecarctl library list",
    "verify": "sidecarctl library verify",
}


@dataclass(frozen=True)
class _Flags:
    path: str | None
    check: bool
    force: bool
    as_json: bool
    quiet: bool


def library(
    words: Annotated[
        list[str],
        o.Argument(
            "ACTION [NAME] [URL]",
            "add NAME URL[@REF], update [NAME[@REF]...], remove NAME, list, or verify. The URL is that of a Git repository, "
            "or the path of a repository or an OCI archive.",
            complete="library_actions",
        ),
    ],
    path: Annotated[
        str | None,
        o.Option(
            ("--path",),
            "With add: directory of the library within the repository. Default: its root.",
            "DIR",
            panel=o.INPUT,
        ),
    ] = None,
    force: Annotated[
        bool,
        o.Option(
            ("--force",),
            "With update: overwrite files of the library that were changed. With remove: delete a library that was changed or "
            "is in use.",
            panel=o.OUTPUT,
        ),
    ] = False,
    check: Annotated[
        bool,
        o.Option(
            ("--check",),
            "With add, update, and remove: write nothing; exit with status 1 if a file would change.",
            panel=o.OUTPUT,
        ),
    ] = False,
    format: o.Data = "text",
    quiet: o.Quiet = False,
) -> int:
    """Copy libraries of other repositories into this one, and pin them in sidecarctl.lock."""
    from sidecarctl.files.signals import end_on_signals

    action, *names = words
    if action not in ACTIONS:
        raise UsageError(
            f'unknown action "{action}"',
            hint=did_you_mean(action, ACTIONS) or f"use {', '.join(ACTIONS)}: see `sidecarctl help library`",
        )
    flags = _Flags(path, check, force, format == "json", quiet)
    _check_flags(action, flags)
    with end_on_signals():
        return ACTIONS[action](names, flags)


def _check_flags(action: str, flags: _Flags) -> None:
    """Raise UsageError for an option that the action does not have."""
    given = {
        "--path": (flags.path is not None, ("add",)),
        "--check": (flags.check, ("add", "update", "remove")),
        "--force": (flags.force, ("update", "remove")),
        "--format json": (flags.as_json, ("list", "verify")),
    }
    for flag, (is_given, actions) in given.items():
        if is_given and action not in actions:
            raise UsageError(f"library {action} does not have {flag}", hint=f"usage: {_USAGE[action]}")


def _add(words: Sequence[str], flags: _Flags) -> int:
    from sidecarctl.cli import library_report
    from sidecarctl.vendoring.get import get_library
    from sidecarctl.vendoring.install import install
    from sidecarctl.vendoring.lock import LIBRARIES, check_name

    if len(words) != 2:
        raise UsageError("expected a name and a URL", hint=f"usage: {_USAGE['add']}")
    name, url = words
    check_name(name)
    lock = open_lock()
    home, locked = lock.home, lock.libraries
    if name in locked:
        raise UsageError(
            f"library {name} exists already",
            hint=f"run `sidecarctl library update {name}`, or `library update {name}@REF` for another branch or tag",
        )
    directory = home / LIBRARIES / name
    if directory.exists():
        raise UsageError(f"{directory} exists already", hint="choose another name, or delete the directory")
    found = get_library(name, url, flags.path or "", home)
    report = library_report.describe_addition(found, None, home, dry_run=flags.check)
    if not flags.check:
        install([found], lock)
    library_report.print_report(report, quiet=flags.quiet)
    return EXIT_FINDINGS if flags.check else EXIT_OK


def _update(words: Sequence[str], flags: _Flags) -> int:
    from sidecarctl.cli import library_report
    from sidecarctl.vendoring.install import install
    from sidecarctl.vendoring.verify import changed_error, find_differences

    lock = open_lock()
    home, locked = lock.home, lock.libraries
    if not locked:
        raise _nothing("update")
    wanted = _choose(words, locked)
    for name in wanted:
        changed = [] if flags.force else find_differences(locked[name], home)
        if changed and locked[name].directory(home).exists():
            raise changed_error(name, changed, "overwrite")
    updates = [library_report.get_update(locked[name], ref, home) for name, ref in wanted.items()]
    different = [one for one in updates if one.changed]
    reports = [library_report.describe_update(one, home, dry_run=flags.check) for one in updates]
    if different and not flags.check:
        install([one.found for one in different], lock, force=flags.force)
    for report in reports:
        library_report.print_report(report, quiet=flags.quiet)
    if any(one.upgrades for one in different):
        library_report.print_next(quiet=flags.quiet or flags.check)
    return EXIT_FINDINGS if flags.check and different else EXIT_OK


def _remove(words: Sequence[str], flags: _Flags) -> int:
    from sidecarctl.cli import library_report
    from sidecarctl.cli.library_uses import find_uses
    from sidecarctl.vendoring.uninstall import check_removable, uninstall
    from sidecarctl.vendoring.verify import changed_error, find_differences, shorten

    if len(words) != 1:
        raise UsageError("expected the name of one library", hint=f"usage: {_USAGE['remove']}")
    lock = open_lock()
    home, locked = lock.home, lock.libraries
    if not locked:
        raise _nothing("remove")
    (name,) = _choose(words, locked)
    library = locked[name]
    check_removable(library, home)
    directory = library.directory(home)
    exists = directory.is_dir()
    uses = find_uses(directory, home)
    if exists and not flags.force:
        changed = find_differences(library, home)
        if changed:
            raise changed_error(name, changed, "delete")
        foreign = [f"{path} belongs to another user (uid {owner}) and lists it" for path, owner in uses.entries.foreign]
        if uses.rules or uses.objects or foreign:
            raise UsageError(
                f"library {name} is in use: {shorten([*foreign, *uses.rules, *uses.objects])}",
                hint="delete these uses, and run `sidecarctl remove` on the manifests; --force removes the library anyway",
            )
        if uses.errors:
            texts = (f"{one.where}: {one.message}" if one.where else one.message for one in uses.errors)
            lines = list(dict.fromkeys(texts))
            raise InputError(
                f"uses of library {name} are unknown: {shorten(lines)}",
                hint="fix these files; --force removes the library anyway",
            )
    report = library_report.describe_removal(library, home, uses.entries, dry_run=flags.check)
    if not flags.check:
        uninstall(library, lock, uses.entries.files, force=flags.force)
    library_report.print_report(report, quiet=flags.quiet)
    return EXIT_FINDINGS if flags.check else EXIT_OK


def _choose(words: Sequence[str], locked: Mapping[str, LockedLibrary]) -> dict[str, str | None]:
    """Return the libraries to update, each with its new ref, None to keep it. Raise UsageError for an unknown name."""
    from sidecarctl.vendoring.source import check_ref

    chosen: dict[str, str | None] = {}
    for word in words or locked:
        name, at, ref = word.partition("@")
        if name not in locked:
            known = f"libraries in the lock file: {', '.join(locked)}"
            raise UsageError(f'unknown library "{name}"', hint=did_you_mean(name, locked) or known)
        if at and not ref:
            raise UsageError(f'no branch, tag, or commit after the @ in "{word}"', hint=_USAGE["update"])
        chosen[name] = check_ref(ref) if at else None
    return chosen


def _list(words: Sequence[str], flags: _Flags) -> int:
    from sidecarctl.cli import console, library_report

    _check_no_words("list", words)
    lock = open_lock(only_reads=True)
    home, locked = lock.home, lock.libraries
    console.write_text(
        library_report.libraries_data(locked, home) if flags.as_json else library_report.render_libraries(locked, home)
    )
    return EXIT_OK


def _verify(words: Sequence[str], flags: _Flags) -> int:
    from sidecarctl.cli import console, library_report
    from sidecarctl.vendoring.verify import find_differences, find_unlocked

    _check_no_words("verify", words)
    lock = open_lock(only_reads=True)
    home, locked = lock.home, lock.libraries
    if not locked:
        raise _nothing("verify")
    differences = {name: find_differences(one, home) for name, one in locked.items()}
    unlocked = find_unlocked(home, locked)
    if flags.as_json:
        console.write_text(library_report.differences_data(differences, unlocked))
    else:
        library_report.print_differences(differences, unlocked, quiet=flags.quiet)
    return EXIT_FINDINGS if unlocked or any(differences.values()) else EXIT_OK


def _check_no_words(action: str, words: Sequence[str]) -> None:
    if words:
        raise UsageError(f"unexpected argument: {words[0]}", hint=f"usage: {_USAGE[action]}")


def _nothing(action: str) -> UsageError:
    return UsageError(
        f"no libraries to {action}: no sidecarctl.lock with libraries in this directory or above",
        hint=f"add one first: {_USAGE['add']}",
    )


def open_lock(*, only_reads: bool = False) -> LockFile:
    """Return the lock file of this directory.

    It is next to the nearest sidecarctl.lock, else next to the nearest sidecarctl.yaml, else in the root of the repository.
    Raises UsageError if a file of another user is there; if the action `only_reads` it, that is a warning. One in a nearer
    directory is not used, with a warning.
    """
    import os

    from sidecarctl.catalog.catalog import LOCK_FILE
    from sidecarctl.cli import console
    from sidecarctl.composition.find import find_composition_file, find_file, foreign_owner
    from sidecarctl.files.patterns import repository_root
    from sidecarctl.vendoring.lock import read_lock

    foreign: dict[Path, int] = {}
    lock = find_file(Path(), LOCK_FILE, foreign.__setitem__)
    beside = lock or find_composition_file(Path(), console.report_foreign)
    home = beside.parent if beside else Path(os.path.relpath(repository_root(Path().resolve())))
    file = home / LOCK_FILE
    for path, uid in foreign.items():
        if path.parent.resolve() != home.resolve():
            console.report_foreign(path, uid)
    owner = foreign_owner(file) if lock is None and file.exists() else None
    if owner is not None:
        error = UsageError(
            f"{file} belongs to another user (uid {owner})",
            hint=f"run sidecarctl as that user (in a container, with `--user {owner}`), or change the owner",
        )
        if not only_reads:
            raise error
        console.report_line(f"warning: {error.message}")
    return read_lock(file)


ACTIONS: dict[str, Callable[[Sequence[str], _Flags], int]] = {
    "add": _add,
    "update": _update,
    "remove": _remove,
    "list": _list,
    "verify": _verify,
}
