"""Take away rights that KCL does not need from its worker process, in case a template gets around the checks.

All of it is a second line of defense. What the system does not support is left out.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# From linux/landlock.h: rights to change files that each version of Landlock knows, and the size of its attributes.
_EXECUTE = 1 << 0
_CHANGE = 1 << 1 | 0b1_1111_1111 << 4  # write, remove, and make files of all types
_RIGHTS = {1: 0, 2: 1 << 13, 3: 1 << 14}  # refer, truncate
_TCP = 0b11  # bind, connect
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION = 1  # a flag: return the version
_NO_NEW_PRIVILEGES = 38
_NEW_USER_NAMESPACE, _NEW_NETWORK = 0x10000000, 0x40000000


def confine(max_memory: int) -> None:
    """Take the environment, the directory, the network, and changes of files from this process. `max_memory`: bytes."""
    os.environ.clear()
    os.chdir(Path(sys.executable).anchor or os.curdir)
    if sys.platform == "linux":
        with suppress(Exception):
            _isolate()
    _set_limits(max_memory)


def _isolate() -> None:
    """Give the process a network without interfaces, and forbid every change of the file system, on Linux."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.unshare(_NEW_NETWORK if os.geteuid() == 0 else _NEW_USER_NAMESPACE | _NEW_NETWORK)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return
    files = _EXECUTE | _CHANGE
    for since, right in _RIGHTS.items():
        files |= right if version >= since else 0
    attributes: Any = (ctypes.c_uint64 * 2)(files, _TCP)
    size = ctypes.c_size_t(16 if version >= 4 else 8)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _set_limits(max_memory: int) -> None:
    """Forbid writing files and core dumps, and limit memory, if the system supports it."""
    try:
        import resource
    except ImportError:
        return
    limits = ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, max_memory))
    for what, value in limits:
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (value, value))
