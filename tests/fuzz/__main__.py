"""Run random inputs through every layer, and save a minimized copy of each input that breaks a law: `python -m tests.fuzz`.

An input with a new outcome joins the seeds. The outcome is a short text, such as the outline of an error or the rules of
the findings. It replaces measured coverage, and costs nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.laws import LAYERS
from tests.fuzz.mutate import mutated, seeds

SECONDS = 10  # CPU seconds for one input: hundreds of times what an input usually takes
MEMORY = 2 << 30
SHARES = {"text": 32, "pipeline": 4, "reports": 2, "krm": 2, "sequences": 1}
KEPT = 4_000


class Hang(Exception):
    """An input exceeds the time limit."""


def run_input(layer: str, data: bytes, seed: int) -> tuple[str, str]:
    """Run one input. Return its outcome and the fault, which is empty if no law is broken."""
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        return LAYERS[layer](data, seed), ""
    except Exception as error:
        return "", fault(error)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def fault(error: BaseException) -> str:
    """Describe an error and where in the program it occurred. Inputs with the same fault have the same description."""
    at, trace = "", error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if "sidecarctl" in file and "/tests/" not in file:
            at = f"{Path(file).stem}.{trace.tb_frame.f_code.co_name}"
        trace = trace.tb_next
    said = "" if isinstance(error, (KeyError, IndexError)) else f" {str(error)[:60]}"
    return f"{type(error).__name__}{said} ({at})"


def minimize(layer: str, data: bytes, seed: int, wanted: str) -> bytes:
    """Minimize an input: remove ever smaller pieces while the fault stays the same."""
    for cut in (_lines, _bytes):
        size = max(1, len(cut(data)) // 2)
        while size:
            at = 0
            while at < len(cut(data)):
                pieces = cut(data)
                less = b"".join(pieces[:at] + pieces[at + size :])
                if run_input(layer, less, seed)[1] == wanted:
                    data = less
                else:
                    at += size
            size //= 2
    return data


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def _bytes(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def search(runs: int, seed: int, only: str, out: Path, log: Callable[[str], None]) -> dict[str, object]:
    """Run inputs, write a minimized copy of each new fault to `out`, and return statistics."""
    rng = Random(seed)
    pool = {layer: seeds() for layer in LAYERS}
    outcomes: dict[str, set[str]] = {layer: set() for layer in LAYERS}
    counts, faults = Counter[str](), Counter[str]()
    slowest = ("", 0.0)
    layers = [layer for layer, share in SHARES.items() for _ in range(share) if only in ("", layer)]
    started = time.process_time()
    for number in range(runs):
        layer = layers[number % len(layers)]
        inputs = pool[layer]
        data, choices = mutated(rng.choice(inputs), inputs, rng), rng.randrange(16)
        before = time.process_time()
        outcome, broken = run_input(layer, data, choices)
        took = time.process_time() - before
        counts[layer] += 1
        if took > slowest[1]:
            slowest = (layer, took)
        if broken:
            faults[f"{layer}: {broken}"] += 1
            if faults[f"{layer}: {broken}"] == 1:
                small = minimize(layer, data, choices, broken)
                out.mkdir(parents=True, exist_ok=True)
                (out / f"{layer}-{choices}-{len(faults)}.yaml").write_bytes(small)
                log(f"{layer} {choices}: {broken}\n  {small!r}")
        elif outcome not in outcomes[layer]:
            outcomes[layer].add(outcome)
            if len(inputs) < KEPT:
                inputs.append(data)
        if number % 50_000 == 49_999:
            log(f"{number + 1:,} inputs, {sum(map(len, outcomes.values())):,} outcomes, {len(faults)} faults")
    return {
        "inputs": dict(counts),
        "total": sum(counts.values()),
        "CPU seconds": round(time.process_time() - started),
        "outcomes": {layer: len(found) for layer, found in outcomes.items()},
        "slowest": [slowest[0], round(slowest[1], 3)],
        "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "faults": dict(faults),
    }


def main() -> int:
    """Search as the command line requests. Exit with 1 if an input breaks a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, help="number of inputs")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--layer", choices=sorted(LAYERS), default="", help="run only this layer")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="directory for minimized inputs")
    given = parser.parse_args()

    def hangs(*_: object) -> None:
        raise Hang(f"more than {SECONDS} s")

    signal.signal(signal.SIGVTALRM, hangs)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    log(f"seed {given.seed}")
    statistics = search(given.runs, given.seed, given.layer, given.out, log)
    print(json.dumps({"seed": given.seed, **statistics}, indent=2))
    return 1 if statistics["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
