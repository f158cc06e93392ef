"""config-reloader runs as the manifest says: probes on every address family, and a request or signal after a change."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.sidecars.run.eventually import eventually
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e

SETTINGS = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: web}\ndata: {a.conf: one}\n"


def with_settings(words: str, folder: Path, **container: object) -> str:
    parameters = {"config-reloader": {"watched-dir": [{"path": "/etc/app", "configMapName": "settings"}]}}
    return added(words, deployment(8080, **container) + SETTINGS, folder, parameters)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_app_is_called_after_a_change(family: str, tmp_path: Path) -> None:
    manifest = with_settings("config-reloader --set delay-interval=100ms", tmp_path)
    with Pod(manifest, tmp_path, addresses=FAMILIES[family]) as pod:
        app = pod.serve(8080)
        reloader = pod.start("config-reloader")
        for address in (*pod.addresses.pod, "127.0.0.1"):
            host = f"[{address}]" if ":" in address else address
            assert pod.get(f"http://{host}:9533/metrics").status == 200
        before = len(app.requests)
        pod.update("config-reloader-watched-0", {"a.conf": b"two"})
        eventually(lambda: len(app.requests) > before)
        assert (app.requests[-1].method, app.requests[-1].path) == ("POST", "/-/reload")
        assert pod.probe("config-reloader", "livenessProbe") == ""
        assert pod.stop("config-reloader") < 5
        assert reloader.exit_code() == 0


def test_the_process_of_the_app_gets_a_signal_from_its_own_user(tmp_path: Path) -> None:
    words = "config-reloader --set reload-method=signal --set process-executable-name=sleep --set watch-interval=1s"
    script = "trap 'echo again' HUP; while :; do sleep 60 & wait; done"
    manifest = with_settings(words, tmp_path, securityContext={"runAsUser": 10001})
    documents = list(yaml.safe_load_all(manifest))
    app = documents[0]["spec"]["template"]["spec"]["containers"][0]
    app |= {"image": "busybox:1.38.0", "command": ["/bin/sh", "-c", script]}
    with Pod(yaml.safe_dump_all(documents), tmp_path) as pod:
        running = pod.launch("app")
        reloader = pod.start("config-reloader")
        eventually(lambda: reloader.execute(["pidof", "sleep"]).stdout.split()[1:], 5)  # it has read the files once
        pod.update("config-reloader-watched-0", {"a.conf": b"two"})
        eventually(lambda: "sent HUP to sleep" in reloader.log())
        assert running.exit_code() is None
        assert pod.stop("config-reloader") < 5
