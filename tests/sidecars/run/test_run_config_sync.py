"""k8s-sidecar runs as the manifest says: it collects, runs the script, and calls the app after a change."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sidecars.run.eventually import eventually
from tests.sidecars.sandbox.certificates import make_certificate
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, Request, Server
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("family", FAMILIES)
def test_files_follow_the_objects_and_the_app_is_called(family: str, tmp_path: Path) -> None:
    addresses = FAMILIES[family]
    state = {"text": "one", "version": "1"}

    def api(request: Request) -> Answer:
        meta = {
            "name": "rules",
            "namespace": "web",
            "uid": "1",
            "resourceVersion": state["version"],
            "labels": {"a/b": ""},
        }
        item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"rules.yaml": state["text"]}}
        value: Any = {
            "apiVersion": "v1",
            "kind": "ConfigMapList",
            "metadata": {"resourceVersion": "1"},
            "items": [item],
        }
        if "watch=True" in request.path or "watch=true" in request.path:
            value = {"type": "MODIFIED", "object": item}
        return Answer(200, {"content-type": "application/json"}, json.dumps(value).encode() + b"\n")

    certificate = make_certificate(tmp_path / "api", "kubernetes.example.com")
    env = [
        {"name": "KUBERNETES_SERVICE_HOST", "value": "kubernetes.example.com"},
        {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
    ]
    parameters = {
        "label": "a/b", "serviceAccountName": "shop", "env": env, "reqUrl": "http://127.0.0.1:8080/reload", "reqMethod": "POST",
        "script": "#!/bin/sh\ncat /etc/config-sync/rules.yaml > /etc/config-sync/copy\n",
    }  # fmt: skip
    manifest = added("config-sync", deployment(8080), tmp_path, {"config-sync": parameters})
    ca = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}}
    manifest += "\n---\n" + yaml.safe_dump({**ca, "data": {"ca.crt": certificate["ca.crt"].decode()}})
    hosts = {"kubernetes.example.com": addresses.outside[0]}
    with Pod(manifest, tmp_path, addresses=addresses, hosts=hosts) as pod:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "api" / "tls.crt", tmp_path / "api" / "tls.key")
        server = Server(pod.network.listen(addresses.outside[0], 6443), api, context)
        app = pod.serve(8080)
        sync = pod.start("config-sync")
        folder = pod.volumes["config-sync-files"]
        eventually(lambda: (folder / "copy").exists() and (folder / "copy").read_text() == "one")
        state.update(text="two", version="2")
        eventually(lambda: (folder / "copy").read_text() == "two", 30)
        eventually(lambda: any(each.method == "POST" and each.path == "/reload" for each in app.requests))
        assert sync.resident_memory() < 96 << 20, "the memory request"
        assert pod.stop("config-sync") < 10
        server.close()
