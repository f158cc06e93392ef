"""Writing files so that each is the old one or the new one at any moment: beside, then in its place. All or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sidecarctl.errors import SidecarctlError
from sidecarctl.files.sources import Stamp, stamp_of
from sidecarctl.lazily import dataclass


class OutputError(SidecarctlError):
    """A file that can't be written."""

    exit_code = 3


@dataclass(frozen=True)
class Write:
    """A text for a file. `stamp` is the file's stamp when it was read, None where it need not exist."""

    path: Path
    text: str
    stamp: Stamp | None = None


def write_all(writes: Iterable[Write]) -> None:
    """Write every file or, when one of them can't be, none. Raises OutputError.

    Modes are kept, and of a symbolic link the target is replaced.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for write in writes:
            try:
                staged.append(_staged(write))
            except OSError as problem:
                raise OutputError(
                    f"{write.path} can't be written: {problem.strerror or problem}; no file was changed",
                    hint="check the permissions and the space on the disk",
                ) from None
        while staged:
            beside, target = staged[0]
            try:
                beside.replace(target)
            except OSError as problem:
                raise OutputError(f"{target} can't be replaced: {problem.strerror or problem}") from None
            staged.pop(0)
    finally:
        for beside, _ in staged:
            with suppress(OSError):
                beside.unlink()


def _staged(write: Write) -> tuple[Path, Path]:
    """Put the new text beside its target."""
    import tempfile  # with much that only writing needs

    target = Path(os.path.realpath(write.path))
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
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".sidecarctl", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(write.text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        beside.chmod(stat.S_IMODE(status.st_mode) if status else 0o666 & ~_umask())
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    return beside, target


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
