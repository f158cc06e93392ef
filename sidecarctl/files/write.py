"""Replaces files atomically: each file has the old or the new text at any moment, and all are replaced or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType

from sidecarctl import watchdog
from sidecarctl.files.directory import Directory, OutputError, leads_out, lock, open_directory
from sidecarctl.files.sources import Stamp, stamp_of
from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Write:
    """A text for a file.

    stamp  the stamp of the file when it was read, None to replace it in any state
    root   the directory of outputs that a link must not lead out of, None for a file that the user names
    renew  returns the text for the file as it is now, for one that several runs share: a change is not an error then
    """

    path: Path
    text: str
    stamp: Stamp | None = None
    root: Path | None = None
    renew: Callable[[], str] | None = None


@dataclass(frozen=True)
class _Staged:
    """A new text in a temporary file next to its target.

    stamp      the stamp that the target must still have
    directory  the identity that their directory must still have
    renew      returns the text again if the target has another stamp
    """

    beside: Path
    target: Path
    stamp: Stamp | None
    directory: tuple[int, int]
    renew: Callable[[], str] | None = None

    def is_same(self, status: os.stat_result | None) -> bool:
        """Return True if the target did not change since it was read."""
        return self.stamp is None or stamp_of(status) == self.stamp


def is_directory(path: str) -> bool:
    """Return whether an output path is a directory: it exists as one, or ends in a separator of this system."""
    return bool(path) and (path.endswith(tuple(filter(None, (os.sep, os.altsep)))) or Path(path).is_dir())


def write_all(writes: Iterable[Write], roots: Mapping[Path, str] = MappingProxyType({})) -> tuple[str, ...]:
    """Write every file, or none if one of them cannot be written. Raises OutputError.

    `roots` maps output directories to their real paths, for a run that read them before. The real path of another one is
    found when its first file is written.

    Modes, owners, and extended attributes are kept; what cannot be kept is returned, a sentence for each. The target of a
    symbolic link is replaced. Of a file with several hard links, only the given name gets the new text. A device or pipe
    (/dev/stdout) is written to directly.
    """
    from sidecarctl.files.signals import end_on_signals

    watchdog.stop()
    try:
        with end_on_signals():
            return _write_all(writes, dict(roots))
    finally:
        watchdog.begin()


def _write_all(writes: Iterable[Write], roots: dict[Path, str]) -> tuple[str, ...]:
    from sidecarctl.files.signals import defer_signals

    staged: dict[Path, _Staged] = {}
    lost: list[str] = []
    made: list[Path] = []
    try:
        for write in writes:
            target = Path(os.path.realpath(write.path))
            if target in staged:  # two links to one file
                continue
            try:
                # Where the directory was at first: a link that takes its place leads out of it.
                if write.root is not None and not target.is_relative_to(
                    roots.setdefault(write.root, os.path.realpath(write.root))
                ):
                    raise leads_out(write.path, write.root)
                if _is_replaceable(write):
                    _make_parents(target, made)
                    lost += _stage(write, target, staged)
                else:
                    _write_through(write)
            except OSError as problem:
                raise OutputError(
                    f"cannot write {write.path}: {problem.strerror or problem}; no files written",
                    hint="check the permissions and the free disk space",
                ) from None
        for one in staged.values():
            with open_directory(one.target.parent) as directory:
                _check_unchanged(one, directory, "no files written")
        _replace_all(staged)
        made.clear()  # they have files
    finally:
        with defer_signals():  # also the first one must not leave temporary files
            _clean_up(staged.values(), made)
    return tuple(lost)


def _clean_up(staged: Iterable[_Staged], made: Sequence[Path]) -> None:
    """Delete temporary files, and the directories that were made for them."""
    for one in staged:
        _discard(one)
    for path in reversed(made):
        # It can have files, and its path can lead elsewhere by now.
        with suppress(OSError, OutputError), open_directory(path.parent) as directory:
            directory.rmdir(path.name)


def _write_through(write: Write) -> None:
    """Write to a device or pipe. Raises OSError, OutputError if a regular file takes its place."""
    with open(os.open(write.path, os.O_WRONLY | getattr(os, "O_BINARY", 0)), "wb") as stream:
        if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OutputError(f"{write.path} was replaced by a file; no files written", hint="run again")
        stream.write(write.text.encode("utf-8"))


def _make_parents(target: Path, made: list[Path]) -> None:
    """Create the directories above a file, and append them, from the top to the bottom.

    Raises OSError, or OutputError if another program puts a link on the way.
    """
    missing = list(takewhile(lambda directory: not directory.exists(), target.parents))
    for path in reversed(missing):
        with open_directory(path.parent) as directory:
            made.append(path)
            try:
                directory.mkdir(path.name)
            except FileExistsError:  # of another run
                made.pop()


def _discard(one: _Staged) -> None:
    """Delete a temporary file, unless its path leads elsewhere by now."""
    with suppress(OSError, OutputError), open_directory(one.target.parent) as directory:
        if directory.identity == one.directory:
            directory.unlink(one.beside.name)


def _replace_all(staged: dict[Path, _Staged]) -> None:
    """Replace every target by its temporary file."""
    for done, (target, one) in enumerate(list(staged.items())):
        written = f"{done} of {done + len(staged)} files written"
        try:
            with open_directory(target.parent, written) as directory:
                lock(directory)
                _check_unchanged(one, directory, written)
                if one.renew is not None and not one.is_same(directory.status(target.name)):
                    _renew(one.renew(), one, directory)
                directory.replace(one.beside.name, target.name)
        except OSError as problem:
            raise OutputError(
                f"cannot replace {target}: {problem.strerror or problem}; {written}", hint="run again"
            ) from None
        del staged[target]


def _check_unchanged(one: _Staged, directory: Directory, written: str) -> None:
    """Raise OutputError if a file changed since it was read, or its directory since the temporary file was written."""
    same = one.renew is not None or one.is_same(directory.status(one.target.name))
    if not same or directory.identity != one.directory:
        raise OutputError(
            f"{one.target} changed since it was read; {written}",
            hint="run again",
        )


def _renew(text: str, one: _Staged, directory: Directory) -> None:
    """Write another text to a temporary file. Raises OSError."""
    flags = os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(directory.entry(one.beside.name), flags, dir_fd=directory.descriptor), "wb") as stream:
        stream.write(text.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())


def _is_replaceable(write: Write) -> bool:
    """Return False for a device or pipe, which cannot be replaced. Raises OutputError if it was read, or is an output of many."""
    try:
        mode = write.path.stat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISREG(mode):
        return True
    if stat.S_ISDIR(mode):
        raise OutputError(f"{write.path} is a directory; no files written", hint="delete it, or choose another output")
    if write.stamp is not None or write.root is not None:
        raise OutputError(
            f"{write.path} is not a regular file and cannot be replaced; no files written", hint="use -o FILE"
        )
    return False


def _stage(write: Write, target: Path, staged: dict[Path, _Staged]) -> Iterator[str]:
    """Write the new text to a temporary file next to its target. Yields what of the old file could not be kept."""
    with open_directory(target.parent) as directory:
        yield from _stage_in(directory, write, target, staged)


def _stage_in(directory: Directory, write: Write, target: Path, staged: dict[Path, _Staged]) -> Iterator[str]:
    status = directory.status(target.name)
    if write.stamp is not None and write.renew is None and stamp_of(status) != write.stamp:
        raise OutputError(f"{write.path} changed since it was read; no files written", hint="run again")
    if status is not None and not os.access(target, os.W_OK):
        raise OutputError(f"{write.path} is read-only; no files written", hint="make it writable")
    beside = target.with_name(f".{target.name[:50]}.{os.urandom(6).hex()}.sidecarctl")
    # Register the file before it exists, so that an interrupt at any moment leaves none behind.
    staged[target] = _Staged(beside, target, write.stamp, directory.identity, write.renew)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    # For a new file, the umask and the default access control list of the directory decide.
    mode = 0o666 if status is None else 0o600
    handle = os.open(directory.entry(beside.name), flags, mode, dir_fd=directory.descriptor)
    with os.fdopen(handle, "wb") as stream:
        stream.write(write.text.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
        if status is not None:
            yield from _copy_owner(write.path, status, handle)
            yield from _copy_attributes(write.path, target, handle)
            # Of the open file: its path can lead elsewhere by now.
            os.chmod(handle if os.chmod in os.supports_fd else beside, stat.S_IMODE(status.st_mode))  # noqa: PTH101


def _copy_owner(named: Path, status: os.stat_result, handle: int) -> Iterator[str]:
    """Give the new file the owner and group of the old one, or yield that it cannot have them."""
    if not hasattr(os, "chown"):
        return
    try:
        os.chown(handle, status.st_uid, status.st_gid)
    except OSError:
        new = os.fstat(handle)
        if (new.st_uid, new.st_gid) != (status.st_uid, status.st_gid):
            yield (
                f"{named} belongs to user {new.st_uid} and group {new.st_gid} now: only root can give a new file "
                f"to user {status.st_uid} and group {status.st_gid}"
            )


# Extended attributes that the system sets itself, or that describe the content that is replaced.
_OWN_ATTRIBUTES = ("security.selinux", "security.ima", "security.evm", "system.nfs4_acl")


def _copy_attributes(named: Path, target: Path, handle: int) -> Iterator[str]:
    """Copy extended attributes, such as access control lists, or yield which the new file cannot have, or has now.

    A new file has some of its directory: a default access control list can let others read it.
    """
    if not hasattr(os, "listxattr"):
        return
    try:
        names, inherited = os.listxattr(target), os.listxattr(handle)
    except OSError:
        return  # the file system has none
    for name in inherited:
        try:
            if name not in names and name not in _OWN_ATTRIBUTES:
                os.removexattr(handle, name)
        except OSError as problem:
            yield f"{named} has the extended attribute {name} of its directory now: {problem.strerror or problem}"
    for name in names:
        try:
            if name not in _OWN_ATTRIBUTES:
                os.setxattr(handle, name, os.getxattr(target, name))
        except OSError as problem:
            yield f"{named} has lost its extended attribute {name}: {problem.strerror or problem}"
