"""Run all measurements of docs/performance.md: `python bench/run.py [SECTION...]`.

The sections are one, stream, jobs, install, memory, post-render, and growth; the default is all. Each results in a table of
ratios of CPU time, measured in alternating runs, so that other load on the machine affects all programs equally. `jobs`
measures the CPU time of the longest path through its processes, and `memory` the peak resident set size.

Results are stored by section in bench/results/results.json, from which results.md is generated. Programs to compare with are
found on PATH, in .tools, or with `--peer ytt=/opt/ytt`. Missing programs are listed and skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import add as inputs
import growing

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "bench" / "work"
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- results -->", "<!-- /results -->"
PASS = [sys.executable, "-c", "pass"]
OURS = [sys.executable, "-m", "sidecarctl"]
PEERS = ("kubectl", "kustomize", "ytt")
# Measures the CPU time of a process and of its children separately, which other load does not affect.
ONE_WAY = """
import resource, sys
from sidecarctl.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code
spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(*(one.ru_utime + one.ru_stime for one in spent), file=sys.stderr)
"""
Row = dict[str, Any]


def main() -> None:
    """Measure the requested sections and write the results."""
    options = _arguments()
    found = _peers(dict(peer.partition("=")[::2] for peer in options.peer))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "results.json"
    results: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {"sections": {}}
    results["machine"] = _machine()
    results["peers"] = {name: _version(name, path) for name, path in found.items()}
    results["missing"] = [name for name in PEERS if name not in found]
    for name in options.sections or SECTIONS:
        print(f"{name} ...", file=sys.stderr)
        results["sections"][name] = SECTIONS[name](options, found)
        file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = _markdown(results)
    (RESULTS / "results.md").write_text(text, encoding="utf-8")
    page = PAGE.read_text("utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--documents", type=int, default=1000, help="Deployments in the stream")
    parser.add_argument("--files", type=int, default=10_000, help="files for the section jobs")
    parser.add_argument(
        "--memory", type=int, default=100_000, help="Deployments in the longest stream of the section memory"
    )
    parser.add_argument("--growth", type=int, default=100, help="sizes in the section growth, in percent")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH")
    return parser.parse_args()


def _peers(named: dict[str, str]) -> dict[str, str]:
    found = {name: named.get(name) or shutil.which(name, path=_path()) for name in PEERS}
    return {name: str(place) for name, place in found.items() if place}


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), str(ROOT / ".tools")])


def _version(name: str, path: str) -> str:
    words = [path, "version", "--client"] if name == "kubectl" else [path, "version"]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return " ".join(said.split("\n")[0].split())


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


# ---- sections ----------------------------------------------------------------------------------------------------


def one(options: argparse.Namespace, peers: dict[str, str]) -> list[Row]:
    """Measure whole processes on one manifest."""
    folder = inputs._inputs(1)
    manifest = str(folder / "all.yaml")
    commands = {
        "python -c pass": PASS,
        "add logger": [*OURS, "add", "logger", "-f", manifest],
        "validate": [*OURS, "validate", "-f", manifest],
        "--version": [*OURS, "--version"],
        "--help": [*OURS, "--help"],
        "add --help": [*OURS, "add", "--help"],
        "validate --help": [*OURS, "validate", "--help"],
        "completion": [*OURS],
        **_patches(folder, peers),
    }
    spent = _in_turns(commands, options.runs * 3, {"completion": _COMPLETE})
    base, kubectl = spent["python -c pass"], spent.get("kubectl kustomize")
    rows = [_row(name, spent[name], base, "x python -c pass", _GOALS.get(name)) for name in spent]
    if kubectl:
        rows.append(_row("add logger", spent["add logger"], kubectl, "x kubectl kustomize", 0.45))
    if build := spent.get("kustomize build"):
        rows.append(_row("add logger", spent["add logger"], build, "x kustomize build", 0.6))
    return rows


_GOALS = {"add logger": 8, "--help": 8, "add --help": 8, "validate --help": 8}
_COMPLETE = {
    "_SIDECARCTL_COMPLETE": "complete_bash",
    "COMP_WORDS": "sidecarctl add lo",
    "COMP_CWORD": "2",
}


def stream(options: argparse.Namespace, peers: dict[str, str]) -> list[Row]:
    """Measure one stream of many Deployments, with full validation."""
    folder = inputs._inputs(options.documents)
    command = [*OURS, "add", "logger", "-q", "-f", str(folder / "all.yaml"), "--jobs"]
    spent = _in_turns({"add logger": [*command, "1"], **_patches(folder, peers)}, options.runs)
    goals = {"kubectl kustomize": 0.25, "ytt": 1.0}
    mine = spent.pop("add logger")
    rows = [
        _row(f"{options.documents:,} Deployments", mine, spent[name], f"x {name}", goals.get(name)) for name in spent
    ]
    walls = dict.fromkeys(("1", "2"), float("inf"))
    for _ in range(options.runs):
        for count in walls:
            started = time.perf_counter()
            subprocess.run([*command, count], stdout=subprocess.DEVNULL, env=_env(), check=True)
            walls[count] = min(walls[count], time.perf_counter() - started)
    wall = {"what": f"{options.documents:,} Deployments, --jobs 2, wall time", "value": walls["2"] / walls["1"]}
    return [*rows, {**wall, "unit": "x --jobs 1", "goal": 0.6}]


def post_render(options: argparse.Namespace, peers: dict[str, str]) -> list[Row]:
    """Compare the post-renderer on 50 documents with `helm template`, which makes them."""
    helm = next((path for name in ("helm", "helm3", "helm4") if (path := shutil.which(name, path=_path()))), None)
    if helm is None:
        return []
    chart = WORK / "chart"
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n", encoding="utf-8")
    text = "---\n".join(inputs.MANIFEST.format(n=n) for n in range(50))
    (chart / "templates" / "all.yaml").write_text(text, encoding="utf-8")
    (WORK / "rendered.yaml").write_text(text, encoding="utf-8")
    composition = WORK / "post-render.yaml"
    composition.write_text(_COMPOSITION, encoding="utf-8")
    command = 'exec "$0" -m sidecarctl post-render -c "$1" < "$2"'
    ours = ["sh", "-c", command, sys.executable, str(composition), str(WORK / "rendered.yaml")]
    spent = _in_turns({"helm": [helm, "template", "web", str(chart)], "ours": ours}, options.runs)
    return [_row("post-render, 50 documents", spent["ours"], spent["helm"], "x helm template", 1.5)]


_COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: bench}
spec:
  rules:
  - select: {kinds: [Deployment]}
    sidecars: [logger]
"""


