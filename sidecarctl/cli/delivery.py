"""What the options of input and output ask for, what became of each source, and where it goes. Data; reads and writes nothing
but what stands in an output's place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.files import sources
from sidecarctl.files.sources import Read, Source
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject.pipeline import Result
from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Mirror:
    """What is different where the output is the render of a tree.

    leave_out  sources that are no input: the composition's own files
    closing    what is to be said at the end, given the results of all sources
    prune      delete what an earlier run wrote into the output folder and this one does not
    """

    leave_out: Callable[[Source], bool]
    closing: Callable[[Sequence[Result]], Sequence[Finding]]
    prune: bool = False


@dataclass(frozen=True)
class Delivery:
    """What the options of input and output ask for."""

    files: Sequence[str]
    output: str | None = None
    in_place: bool = False
    diff: bool = False
    check: bool = False
    keep_going: bool = False
    fail_on: str = "error"
    format: str = "text"
    quiet: bool = False
    verbose: bool = False
    stdin_filename: str | None = None
    mirror: Mirror | None = None
    needs_workload: bool = False
    idle: str = ""
    jobs: int = 1

    @property
    def writes_nothing(self) -> bool:
        """True when only a diff or a verdict is asked for."""
        return self.diff or self.check

    def severity(self) -> Severity | None:
        """The mildest severity that fails the run."""
        return None if self.fail_on == "never" else Severity(self.fail_on)


@dataclass(frozen=True)
class Done:
    """One source with what became of it: a result, or the error that stopped it.

    `present` is what stands now where the result belongs: the input itself, or an output of an earlier run.
    """

    source: Source
    read: Read
    result: Result | None = None
    error: SidecarctlError | None = None
    present: str | None = None

    @property
    def outdated(self) -> bool:
        """True where the result is not what stands in its place."""
        return self.result is not None and self.result.text != self.now

    def told(self, delivery: Delivery) -> bool:
        """True where its changes are to be reported: of outputs that are compared, only those that differ."""
        return self.present is None or self.outdated or not delivery.writes_nothing

    @property
    def now(self) -> str:
        """What stands where the result belongs."""
        return self.read.text if self.present is None else self.present


def refuse_nonsense(delivery: Delivery) -> None:
    """Raise UsageError for options that exclude each other."""
    if delivery.in_place and delivery.output:
        raise UsageError("--in-place and --output exclude each other", hint="drop one of them")
    if delivery.in_place and (not delivery.files or "-" in delivery.files):
        raise UsageError("--in-place needs files: standard input can't be replaced", hint="name them with -f")


def targets(delivery: Delivery, done: Sequence[Done]) -> list[Path]:
    """Return where each result goes: one input to the output file itself, several below the folder, as they stand below
    theirs.
    """
    assert delivery.output
    target = Path(delivery.output)
    if len(done) == 1 and not target.is_dir() and not (delivery.mirror and into_folder(delivery)):
        return [target]
    taken: dict[Path, str] = {}
    for one in done:
        path = target / (one.source.relative or "stdin.yaml")
        if path in taken:
            raise UsageError(f"{one.source.name} and {taken[path]} would both be written to {path}")
        taken[path] = one.source.name
    return list(taken)


def into_folder(delivery: Delivery) -> bool:
    """True where the output is a folder: it is one, is written like one, or what it mirrors is one or several."""
    output = delivery.output or ""
    return (
        Path(output).is_dir()
        or output.endswith(("/", os.sep))
        or len(delivery.files) > 1
        or any(Path(file).is_dir() for file in delivery.files)
    )


def with_present(delivery: Delivery, done: Sequence[Done]) -> Iterator[Done]:
    """Compare with the outputs that are there, where the run has any; a file that is not there counts as empty."""
    if not delivery.output:
        yield from done
        return
    for path, one in zip(targets(delivery, done), done):
        try:
            text = sources.decode(path.read_bytes(), str(path))
        except (OSError, SidecarctlError):
            text = ""
        yield replace(one, present=text, source=replace(one.source, name=str(path)))
