"""The network of a pod: a network namespace with the addresses of the pod, and sockets in it for the tests."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

IPV4 = "10.244.3.7"
IPV6 = "fd00:10:244::7"


@dataclass(frozen=True)
class Addresses:
    """The addresses of a pod, the main one first, and of hosts outside that the tests act for.

    `kernel_ipv6=False` is a node whose kernel was started with ipv6.disable=1: a program can't open an IPv6 socket.
    """

    pod: tuple[str, ...] = (IPV4,)
    outside: tuple[str, ...] = ("192.0.2.10",)
    kernel_ipv6: bool = True


DUAL_STACK = Addresses((IPV4, IPV6))
IPV4_ONLY = Addresses(kernel_ipv6=False)
IPV6_ONLY = Addresses((IPV6,), ("2001:db8::10",))
FAMILIES = {"dual-stack": DUAL_STACK, "ipv4-only": IPV4_ONLY, "ipv6-only": IPV6_ONLY}


class Network:
    """A network and process namespace, held by a process that opens sockets in it (see agent.py)."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self._lock = threading.Lock()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            agent = [sys.executable, str(Path(__file__).with_name("agent.py")), str(theirs.fileno())]
            self._process = subprocess.Popen(
                ["unshare", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *agent],
                pass_fds=[theirs.fileno()],
            )
        assert self._channel.recv(64) == b"ready"
        self.pid = int(Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0])
        self._configure()

    def _configure(self) -> None:
        ip = shutil.which("ip") or "ip"
        self.run([ip, "link", "set", "lo", "up"])
        for address in (*self.addresses.pod, *self.addresses.outside):
            # Without duplicate address detection, an IPv6 address can be used at once.
            more = ["/128", "nodad"] if ":" in address else ["/32"]
            self.run([ip, "address", "add", f"{address}{more[0]}", "dev", "lo", *more[1:]])
        if not self.addresses.kernel_ipv6:
            self.run([ip, "-6", "address", "flush", "dev", "lo"])

    def enter(self, *, processes: bool = False) -> list[str]:
        """Return the start of a command that runs in this network, and ends with the pod if `processes` is set."""
        spaces = ("net", "ipc", "pid", "mnt") if processes else ("net", "ipc")
        flags = {"mnt": "mount"}
        return ["nsenter", *(f"--{flags.get(each, each)}=/proc/{self.pid}/ns/{each}" for each in spaces), "--"]

    def run(self, words: list[str], stdin: bytes = b"", timeout: int = 30) -> str:
        """Run a program of the machine in this network, for example curl. Return its output; fail if it fails."""
        done = subprocess.run([*self.enter(), *words], input=stdin, capture_output=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout + done.stderr!r}"
        return done.stdout.decode("utf-8", "replace")

    def connect(self, address: str, port: int, kind: str = "tcp") -> socket.socket:
        """Return a socket that is connected from inside the pod. Raises OSError like socket.connect."""
        return self._ask(action="connect", address=address, port=port, kind=kind)

    def listen(self, address: str, port: int, kind: str = "tcp") -> socket.socket:
        """Return a socket that listens inside the pod. Raises OSError like socket.bind."""
        return self._ask(action="listen", address=address, port=port, kind=kind)

    def _ask(self, **request: str | int) -> socket.socket:
        with self._lock:
            self._channel.send(json.dumps(request).encode())
            answer, fds, _, _ = socket.recv_fds(self._channel, 64, 1)
        number = int(answer)
        if number:
            text = f"{os.strerror(number)} ({errno.errorcode.get(number, number)}): {request}"
            raise OSError(number, text)
        return socket.socket(fileno=fds[0])

    def close(self) -> None:
        """End the namespace with everything that runs in it."""
        self._channel.close()
        self._process.kill()
        self._process.wait()
