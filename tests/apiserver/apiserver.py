"""Build and run a real kube-apiserver with etcd on loopback, and create objects in it.

`python tests/apiserver/apiserver.py` builds the server (Go 1.26 or newer, modules from the network). etcd comes from
the distribution (`apt-get install etcd-server`).
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import local
from types import TracebackType
from typing import Any
from urllib.parse import quote

SOURCES = Path(__file__).resolve().parent
BINARY = SOURCES.parents[1] / ".tools" / "kube-apiserver"
BUILD_COMMAND = "python tests/apiserver/apiserver.py"
VERSION = "v1.37.1"
_TOKEN = "sidecarctl-test"
_START_SECONDS = 90
_STAMP = "k8s.io/component-base/version"


class ServerError(Exception):
    """The server can't be built or started."""


def missing() -> str:
    """Return why a server can't run and how to change that; empty if it can."""
    if not BINARY.exists():
        return f"kube-apiserver is not built; run: {BUILD_COMMAND}"
    absent = [name for name in ("etcd", "openssl") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}; run: apt-get install etcd-server openssl" if absent else ""


def build() -> Path:
    """Build the server if it is missing, and return its path. Takes 6 to 15 minutes on two cores."""
    if BINARY.exists():
        return BINARY
    go = shutil.which("go")
    if go is None:
        raise ServerError("install Go 1.26 or newer (https://go.dev/dl)")
    BINARY.parent.mkdir(exist_ok=True)
    fresh = BINARY.with_name(f"{BINARY.name}.{os.getpid()}")
    major, minor, _ = VERSION.removeprefix("v").split(".")
    stamps = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor, "buildDate": "1970-01-01T00:00:00Z"}
    flags = " ".join(("-s -w", *(f"-X {_STAMP}.{name}={value}" for name, value in stamps.items())))
    command = [go, "build", "-p", "2", "-trimpath", f"-ldflags={flags}", "-o", str(fresh), "."]
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise ServerError(f"`{' '.join(command)}` in {SOURCES} failed:\n{done.stderr.strip()}")
    fresh.replace(BINARY)
    return BINARY


@dataclass(frozen=True)
class Answer:
    """The answer to a request: HTTP status, decoded body, and the texts of the Warning headers."""

    status: int
    body: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """True if the server accepts the object. One that exists already passed all checks."""
        return self.status < 300 or (self.status == 409 and self.body.get("reason") == "AlreadyExists")

    @property
    def message(self) -> str:
        """The message of a refusal."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class Resource:
    """A resource that the server serves: its path without namespace and name, and its plural."""

    root: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of a collection, or of an object in it."""
        middle = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced else ""
        return f"{self.root}{middle}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


