"""What `sidecarctl library` reports: added and updated libraries, the list, and differences from the lock file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sidecarctl.catalog.catalog import LOCK_FILE
from sidecarctl.cli import console
from sidecarctl.cli.library_compositions import Entries
from sidecarctl.files.directory import open_directory
from sidecarctl.files.signals import temporary_directory
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.report.json_text import to_json
from sidecarctl.report.terminal import paint, visible, wrap
from sidecarctl.results import plural
from sidecarctl.vendoring import git
from sidecarctl.vendoring.changes import SidecarUpdate, compare_libraries
from sidecarctl.vendoring.get import Library, get_again, source_of
from sidecarctl.vendoring.install import write_files
from sidecarctl.vendoring.lock import LIBRARIES, LockedLibrary


@dataclass(frozen=True)
class Update:
    """A locked library, its current state at the source, and what differs."""

    locked: LockedLibrary
    found: Library
    sidecars: tuple[SidecarUpdate, ...]
    warnings: tuple[str, ...]
    restored: bool = False

    @property
    def changed(self) -> bool:
        """Whether a file changes: of the library, or the lock file."""
        return self.restored or self.found.locked != self.locked

    @property
    def upgrades(self) -> bool:
        """Whether manifests may have an older version of a sidecar now."""
        return any(one.old and one.new for one in self.sidecars)


def get_update(locked: LockedLibrary, ref: str | None, home: Path) -> Update:
    """Return the current state of a library at its source, with another ref if one is given."""
    from sidecarctl.vendoring.verify import find_differences

    wanted = locked if ref is None else replace(locked, ref=ref)
    found = get_again(wanted, home)
    restored = bool(find_differences(locked, home))
    sidecars = tuple(_compare(found, locked.directory(home)))
    return Update(locked, found, sidecars, tuple(_warnings(locked, found, ref, home)), restored)


def _compare(found: Library, old: Path | None) -> list[SidecarUpdate]:
    with temporary_directory() as parent:
        with open_directory(parent) as opened:
            write_files(found, opened, found.locked.name)
        return compare_libraries(old, parent / found.locked.name)


def _warnings(locked: LockedLibrary, found: Library, ref: str | None, home: Path) -> list[str]:
    """Return a warning if a ref that should only grow, or never change, was rewritten at the source, or may have been."""
    before, after = locked.commit, found.locked.commit
    if bool(before) != bool(after):
        was, now = _source_kind(locked), _source_kind(found.locked)
        return [
            f"the source was {was} and is now {now}, which cannot be compared with {_revision(locked)}: review all files"
        ]
    if not before or ref not in (None, locked.ref):
        return []
    if locked.kind and found.locked.kind and locked.kind != found.locked.kind:
        was, now = f"a {locked.kind} at commit {before[:12]}", f"a {found.locked.kind} at commit {after[:12]}"
        return [f"{locked.ref} was {was} and is now {now}: review the change"]
    if before == after:
        return []
    if found.kind == "tag":
        return [f"the tag {locked.ref} moved from commit {before[:12]} to {after[:12]}: review the change"]
    if found.kind in ("branch", ""):
        rewritten = git.is_rewritten(source_of(locked, home), before, after, found.deadline)
        name = f"the branch {locked.ref}" if locked.ref else "the default branch"
        if rewritten:
            return [f"{name} was rewritten and no longer contains commit {before[:12]}: review the change"]
        if rewritten is None:
            return [f"cannot determine whether {name} still contains commit {before[:12]}"]
    return []


def _source_kind(locked: LockedLibrary) -> str:
    return "a Git repository" if locked.commit else "an OCI archive"


def describe_addition(found: Library, old: Path | None, home: Path, *, dry_run: bool) -> list[str]:
    """Return the report of an added library, with the next commands."""
    color, width = console.color(), console.width()
    locked, sidecars = found.locked, _compare(found, old)
    word = "would add" if dry_run else "added"
    head = f" library {locked.name} to {locked.directory(home).as_posix()}: {plural(len(sidecars), 'sidecar')}, {_revision(locked)}"
    lines = [paint(word, "added", color) + line[len(word) :] for line in wrap(word + visible(head), 0)]
    lines += _sidecar_lines(sidecars, color, width, additions=True)
    usable = [one.name for one in sidecars if not one.error]
    if dry_run or not usable:
        return lines
    lock = home / LOCK_FILE
    return [
        *lines,
        "next:",
        f"  sidecarctl show {usable[0]}",
        f"  git add {locked.directory(home).as_posix()} {lock.as_posix()}",
        "  sidecarctl library verify    # in CI",
    ]


def describe_update(update: Update, home: Path, *, dry_run: bool) -> list[str]:
    """Return the report of an updated library."""
    color, width = console.color(), console.width()
    locked, new = update.locked, update.found.locked
    lines = [
        f"{paint('warning:', 'warning', color)} library {locked.name}: {visible(text)}" for text in update.warnings
    ]
    if not update.changed:
        return [*lines, f"library {locked.name} is up to date: {visible(_revision(locked))}"]
    word = "would update" if dry_run else "updated"
    what = _revision(new) if _revision(new) == _revision(locked) else f"{_revision(locked)} -> {_revision(new)}"
    head = f"{paint(word, 'changed', color)} library {locked.name}: {visible(what)}"
    if not update.sidecars:
        head += ", no sidecar changed"
    if update.restored:
        head += ", changed files overwritten" if not dry_run else ", changed files would be overwritten"
    return [*lines, head, *_sidecar_lines(update.sidecars, color, width)]


def describe_removal(library: LockedLibrary, home: Path, entries: Entries, *, dry_run: bool) -> list[str]:
    """Return the report of a removed library: what was deleted, and the compositions that list it: no longer, or still."""
    word = "would remove" if dry_run else "removed"
    directory = library.directory(home)
    exists = directory.is_dir()
    places = [
        *([directory.as_posix()] if exists else []),
        f"its entry in {LOCK_FILE}",
        *(f"its entry in {file.path}" for file in entries.files),
    ]
    color = console.color()
    warnings = [
        f"{path} is not changed: it belongs to another user (uid {owner}), and lists the library"
        for path, owner in entries.foreign
    ]
    if not exists:
        warnings.append(f"{directory.as_posix()} does not exist, so rules and manifests with its sidecars are unknown")
    return [
        *(f"{paint('warning:', 'warning', color)} {visible(warning)}" for warning in warnings),
        f"{paint(word, 'removed', color)} library {library.name}: {visible(', '.join(places))}",
    ]


def _revision(locked: LockedLibrary) -> str:
    ref = f"{locked.ref}, " if locked.ref and not locked.commit.startswith(locked.ref) else ""
    return f"{ref}commit {locked.revision}" if locked.commit else f"manifest {locked.revision}"


def _sidecar_lines(sidecars: Sequence[SidecarUpdate], color: bool, width: int, *, additions: bool = False) -> list[str]:
    lines: list[str] = []
    for one in sidecars:
        lines.append("  " + paint(visible(one.name), "bold", color) + f" {visible(_versions(one, additions))}")
        if one.error:
            lines += wrap(visible(one.error), width, "    error: ", "      ")
        if one.rewritten and not one.error:
            lines.append("    warning: its files changed, and its version did not")
        if one.missing:
            lines += wrap(
                f"the library no longer has version {visible(one.missing)}, so an upgrade cannot tell edits from changes of "
                "the sidecar",
                width,
                "    note: ",
                "      ",
            )
        for version, text in one.changelog:
            lines.append(f"    changes in {visible(version)}:")
            lines += [
                each for line in text.splitlines() if line for each in wrap(visible(line), width, "      ", "        ")
            ]
    return lines


def _versions(one: SidecarUpdate, additions: bool) -> str:
    if additions:
        return one.new
    if not one.old:
        return f"{one.new} (new)"
    if not one.new:
        return f"{one.old} (removed)"
    return one.old if one.rewritten else f"{one.old} -> {one.new}"


def print_report(lines: Sequence[str], *, quiet: bool) -> None:
    """Write a report to stderr; with `quiet`, only its warnings and errors."""
    shown = [line for line in lines if "warning:" in line or "error:" in line] if quiet else lines
    for line in shown:
        console.report(line)


def print_next(*, quiet: bool) -> None:
    """Write what to do after sidecars got new versions."""
    if not quiet:
        console.report("next: preview the upgrade of your manifests with `sidecarctl upgrade --diff PATH`")


def render_libraries(locked: Mapping[str, LockedLibrary], home: Path) -> str:
    """Return the list of vendored libraries."""
    if not locked:
        return "no vendored libraries\n"
    size = max(map(len, locked))
    lines = []
    for name, one in locked.items():
        sidecars = plural(len(compare_libraries(None, one.directory(home))), "sidecar")
        below = f" {one.path}" if one.path else ""
        lines.append(f"{name:<{size}}  {visible(one.source + below)}  {visible(_revision(one))}  {sidecars}")
    return "".join(f"{line}\n" for line in lines)


def libraries_data(locked: Mapping[str, LockedLibrary], home: Path) -> str:
    """Return the list of vendored libraries as JSON."""
    rows = [
        {
            "name": one.name,
            "source": one.source,
            "ref": one.ref,
            "path": one.path,
            "commit": one.commit,
            "manifest": one.manifest,
            "digest": one.digest,
            "directory": one.directory(home).as_posix(),
            "sidecars": [
                {"name": each.name, "version": each.new} for each in compare_libraries(None, one.directory(home))
            ],
        }
        for one in locked.values()
    ]
    return to_json({"libraries": rows})


def differences_data(differences: Mapping[str, Sequence[str]], unlocked: Sequence[str]) -> str:
    """Return the result of `library verify` as JSON."""
    rows = [{"name": name, "differences": list(found)} for name, found in differences.items()]
    return to_json({"libraries": rows, "notInLockFile": list(unlocked)})


def print_differences(differences: Mapping[str, Sequence[str]], unlocked: Sequence[str], *, quiet: bool) -> None:
    """Write the differences to stderr, a line for each file, and a summary."""
    color = console.color()
    for line in (*(each for found in differences.values() for each in found), *unlocked):
        console.report(f"{paint('error:', 'error', color)} {visible(line)}")
    different = [name for name, found in differences.items() if found]
    if different:
        several = f"{len(different)} of {len(differences)} libraries differ"
        head = several if len(different) > 1 else f"library {different[0]} differs"
        console.report(
            f"{head} from {LOCK_FILE}: restore the files from Git, or run `sidecarctl library update --force "
            f"{' '.join(different)}`"
        )
    elif unlocked:
        console.report(f"delete {os.path.join(LIBRARIES, '')} directories that are not in use, or add them again")  # noqa: PTH118
    elif not quiet:
        console.report(f"verified {plural(len(differences), 'library', 'libraries')}: all files match {LOCK_FILE}")
