"""A pod of a rendered manifest: its network, its volumes, and its containers, which a test starts one by one."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import yaml

from tests.command import run
from tests.programs import INSTALL_FOR_SIDECARS
from tests.sidecars.sandbox import servers
from tests.sidecars.sandbox.container import Container, expanded
from tests.sidecars.sandbox.network import Addresses, Network
from tests.sidecars.sandbox.probes import execute, wait_for
from tests.sidecars.sandbox.volumes import File, Objects, make_volume, project

NODE = "192.0.2.1"


def added(words: str, manifest: str, folder: Path, parameters: Mapping[str, Any] | None = None) -> str:
    """Return the manifest that the real `sidecarctl add <words>` writes, with `parameters` by sidecar as values."""
    values = folder / "values.yaml"
    values.write_text(yaml.safe_dump(dict(parameters or {})))
    outcome = run(f"sidecarctl add {words} -f - --values {values}", folder, stdin=manifest)
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout


class Pod:
    """A pod that runs on this machine. Use it in a `with` block, which ends everything that it started.

    `secrets` holds data by name and key; ConfigMaps come from the manifest.
    """

    def __init__(
        self, manifest: str, folder: Path, *,
        addresses: Addresses | None = None,
        secrets: Mapping[str, Mapping[str, bytes]] | None = None,
        hosts: Mapping[str, str] | None = None,
        token: bytes = b"token of the service account",
    ) -> None:  # fmt: skip
        require()
        self._folder = folder / f"pod-{len(list(folder.glob('pod-*')))}"
        self._folder.mkdir(mode=0o755)
        for parent in self._folder.parents:  # the containers' users must reach the mounted directories
            if parent.stat().st_uid == os.getuid() and str(parent).startswith(
                str(Path(os.environ.get("TMPDIR", "/tmp")))
            ):
                parent.chmod(parent.stat().st_mode | 0o011)
        documents = [each for each in yaml.safe_load_all(manifest) if each]
        metadata, self.spec = _template(documents)
        self.addresses = addresses or Addresses()
        self._secrets = secrets or {}
        self._fields = _fields(metadata, self.spec, self.addresses)
        self._config_maps = {
            each["metadata"]["name"]: {
                key: str(value).encode() for key, value in (each.get("data") or {}).items()
            } for each in documents if each["kind"] == "ConfigMap"
        }  # fmt: skip
        self._hosts = self._folder / "hosts"
        lines = {"localhost": "127.0.0.1", "pod": self.addresses.pod[0], **(hosts or {})}
        self._hosts.write_text("".join(f"{address}\t{name}\n" for name, address in lines.items()))
        # Names are in /etc/hosts. Nothing answers at the address of the name server.
        self._folder.joinpath("resolv.conf").write_text("nameserver 127.0.0.53\nsearch web.svc.cluster.local\n")
        self._objects = Objects(self._config_maps, self._secrets, self._fields, token)
        self.volumes = {
            each["name"]: make_volume(self._folder, each, self._objects, self.spec)
            for each in self.spec.get("volumes", [])
        }
        self.containers: dict[str, Container] = {}
        self.network = Network(self.addresses)
        self._servers: list[servers.Server] = []
        self._background: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Pod:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for container in self.containers.values():
            container.kill()
        for server in self._servers:
            server.close()
        self.network.close()  # ends every process of the pod
        for process in self._background:
            process.wait()

    @property
    def ip(self) -> str:
        """The main address of the pod."""
        return self.addresses.pod[0]

    # --- containers ---------------------------------------------------------------------------------------------------

    def start(self, name: str) -> Container:
        """Start a container, and wait until its startup probe and then its readiness probe succeed."""
        container = self.launch(name)
        wait_for(container, self.network, "startupProbe")
        wait_for(container, self.network, "readinessProbe")
        return container

    def launch(self, name: str) -> Container:
        """Start a container without waiting for its probes."""
        every = [*self.spec.get("initContainers", []), *self.spec["containers"]]
        spec = next(each for each in every if each["name"] == name)
        container = Container(spec, self.spec, self.volumes, self._env(spec), self.network, self._hosts)
        self.containers[name] = container
        return container

    def finish(self, name: str, timeout: float = 30) -> str:
        """Run an init container to its end. Return its log; fail if it fails."""
        container, end = self.launch(name), time.monotonic() + timeout
        while container.exit_code() is None and time.monotonic() < end:
            time.sleep(0.02)
        assert container.exit_code() == 0, f"{name} ended with {container.exit_code()}: {container.log()}"
        return container.log()

    def probe(self, name: str, kind: str) -> str:
        """Execute a probe of a running container once. Return why it failed, or an empty text."""
        container = self.containers[name]
        return execute(container.spec[kind], container, self.network)

    def stop(self, name: str) -> float:
        """Execute the preStop hook and stop a container. Return the seconds that it took; fail if SIGKILL was needed."""
        container, begin = self.containers[name], time.monotonic()
        grace = self.spec.get("terminationGracePeriodSeconds", 30)
        hook = (container.spec.get("lifecycle") or {}).get("preStop")
        if hook:
            assert execute(hook, container, self.network) == ""
        container.stop(grace - (time.monotonic() - begin))
        return time.monotonic() - begin

    def _env(self, spec: Mapping[str, Any]) -> dict[str, str]:
        env: dict[str, str] = {}
        for each in spec.get("env", []):
            source = each.get("valueFrom")
            env[each["name"]] = expanded(str(each.get("value", "")), env) if not source else self._value(source, spec)
        return env

    def _value(self, source: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
        ((kind, ref),) = source.items()
        if kind == "fieldRef":
            return self._fields[ref["fieldPath"]]
        if kind == "resourceFieldRef":
            return servers.quantity(spec["resources"], ref)
        held = self._secrets if kind == "secretKeyRef" else self._config_maps
        return held[ref["name"]][ref["key"]].decode()

    # --- what changes while the pod runs ------------------------------------------------------------------------------

    def update(self, volume: str, files: Mapping[str, bytes]) -> None:
        """Update a ConfigMap or Secret volume, as the kubelet does when its object changes."""
        group = (self.spec.get("securityContext") or {}).get("fsGroup")
        project(self.volumes[volume], {name: File(data) for name, data in files.items()}, group)

    def serve(
        self,
        port: int,
        handler: servers.Handler = servers.echo,
        address: str = "127.0.0.1",
        context: ssl.SSLContext | None = None,
    ) -> servers.Server:
        """Serve HTTP inside the pod, as the app or as a host outside. `handler` answers each request."""
        server = servers.Server(self.network.listen(address, port), handler, context)
        self._servers.append(server)
        return server

    def background(self, words: list[str], **env: str) -> subprocess.Popen[bytes]:
        """Start a program of the machine inside the network of the pod, for example the server that a sidecar calls."""
        log = (self._folder / f"background-{len(self._background)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [*self.network.enter(processes=True), *words],
                env={**os.environ, **env},
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
            )
        self._background.append(process)
        return process

    def get(self, url: str, **more: Any) -> servers.Answer:
        """Send a request from inside the pod. See servers.request."""
        return servers.request(self.network, url, **more)


def require() -> None:
    """Skip the test if this machine cannot run pods."""
    if os.getuid() != 0:
        pytest.skip("running containers requires root")
    for name in ("bwrap", "unshare", "nsenter", "setpriv", "ip"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed: run {INSTALL_FOR_SIDECARS}")
    if not _works():
        pytest.skip("this machine does not allow bubblewrap to make namespaces")


def _works() -> bool:
    words = ["unshare", "--net", "--", "bwrap", "--unshare-pid", "--ro-bind", "/", "/", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def _template(documents: list[Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
    for each in documents:
        spec = each.get("spec") or {}
        spec = (spec.get("jobTemplate") or {}).get("spec", spec)
        if "template" in spec:
            return {"name": each["metadata"]["name"] + "-0", **(spec["template"].get("metadata") or {})}, spec[
                "template"
            ]["spec"]
        if each["kind"] == "Pod":
            return each["metadata"], spec
    raise AssertionError("the manifest has no workload")


def _fields(metadata: Mapping[str, Any], spec: Mapping[str, Any], addresses: Addresses) -> dict[str, str]:
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", "default"),
        "metadata.uid": "0fa1c5a3-0000-4000-8000-000000000001",
        "spec.nodeName": "node-1",
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": addresses.pod[0],
        "status.podIPs": ",".join(addresses.pod),
        "status.hostIP": NODE,
    }
    for kind in ("labels", "annotations"):
        for key, value in (metadata.get(kind) or {}).items():
            fields[f"metadata.{kind}['{key}']"] = str(value)
    return fields
