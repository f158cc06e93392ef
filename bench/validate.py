"""Benchmark of `validate`: 1,000 Deployments compared with only reading them, and startup compared with starting Python.

Run `python bench/validate.py`. The results are ratios of medians in one run, so they do not depend on the machine.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
DEPLOYMENT = """\
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{number}
  labels: {{app: web-{number}}}
spec:
  replicas: 2
  selector:
    matchLabels: {{app: web-{number}}}
  template:
    metadata:
      labels: {{app: web-{number}}}
    spec:
      securityContext: {{runAsNonRoot: true}}
      containers:
      - name: web
        image: registry.example/web:1.0.0
        args: [--listen, ":8080"]
        env:
        - {{name: LOG_LEVEL, value: info}}
        - name: NODE
          valueFrom:
            fieldRef: {{fieldPath: spec.nodeName}}
        ports:
        - {{name: http, containerPort: 8080}}
        readinessProbe:
          httpGet: {{path: /ready, port: http}}
        resources:
          requests: {{cpu: 100m, memory: 64Mi}}
          limits: {{memory: 128Mi}}
        securityContext: {{readOnlyRootFilesystem: true}}
        volumeMounts:
        - {{name: data, mountPath: /data}}
      volumes:
      - name: data
        emptyDir: {{sizeLimit: 1Gi}}
"""


def median(work: Callable[[], object], turns: int) -> float:
    """Return the median duration of a function in seconds."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def command(*words: str) -> Callable[[], object]:
    """Return a function that runs Python with arguments."""
    return lambda: subprocess.run([sys.executable, *words], env=ENV, stdout=subprocess.DEVNULL, check=True)


def main() -> None:
    """Print the table."""
    from sidecarctl.validate.check_files import SourceText, validate_texts
    from sidecarctl.validate.rule_selection import select_rules
    from sidecarctl.yamltext.stream import split

    text = "".join(DEPLOYMENT.format(number=number) for number in range(1000))
    chosen = select_rules(pod_security="baseline")
    assert not validate_texts([SourceText(text, "web.yaml")], chosen).findings

    def read() -> None:
        for document in split(text, "web.yaml"):
            document.value  # noqa: B018

    reading = median(read, 5)
    judging = median(lambda: validate_texts([SourceText(text, "web.yaml")], chosen), 5)
    print(f"read 1,000 Deployments  {reading * 1000:8.1f} ms")
    print(f"validate them           {judging * 1000:8.1f} ms  {judging / reading:5.2f} x reading    (target: 1.5)")
    bare = median(command("-c", "pass"), 21)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as stream:
        stream.write(DEPLOYMENT.format(number=1))
        stream.flush()
        one = median(command("-m", "sidecarctl", "validate", "-f", stream.name), 11)
    print(f"validate one file       {one * 1000:8.1f} ms  {one / bare:5.1f} x python -c pass   (target: 8)")


if __name__ == "__main__":
    main()
