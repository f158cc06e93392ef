"""Writing files so that each is the old one or the new one at any moment: beside, then in its place. All or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sidecarctl.errors import SidecarctlError
from sidecarctl.files.sources import Stamp, stamp_of
from sidecarctl.lazy_dataclass import dataclass


class OutputError(SidecarctlError):
    """A file that can't be written."""

    exit_code = 3


@dataclass(frozen=True)
class Write:
    """A text for a file. `stamp` is the file's stamp when it was read, None where it need not exist."""

    path: Path
    text: str
    stamp: Stamp | None = None


@dataclass(frozen=True)
class _Staged:
    """A new text beside its target, with the stamp that the target must still have."""

    beside: Path
    target: Path
    stamp: Stamp | None


def write_all(writes: Iterable[Write]) -> None:
    """Write every file or, when one of them can't be, none. Raises OutputError.

    Modes are kept, and of a symbolic link the target is replaced. A file with several names (hard links) is replaced under the
    one given; the others keep the old text. What is no file (/dev/stdout, a named pipe) is written to as it is.
    """
    staged: dict[Path, _Staged] = {}
    try:
        for write in writes:
            target = Path(os.path.realpath(write.path))
            if target in staged:  # two links to one file
                continue
            try:
                if _is_file_to_be(write):
                    staged[target] = _staged(write, target)
                else:
                    write.path.write_bytes(write.text.encode("utf-8"))
            except OSError as problem:
                raise OutputError(
                    f"{write.path} can't be written: {problem.strerror or problem}; no file was changed",
                    hint="check the permissions and the space on the disk",
                ) from None
        for one in staged.values():
            _refuse_changed(one, "no file was changed")
        _replaced(staged)
    finally:
        for one in staged.values():
            with suppress(OSError):
                one.beside.unlink()


def _replaced(staged: dict[Path, _Staged]) -> None:
    """Put every text in its place, and forget it."""
    for done, (target, one) in enumerate(list(staged.items())):
        written = f"{done} of {done + len(staged)} files were written"
        _refuse_changed(one, written)
        try:
            one.beside.replace(target)
        except OSError as problem:
            raise OutputError(
                f"{target} can't be replaced: {problem.strerror or problem}; {written}", hint="run again"
            ) from None
        del staged[target]


def _refuse_changed(one: _Staged, written: str) -> None:
    """Raise OutputError where somebody else has written a file since it was read."""
    if one.stamp is None:
        return
    try:
        same = stamp_of(one.target.stat()) == one.stamp
    except OSError:
        same = False
    if not same:
        raise OutputError(
            f"{one.target} was changed by somebody else since it was read; {written}",
            hint="run again",
        )


def _is_file_to_be(write: Write) -> bool:
    """False for a device or a pipe, which can't be replaced. Raises OutputError where its text came from there."""
    try:
        mode = write.path.stat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return True
    if write.stamp is not None:
        raise OutputError(
            f"{write.path} is no file, so nothing can be put in its place; no file was changed", hint="use -o FILE"
        )
    return False


def _staged(write: Write, target: Path) -> _Staged:
    """Put the new text beside its target."""
    import tempfile  # with much that only writing needs

    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    if write.stamp is not None and (status is None or stamp_of(status) != write.stamp):
        raise OutputError(
            f"{write.path} was changed by somebody else since it was read; no file was changed", hint="run again"
        )
    if status is not None and not os.access(target, os.W_OK):
        raise OutputError(f"{write.path} is read-only; no file was changed", hint="make it writable")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:50]}.", suffix=".sidecarctl", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(write.text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        if status is not None and hasattr(os, "chown"):
            with suppress(OSError):  # only root may give a file away
                os.chown(beside, status.st_uid, status.st_gid)
        beside.chmod(stat.S_IMODE(status.st_mode) if status else 0o666 & ~_umask())
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    return _Staged(beside, target, write.stamp)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
