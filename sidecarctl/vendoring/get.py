"""Gets a library from its source: the files to copy, and the lock entry that pins them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sidecarctl.errors import UsageError
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.report.terminal import visible
from sidecarctl.vendoring import git, oci
from sidecarctl.vendoring.library_files import choose_files, digest_of, format_sums, parse_tree
from sidecarctl.vendoring.lock import LockedLibrary
from sidecarctl.vendoring.source import Source, check_path, check_ref, parse_source


@dataclass(frozen=True)
class Library:
    """A library that was read from its source: its lock entry, and its files by path.

    kind      what the ref was: "branch", "tag", "commit", or "" for the default branch or an OCI archive
    deadline  when the time of Git for this library ends, 0 for an OCI archive
    """

    locked: LockedLibrary
    contents: Mapping[str, bytes]
    kind: str = ""
    deadline: float = 0.0

    @property
    def sums(self) -> str:
        """The text of its SHA256SUMS."""
        return format_sums(self.contents)


def get_library(name: str, text: str, path: str, home: Path) -> Library:
    """Return the library that `URL[@REF]` names. Paths become relative to `home`, the directory of the lock file."""
    source = parse_source(text)
    if not source.local:
        return _read(LockedLibrary(name, source.url, "", source.ref, check_path(path)), source)
    where = Path(os.path.expanduser(source.url))  # noqa: PTH111  an unknown ~user stays as it is
    if not where.exists():
        raise UsageError(
            f"no repository or archive at {source.url}", hint="check the path, or use a URL such as https://host/path"
        )
    absolute = replace(source, url=str(where.resolve()))
    locked = LockedLibrary(name, _relative(absolute.url, home), "", source.ref, check_path(path))
    _check_recorded(locked, absolute, home)
    return _read(locked, absolute)


def _check_recorded(locked: LockedLibrary, source: Source, home: Path) -> None:
    """Raise UsageError for a path that cannot be read from the lock file again; links can lead to one."""
    try:
        again = source_of(locked, home)
    except UsageError as problem:
        raise UsageError(problem.message, hint=f"rename {visible(source.url)}, or move it") from None
    if again != source:
        raise UsageError(
            f'invalid library source "{visible(locked.source)}"', hint=f"rename {visible(source.url)}, or move it"
        )


def get_again(locked: LockedLibrary, home: Path) -> Library:
    """Return the current state of a library from the source of its lock entry."""
    source = source_of(locked, home)
    if source.local and not Path(source.url).exists():
        raise UsageError(
            f"no repository or archive at {source.url}, the source of library {locked.name}",
            hint="correct its `source` in sidecarctl.lock",
        )
    check_path(locked.path)
    return _read(locked, source)


def source_of(locked: LockedLibrary, home: Path) -> Source:
    """Return the source of a lock entry, a path as an absolute one. Nothing in the entry is trusted: raise UsageError."""
    source = parse_source(locked.source, home)
    if source.ref:  # part of a path that is gone now
        source = Source(f"{source.url}@{source.ref}", local=source.local)
    url = str((home / source.url).resolve()) if source.local else source.url
    return Source(url, check_ref(locked.ref), source.local)


def _relative(path: str, home: Path) -> str:
    """Return a path as the lock file has it, in a form that is not taken for a URL or an option when the path is gone."""
    try:
        relative = Path(os.path.relpath(path, home.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path
    return f"./{relative}" if ":" in relative.partition("/")[0] or relative.startswith("-") else relative


def _read(locked: LockedLibrary, source: Source) -> Library:
    if source.local and oci.is_archive(Path(source.url)):
        if source.ref:
            raise UsageError(f'an OCI archive has no ref "{source.ref}"', hint="remove the @ and what follows it")
        manifest, contents = oci.read_archive(Path(source.url), locked.path)
        found = replace(locked, manifest=manifest, commit="", kind="", digest=digest_of(format_sums(contents)))
        return Library(found, contents)
    with git.fetch(source) as fetched:
        files = choose_files(parse_tree(git.list_tree(fetched, source, locked.path), source.url), source.url)
        blobs = git.read_blobs(fetched, source, [file.handle for file in files], sum(file.size for file in files))
        contents = {file.path: data for file, data in zip(files, blobs)}
        kind = fetched.kind if fetched.kind in ("branch", "tag") else ""
        digest = digest_of(format_sums(contents))
        found = replace(locked, commit=fetched.commit, manifest="", kind=kind, digest=digest)
        return Library(found, contents, fetched.kind, fetched.deadline)
