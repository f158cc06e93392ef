"""Benchmark of `sidecarctl render --check` on a directory with a few outdated manifests, compared with `kustomize build`.

Both read the same rendered files. The results are medians of alternating runs. The target is a ratio of 0.25 or less.

    python bench/render_check.py [--files 2000] [--outdated 20] [--runs 3] [--kustomize PATH]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = 0.25
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  kubeVersion: "1.34"
  rules:
  - name: logging
    select: {kinds: [Deployment], labels: {tier: front}}
    sidecars:
    - name: logger
      parameters: {logDir: /var/log/nginx}
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-%(n)d
  namespace: prod
  labels:
    app: web-%(n)d
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web-%(n)d
  template:
    metadata:
      labels:
        app: web-%(n)d
        tier: front
    spec:
      containers:
      - name: web
        image: nginx:1.27.%(patch)d
        ports:
        - containerPort: 8080   # behind the ingress
        env:
        - name: SHARD
          value: "%(n)d"
        resources:
          requests: {cpu: 100m, memory: 64Mi}
          limits: {memory: 128Mi}
        readinessProbe:
          httpGet: {path: /healthz, port: 8080}
"""


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.files, options.outdated)
        mine = [sys.executable, "-m", "sidecarctl", "render", "-f", "manifests", "--check", "--quiet"]
        peer = [options.kustomize, "build", "manifests"] if options.kustomize else None
        if peer is None:
            print("kustomize not found on PATH: set its path with --kustomize")
        ours, theirs = [], []
        for _ in range(options.runs):
            ours.append(seconds(mine, folder, 1 if options.outdated else 0))
            if peer:
                theirs.append(seconds(peer, folder, 0))
    print(f"{options.files} files, {options.outdated} outdated, median of {options.runs} runs")
    print(f"  sidecarctl render --check  {statistics.median(ours):7.2f} s")
    if not theirs:
        return 0
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"  kustomize build            {statistics.median(theirs):7.2f} s")
    print(f"  ratio                      {ratio:7.2f}   (target: {TARGET})")
    return 0 if ratio <= TARGET else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare render --check with kustomize build.")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--outdated", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--kustomize", default=shutil.which("kustomize"))
    return parser.parse_args()


def prepare(folder: Path, files: int, outdated: int) -> None:
    """Write the composition, the rendered manifests with evenly distributed outdated ones, and a kustomization of all."""
    (folder / "sidecarctl.yaml").write_text(COMPOSITION)
    manifests = folder / "manifests"
    manifests.mkdir()
    names = [f"web-{number:05d}.yaml" for number in range(files)]
    for number, name in enumerate(names):
        (manifests / name).write_text(MANIFEST % {"n": number, "patch": number % 9})
    seconds([sys.executable, "-m", "sidecarctl", "render", "-f", "manifests", "-i", "--quiet"], folder, 0)
    for name in names[:: max(files // outdated, 1)][:outdated] if outdated else []:
        path = manifests / name
        path.write_text(path.read_text().replace("/var/log/nginx", "/var/log/old"))
    (manifests / "kustomization.yaml").write_text("resources:\n" + "".join(f"- {name}\n" for name in names))


def seconds(command: list[str], folder: Path, expected: int) -> float:
    """Run a command and return its duration. Exit with its stderr if the exit code is not the expected one."""
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - started
    if done.returncode != expected:
        raise SystemExit(f"{' '.join(command)} exited with code {done.returncode}:\n{done.stderr[-2000:]}")
    return taken


if __name__ == "__main__":
    sys.exit(main())
