"""Opens sockets inside the network namespace of a pod and passes them to the tests. It is process 1 of the pod.

Usage: agent.py FD. FD is a SOCK_SEQPACKET socket. Each request is a JSON object; each answer is an error number, and the
socket if that is 0.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> None:
    """Answer requests until the other end closes the channel."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # process 1 inherits orphans: let the kernel reap them
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.send(b"ready")
    while True:
        request = channel.recv(1 << 16)
        if not request:
            return
        try:
            with _socket(**json.loads(request)) as made:
                socket.send_fds(channel, [b"0"], [made.fileno()])
        except OSError as exc:
            channel.send(str(exc.errno or 110).encode())


def _socket(action: str, address: str, port: int, kind: str = "tcp") -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    try:
        if action == "connect":
            made.settimeout(5)
            made.connect((address, port))
            made.settimeout(None)
            return made
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address == "::":  # as most servers do, take IPv4 connections too
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((address, port))
        if kind == "tcp":
            made.listen(64)
    except OSError:
        made.close()
        raise
    return made


if __name__ == "__main__":
    os.set_inheritable(int(sys.argv[1]), False)
    main()
