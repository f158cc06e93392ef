"""Runs one container of a pod: user, groups, capabilities, read-only root, mounts, environment, and signals."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.programs import INSTALL_FOR_SIDECARS, program, tree
from tests.sidecars.sandbox.filter import no_ipv6_sockets
from tests.sidecars.sandbox.images import IMAGES, Image
from tests.sidecars.sandbox.network import Network

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WRAPPERS = {"nsenter", "bwrap", "setpriv"}


def image_of(name: str) -> Image:
    """Return the image by its name with a tag."""
    return IMAGES[name.rsplit(":", 1)[0]]


class Container:
    """A running container."""

    def __init__(
        self, spec: Mapping[str, Any], pod: Mapping[str, Any], volumes: Mapping[str, Path], env: Mapping[str, str],
        network: Network, hosts: Path,
    ) -> None:  # fmt: skip
        self.spec = spec
        self.name = str(spec["name"])
        self.image = image_of(spec["image"])
        self.env = {"PATH": PATH, "HOSTNAME": "pod", "HOME": "/", **self.image.env, **env}
        self._security = {**(pod.get("securityContext") or {}), **(spec.get("securityContext") or {})}
        self._groups = [*_list(self._security.get("fsGroup")), *self._security.get("supplementalGroups", [])]
        self._shared = bool(pod.get("shareProcessNamespace"))
        self._network = network
        argv = [*self._sandbox(volumes, hosts), *self._as_user(), "--", *self._command()]
        reading, writing = os.pipe()
        os.fchown(writing, self._user(), -1)  # as container runtimes do, so that /dev/stdout can be opened
        with tempfile.TemporaryFile() as seccomp:
            if not network.addresses.kernel_ipv6:
                seccomp.write(no_ipv6_sockets())
                seccomp.seek(0)
                argv[1:1] = ["--seccomp", str(seccomp.fileno())]
            self._process = subprocess.Popen(
                [*network.enter(processes=True), *argv],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=[seccomp.fileno()],
            )
        os.close(writing)
        self._output = bytearray()
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()
        self.pid = self._main_process()

    def _command(self) -> list[str]:
        words = [*self.spec.get("command", self.image.entrypoint)]
        cmd = () if "command" in self.spec else self.image.cmd
        words += self.spec.get("args", cmd)
        return [expanded(str(word), self.env) for word in words]

    def _sandbox(self, volumes: Mapping[str, Path], hosts: Path) -> list[str]:
        words = ["bwrap", "--die-with-parent", "--unshare-uts", "--hostname", "pod"]
        if not self._shared:
            words += ["--unshare-pid", "--as-pid-1"]
        words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--chmod", "1777", "/dev/shm"]
        words += [*_base(self.image), "--ro-bind", str(hosts), "/etc/hosts"]
        words += ["--ro-bind", str(hosts.with_name("resolv.conf")), "/etc/resolv.conf"]
        words += ["--ro-bind", shutil.which("setpriv") or "setpriv", "/.setpriv"]
        for path, name in self.image.programs.items():
            words += ["--ro-bind", program(name, INSTALL_FOR_SIDECARS), path]
        for path, name in self.image.trees.items():
            words += ["--ro-bind", str(tree(name, INSTALL_FOR_SIDECARS)), path]
        for path, text in self.image.files.items():
            file = hosts.with_name(path.replace("/", "_"))
            file.write_text(text)
            file.chmod(0o755 if text.startswith("#!") else 0o644)
            words += ["--ro-bind", str(file), path]
        for path in ("/tmp", "/run", "/var/run", *self.image.folders):
            words += ["--dir", path, "--chmod", "1777" if path == "/tmp" else "0755", path]
        for mount in sorted(self.spec.get("volumeMounts", []), key=lambda each: each["mountPath"]):
            source = volumes[mount["name"]]
            if mount.get("subPath"):
                source = source / mount["subPath"]
            writable = not mount.get("readOnly") and not (source / "..data").exists()
            words += ["--bind" if writable else "--ro-bind", str(source), mount["mountPath"]]
        words = _with_parents(words)
        if self._security.get("readOnlyRootFilesystem"):
            words += ["--remount-ro", "/"]
        return [*words, "--chdir", self.spec.get("workingDir", self.image.workdir), "--"]

    def _user(self) -> int:
        return int(self._security.get("runAsUser", self.image.user))

    def _as_user(self) -> list[str]:
        user = self._user()
        assert not (self._security.get("runAsNonRoot") and user == 0), "container has runAsNonRoot and runs as root"
        words = ["/.setpriv", f"--reuid={user}", f"--regid={self._security.get('runAsGroup', 0)}"]
        words += [f"--groups={','.join(map(str, self._groups))}" if self._groups else "--clear-groups"]
        if "ALL" in ((self._security.get("capabilities") or {}).get("drop") or []):
            words += ["--bounding-set=-all", "--inh-caps=-all"]
        return words + (["--no-new-privs"] if self._security.get("allowPrivilegeEscalation") is False else [])

    def _main_process(self) -> int:
        """Return the process ID, on this machine, of the container's program."""
        pid, end = self._process.pid, time.monotonic() + 20
        while time.monotonic() < end:
            if self._process.poll() is not None:
                return 0
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip().lstrip(".")
                if pid != self._process.pid and name not in _WRAPPERS:
                    return pid
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                continue
            if children:
                pid = int(children[0])
            time.sleep(0.005)
        raise AssertionError(f"{self.name} did not start: {self.log()}")

    def _read(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb", buffering=0) as stream:
            while data := stream.read(1 << 16):
                self._output += data

    def log(self) -> str:
        """Return what the container has written to stdout and stderr."""
        if self._process.poll() is not None:
            self._reader.join(5)
        return bytes(self._output).decode("utf-8", "replace")

    def exit_code(self) -> int | None:
        """Return the exit code (128 and the number of the signal that ended it), or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> int:
        """Wait until the container ends. Return its exit code. Raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout)

    def execute(self, words: Sequence[str], timeout: float = 30) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the container, as an exec probe or `kubectl exec` does."""
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--root", "--wd", "--"]
        argv = [*inside, *self._as_user(), "--", *words]
        return subprocess.run(argv, env=self.env, capture_output=True, timeout=timeout, check=False)

    def resident_memory(self) -> int:
        """Return the resident memory of the container's processes, in bytes."""
        pids, total = [self.pid], 0
        for pid in pids:
            status = Path(f"/proc/{pid}/status").read_text()
            found = re.search(r"VmRSS:\s+(\d+) kB", status)
            total += int(found[1]) * 1024 if found else 0
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return total

    def signal(self, name: str) -> None:
        """Send a signal to the container's program."""
        subprocess.run(["kill", f"-{name.removeprefix('SIG')}", str(self.pid)], check=True)

    def stop(self, grace: float = 30) -> float:
        """Stop the container as the kubelet does, without its preStop hook. Return the seconds that it took.

        Fails if the container is not done after `grace` seconds.
        """
        begin = time.monotonic()
        self.signal(self.image.stop_signal)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} ran on for {grace} s after {self.image.stop_signal}: {self.log()}"
            ) from None
        return time.monotonic() - begin

    def kill(self) -> None:
        """End the container at once."""
        if self._process.poll() is None:
            for pid in filter(None, (self.pid, self._process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()


def expanded(text: str, env: Mapping[str, str]) -> str:
    """Replace $(NAME) as Kubernetes does: names that are not set stay, and $$ is a dollar sign."""
    found = re.compile(r"\$\$|\$\(([-._a-zA-Z0-9]+)\)")
    return found.sub(lambda match: "$" if match[1] is None else env.get(match[1], match[0]), text)


def _with_parents(words: list[str]) -> list[str]:
    """Make the parents of bound paths first, with mode 0755. bwrap makes them for root only."""
    out: list[str] = []
    for index, word in enumerate(words):
        if word in ("--bind", "--ro-bind", "--ro-bind-try"):
            out += ["--dir", str(Path(words[index + 2]).parent)]
        out.append(word)
    return out


def _list(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _base(image: Image) -> list[str]:
    base = image.base
    words = ["--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"]
    for path in ("/usr/lib", "/usr/lib64", "/etc/ssl/certs", "/usr/share/ca-certificates", "/etc/nsswitch.conf"):
        words += ["--ro-bind-try", path, path]
    if base == "debian":
        for path in ("/usr/bin", "/usr/sbin"):
            words += ["--ro-bind", path, path]
        words += ["--ro-bind-try", "/usr/share/rubygems-integration", "/usr/share/rubygems-integration"]
        if any(path.startswith("/bin/") for path in image.files):  # a link to a read-only directory takes no file
            return [*words, "--dir", "/bin", "--symlink", "/usr/bin/sh", "/bin/sh", "--symlink", "usr/sbin", "/sbin"]
        return [*words, "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin"]
    if base == "busybox":
        path = program("busybox", INSTALL_FOR_SIDECARS)
        words += ["--ro-bind", path, "/bin/busybox"]
        tools = subprocess.run([path, "--list"], capture_output=True, text=True, check=True).stdout.split()
        for tool in tools:
            words += ["--symlink", "busybox", f"/bin/{tool}"] if tool != "busybox" else []
    return words
