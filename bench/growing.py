"""Inputs of the section growth of `run.py`: for each case, the command for an input of some size."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from add import MANIFEST

OURS = [sys.executable, "-m", "sidecarctl"]
ONE = MANIFEST.format(n=1)
ENV, VOLUMES = "          env:\n", "      volumes:\n"
AROUND = """\
---
apiVersion: v1
kind: Service
metadata: {{name: web-{n}, namespace: shop}}
spec:
  selector: {{app: web-{n}}}
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: web-{n}, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: web-{n}}}}}
  ingress: [{{ports: [{{port: 8080}}]}}]
"""
Case = Callable[[Path, int], list[str]]


def _file(folder: Path, text: str, name: str = "all.yaml") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def _case(command: str, text: Callable[[int], str]) -> Case:
    """Return the case of a command on a generated text."""

    def make(folder: Path, count: int) -> list[str]:
        folder = folder / str(len(command)) / str(count)
        return [*OURS, *command.split(), "-f", _file(folder, text(count), f"{hash(text) & 0xFFFFFF}.yaml")]

    return make


def _added(command: str, text: Callable[[int], str]) -> Case:
    """Return the case of a command on a text to which a sidecar was added."""

    def make(folder: Path, count: int) -> list[str]:
        before = _file(folder / f"added-{count}", text(count), f"{hash(text) & 0xFFFFFF}.yaml")
        subprocess.run([*OURS, "add", "logger", "-q", "-f", before, "-o", f"{before}.out.yaml"], check=True)
        return [*OURS, *command.split(), "-f", f"{before}.out.yaml"]

    return make


def _documents(count: int) -> str:
    return "---\n".join(MANIFEST.format(n=n) for n in range(count))


def _wrong_ports(count: int) -> str:
    return _documents(count).replace("containerPort: 8080", "containerPort: 99999")


def _around(count: int) -> str:
    return "---\n".join(MANIFEST.format(n=n) + AROUND.format(n=n) for n in range(count))


def _list(count: int) -> str:
    items = ("- " + MANIFEST.format(n=n).rstrip("\n").replace("\n", "\n  ") + "\n" for n in range(count))
    return "apiVersion: v1\nkind: List\nitems:\n" + "".join(items)


def _json(count: int) -> str:
    objects = (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c-{n}"}, "data": {"a": "b" * 200}}
        for n in range(count)
    )
    return "".join(json.dumps(one) + "\n" for one in objects)


def _in_container(line: str) -> Callable[[int], str]:
    return lambda count: ONE.replace(ENV, "".join(line.format(n=n) for n in range(count)) + ENV, 1)


def _in_env(item: str) -> Callable[[int], str]:
    return lambda count: ONE.replace(ENV, ENV + "".join(item.format(n=n) for n in range(count)), 1)


def _containers(count: int) -> str:
    more = "".join(f"        - name: more-{n}\n          image: registry.example/more:1.0.{n}\n" for n in range(count))
    return ONE.replace(VOLUMES, more + VOLUMES)


def _aliases(count: int) -> str:
    anchors = "".join(f"            - name: A{n}\n              value: &a{n} x\n" for n in range(count))
    aliases = "".join(f"            - name: B{n}\n              value: *a{n}\n" for n in range(count))
    return ONE.replace(ENV, ENV + anchors + aliases, 1)


def _sidecars(folder: Path, count: int) -> list[str]:
    """Return the command that adds many sidecars to one workload."""
    for n in range(count):
        _sidecar(
            folder / f"sidecars-{count}" / f"side-{n}", f"- name: side-{n}\n  image: registry.example/side:1.0.{n}\n"
        )
    names = (f"side-{n}" for n in range(count))
    library = str(folder / f"sidecars-{count}")
    return [*OURS, "add", *names, "-q", "-f", _file(folder, ONE, "one.yaml"), "--library", library]


def _sidecar(folder: Path, containers: str, rest: str = "") -> None:
    metadata = f"metadata: {{name: {folder.name}, version: 1.0.0, summary: One of many.}}\nspec: {{engine: plain}}\n"
    _file(folder, f"apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n{metadata}", "sidecar.yaml")
    limits = "  resources: {requests: {cpu: 1m, memory: 8Mi}, limits: {memory: 8Mi}}\n"
    _file(folder, f"containers:\n{containers}{limits}{rest}", "template.yaml")


def _volumes(command: str) -> Case:
    """Return the case of a command on a workload whose record lists many volumes."""

    def make(folder: Path, count: int) -> list[str]:
        library = folder / f"volumes-{count}"
        mounts = "".join(f"  - {{name: vol-{n}, mountPath: /v/{n}}}\n" for n in range(count))
        volumes = "".join(f"- {{name: vol-{n}, emptyDir: {{sizeLimit: 1Mi}}}}\n" for n in range(count))
        container = "- name: many\n  image: registry.example/side:1.0.0\n"
        _sidecar(library / "many", container, f"  volumeMounts:\n{mounts}volumes:\n{volumes}")
        before, after = _file(folder, ONE, "one.yaml"), str(folder / f"volumes-{count}.yaml")
        add = [*OURS, "add", "many", "-q", "--library", str(library), "-f", before]
        if command == "add":
            return add
        subprocess.run([*add, "-o", after], check=True)
        return [*OURS, *command.split(), "-f", after]

    return make


# The command by case, and the smaller of the two sizes.
CASES: dict[str, tuple[Case, int]] = {
    "documents, add": (_case("add logger -q --jobs 1", _documents), 500),
    "documents, validate": (_case("validate", _documents), 1000),
    "documents, remove": (_added("remove logger -q --jobs 1", _documents), 500),
    "documents, status": (_added("status", _documents), 250),
    "documents, graph": (_case("graph", _documents), 500),
    "items of a List, add": (_case("add logger -q", _list), 300),
    "items of a List, status": (_added("status", _list), 300),
    "items of a List, remove": (_added("remove logger -q", _list), 300),
    "JSON objects in a stream": (_case("validate", _json), 2000),
    "containers": (_case("add logger -q", _containers), 4000),
    "containers that get mounts": (_case("add logger -q --container *", _containers), 1000),
    "recorded volumes, add": (_volumes("add"), 2000),
    "recorded volumes, status": (_volumes("status"), 2000),
    "recorded volumes, remove": (_volumes("remove many -q"), 2000),
    "sidecars on one workload": (_sidecars, 50),
    "findings in documents": (_case("validate --fail-on never", _wrong_ports), 500),
    "findings in one object": (
        _case("validate --fail-on never", _in_container("          wrong{n}: 1\n")),
        2000,
    ),
    "equal variables": (_case("validate --fail-on never", _in_env("            - {{name: A, value: x}}\n")), 2000),
    "variables": (_case("add logger -q", _in_env("            - {{name: A{n}, value: x}}\n")), 5000),
    "anchors and aliases": (_case("add logger -q", _aliases), 3000),
    "comments": (_case("add logger -q", _in_container("          # comment {n}\n")), 160000),
    "Services and policies, add": (_case("add proxy -q", _around), 200),
    "Services and policies, --retarget": (_case("add proxy --retarget -q", _around), 200),
}
