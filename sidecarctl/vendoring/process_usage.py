"""What the processes of Git use: memory, and space in their directory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sidecarctl.files.tree import scan_tree

_BLOCK = 512  # bytes in the unit of st_blocks


def session_memory(session: int) -> int:
    """Return the memory that the processes of a session do not share, in bytes; 0 on a system without /proc.

    The session is that of the first process, because Git leaves most of its work to children.
    """
    try:
        processes = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return 0
    return sum(_memory(process) for process in processes if _is_in_session(process, session))


def _is_in_session(process: int, session: int) -> bool:
    try:
        return os.getsid(process) == session
    except OSError:  # it ended
        return False


def _memory(process: int) -> int:
    """Return the resident memory of a process without files and shared memory, such as packs, which Git maps."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_text("ascii").split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def directory_size(directory: Path) -> int:
    """Return what all files and directories below a directory take in bytes: on most systems, a short file takes a block."""
    total = 0
    for entries in scan_tree(str(directory), lambda _: None):
        for each in entries:
            with suppress(OSError):
                status = os.lstat(each.path)  # on Windows, that of the entry can be older
                total += max(status.st_size, getattr(status, "st_blocks", 0) * _BLOCK)
    return total
