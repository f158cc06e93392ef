"""Volumes and ports that a sidecar shares with the app or conflicts with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.inject import conflicts
from sidecarctl.kube.workload import workloads
from tests.calls import count_calls
from tests.command import Outcome, run

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: registry.example/web:1.0.0
    volumeMounts:
    - {name: data, mountPath: /data}
  volumes:
  - name: data
    %s
"""
TWO = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: registry.example/web:1.0.0
    volumeMounts:
    - {name: data, mountPath: /data%s}
  - name: worker
    image: registry.example/web:1.0.0
    volumeMounts:
    - {name: data, mountPath: /data%s}
  volumes:
  - name: data
    emptyDir: {}
"""
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: agent, version: 1.0.0, summary: Shares a directory.}
spec: {engine: plain}
"""
TEMPLATE = """\
containers:
- name: agent
  image: registry.example/agent:1.0.0
  ports: [{containerPort: 9000}]
  volumeMounts:
  - {name: files, mountPath: /files%s}
volumes:
- {name: files, emptyDir: {}}
app:
  volumeMounts:
  - {name: files, mountPath: /data}
"""
SOURCES = {
    "configMap": "{name: data}",
    "secret": "{secretName: data}",
    "projected": "{sources: [{configMap: {name: data}}]}",
    "downwardAPI": "{items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}",
    "image": '{reference: "registry.example/data:1.0.0"}',
}


def add(folder: Path, text: str, more: str = "", *, read_only: bool = False, words: str = "") -> Outcome:
    entry = folder / "library" / "agent"
    entry.mkdir(parents=True, exist_ok=True)
    (entry / "sidecar.yaml").write_text(SIDECAR)
    (entry / "template.yaml").write_text(TEMPLATE % (", readOnly: true" if read_only else "") + more)
    return run(f"sidecarctl add agent --library library --validate ignore {words}", folder, stdin=text)


@pytest.mark.parametrize("kind", SOURCES)
def test_writing_sidecar_does_not_share_a_read_only_volume(kind: str, tmp_path: Path) -> None:
    text = POD % f"{kind}: {SOURCES[kind]}"
    done = add(tmp_path, text)
    assert (done.code, done.stdout) == (1, "")
    assert "error[mount-conflict]" in done.stderr and f'{kind} volume "data" is read-only' in done.stderr
    assert add(tmp_path, text, read_only=True).code == 0


def test_writing_sidecar_shares_a_writable_volume(tmp_path: Path) -> None:
    done = add(tmp_path, POD % "persistentVolumeClaim: {claimName: data}")
    assert done.code == 0, done.stderr
    assert "name: files" not in done.stdout


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        ("", "", True),
        (", subPath: a", ", subPath: a", True),
        (", subPath: a", ", subPath: b", False),
        (", subPath: a", "", False),
        ("", ", subPathExpr: $(POD)", False),
    ],
)
def test_containers_share_a_directory_only_with_equal_sub_paths(
    one: str, two: str, shared: bool, tmp_path: Path
) -> None:
    done = add(tmp_path, TWO % (one, two), words="--container web --container worker")
    assert (done.code, "mount different volumes at /data" in done.stderr) == (0 if shared else 1, not shared), (
        done.stderr
    )


@pytest.mark.parametrize("mode", ["native", "classic"])
def test_two_instances_do_not_share_a_port(mode: str, tmp_path: Path) -> None:
    first = add(tmp_path, POD % "emptyDir: {}", words=f"--mode {mode}")
    assert first.code == 0, first.stderr
    second = add(tmp_path, first.stdout, words=f"--mode {mode} --as other")
    assert (second.code, second.stdout) == (1, "")
    assert "error[port-conflict]" in second.stderr and "port 9000/TCP" in second.stderr


def test_mounts_are_compared_with_those_at_the_same_and_higher_directories_only() -> None:
    def compare(count: int) -> int:
        mounts = [{"name": "data", "mountPath": f"/data/{number}"} for number in range(count)]
        pod = {"containers": [{"name": "web", "image": "x:1", "volumeMounts": mounts}]}
        (workload,) = workloads({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": pod})
        wanted = tuple({"name": "files", "mountPath": f"/files/{number}"} for number in range(count))
        fragment = Fragment(volumes=({"name": "files", "emptyDir": {}},), volume_mounts=wanted)
        calls = count_calls(lambda: conflicts.fit_fragment(workload, fragment, workload.containers))
        return calls.total()

    assert compare(400) < 5 * compare(100)