@dataclass
class Server:
    """A running server. `emulate` is an older minor version such as "1.35", whose gates and APIs apply."""

    emulate: str = ""
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _connections: local = field(default_factory=local)
    _port: int = 0
    _folder: Path = Path()

    def __enter__(self) -> Server:
        self._folder = Path(tempfile.mkdtemp(prefix="sidecarctl-apiserver-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End both processes and remove their data."""
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        folder = self._folder
        client, peer, self._port = _free_ports(3)
        etcd = f"http://127.0.0.1:{client}"
        members = f"http://127.0.0.1:{peer}"
        self._run(
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={members}",
            f"--initial-advertise-peer-urls={members}",
            f"--initial-cluster=default={members}",
            "--unsafe-no-fsync",
        )
        key = folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
        self._run(
            str(BINARY),
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--max-requests-inflight=0",
            "--max-mutating-requests-inflight=0",
            "--enable-priority-and-fairness=false",
            *([f"--emulated-version={self.emulate}"] if self.emulate else ()),
        )
        self._await()
        for name in ("default", "restricted"):
            self.provide_namespace(name)

    def _run(self, *command: str) -> None:
        log = (self._folder / f"{len(self._processes)}.log").open("wb")
        self._processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder))

    def _await(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if any(process.poll() is not None for process in self._processes):
                break
            try:
                if self.request("GET", "/readyz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        tails = (path.read_text(errors="replace")[-1500:] for path in sorted(self._folder.glob("*.log")))
        raise ServerError("the server did not start:\n" + "\n".join(tails))

    def request(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Answer:
        """Send a request and return the answer. `body` is plain data, or the bytes to send."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": content, "Accept": "application/json"}
        for attempt in (0, 1):
            connection = getattr(self._connections, "one", None)
            if connection is None:
                context = ssl._create_unverified_context()
                connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60, context=context)
                self._connections.one = connection
            try:
                connection.request(method, path, data, headers)
                response = connection.getresponse()
                text = response.read()
                break
            except (http.client.HTTPException, OSError):
                connection.close()
                self._connections.one = None
                if attempt:
                    raise
        try:
            found = json.loads(text)
        except ValueError:
            found = {"message": text.decode(errors="replace")}
        warnings = tuple(value for name, value in response.getheaders() if name.lower() == "warning")
        return Answer(response.status, found if isinstance(found, dict) else {}, warnings)

    @cached_property
    def resources(self) -> Mapping[tuple[str, str], Resource]:
        """The resources that the server serves, by apiVersion and kind."""
        groups = self.request("GET", "/apis").body["groups"]
        roots = {one["groupVersion"]: f"/apis/{one['groupVersion']}" for group in groups for one in group["versions"]}
        found = {}
        for version, root in {"v1": "/api/v1", **roots}.items():
            for one in self.request("GET", root).body.get("resources", ()):
                if "/" not in one["name"] and "create" in one["verbs"]:
                    own = f"{one['group']}/{one['version']}" if one.get("group") else version
                    found[own, one["kind"]] = Resource(root, one["name"], one["namespaced"])
        return found

    def provide_namespace(self, name: str) -> None:
        """Create a namespace with the default service account, which a controller creates in a cluster."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if name == "restricted" else {}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        self.request("POST", "/api/v1/namespaces", body)
        self.provide_account(name, "default")

    def provide_account(self, namespace: str, name: str) -> None:
        """Create a service account."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        self.request("POST", f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts", account)

    def create(self, document: Mapping[str, Any], *, namespace: str = "", dry_run: bool = True) -> Answer:
        """Create an object with strict field validation, in its own namespace unless `namespace` names another."""
        resource = self._resource(document)
        if isinstance(resource, Answer):
            return resource
        path = resource.path(namespace or _namespace_of(document))
        return self.request("POST", f"{path}?fieldValidation=Strict" + ("&dryRun=All" if dry_run else ""), document)

    def apply(self, document: Mapping[str, Any], *, dry_run: bool = False) -> Answer:
        """Apply an object on the server side, as `kubectl apply --server-side --force-conflicts`."""
        resource = self._resource(document)
        if isinstance(resource, Answer):
            return resource
        path = resource.path(_namespace_of(document), str(document["metadata"]["name"]))
        query = "fieldManager=test&force=true&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        return self.request("PATCH", f"{path}?{query}", document, "application/apply-patch+yaml")

    def delete(self, document: Mapping[str, Any]) -> Answer:
        """Delete an object at once."""
        resource = self._resource(document)
        if isinstance(resource, Answer):
            return resource
        path = resource.path(_namespace_of(document), str(document["metadata"]["name"]))
        return self.request("DELETE", f"{path}?gracePeriodSeconds=0&propagationPolicy=Background")

    def _resource(self, document: Mapping[str, Any]) -> Resource | Answer:
        key = (document.get("apiVersion"), document.get("kind"))
        found = self.resources.get(key) if all(isinstance(one, str) for one in key) else None  # type: ignore[call-overload]
        reason = {"reason": "NotServed", "message": f'no matches for kind "{key[1]}" in version "{key[0]}"'}
        return found or Answer(404, reason)


def _namespace_of(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    found = metadata.get("namespace") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) and found else "default"


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    try:
        print(build())
    except ServerError as error:
        sys.exit(str(error))
