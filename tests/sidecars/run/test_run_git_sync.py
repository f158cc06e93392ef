"""git-sync runs as the manifest says: it clones, follows the repository, runs its commands, and nginx serves the files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.sidecars.run.eventually import eventually
from tests.sidecars.run.git_server import commit, serve_repository
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.workload import deployment

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not shutil.which("git"), reason="needs git")]

REPO = "http://git.example.com:8000/site.git"


def synced(folder: Path, image: str = "registry.example.com/app:1", **parameters: Any) -> str:
    given = {"repo": REPO, "period": "500ms", **parameters}
    return added("git-sync", deployment(8080, image=image), folder, {"git-sync": given})


@pytest.mark.parametrize("family", FAMILIES)
def test_the_app_sees_each_commit_as_a_whole(family: str, tmp_path: Path) -> None:
    addresses, repository = FAMILIES[family], tmp_path / "repository"
    first = commit(repository, {"index.html": "one", "style.css": "a"})
    hosts = {"git.example.com": addresses.outside[0]}
    with Pod(synced(tmp_path), tmp_path, addresses=addresses, hosts=hosts) as pod:
        pod.serve(8000, serve_repository(repository), addresses.outside[0])
        sync = pod.start("git-sync")
        link = pod.volumes["git-sync-content"] / "site"
        assert link.readlink().name == first, "the startup probe waits for the first sync"
        assert (link / "index.html").read_text() == "one"
        second = commit(repository, {"index.html": "two"})
        eventually(lambda: link.readlink().name == second)
        assert (link / "index.html").read_text() == "two" and (link / "style.css").read_text() == "a"
        for address in (*pod.addresses.pod, "127.0.0.1"):
            host = f"[{address}]" if ":" in address else address
            assert b"git_sync_count_total" in pod.get(f"http://{host}:9119/metrics").body
        assert pod.probe("git-sync", "livenessProbe") == ""
        assert pod.stop("git-sync") < 5
        assert sync.exit_code() == 128 + 15


def test_a_command_runs_after_each_commit_is_published(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    told = '#!/bin/bash\necho "published $GITSYNC_HASH: $(cat index.html)" >> /tmp/hashes\n'
    first = commit(repository, {"index.html": "one"})
    manifest = synced(tmp_path, exechook={"script": told})
    with Pod(manifest, tmp_path, hosts={"git.example.com": "192.0.2.10"}) as pod:
        pod.serve(8000, serve_repository(repository), "192.0.2.10")
        pod.start("git-sync")
        hashes = pod.volumes["git-sync-tmp"] / "hashes"
        eventually(lambda: hashes.exists() and f"published {first}: one\n" in hashes.read_text())
        second = commit(repository, {"index.html": "two"})
        eventually(lambda: f"published {second}: two\n" in hashes.read_text())


def test_a_classic_sidecar_clones_before_the_app_starts(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    commit(repository, {"index.html": "one"})
    manifest = added(
        "git-sync --mode classic",
        deployment(8080),
        tmp_path,
        {"git-sync": {"repo": REPO, "credentials": {"secretName": "git"}}},
    )
    secrets = {"git": {"username": b"reader", "password": b"s3cret"}}
    with Pod(manifest, tmp_path, hosts={"git.example.com": "192.0.2.10"}, secrets=secrets) as pod:
        pod.serve(8000, serve_repository(repository), "192.0.2.10")
        pod.finish("git-sync-init")
        assert (pod.volumes["git-sync-content"] / "site" / "index.html").read_text() == "one"
        pod.start("git-sync")
        assert pod.stop("git-sync") < 5


def test_nginx_serves_the_repository_without_further_settings(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    commit(repository, {"index.html": "one"})
    config = (
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: nginx, namespace: web}\ndata:\n  nginx.conf: |\n"
        "    pid /tmp/nginx.pid;\n    events {}\n    http {\n      access_log off;\n      client_body_temp_path /tmp/a;\n"
        "      proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;\n"
        "      server { listen 8080; root /usr/share/nginx/html; }\n    }\n"
    )
    app: dict[str, Any] = {
        "image": "nginxinc/nginx-unprivileged:1.30.4",
        "command": ["nginx", "-c", "/etc/web/nginx.conf", "-g", "daemon off;"],
        "volumeMounts": [{"name": "nginx", "mountPath": "/etc/web"}],
    }
    source = deployment(8080, **app).rstrip() + "\n      volumes:\n      - {name: nginx, configMap: {name: nginx}}\n"
    manifest = added("git-sync", source + config, tmp_path, {"git-sync": {"repo": REPO, "period": "500ms"}})
    with Pod(manifest, tmp_path, hosts={"git.example.com": "192.0.2.10"}) as pod:
        pod.serve(8000, serve_repository(repository), "192.0.2.10")
        pod.start("git-sync")
        pod.launch("app")
        eventually(lambda: _served(pod) == b"one")
        commit(repository, {"index.html": "two"})
        eventually(lambda: _served(pod) == b"two")


def _served(pod: Pod) -> bytes:
    try:
        return pod.get("http://127.0.0.1:8080/").body
    except OSError:
        return b""
