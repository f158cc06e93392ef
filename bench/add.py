"""CPU time of `sidecarctl add logger` compared with other programs that make the same change.

The inputs are generated in bench/work. `kustomize build` applies a strategic merge patch with exactly what sidecarctl adds.
Programs that are not installed are listed and skipped.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "bench" / "work"
ADD = [sys.executable, "-m", "sidecarctl", "add", "logger"]

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{n}
  namespace: shop
  labels:
    app.kubernetes.io/name: web-{n}
    app.kubernetes.io/part-of: shop
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web-{n}
  template:
    metadata:
      labels:
        app: web-{n}
    spec:
      containers:
        - name: web
          image: ghcr.io/example/web:2.4.{n}   # the app
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: info
            - name: DB_HOST
              value: db-{n}.shop.svc
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
            limits:
              memory: 256Mi
          readinessProbe:
            httpGet:
              path: /ready
              port: http
          livenessProbe:
            httpGet:
              path: /live
              port: http
          volumeMounts:
            - name: config
              mountPath: /etc/web
      volumes:
        - name: config
          configMap:
            name: web-{n}
"""


def main() -> None:
    """Generate the inputs, run every program, and print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5, help="runs of each program; the fastest one counts")
    options.add_argument("--many", type=int, default=1000, help="Deployments in the long stream")
    asked = options.parse_args()
    compileall.compile_dir(ROOT / "sidecarctl", quiet=1)  # pip also compiles on installation
    found = {name: path for name in ("kustomize", "kubectl", "ytt") if (path := _program(name))}
    missing = [name for name in ("kustomize", "kubectl", "ytt") if name not in found]
    for count, goal in ((1, 1.2), (asked.many, 0.25)):
        folder = _inputs(count)
        _table(f"{count:,} Deployment{'s' * (count > 1)} in one stream", _commands(folder, found), goal, asked.runs)
    if missing:
        print(f"skipped, not found: {', '.join(missing)}")


def _program(name: str) -> str | None:
    """Return the path of a program on PATH or in the directory of Go programs."""
    return shutil.which(name) or shutil.which(name, path=str(Path.home() / "go" / "bin"))


def _commands(folder: Path, found: dict[str, str]) -> dict[str, list[str]]:
    """Return the command lines by name. The first one is the baseline."""
    commands = {}
    if "kustomize" in found:
        commands["kustomize build"] = [found["kustomize"], "build", str(folder)]
    if "kubectl" in found:
        commands["kubectl kustomize"] = [found["kubectl"], "kustomize", str(folder)]
    if "ytt" in found:
        commands["ytt"] = [found["ytt"], "-f", str(folder / "all.yaml"), "-f", str(folder / "overlay.ytt.yaml")]
    commands["sidecarctl add logger"] = [*ADD, "-f", str(folder / "all.yaml")]
    commands["python -c pass"] = [sys.executable, "-c", "pass"]
    return commands


def _table(title: str, commands: dict[str, list[str]], goal: float, runs: int) -> None:
    spent = dict.fromkeys(commands, float("inf"))
    for _ in range(runs):  # alternating, so that other load on the machine affects all programs equally
        for name, command in commands.items():
            spent[name] = min(spent[name], _cpu(command))
    first = next(iter(spent))
    print(f"{title} (CPU seconds, fastest of {runs} runs)")
    for name, seconds in spent.items():
        print(f"  {name:24}{seconds:8.3f}{seconds / spent[first]:8.2f} x {first}")
    if "kustom" in first:
        print(f"  target for sidecarctl: {goal} x {first} or less\n")


def _cpu(command: Sequence[str]) -> float:
    """Run a command and return its CPU time in seconds."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _inputs(count: int) -> Path:
    """Write a stream of Deployments, and the configuration with which the other programs make the same change."""
    folder = WORK / str(count)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "all.yaml").write_text("---\n".join(MANIFEST.format(n=n) for n in range(count)), encoding="utf-8")
    template, companion = _added()
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "any"}, "spec": {"template": template}}
    # JSON is also YAML.
    (folder / "patch.yaml").write_text(json.dumps(patch, indent=2), encoding="utf-8")
    (folder / "companion.yaml").write_text(json.dumps(companion, indent=2), encoding="utf-8")
    kustomization = {
        "resources": ["all.yaml", "companion.yaml"],
        "patches": [{"path": "patch.yaml", "target": {"kind": "Deployment"}}],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization, indent=2), encoding="utf-8")
    (folder / "overlay.ytt.yaml").write_text(_overlay(template), encoding="utf-8")
    return folder


def _added() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the patch for a pod template that makes the same change as sidecarctl, and the companion."""
    sys.path.insert(0, str(ROOT))
    from sidecarctl.yamltext.stream import split

    done = subprocess.run(
        [*ADD, "-q"],
        input=MANIFEST.format(n=0),
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    workload, companion = (document.value for document in split(done.stdout))
    (before,) = (document.value for document in split(MANIFEST.format(n=0)))
    assert isinstance(workload, dict) and isinstance(before, dict) and isinstance(companion, dict)
    new, old = workload["spec"]["template"], before["spec"]["template"]
    mounts = [m for m in new["spec"]["containers"][0]["volumeMounts"] if m["name"] != "config"]
    spec = {
        "initContainers": new["spec"]["initContainers"],
        "containers": [{"name": "web", "volumeMounts": mounts}],
        "volumes": [volume for volume in new["spec"]["volumes"] if volume not in old["spec"]["volumes"]],
    }
    return {"metadata": {"annotations": new["metadata"]["annotations"]}, "spec": spec}, companion


def _overlay(template: dict[str, Any]) -> str:
    """Return the patch as a ytt overlay."""
    spec = template["spec"]
    items = {
        "annotations": json.dumps(template["metadata"]["annotations"]),
        "init": json.dumps(spec["initContainers"]),
        "mounts": "\n".join(f"          - {json.dumps(one)}" for one in spec["containers"][0]["volumeMounts"]),
        "volumes": "\n".join(f"      - {json.dumps(one)}" for one in spec["volumes"]),
    }
    return OVERLAY.format(**items)


OVERLAY = """\
#@ load("@ytt:overlay", "overlay")
#@overlay/match by=overlay.subset({{"kind": "Deployment"}}), expects="1+"
---
spec:
  template:
    metadata:
      #@overlay/match missing_ok=True
      annotations: {annotations}
    spec:
      #@overlay/match missing_ok=True
      initContainers: {init}
      containers:
      #@overlay/match by="name"
      - name: web
        volumeMounts:
{mounts}
      volumes:
{volumes}
"""


if __name__ == "__main__":
    main()
