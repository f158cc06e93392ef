"""Benchmark of the library: `list` compared with starting Python, and a KCL sidecar compared with the same one in Jinja.

Run `python bench/library.py`. The results are ratios of medians in one run, so they do not depend on the machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
DEPLOYMENT = """\
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
spec:
  selector:
    matchLabels: {{app: web-{number}}}
  template:
    metadata:
      labels: {{app: web-{number}}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0
        ports:
        - containerPort: 8080
"""


def median(words: list[str], turns: int) -> float:
    """Return the median time of a command in seconds."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], env=ENV, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    bare = median(["-c", "pass"], 21)
    listed = median(["-m", "sidecarctl", "list"], 21)
    print(f"list                    {listed * 1000:8.1f} ms  {listed / bare:5.1f} x python -c pass   (target: 8)")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as stream:
        stream.write("".join(DEPLOYMENT.format(number=number) for number in range(1000)))
        stream.flush()
        for name, extra in (("log-tail", []), ("metrics", ["--set", "exporter=nginx"])):
            words = [
                "-m",
                "sidecarctl",
                "add",
                name,
                *extra,
                "-q",
                "-f",
                stream.name,
            ]
            jinja = median(words, 3)
            kcl = median([*words, "--library", str(ROOT / "examples" / "library-kcl")], 3)
            row = f"{name} in KCL, 1,000 pods"
            print(f"{row:<32}{kcl:8.2f} s  {kcl / jinja:5.1f} x Jinja   (target: 3)")


if __name__ == "__main__":
    main()
