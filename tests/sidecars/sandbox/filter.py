"""A seccomp filter that acts for a kernel without IPv6."""

from __future__ import annotations

import errno
import platform
import socket
import struct

# From linux/seccomp.h, linux/filter.h, and asm/unistd.h.
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_SOCKET = {"x86_64": 41, "aarch64": 198}
_NUMBER, _FIRST_ARGUMENT = 0, 16


def no_ipv6_sockets() -> bytes:
    """Return a BPF program under which socket(AF_INET6) fails as on a kernel that was started with ipv6.disable=1."""
    number = _SOCKET[platform.machine()]
    program = [
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, socket.AF_INET6),
        (_RETURN, 0, 0, _ERRNO | errno.EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *each) for each in program)