def jobs(options: argparse.Namespace, peers: dict[str, str]) -> list[Row]:
    """Compare one and two processes on many files, edited in place."""
    folder = WORK / "many"
    spent = dict.fromkeys((1, 2), float("inf"))
    for _ in range(max(1, options.runs // 2)):
        for number in spent:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for n in range(options.files):
                (folder / f"{n:06}.yaml").write_text(inputs.MANIFEST.format(n=n), encoding="utf-8")
            words = [
                sys.executable,
                "-c",
                ONE_WAY,
                "add",
                "logger",
                "-q",
                "-i",
                "-f",
                str(folder),
                "--jobs",
                str(number),
            ]
            said = subprocess.run(words, env=_env(), check=True, capture_output=True, text=True).stderr.split()
            spent[number] = min(spent[number], float(said[-2]) + float(said[-1]) / number)
    shutil.rmtree(folder)
    return [_row(f"{options.files:,} files in place, --jobs 2", spent[2], spent[1], "x --jobs 1", 0.6)]


def install(options: argparse.Namespace, peers: dict[str, str]) -> list[Row]:
    """Compare a large manifest with one workload to only reading and splitting it. Startup time is excluded."""
    text = _install_manifest()
    file = WORK / "install.yaml"
    file.write_text(text, encoding="utf-8")
    program = (
        "import sys,time;sys.path.insert(0,sys.argv[1])\n"
        "from sidecarctl.cli import build_request\nfrom sidecarctl.inject import pipeline\n"
        "from sidecarctl.inject.pipeline import Options\nfrom sidecarctl.yamltext.stream import split\n"
        "asked=build_request.requests(['logger'],libraries=[],sets=[],values=[],containers=[],as_name=None,mode=None)\n"
        "options=Options(facts=False)\n"
        "read=lambda:open(sys.argv[2],'rb').read().decode()\n"
        "def best(work):\n"
        "    times=[]\n"
        "    for _ in range(25):\n"
        "        at=time.process_time();work();times.append(time.process_time()-at)\n"
        "    return min(times)\n"
        "print(best(lambda:list(split(read()))),best(lambda:pipeline.add(read(),asked,options).text.encode()))\n"
    )
    words = [sys.executable, "-c", program, str(ROOT), str(file)]
    scan, whole = map(float, subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
    size = f"{len(text) / 1e6:.1f} MB"
    return [_row(f"{size} install manifest with one Deployment", whole, scan, "x reading and scanning", 2)]


def memory(options: argparse.Namespace, peers: dict[str, str]) -> list[Row]:
    """Measure the peak resident set size from stdin to stdout."""
    rows = []
    for count in (options.memory // 100, options.memory // 10, options.memory):
        file = WORK / "memory.yaml"
        with file.open("w", encoding="utf-8") as out:
            for n in range(count):
                out.write(("---\n" if n else "") + inputs.MANIFEST.format(n=n))
        with file.open("rb") as stdin:
            child = subprocess.Popen(
                [*OURS, "add", "logger"], stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_env()
            )
            _, status, usage = os.wait4(child.pid, 0)
        assert status == 0
        file.unlink()
        megabytes = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        rows.append({"what": f"{count:,} Deployments, stdin to stdout", "value": megabytes, "unit": "MB", "goal": 100})
    return rows


def growth(options: argparse.Namespace, peers: dict[str, str]) -> list[Row]:
    """Measure how the CPU time grows when each input of `growing` gets four times as large. Startup time is subtracted.

    A linear case has a ratio of about 4.
    """
    rows: list[Row] = []
    for name, (make, size) in growing.CASES.items():
        size = max(1, size * options.growth // 100)
        commands = {str(count): make(WORK / "growth", count) for count in (1, size, 4 * size)}
        start, small, large = _in_turns(commands, (options.runs + 1) // 2).values()
        small, large = (max(seconds - start, 1e-3) for seconds in (small, large))
        rows.append(
            {
                "what": f"{name}: {size:,} to {4 * size:,}",
                "value": large / small,
                "seconds": large,
                "unit": "x for 4 x",
                "goal": 5,
            }
        )
    return rows


SECTIONS: dict[str, Callable[[argparse.Namespace, dict[str, str]], list[Row]]] = {
    "one": one,
    "stream": stream,
    "jobs": jobs,
    "install": install,
    "memory": memory,
    "post-render": post_render,
    "growth": growth,
}


# ---- inputs ------------------------------------------------------------------------------------------------------


def _patches(folder: Path, peers: dict[str, str]) -> dict[str, list[str]]:
    """Return the command lines with which the other programs make the same change."""
    files = ["-f", str(folder / "all.yaml"), "-f", str(folder / "overlay.ytt.yaml")]
    words = {"kubectl": ["kustomize", str(folder)], "kustomize": ["build", str(folder)], "ytt": files}
    names = {"kubectl": "kubectl kustomize", "kustomize": "kustomize build", "ytt": "ytt"}
    return {names[name]: [path, *words[name]] for name, path in peers.items()}


def _install_manifest() -> str:
    text = "              field{n}:\n                description: |-\n                  It's passed on to the pods that are made.\n"
    properties = "".join(text.format(n=n) + "                type: string\n" for n in range(320))
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things{n}.example.com\n"
        "spec:\n  group: example.com\n  names: {{kind: Thing{n}, plural: things{n}}}\n  scope: Namespaced\n  versions:\n"
        "  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n"
        "        properties:\n          spec:\n            type: object\n            properties:\n"
        "              containers: {{type: array, items: {{type: object}}}}\n"
    )
    board = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: board-{n}\ndata:\n  board.json: |\n"
    panels = "".join(
        f'    {{"panel": {n}, "title": "Panel {n}", "expr": "sum(rate(requests_total[5m]))"}},\n' for n in range(400)
    )
    documents = [definition.format(n=n) + properties for n in range(14)]
    documents += [board.format(n=n) + panels for n in range(14)]
    return "---\n".join([*documents, inputs.MANIFEST.format(n=1)])


# ---- measuring and writing ---------------------------------------------------------------------------------------


def _env(more: dict[str, str] | None = None) -> dict[str, str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **(more or {})}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled, as after an installation
    return env


def _in_turns(
    commands: dict[str, list[str]], runs: int, more: dict[str, dict[str, str]] | None = None
) -> dict[str, float]:
    """Return the lowest CPU time of each command, in seconds."""
    spent = dict.fromkeys(commands, float("inf"))
    for turn in range(runs + 1):
        for name, words in commands.items():
            seconds = _cpu(words, _env((more or {}).get(name)))
            if turn or not runs:  # the first run compiles modules and fills caches
                spent[name] = min(spent[name], seconds)
    return spent


def _cpu(words: Sequence[str], env: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, check=False)
    if done.returncode > 1:
        raise SystemExit(f"{' '.join(words)[:300]} exited with code {done.returncode}:\n{done.stderr.decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _row(what: str, seconds: float, base: float, unit: str, goal: float | None) -> Row:
    return {"what": what, "value": seconds / base, "seconds": seconds, "unit": unit, "goal": goal}


def _markdown(results: dict[str, Any]) -> str:
    lines = [f"Machine: {results['machine']}.", ""]
    lines += [f"- {name}: {version}" for name, version in results["peers"].items()]
    lines += [f"- {name}: not found" for name in results["missing"]]
    lines += ["", "| measurement | value | CPU seconds | target | result |", "|---|---|---|---|---|"]
    for rows in results["sections"].values():
        for row in rows:
            goal, seconds = row.get("goal"), row.get("seconds")
            verdict = "" if goal is None else "met" if row["value"] <= goal else "missed"
            value = f"{row['value']:.3g}" if row["value"] < 100 else f"{row['value']:.0f}"
            target = "" if goal is None else f"≤ {goal:g}"
            lines.append(
                f"| {row['what']} | {value} {row['unit']} | {f'{seconds:.3f}' if seconds else ''} | {target} | {verdict} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
