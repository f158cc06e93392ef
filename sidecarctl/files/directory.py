"""Holds a directory while files in it are replaced: neither another run nor a swapped link can interfere.

An open directory remains the same one when its path changes. Without directory descriptors (Windows), paths are used.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sidecarctl.errors import SidecarctlError
from sidecarctl.lazy_dataclass import dataclass

_HAS_DESCRIPTORS = {os.open, os.stat, os.unlink, os.rename, os.mkdir, os.rmdir} <= os.supports_dir_fd
_LOCK_SECONDS = 30


class OutputError(SidecarctlError):
    """A file that cannot be written."""

    exit_code = 3


@dataclass(frozen=True)
class Directory:
    """An open directory; `descriptor` is None where it is only a path."""

    path: Path
    descriptor: int | None
    identity: tuple[int, int]

    def entry(self, name: str) -> Path | str:
        """Return the name of a file of the directory for functions that take `dir_fd`."""
        return self.path / name if self.descriptor is None else name

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of a file, None if it does not exist. A link is not followed."""
        try:
            return os.stat(self.entry(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def unlink(self, name: str) -> None:
        """Delete a file. Raises OSError."""
        os.unlink(self.entry(name), dir_fd=self.descriptor)

    def mkdir(self, name: str) -> None:
        """Create a directory in this one. Raises OSError."""
        os.mkdir(self.entry(name), dir_fd=self.descriptor)

    def rmdir(self, name: str) -> None:
        """Delete an empty directory in this one, but no link. Raises OSError."""
        os.rmdir(self.entry(name), dir_fd=self.descriptor)

    def replace(self, name: str, target: str) -> None:
        """Rename a file, in place of another one. Raises OSError."""
        os.replace(self.entry(name), self.entry(target), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def has_directory(self, name: str) -> bool:
        """Return True if an entry is a directory, and no link to one."""
        found = self.status(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    @contextmanager
    def open_child(self, name: str) -> Iterator[Directory]:
        """Open a directory of this one, but no link to one. Raises OSError."""
        if self.descriptor is None:
            yield Directory(self.path / name, None, (0, 0))
            return
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        descriptor = os.open(name, flags, dir_fd=self.descriptor)
        try:
            yield Directory(self.path / name, descriptor, (0, 0))
        finally:
            os.close(descriptor)

    def write_tree(self, name: str, contents: Mapping[str, bytes]) -> None:
        """Write files to a new directory of this one, by their paths with slashes. Raises OSError, ValueError for `..`."""
        self.mkdir(name)
        with self.open_child(name) as top:
            for path, data in contents.items():
                *folders, file = path.split("/")
                if not {"", ".", ".."}.isdisjoint((*folders, file)):
                    raise ValueError(f"not a path below a directory: {path}")
                with ExitStack() as opened:
                    folder = top
                    for step in folders:
                        with suppress(FileExistsError):
                            folder.mkdir(step)
                        folder = opened.enter_context(folder.open_child(step))
                    folder._write(file, data)

    def _write(self, name: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(self.entry(name), flags, 0o666, dir_fd=self.descriptor), "wb") as stream:
            stream.write(data)

    def delete(self, name: str) -> None:
        """Delete an entry with all that it contains. Links are deleted, not followed. Raises OSError."""
        if not self.has_directory(name):
            self.unlink(name)
            return
        if self.descriptor is None:
            import shutil

            shutil.rmtree(self.path / name)
            return
        for _, folders, files, descriptor in os.fwalk(name, topdown=False, dir_fd=self.descriptor):
            for each in files:
                os.unlink(each, dir_fd=descriptor)
            for each in folders:  # among them links to directories
                linked = stat.S_ISLNK(os.stat(each, dir_fd=descriptor, follow_symlinks=False).st_mode)
                (os.unlink if linked else os.rmdir)(each, dir_fd=descriptor)
        self.rmdir(name)

    def check(self, written: str) -> None:
        """Raise OutputError if the path leads elsewhere by now. `written` says in this error what was written before."""
        found = self.path.stat()
        if self.identity != (found.st_dev, found.st_ino) or os.path.realpath(self.path) != str(self.path):
            raise OutputError(f"{self.path} was replaced by a symbolic link; {written}", hint="run again")


@contextmanager
def open_directory(path: Path, written: str = "no files written") -> Iterator[Directory]:
    """Open a directory whose path contains no links. Raises OutputError if another program puts a link there.

    `written` says in this error what was written before.
    """
    descriptor = _open(path) if _HAS_DESCRIPTORS else None
    try:
        own = path.stat() if descriptor is None else os.fstat(descriptor)
        directory = Directory(path, descriptor, (own.st_dev, own.st_ino))
        if descriptor is not None:
            directory.check(written)
        yield directory
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a directory that can be written to, but not listed
        return None


def lock(directory: Directory) -> None:
    """Wait until no other run replaces files in a directory. Closing it unlocks it. Raises OutputError after 30 s.

    File systems without locks are not locked.
    """
    if directory.descriptor is None:
        return
    import fcntl

    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(directory.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise OutputError(
                    f"{directory.path} is locked by another process", hint="end that process, and run again"
                ) from None
            time.sleep(0.01)
        except OSError:
            return


def check_inside(path: Path, root: Path) -> None:
    """Raise OutputError if a symbolic link leads from a path below a directory out of that directory."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise leads_out(path, root)


def leads_out(path: Path, root: Path) -> OutputError:
    """Return the error for a path below a directory that leads out of it."""
    return OutputError(
        f"{path} leads out of {root} through a symbolic link; no files written",
        hint="delete the link, or write to another directory",
    )


@contextmanager
def lock_parent(path: Path, root: Path, real: str = "") -> Iterator[Directory]:
    """Open and lock the directory of a file below a directory. Raises OSError, or OutputError for a link on the way.

    real  where the directory was at first: a link that takes its place leads out of it
    """
    with _open_parent(path, root, real) as directory:
        lock(directory)
        yield directory


def delete_directory(path: Path, root: Path, real: str = "") -> None:
    """Delete an empty directory below a directory. Raises as `lock_parent`, and OSError for a link instead of it."""
    with _open_parent(path, root, real) as directory:
        directory.rmdir(path.name)


@contextmanager
def _open_parent(path: Path, root: Path, real: str) -> Iterator[Directory]:
    parent = Path(os.path.realpath(path.parent))
    if not parent.is_relative_to(real or os.path.realpath(root)):
        raise leads_out(path, root)
    with open_directory(parent) as directory:
        yield directory
