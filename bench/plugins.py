"""Benchmark of `krm` and `post-render`, in CPU time. The results are medians of alternating runs.

- `krm` on 500 items, in one process: the time in addition to reading and writing the ResourceList, if no rule selects an
  item, and the difference to `render` of the same manifests, if a rule selects all of them. The target is 10 ms for 100
  items if no rule selects an item.
- `post-render` on a chart of 50 documents, compared with `helm template` of that chart. The target is a ratio of 1.0.

    python bench/plugins.py [--items 500] [--runs 5] [--helm PATH]
"""

from __future__ import annotations

import argparse
import gc
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from sidecarctl.cli import build_request
from sidecarctl.inject.pipeline import render
from sidecarctl.integrations import krm, resource_list

ROOT = Path(__file__).resolve().parent.parent
PER_HUNDRED = 0.010
SHARE = 1.0
DOCUMENTS = 50
SERVICES = 10
TEMPLATE = """\
{{- range $n := until %(workloads)d }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $.Release.Name }}-{{ $n }}
  labels: {app: web-{{ $n }}, tier: {{ if lt $n %(selected)d }}front{{ else }}back{{ end }}}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web-{{ $n }}}
  template:
    metadata:
      labels: {app: web-{{ $n }}, tier: {{ if lt $n %(selected)d }}front{{ else }}back{{ end }}}
    spec:
      containers:
        - name: web
          image: {{ $.Values.image | quote }}
          ports:
            - containerPort: 8080
          resources:
            requests: {cpu: 100m, memory: 64Mi}
            limits: {memory: 128Mi}
{{- end }}
{{- range $n := until %(services)d }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $.Release.Name }}-{{ $n }}
spec:
  selector: {app: web-{{ $n }}}
  ports: [{port: 80, targetPort: 8080}]
{{- end }}
"""


def main() -> int:
    options = arguments()
    own = bench_krm(options.items, options.runs)
    share = bench_post_render(options.runs, options.helm) if options.helm else None
    if share is None:
        print("helm not found: set its path with --helm")
    return int(own > PER_HUNDRED or (share is not None and share > SHARE))


# ---- krm ---------------------------------------------------------------------------------------------------------


def bench_krm(items: int, runs: int) -> float:
    """Return the seconds for 100 items that krm takes in addition to reading and writing."""
    selecting, idle = (listed(items, tier) for tier in ("front", "back"))

    config = yaml.safe_load(selecting)["functionConfig"]
    # Loaded once, because the time does not depend on the number of items.
    chosen, settings = build_request.prepare_selection(krm.composition_of(config, Path(), ""), [], None, "strict")

    def function(data: bytes) -> Callable[[], object]:
        return lambda: krm.run(data, lambda given: (chosen, settings))

    def read_and_write() -> None:
        # Writes each unchanged item, as after an edit.
        given = resource_list.read(idle.decode())
        for document in given.items:
            _ = document.value
        resource_list.write(given, given.items, [])

    documents = "---\n".join(each.text for each in resource_list.read(selecting.decode()).items)
    # The real command has the same settings.
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
    found = medians(
        {
            "read and write": read_and_write,
            "krm, none selected": function(idle),
            "render, all selected": lambda: render(documents, chosen, settings, "-"),
            "krm, all selected": function(selecting),
        },
        runs,
    )
    for name, seconds in found.items():
        print(f"{name:24}{seconds * 1000:9.1f} ms for {items} items")
    own = (found["krm, none selected"] - found["read and write"]) * 100 / items
    more = (found["krm, all selected"] - found["render, all selected"]) * 100 / items
    print(f"krm takes {own * 1000:.1f} ms more than reading and writing 100 items (target: {PER_HUNDRED * 1000:.0f})")
    print(f"krm takes {more * 1000:.1f} ms more than render for 100 items, all selected")
    return own


def listed(items: int, tier: str) -> bytes:
    """Return a ResourceList as kustomize passes it. Its composition selects the tier `front`."""
    rule = {"select": {"labels": {"tier": "front"}}, "sidecars": [{"name": "logger"}, {"name": "log-tail"}]}
    value = {
        "apiVersion": "config.kubernetes.io/v1",
        "kind": "ResourceList",
        "items": [item(number, tier) for number in range(items)],
        "functionConfig": {
            "apiVersion": "sidecarctl.dev/v1alpha1",
            "kind": "Composition",
            "metadata": {"name": "platform"},
            "spec": {"kubeVersion": "1.34", "rules": [rule]},
        },
    }
    return yaml.dump(value, Dumper=yaml.CSafeDumper).encode()


def item(number: int, tier: str) -> dict[str, Any]:
    labels = {"app": f"web-{number}", "tier": tier}
    container = {
        "name": "web",
        "image": "nginx:1.29.3",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    }
    notes = {"internal.config.kubernetes.io/index": str(number), "internal.config.kubernetes.io/path": "web.yaml"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"web-{number}", "annotations": notes},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def medians(works: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(runs + 1):
        for name, work in works.items():
            began = time.process_time()
            work()
            if turn:  # the first run warms up
                times[name].append(time.process_time() - began)
    return {name: statistics.median(found) for name, found in times.items()}


# ---- post-render -------------------------------------------------------------------------------------------------


def bench_post_render(runs: int, helm: str) -> float:
    """Return the ratio of the CPU times of post-render and helm template."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chart = folder / "chart"
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
        (chart / "values.yaml").write_text("image: nginx:1.29.3\n")
        sizes = {"workloads": DOCUMENTS - SERVICES, "services": SERVICES, "selected": 10}
        (chart / "templates" / "all.yaml").write_text(TEMPLATE % sizes)
        rule = {"select": {"labels": {"tier": "front"}}, "sidecars": ["logger"]}
        composition = {
            "apiVersion": "sidecarctl.dev/v1alpha1",
            "kind": "Composition",
            "metadata": {"name": "platform"},
            "spec": {"kubeVersion": "1.34", "rules": [rule]},
        }
        (folder / "sidecarctl.yaml").write_text(yaml.safe_dump(composition))
        render_chart = [helm, "template", "r", "chart"]
        manifests = subprocess.run(render_chart, cwd=folder, check=True, capture_output=True).stdout
        assert manifests.count(b"\nkind: ") == DOCUMENTS
        mine = [sys.executable, "-m", "sidecarctl", "post-render", "--quiet"]
        ours, theirs = [], []
        for turn in range(runs + 1):
            pair = spent(mine, folder, manifests), spent(render_chart, folder, b"")
            if turn:
                ours.append(pair[0])
                theirs.append(pair[1])
    our, their = statistics.median(ours), statistics.median(theirs)
    print(
        f"post-render {our * 1000:.0f} ms, helm template {their * 1000:.0f} ms, {DOCUMENTS} documents, 10 with a sidecar"
    )
    print(f"post-render / helm template: {our / their:.2f} (target: {SHARE})")
    return our / their


def spent(words: list[str], folder: Path, data: bytes) -> float:
    """Return the CPU time of a program and its child processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=folder, input=data, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    local = ROOT / ".tools" / "helm4"
    parser.add_argument("--helm", default=str(local) if local.is_file() else shutil.which("helm"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
