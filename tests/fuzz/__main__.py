"""Run random inputs through every layer, and save a minimized copy of each input that breaks a law: `python -m tests.fuzz`.

Processes search independently, each with its own seed: those of `--seed 7 --jobs 2` are 7 and 8.

An input with a new outcome joins the seeds. The outcome is a short text, such as the outline of an error or the rules of
the findings. It replaces measured coverage, and costs nothing.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random

from tests.fuzz.laws import LAYERS
from tests.fuzz.mutate import mutated, seeds

SECONDS = 10  # CPU seconds for one input: hundreds of times what an input usually takes
MEMORY = 2 << 30
SHARES = {"text": 80, "pipeline": 4, "reports": 2, "krm": 4, "sequences": 1}
KEPT = 4_000
COMMANDS = ("add ", "upgrade ", "remove ")


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


@dataclass
class Figures:
    """What a search found in one layer.

    slowest  CPU seconds
    words    how often each sidecar was added, upgraded, or removed, for the layers that say so
    """

    inputs: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    outcomes: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        """Add the figures of another process."""
        self.inputs += other.inputs
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)
        self.outcomes |= other.outcomes
        self.faults += other.faults
        self.words += other.words


def search(seed: int, runs: int, only: str, out: Path) -> tuple[dict[str, Figures], int]:
    """Run inputs, and write a minimized copy of each new fault to `out`. Return the figures by layer, and the peak memory."""
    rng = Random(seed)
    layers = [layer for layer, share in SHARES.items() for _ in range(share) if only in ("", layer)]
    pool = {layer: seeds() for layer in set(layers)}
    found = {layer: Figures() for layer in SHARES if layer in pool}
    for number in range(runs):
        layer = layers[number % len(layers)]
        inputs, figures = pool[layer], found[layer]
        data, choices = mutated(rng.choice(inputs), inputs, rng), rng.randrange(16)
        before = time.process_time()
        outcome, broken = run_input(layer, data, choices)
        took = time.process_time() - before
        figures.inputs += 1
        figures.seconds += took
        figures.slowest = max(figures.slowest, took)
        if broken:
            figures.faults[broken] += 1
            if figures.faults[broken] == 1:
                _save(layer, data, choices, broken, out / f"{layer}-{choices}-{seed}-{len(figures.faults)}.yaml")
        else:
            _keep(figures, outcome, data, inputs)
        if number % 50_000 == 49_999:
            log(f"seed {seed}: {number + 1:,} inputs, {sum(len(one.faults) for one in found.values())} faults")
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _save(layer: str, data: bytes, choices: int, broken: str, file: Path) -> None:
    log(f"{layer} {choices}: {broken}\n  {data!r:.500}")
    small = minimize(layer, data, choices, broken)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(small)
    log(f"  {file}: {small!r:.500}")


def _keep(figures: Figures, outcome: str, data: bytes, inputs: list[bytes]) -> None:
    """Keep an input with a new outcome as a seed. A sequence has no outcome but its commands, and its input is a number."""
    commands = [each for each in outcome.split("; ") if each.startswith(COMMANDS)]
    if commands:
        figures.words.update(commands)
    elif outcome not in figures.outcomes:
        figures.outcomes.add(outcome)
        if len(inputs) < KEPT:
            inputs.append(data)


def log(line: str) -> None:
    """Print a line to stderr."""
    print(line, file=sys.stderr, flush=True)


def report(found: dict[str, Figures], memory: int) -> Iterator[str]:
    """Yield the figures of a search: a line for each layer, the sidecars that took part, and each fault."""
    for layer, one in found.items():
        yield (
            f"{layer:9} {one.inputs:>9,} inputs {one.seconds:>7,.0f} s CPU {one.seconds / max(1, one.inputs) * 1000:>7.2f} ms each"
            f" {one.slowest:>6.2f} s slowest {len(one.outcomes):>5} outcomes {sum(one.faults.values()):>3} faults"
        )
    total = sum(one.inputs for one in found.values())
    yield f"total     {total:>9,} inputs {sum(one.seconds for one in found.values()):>7,.0f} s CPU, peak memory {memory} MB"
    for layer, one in found.items():
        for command in COMMANDS:
            names = {word.split()[1]: count for word, count in one.words.items() if word.startswith(command)}
            if names:
                yield f"{layer}: {command}{sum(names.values()):,} times, {len(names)} sidecars, each at least {min(names.values())} times"
        yield from (f"{layer}: {count} x {fault}" for fault, count in one.faults.items())


def _limit() -> None:
    """Stop an input that takes too much time or memory."""

    def hangs(*_: object) -> None:
        raise Hang(f"more than {SECONDS} s")

    signal.signal(signal.SIGVTALRM, hangs)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main() -> int:
    """Search as the command line requests. Exit with 1 if an input breaks a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000, help="number of inputs")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--jobs", type=int, default=1, help="number of processes; 0: one per CPU")
    parser.add_argument("--layer", choices=sorted(LAYERS), default="", help="run only this layer")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="directory for minimized inputs")
    given = parser.parse_args()
    jobs = given.jobs or os.cpu_count() or 1
    log(f"seeds {given.seed} to {given.seed + jobs - 1}")
    runs = [given.runs // jobs + (number < given.runs % jobs) for number in range(jobs)]
    work = partial(search, only=given.layer, out=given.out)
    found: dict[str, Figures] = {}
    memory = 0
    with ProcessPoolExecutor(jobs, get_context("fork"), _limit) as pool:
        for figures, peak in pool.map(work, range(given.seed, given.seed + jobs), runs):
            memory = max(memory, peak)
            for layer, one in figures.items():
                found.setdefault(layer, Figures()).add(one)
    print("\n".join(report(found, memory)))
    return 1 if any(one.faults for one in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
